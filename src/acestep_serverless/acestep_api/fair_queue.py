"""Whose task is next, and which come along? Callers take turns; each caller's tasks go in the order they came.

Only the first task of a batch takes a turn by right. Those that share its batch ride along, whoever sent them and
wherever they stand, since they cost the others no turn; every task taken puts its caller to the end of the circle.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from acestep_serverless.engines.base import Sharing


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting task: whose it is, how many songs it asks for, and with which others it may share a batch."""

    task_id: str
    caller: str
    songs: int
    sharing: Sharing | None


class FairQueue:
    """The waiting tasks. Whoever owns it keeps other threads out; no thread or process belongs to a task."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, OrderedDict[str, Waiting]] = OrderedDict()
        self._callers: dict[str, str] = {}
        self._places: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._callers)

    def add(self, entry: Waiting) -> int:
        """Put a task at the end of its caller's line; return its turn, as `place` gives it."""
        line = self._lines.setdefault(entry.caller, OrderedDict())
        line[entry.task_id] = entry
        self._callers[entry.task_id] = entry.caller
        self._places = None
        # Counted, not walked: with 10,000 waiting a walk takes 5 ms.
        callers = list(self._lines)
        own, rank = callers.index(entry.caller), len(line)
        return sum(
            min(len(self._lines[caller]), rank if number <= own else rank - 1) for number, caller in enumerate(callers)
        )

    def put_back(self, entry: Waiting) -> None:
        """Put a task that was taken before everything else."""
        self.add(entry)
        self._lines[entry.caller].move_to_end(entry.task_id, last=False)
        self._lines.move_to_end(entry.caller, last=False)

    def remove(self, task_id: str) -> None:
        """Take out a task that waits here. Raises KeyError for another one."""
        caller = self._callers.pop(task_id)
        line = self._lines[caller]
        del line[task_id]
        if not line:
            del self._lines[caller]
        self._places = None

    def take(self) -> list[str]:
        """Take out the next task and those waiting that fit into its batch; [] when nobody waits. It never waits."""
        batch: list[Waiting] = []
        room = 0
        for entry in self._in_turn():
            if not batch:
                batch, room = [entry], (entry.sharing.songs - entry.songs if entry.sharing else 0)
            elif entry.sharing == batch[0].sharing and entry.songs <= room:
                batch.append(entry)
                room -= entry.songs
            if room <= 0:
                break
        for entry in batch:
            self.remove(entry.task_id)
            if entry.caller in self._lines:
                self._lines.move_to_end(entry.caller)
        return [entry.task_id for entry in batch]

    def place(self, task_id: str) -> int:
        """Give a task's turn: 1 is next, 0 does not wait. It may come earlier, in another's batch."""
        if self._places is None:
            self._places = {entry.task_id: number for number, entry in enumerate(self._in_turn(), 1)}
        return self._places.get(task_id, 0)

    def _in_turn(self) -> Iterator[Waiting]:
        """Walk through everybody's first task, then everybody's second, and so on."""
        for rank in zip_longest(*(line.values() for line in self._lines.values())):
            yield from (entry for entry in rank if entry is not None)
