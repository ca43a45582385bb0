"""Every error the project raises on purpose, in one tree. Which caller sees what?

AcestepServerlessError          the root: str(error) is a sentence fit for a user
├── SettingsError               a flag, variable or TOML key is wrong: the process does not start
├── InputError                  a request is wrong; carries one FieldProblem per field
├── AccessDenied                no key, a wrong key, or a key of something else
├── NotFound                    nothing of that name (or not for this caller)
├── Conflict                    the state has moved on: lost lease, final job, taken id
├── TooLarge                    a body, file or queue is over its limit
├── TooManyRequests             this key asked too often; carries the seconds after which to come back
├── Unavailable                 not now: the database does not answer, or the server is ending
├── EngineError                 the engine could not make the song
│   ├── EngineUnavailable       the engine cannot load here; says what is missing
│   └── GenerationCancelled     somebody asked for the end of this generation
├── AudioError                  samples or a file that no codec here can handle
└── PeerError                   another server answered badly or not at all
    ├── PeerUnreachable         no answer: refused, reset, timed out
    └── TaskFailed              the ACE-Step API ended the task without audio
"""

from collections.abc import Sequence
from dataclasses import dataclass


class AcestepServerlessError(Exception):
    """The root of the tree; its text is a sentence that tells the user what to do next."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field: its dotted name, what was given (shortened), what is allowed."""

    field: str
    given: str
    allowed: str

    def __str__(self) -> str:
        """Say the problem in one sentence that starts with the field's name."""
        return f"{self.field}: {self.allowed}, got {self.given}"


class SettingsError(AcestepServerlessError):
    """A flag, environment variable or TOML key is wrong; the process does not start."""


class InputError(AcestepServerlessError):
    """A request is wrong. Every problem found is in `problems`; the text joins them with '; '."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class AccessDenied(AcestepServerlessError):
    """No key, a wrong key, or a key that opens something else."""


class NotFound(AcestepServerlessError):
    """Nothing of that name exists, or it belongs to somebody else."""


class Conflict(AcestepServerlessError):
    """The state has moved on: the lease is lost, the job is final, the id is taken."""


class TooLarge(AcestepServerlessError):
    """A body, a file or a queue is over its limit; the text names the limit."""


class TooManyRequests(AcestepServerlessError):
    """This key asked too often. `retry_after` is whole seconds, at least 1."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Unavailable(AcestepServerlessError):
    """Not now, though nothing is wrong with the request: the same can succeed in a moment."""

    retry_after = 2


class EngineError(AcestepServerlessError):
    """The engine could not make the song."""


class EngineUnavailable(EngineError):
    """The engine cannot load here; the text names what is missing and the command that mends it."""


class GenerationCancelled(EngineError):
    """Somebody asked for the end of this generation."""


class AudioError(AcestepServerlessError):
    """Samples or a file that no codec here can handle."""


class PeerError(AcestepServerlessError):
    """Another server answered badly or not at all."""


class PeerUnreachable(PeerError):
    """No answer: refused, reset or timed out."""


class TaskFailed(PeerError):
    """The ACE-Step API ended the task without audio; the text is its reason."""
