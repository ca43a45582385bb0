"""Which answers of the language model are written side by side? As many as its cache has room for, the others in turn.

Every row of the cache is as long as the longest of its group, and a guided answer has two rows. The room is what the
placement computed; where that was too much all the same, a group is halved and written again.
"""

from collections.abc import Collection, Sequence

from acestep_serverless.engines.acestep.making import free_memory, is_out_of_memory
from acestep_serverless.engines.acestep.rows import strides
from acestep_serverless.engines.acestep.writing import Draft, Watch, Writer, Written
from acestep_serverless.errors import EngineError

NO_ROOM = "There is no memory for the language model's keys and values of a song."


def rows_of(draft: Draft) -> int:
    """Tell how many rows of the cache an answer takes: guidance reads a second text."""
    return 2 if draft.settings.guided else 1


def room_of(draft: Draft) -> int:
    """Tell how many positions each of its rows has at first."""
    return strides(max(len(draft.prompt), len(draft.other)) + draft.enough)


def grouped(drafts: Sequence[Draft], positions: int) -> list[list[int]]:
    """Part drafts, by their numbers and in their order, into groups of at most so many positions, one draft at least.

    0 positions are no bound.
    """
    groups: list[list[int]] = []
    rows = longest = 0
    for number, draft in enumerate(drafts):
        rows, longest = rows + rows_of(draft), max(longest, room_of(draft))
        if groups and (not positions or rows * longest <= positions):
            groups[-1].append(number)
        else:
            groups.append([number])
            rows, longest = rows_of(draft), room_of(draft)
    return groups


class FittingWriter:
    """A writer whose cache holds so many positions, all rows together; 0 is no bound."""

    def __init__(self, writer: Writer, positions: int) -> None:
        self._writer, self._positions = writer, positions

    def write(self, drafts: Sequence[Draft], span: range, watch: Watch) -> list[Written]:
        """Write one answer for each draft (`Writer.write`). One for which memory runs out is an EngineError."""
        answers: list[Written] = [EngineError(NO_ROOM)] * len(drafts)
        done = [0.0] * len(drafts)
        pending = grouped(drafts, self._positions)
        while pending:
            group = pending.pop(0)
            written = self._written(drafts, group, span, _part(watch, group, done))
            if written is not None:
                for number, answer in zip(group, written, strict=True):
                    answers[number] = answer
                continue
            free_memory()
            half = len(group) // 2
            pending[:0] = [part for part in (group[:half], group[half:]) if half]
        return answers

    def _written(
        self, drafts: Sequence[Draft], group: Sequence[int], span: range, watch: Watch
    ) -> list[Written] | None:
        """Write one group; None where the memory does not hold it."""
        try:
            written: list[Written] = self._writer.write([drafts[number] for number in group], span, watch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        return written


def _part(watch: Watch, group: Sequence[int], done: list[float]) -> Watch:
    """Give the watch over one group; `done` has everybody's share."""

    def look(shares: Sequence[float]) -> Collection[int]:
        for number, share in zip(group, shares, strict=True):
            done[number] = share
        gone = watch(done)
        return [place for place, number in enumerate(group) if number in gone]

    return look
