"""How does a request become a score? Brief, plan and chords first, then every player reads the same sheet."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import Brief, make_brief
from acestep_serverless.engines.sketch.parts_bass import bass_part
from acestep_serverless.engines.sketch.parts_chords import comping_part, pad_part
from acestep_serverless.engines.sketch.parts_drums import drum_part
from acestep_serverless.engines.sketch.parts_melody import counter_part, melody_notes, melody_part
from acestep_serverless.engines.sketch.score import Part, Score, Section
from acestep_serverless.engines.sketch.sheet import Sheet, make_sheet
from acestep_serverless.engines.sketch.styles.model import Comping, Counter, Pad, Sound

NOT_SUNG = (
    "The sketch engine does not sing: an instrument plays the melody of the lyrics, one note per syllable. "
    "The acestep engine sings them."
)
# Players that join a style without them when the caption names their instrument.
NAMED_PAD = Pad(Sound(48, -8, 0.0, 0.4), centre=62)
NAMED_COUNTER = Counter(Sound(61, -8, 0.3, 0.3), enters=0.5)
NAMED_ARPEGGIO = Comping(Sound(46, -7, 0.3, 0.4), verse="1.3.2.4.3.5.4.3.", chorus="1.2.3.4.5.4.3.2.", centre=66)
SOLO_ROLES = frozenset({"bass", "chords", "melody"})


@dataclass(frozen=True, slots=True)
class Composition:
    """A finished score and what its listener should know about it, in sentences."""

    score: Score
    warnings: tuple[str, ...] = ()


def players(sheet: Sheet) -> dict[str, Callable[[], Part]]:
    """Who could play, by role, in the order of the score."""
    brief, style = sheet.brief, sheet.brief.style
    tune = melody_notes(sheet)
    band: dict[str, Callable[[], Part]] = {
        "drums": lambda: drum_part(sheet),
        "bass": lambda: bass_part(sheet),
        "chords": lambda: comping_part(sheet, style.chords, "Chords", "chords"),
        "melody": lambda: melody_part(sheet, tune),
    }
    if (pad := style.pad or (NAMED_PAD if "pad" in brief.programs else None)) is not None:
        band["pad"] = lambda: pad_part(sheet, pad)
    if (arpeggio := style.arpeggio or (NAMED_ARPEGGIO if "arpeggio" in brief.programs else None)) is not None:
        band["arpeggio"] = lambda: comping_part(sheet, arpeggio, "Arpeggio", "arpeggio")
    if (counter := style.counter or (NAMED_COUNTER if "counter" in brief.programs else None)) is not None:
        band["counter"] = lambda: counter_part(sheet, tune, counter)
    return band


def instrument(brief: Brief, part: Part) -> Part:
    """The part on the instrument that the caption names, the seed picks among the style's leads, or the style gives."""
    if brief.solo is not None:
        return replace(part, program=brief.solo)
    if part.role in brief.programs:
        return replace(part, program=brief.programs[part.role])
    if part.role == "melody" and brief.style.leads:
        return replace(part, program=brief.chance.of("lead").choice(brief.style.leads))
    return part


def make_parts(sheet: Sheet) -> tuple[Part, ...]:
    """Every part that plays: without those the caption leaves out, and only three roles of a solo instrument."""
    brief = sheet.brief
    parts = []
    for role, play in players(sheet).items():
        if role in brief.silent or (brief.solo is not None and role not in SOLO_ROLES):
            continue
        part = instrument(brief, play())
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
    score = Score(
        style=brief.style.name,
        seconds=brief.seconds,
        tempo=sheet.plan.tempo,
        key_scale=brief.key_scale,
        time_signature=brief.meter,
        beats_per_bar=brief.beats_per_bar,
        sections=make_sections(sheet),
        parts=make_parts(sheet),
        sidechain=brief.style.sidechain,
    )
    return Composition(score, sheet.plan.warnings + ((NOT_SUNG,) if brief.sung else ()))
