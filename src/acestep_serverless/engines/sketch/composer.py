"""How does a request become a score? Brief, plan and chords first, then every player reads the same sheet."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import Brief, make_brief
from acestep_serverless.engines.sketch.lyrics import said_of_tags
from acestep_serverless.engines.sketch.parts_bass import bass_part
from acestep_serverless.engines.sketch.parts_build import sweep_part
from acestep_serverless.engines.sketch.parts_chords import comping_part, pad_part
from acestep_serverless.engines.sketch.parts_drums import drum_part
from acestep_serverless.engines.sketch.parts_melody import Tune, counter_part, make_tune, melody_part
from acestep_serverless.engines.sketch.parts_voice import vocals
from acestep_serverless.engines.sketch.score import Part, Score, Section
from acestep_serverless.engines.sketch.sheet import Sheet, make_sheet
from acestep_serverless.engines.sketch.styles.model import Comping, Counter, Pad, Sound

# Players that join a style without them when the caption names their instrument.
NAMED_PAD = Pad(Sound(48, -8, 0.0, 0.4), centre=62)
NAMED_COUNTER = Counter(Sound(61, -8, 0.3, 0.3), enters=0.5)
NAMED_ARPEGGIO = Comping(Sound(46, -7, 0.3, 0.4), verse="1.3.2.4.3.5.4.3.", chorus="1.2.3.4.5.4.3.2.", centre=66)
BROKEN = ("1-2-3-4-3-4-3-2-", "x-3-4-5-x-4-3-2-")
SOLO_ROLES = frozenset({"bass", "chords", "melody"})


@dataclass(frozen=True, slots=True)
class Composition:
    """A finished score and what its listener should know about it, in sentences."""

    score: Score
    warnings: tuple[str, ...] = ()


def alone(player: Comping) -> Comping:
    """How the chords are played where nobody else fills the time between them: broken, roots and all."""
    return replace(player, verse=BROKEN[0], chorus=BROKEN[1], rootless=False, power=False, enters=0.0)


def players(sheet: Sheet, tune: Tune) -> dict[str, Callable[[], Part]]:
    """Who could play, by role, in the order of the score."""
    style, named = sheet.brief.style, sheet.brief.seats.programs
    chords = style.chords if sheet.brief.seats.solo is None else alone(style.chords)
    band: dict[str, Callable[[], Part]] = {
        "drums": lambda: drum_part(sheet),
        "bass": lambda: bass_part(sheet),
        "chords": lambda: comping_part(sheet, chords, "Chords", "chords"),
        "melody": lambda: melody_part(sheet, tune.played),
    }
    if (pad := style.pad or (NAMED_PAD if "pad" in named else None)) is not None:
        band["pad"] = lambda: pad_part(sheet, pad)
    if (arpeggio := style.arpeggio or (NAMED_ARPEGGIO if "arpeggio" in named else None)) is not None:
        band["arpeggio"] = lambda: comping_part(sheet, arpeggio, "Arpeggio", "arpeggio")
    if (counter := style.counter or (NAMED_COUNTER if "counter" in named else None)) is not None:
        band["counter"] = lambda: counter_part(sheet, tune.played, counter)
    if style.builds:
        band["texture"] = lambda: sweep_part(sheet)
    return band


def instrument(brief: Brief, part: Part) -> Part:
    """The part on the instrument that the caption names, its era suggests, the seed picks, or the style gives."""
    seats, style = brief.seats, brief.style
    if seats.solo is not None:
        return replace(part, program=seats.solo)
    own = part.program
    if part.role == "melody" and style.leads:
        own = brief.chance.of("lead").choice(style.leads)
    program = seats.program(part.role, brief.era.get(part.role, own))
    return replace(part, program=program, effect=style.effects.get(part.role, ""))


def make_parts(sheet: Sheet, tune: Tune) -> tuple[Part, ...]:
    """Every part that plays: without those the caption leaves out, and only three roles of a solo instrument."""
    seats = sheet.brief.seats
    parts = []
    for role, play in players(sheet, tune).items():
        if role in seats.silent or (seats.solo is not None and role not in SOLO_ROLES):
            continue
        part = instrument(sheet.brief, play())
        if part.notes:
            parts.append(part)
    return tuple(parts)


def make_sections(sheet: Sheet) -> tuple[Section, ...]:
    """The form in beats; the last section reaches to the song's last beat."""
    plan = sheet.plan
    starts = [stretch.first * plan.beats_per_bar for stretch in plan.stretches]
    ends = [*starts[1:], plan.total]
    return tuple(
        Section(stretch.name, start, end - start, stretch.energy)
        for stretch, start, end in zip(plan.stretches, starts, ends, strict=True)
    )


def compose(request: GenerationRequest, seed: int) -> Composition:
    """Write the song of one seed (0 to 4,294,967,295); `request.seeds` plays no part in it.

    The same request and seed give the same score, on every machine. Raises ValueError when key_scale or
    time_signature has a shape that the request's own validation never lets through.
    """
    brief = make_brief(request, seed)
    sheet = make_sheet(brief)
    tune = make_tune(sheet)
    score = Score(
        style=brief.style.name,
        seconds=brief.seconds,
        tempo=sheet.plan.tempo,
        key_scale=brief.key_scale,
        time_signature=brief.meter,
        beats_per_bar=brief.beats_per_bar,
        sections=make_sections(sheet),
        parts=make_parts(sheet, tune),
        sidechain=brief.style.sidechain,
        vocals=vocals(sheet, tune.sung),
        understood=brief.understood,
    )
    return Composition(score, sheet.plan.warnings + said_of_tags(request.lyrics) + said_of_the_voice(brief))


def said_of_the_voice(brief: Brief) -> tuple[str, ...]:
    """What the listener should know about the words: that nobody here can pronounce them, if so."""
    if brief.singing is None or not brief.singing.humming:
        return ()
    return (
        f"lyrics: the sketch engine has no voice that pronounces {brief.singing.language!r}, so it hums the melody",
    )
