"""How long is each section, and where does the song end? Seconds become bars, bars a form that ends on a chord.

The last section holds the final chord: it falls on a downbeat (on a beat in songs of less than two bars), sounds until
`end`, and what follows until `total` belongs to the release, so that the sound dies away inside the song.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acestep_serverless.engines.sketch.brief import FASTEST, SLOWEST, Brief
from acestep_serverless.engines.sketch.lyrics import Line, LyricSection
from acestep_serverless.engines.sketch.rounds import SHORTEST, TURNAROUND, round_form, rounded_up
from acestep_serverless.engines.sketch.styles.model import USUAL_ROUND

TAIL_SECONDS, TAIL_SHARE = 1.5, 0.3
HOLD_SECONDS, HOLD_SHARE = 0.9, 0.25
FINE_TUNING = 0.04
# An easy pace of singing, and the fastest that can be followed.
SYLLABLE_SECONDS, BREATH_SECONDS, FASTEST_SYLLABLE = 0.32, 0.6, 0.14

ENERGY = {
    "intro": 0.35,
    "verse": 0.55,
    "prechorus": 0.7,
    "chorus": 0.9,
    "bridge": 0.5,
    "instrumental": 0.75,
    "outro": 0.5,
}
# Forms of up to twelve units (a unit is a phrase of one, two or four bars); longer songs repeat cycles.
SMALL_FORMS: dict[int, tuple[tuple[str, int], ...]] = {
    1: (("chorus", 1),),
    2: (("verse", 1), ("chorus", 1)),
    3: (("intro", 1), ("verse", 1), ("chorus", 1)),
    4: (("intro", 1), ("verse", 1), ("chorus", 2)),
    5: (("intro", 1), ("verse", 2), ("chorus", 2)),
    6: (("intro", 1), ("verse", 2), ("chorus", 2), ("outro", 1)),
    7: (("intro", 1), ("verse", 2), ("bridge", 1), ("chorus", 2), ("outro", 1)),
    8: (("intro", 1), ("verse", 2), ("chorus", 2), ("bridge", 1), ("chorus", 1), ("outro", 1)),
    9: (("intro", 1), ("verse", 2), ("chorus", 2), ("bridge", 1), ("chorus", 2), ("outro", 1)),
    10: (("intro", 1), ("verse", 2), ("chorus", 2), ("verse", 1), ("bridge", 1), ("chorus", 2), ("outro", 1)),
    11: (("intro", 1), ("verse", 2), ("chorus", 2), ("verse", 2), ("bridge", 1), ("chorus", 2), ("outro", 1)),
    12: (("intro", 2), ("verse", 2), ("chorus", 2), ("verse", 2), ("bridge", 1), ("chorus", 2), ("outro", 1)),
}


Stave = tuple[str, int, tuple[Line, ...]]
"""A section before it has its place: name, bars, lyric lines."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One section in bars. `turn` counts its returns from 0; `lines` are its lyrics (none: instrumental)."""

    name: str
    first: int
    bars: int
    energy: float
    turn: int
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The song's time line in beats: the last chord sounds from `final` to `end`; `total` is its length."""

    tempo: float
    total: float
    final: float
    end: float
    beats_per_bar: float
    stretches: tuple[Stretch, ...]
    warnings: tuple[str, ...]


def final_beat(seconds: float, tempo: float, beats_per_bar: float) -> float:
    """The beat of the last chord: the latest downbeat that leaves room to hold it and to let it ring."""
    room = min(TAIL_SECONDS, TAIL_SHARE * seconds) + min(HOLD_SECONDS, HOLD_SHARE * seconds)
    latest = (seconds - room) * tempo / 60
    bars = math.floor(latest / beats_per_bar + 1e-6)
    return bars * beats_per_bar if bars >= 2 else float(math.floor(latest + 1e-6))


def fitted_tempo(brief: Brief) -> float:
    """The brief's tempo, moved by at most 4 % if free, so that whole bars fill the song in phrases of four."""
    if brief.tempo_given:
        return brief.tempo
    bar = brief.beats_per_bar
    wanted = brief.seconds * brief.tempo / 60 / bar
    best, best_cost = brief.tempo, 1.0
    for bars in range(max(1, math.ceil(wanted * (1 - FINE_TUNING))), math.floor(wanted * (1 + FINE_TUNING)) + 1):
        tempo = bars * bar * 60 / brief.seconds
        if not SLOWEST <= tempo <= FASTEST:
            continue
        sung = round(final_beat(brief.seconds, tempo, bar) / bar)
        cost = abs(bars / wanted - 1) * 10 + {0: 0.0, 2: 0.15}.get(sung % 4, 0.35)
        if cost < best_cost:
            best, best_cost = tempo, cost
    return best


