"""What was found wrong with a request? Strictly every finding is a problem; read leniently, some become warnings."""

from typing import TypeVar

from acestep_serverless.errors import FieldProblem, InputError

Value = TypeVar("Value")


class Findings:
    """The problems of one request, and the sentences that its songs will carry."""

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient
        self.warnings: list[str] = []
        self._problems: list[FieldProblem] = []

    def refuse(self, field: str, given: str, allowed: str) -> None:
        """Note a problem that no reading mends."""
        self._problems.append(FieldProblem(field, given, allowed))

    def refuse_all(self, error: InputError) -> None:
        """Note the problems of an error."""
        self._problems.extend(error.problems)

    def mend(self, field: str, given: str, allowed: str, instead: Value, words: str) -> Value:
        """Note what the lenient reading mends: give what is used instead; `words` say that, such as "8 was used"."""
        problem = FieldProblem(field, given, allowed)
        if self.lenient:
            self.warnings.append(f"{problem}; {words}")
        else:
            self._problems.append(problem)
        return instead

    def warn(self, sentence: str) -> None:
        """Note a sentence for the songs."""
        self.warnings.append(sentence)

    def raise_problems(self) -> None:
        """Raise InputError with all problems, if there are any."""
        if self._problems:
            raise InputError(self._problems)
