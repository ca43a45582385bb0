"""What do all players share? The brief, the plan and the chords, with the look-ups that every part needs."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from acestep_serverless.engines.sketch.brief import Brief
from acestep_serverless.engines.sketch.form import Plan, Stretch, make_plan
from acestep_serverless.engines.sketch.harmony import Span, make_spans
from acestep_serverless.engines.sketch.score import Note

# How many bars at the end of a section of so many bars rise to the chorus after it, in styles with builds.
BUILDS = ((8, 4), (4, 2), (2, 1))
LOUD_SECTIONS = frozenset({"chorus", "instrumental"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lead sheet that every player reads.

    `starts` holds the first beat of every chord and `firsts` the first bar of every section, for searching.
    """

    brief: Brief
    plan: Plan
    spans: tuple[Span, ...]
    starts: tuple[float, ...]
    firsts: tuple[int, ...]

    def bars(self) -> Iterator[tuple[Stretch, int, float]]:
        """Every bar before the final chord: its section, its index within the section, its first beat."""
        for stretch in self.plan.stretches:
            for index in range(stretch.bars):
                beat = (stretch.first + index) * self.plan.beats_per_bar
                if beat < self.plan.final:
                    yield stretch, index, beat

    def build_step(self, stretch: Stretch, index: int) -> tuple[int, int] | None:
        """Which bar of a build a section's bar is, and of how many; None outside builds and in styles without."""
        place = bisect_right(self.firsts, stretch.first)
        follows = place < len(self.plan.stretches) and self.plan.stretches[place].name == "chorus"
        steps = next((steps for bars, steps in BUILDS if stretch.bars >= bars), 0)
        if not self.brief.style.builds or not follows or index < stretch.bars - steps:
            return None
        return index - (stretch.bars - steps), steps

    def steps_back(self, stretch: Stretch) -> bool:
        """Whether drums and bass leave room in a section, so that the chorus after it comes as a change."""
        return self.brief.style.breaks and stretch.name == "bridge"

    def span_index(self, beat: float) -> int:
        """Which chord sounds at a beat, as an index into `spans`."""
        return max(0, bisect_right(self.starts, beat + 1e-6) - 1)

    def span_at(self, beat: float) -> Span:
        """Which chord sounds at a beat."""
        return self.spans[self.span_index(beat)]

    def stretch_at(self, beat: float) -> Stretch:
        """Which section a beat falls in."""
        bar = int(beat / self.plan.beats_per_bar + 1e-6)
        return self.plan.stretches[max(0, bisect_right(self.firsts, bar) - 1)]

    def before_final(self, notes: list[Note]) -> list[Note]:
        """The notes that start before the final chord, cut where it falls."""
        final = self.plan.final
        return [
            Note(n.start, min(n.length, final - n.start), n.pitch, n.velocity) for n in notes if n.start < final - 1e-6
        ]


def make_sheet(brief: Brief) -> Sheet:
    """Plan the form and lay the chords over it."""
    plan = make_plan(brief)
    spans = make_spans(brief, plan)
    starts = tuple(span.start for span in spans)
    return Sheet(brief, plan, spans, starts, tuple(stretch.first for stretch in plan.stretches))


def section_grid(stretch: Stretch, verse: str, chorus: str) -> str:
    """Which of a player's two figures a section reads."""
    return chorus if stretch.name in LOUD_SECTIONS else verse


def loudness(base: float, energy: float) -> int:
    """A velocity: the base at full energy, three quarters of it at none."""
    return max(1, min(127, round(base * (0.75 + 0.25 * energy))))
