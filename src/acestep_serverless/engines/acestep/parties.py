"""Who waits for a plan, and how far is each? Requests that are planned together, none of which another one holds up.

A party that is cancelled, or that asks for what the model cannot do, ends by itself; the others' songs are written on.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from acestep_serverless.engines.acestep.wishes import Plan, Wish
from acestep_serverless.engines.acestep.writing import STOPPED, Told, Watch
from acestep_serverless.engines.base import Cancelled
from acestep_serverless.errors import EngineError, GenerationCancelled


def _unheard(_fraction: float) -> None:
    """Nobody asked how far the work is."""


@dataclass(frozen=True, slots=True)
class Party:
    """One request's songs, whether they are still wanted, and who hears how far they are (0.0 to 1.0)."""

    wishes: Sequence[Wish]
    cancelled: Cancelled
    told: Told = _unheard


Planned = list[Plan] | Exception
"""What a party's planning ends with: a plan for each of its wishes, or why there is none."""


@dataclass
class Audience:
    """The parties of one plan, by their numbers: why the failed ones failed, and how much each was told."""

    parties: Sequence[Party]
    failures: dict[int, Exception] = field(default_factory=dict)
    _told: dict[int, float] = field(default_factory=dict)

    def waits(self, party: int) -> bool:
        """Tell whether a party has not failed yet."""
        return party not in self.failures

    def ask(self) -> bool:
        """Ask everybody who waits whether the songs are still wanted; tell whether anybody is left."""
        for number, party in enumerate(self.parties):
            if self.waits(number) and party.cancelled():
                self.fail(number, GenerationCancelled(STOPPED))
        return len(self.failures) < len(self.parties)

    def check(self) -> None:
        """Raise the first party's failure, if there is one: for those who ask for one thing alone."""
        if 0 in self.failures:
            raise self.failures[0]

    def fail(self, party: int, failure: Exception) -> None:
        """End a party, unless it has ended already."""
        self.failures.setdefault(party, failure)

    @contextmanager
    def failing(self, party: int) -> Iterator[None]:
        """Take an EngineError within for this party's alone."""
        try:
            yield
        except EngineError as error:
            self.fail(party, error)

    def tell(self, party: int, fraction: float) -> None:
        """Tell a party how far it is; what it hears never falls."""
        if self.waits(party) and fraction > self._told.get(party, -1.0):
            self._told[party] = fraction
            self.parties[party].told(fraction)

    def watch(self, owners: Sequence[int], first: float, last: float) -> Watch:
        """Give the watch over a pass that makes `first` to `last` of the work; `owners` has each answer's party."""

        def look(done: Sequence[float]) -> Collection[int]:
            for party in dict.fromkeys(owners):
                least = min(part for part, owner in zip(done, owners, strict=True) if owner == party)
                self.tell(party, first + (last - first) * least)
            self.ask()
            return [number for number, owner in enumerate(owners) if not self.waits(owner)]

        return look