def phrase_unit(bars: int) -> int:
    """Bars in a unit of the form: four where the song has room for six of them, else two, else one."""
    return 4 if bars >= 24 else 2 if bars >= 8 else 1


def cycle_form(units: int) -> list[tuple[str, int]]:
    """A long form: cycles of verse and chorus, an instrumental after every second, a bridge before the last chorus."""
    edge = 1 if units < 24 else 2
    body = units - 2 * edge - 4
    form = [("intro", edge)]
    turn = 0
    while body > 0:
        cycle = [("verse", 2), ("chorus", 2)]
        if turn % 2 == 1 and body >= 10:
            cycle.append(("instrumental", 2))
        for name, length in cycle:
            if body > 0:
                form.append((name, min(length, body)))
                body -= min(length, body)
        turn += 1
    return [*form, ("bridge", 2), ("chorus", 2), ("outro", edge)]


def merged(form: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The form with equal neighbours joined."""
    joined: list[tuple[str, int]] = []
    for name, length in form:
        if joined and joined[-1][0] == name:
            joined[-1] = (name, joined[-1][1] + length)
        else:
            joined.append((name, length))
    return joined


def instrumental_form(bars: int, length: int) -> list[Stave]:
    """Sections for a song without lyrics, as (name, bars, no lines); odd bars lengthen the last section.

    `length` is the style's own round in bars; one that is not of eight bars makes a form of its own.
    """
    if length > USUAL_ROUND and bars >= SHORTEST:
        return [(name, count, ()) for name, count in round_form(bars, length)]
    unit = phrase_unit(bars)
    units = max(1, bars // unit)
    form = list(SMALL_FORMS[units]) if units in SMALL_FORMS else merged(cycle_form(units))
    sections = [(name, length * unit, ()) for name, length in form]
    name, length, none = sections[-1]
    sections[-1] = (name, length + bars - units * unit, none)
    return [(name, length, ()) for name, length, _ in sections]


def bars_wanted(section: LyricSection, per_line: int, unit: int) -> int:
    """Bars of a lyric section: whole lines, rounded up to an even number; a section without lines is one unit."""
    if not section.lines:
        return unit
    bars = len(section.lines) * per_line
    return bars + bars % 2 if per_line > 1 else bars


def natural_bars(lines: Sequence[Line], bar_seconds: float) -> int:
    """Bars in which a line of these is sung at an easy pace: 1, 2 or 4."""
    syllables = sum(line.count for line in lines) / max(1, len(lines))
    wanted = (SYLLABLE_SECONDS * syllables + BREATH_SECONDS) / bar_seconds
    return next((bars for bars in (4, 2) if bars <= 1.5 * wanted), 1)


def left_out_warning(sections: int, bars: int) -> str:
    """What is said when the song has fewer bars than the lyrics have sections."""
    return (
        f"The lyrics have {sections} sections and the song has {bars} bars: the last {sections - bars} sections are "
        "left out; a longer duration fits them all."
    )


def hurried(lines: Sequence[Line], seconds: float) -> tuple[str, ...]:
    """What is said when the lyrics are too long to be understood in a song of so many seconds."""
    needed = sum(FASTEST_SYLLABLE * line.count for line in lines)
    if needed <= seconds:
        return ()
    easy = sum(SYLLABLE_SECONDS * line.count + BREATH_SECONDS for line in lines)
    return (f"The lyrics are long for {seconds:.0f} s and hurried: about {easy:.0f} s would suit them.",)


def lyric_form(brief: Brief, bars: int, bar_seconds: float) -> tuple[list[Stave], list[str]]:
    """Sections in the order of the lyrics, stretched or repeated to fill the song, and what had to be left out."""
    unit = phrase_unit(bars)
    sections = brief.lyrics
    warnings: list[str] = []
    if len(sections) > max(1, bars):
        warnings.append(left_out_warning(len(sections), max(1, bars)))
        sections = sections[: max(1, bars)]
    lines = [line for section in sections for line in section.lines]
    warnings += hurried(lines, bars * bar_seconds)
    easy = natural_bars(lines, bar_seconds)
    sizes = [size for size in (4, 2, 1) if size <= easy]
    per_line = next((n for n in sizes if sum(bars_wanted(s, n, unit) for s in sections) <= bars), 0)
    wanted = [bars_wanted(section, max(1, per_line), unit) for section in sections]
    if per_line == 0:
        wanted = shared(wanted, bars)
        return [(s.name, n, s.lines) for s, n in zip(sections, wanted, strict=True)], warnings
    length, solo = brief.style.progressions.round, 2 * unit
    if length > USUAL_ROUND:
        wanted = rounded_up(wanted, [section.name for section in sections], bars, length)
        solo = max(solo, length if unit == TURNAROUND else 0)
    form = [(s.name, n, s.lines) for s, n in zip(sections, wanted, strict=True)]
    return filled(form, bars, unit, solo), warnings


def shared(wanted: list[int], bars: int) -> list[int]:
    """Scale section lengths down to a number of bars, at least one each."""
    lengths = [max(1, length * bars // sum(wanted)) for length in wanted]
    while sum(lengths) > bars:
        lengths[lengths.index(max(lengths))] -= 1
    lengths[-1] += bars - sum(lengths)
    return lengths


def filled(form: list[Stave], bars: int, unit: int, solo: int) -> list[Stave]:
    """Fill spare bars: an intro, then the sung sections once more after a break of `solo` bars, then an outro."""
    ending = [form.pop()] if form[-1][0] == "outro" and len(form) > 1 else []
    spare = bars - sum(length for _, length, _ in form + ending)
    if form[0][0] != "intro" and spare >= unit:
        form.insert(0, ("intro", unit, ()))
        spare -= unit
    again = [section for section in form if section[2]] or form[1:] or list(form)
    rounds = 0
    while spare > 0 and rounds < bars:
        rounds += 1
        for section in [("instrumental", solo, ()), *again]:
            if section[1] <= spare:
                form.append(section)
                spare -= section[1]
        if spare < min(section[1] for section in [*again, ("", solo, ())]):
            break
    if not ending and spare:
        ending = [("outro", 0, ())]
    if ending:
        name, length, lines = ending[0]
        ending = [(name, length + spare, lines)]
    return form + ending


def make_plan(brief: Brief) -> Plan:
    """Lay out the song: tempo, final chord, and sections that tile it from 0 to its last beat."""
    tempo = fitted_tempo(brief)
    bar = brief.beats_per_bar
    total = brief.seconds * tempo / 60
    final = final_beat(brief.seconds, tempo, bar)
    tail = min(TAIL_SECONDS, TAIL_SHARE * brief.seconds) * tempo / 60
    bars = max(1, math.ceil(final / bar - 1e-6))
    warnings: list[str] = []
    if brief.lyrics:
        form, warnings = lyric_form(brief, bars, bar * 60 / tempo)
    else:
        form = instrumental_form(bars, brief.style.progressions.round)
    stretches = tuple(with_energy(place(form), brief.lift))
    return Plan(tempo, total, final, total - tail, bar, stretches, tuple(warnings))


def place(form: list[Stave]) -> list[Stretch]:
    """Give every section its first bar and its turn."""
    placed: list[Stretch] = []
    for name, bars, lines in form:
        first = placed[-1].first + placed[-1].bars if placed else 0
        turn = sum(1 for stretch in placed if stretch.name == name)
        placed.append(Stretch(name, first, bars, 0.0, turn, lines))
    return placed


def with_energy(stretches: list[Stretch], lift: float) -> list[Stretch]:
    """Give every section its energy: each return a little more, the last chorus the most."""
    choruses = sum(1 for stretch in stretches if stretch.name == "chorus")
    graded = []
    for stretch in stretches:
        energy = ENERGY[stretch.name] + 0.05 * min(stretch.turn, 2) + lift
        if stretch.name == "chorus" and stretch.turn == choruses - 1:
            energy = max(energy, 1.0 + lift)
        graded.append(replace(stretch, energy=max(0.15, min(1.0, energy))))
    return graded
