"""How does a pattern written for one 4/4 bar play in any meter? The grid language of the style tables.

A grid is a string of sixteenth steps, one or more whole 4/4 bars long; spaces and "|" are for the eye only. "." is
silence, "-" lengthens the note before it, any other character is an event whose meaning the reading part knows.

Other meters are read from the same grid: 2/4 takes the halves of each bar in turn, 3/4 the beats one, two and four (so
a backbeat becomes a waltz's second and third beat), 6/8 the halves in turn, every beat stretched to three eighths.
"""

from dataclasses import dataclass
from functools import lru_cache

STEPS = 16
BEATS_PER_BAR = {"2": 2.0, "3": 3.0, "4": 4.0, "6": 3.0}
# 6/8: where the four sixteenths of a simple beat fall inside a beat of three eighths, in quarter notes.
COMPOUND = (0.0, 0.5, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a bar: `start` and `length` in beats from the bar's start, and its character."""

    start: float
    length: float
    mark: str


def clean(grid: str) -> str:
    """The grid without the characters that only help the eye. Raises ValueError unless whole bars remain."""
    steps = grid.replace(" ", "").replace("|", "")
    if not steps or len(steps) % STEPS:
        raise ValueError(f"not a whole number of bars: {grid!r}")
    return steps


def bar_steps(steps: str, meter: str, bar: int) -> list[tuple[float, float, str]]:
    """The bar's steps as (start, span, character): which slice of the pattern the meter reads, and where it falls."""
    whole = steps[(bar * STEPS) % len(steps) :][:STEPS]
    half = steps[(bar * STEPS // 2) % len(steps) :][: STEPS // 2]
    if meter == "3":
        return [(index / 4, 0.25, mark) for index, mark in enumerate(whole[:8] + whole[12:])]
    if meter == "2":
        return [(index / 4, 0.25, mark) for index, mark in enumerate(half)]
    if meter == "6":
        return [(1.5 * (index // 4) + COMPOUND[index % 4], 0.5, mark) for index, mark in enumerate(half)]
    return [(index / 4, 0.25, mark) for index, mark in enumerate(whole)]


@lru_cache(maxsize=8192)
def _bar_events(steps: str, meter: str, bar: int) -> tuple[Event, ...]:
    """The events of one bar; ties are cut at the bar line and two events on one spot become the first."""
    events: list[Event] = []
    sounding = False
    for start, span, mark in bar_steps(steps, meter, bar):
        if mark == ".":
            sounding = False
        elif mark != "-":
            sounding = True
            if not events or events[-1].start < start:
                events.append(Event(start, span, mark))
        elif sounding:
            last = events[-1]
            events[-1] = Event(last.start, max(last.length, start + span - last.start), last.mark)
    ends = [*(event.start for event in events), BEATS_PER_BAR[meter]][1:]
    return tuple(Event(e.start, min(e.length, end - e.start), e.mark) for e, end in zip(events, ends, strict=False))


def bar_events(grid: str, meter: str, bar: int) -> tuple[Event, ...]:
    """The events of the pattern's `bar`-th bar (counted from the section's start) in a meter "2", "3", "4" or "6"."""
    steps = clean(grid)
    return _bar_events(steps, meter, bar % (2 * len(steps) // STEPS))
