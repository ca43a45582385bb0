"""What does the drummer play? The style's groove by section, a fill before each change, a crash after, a last hit."""

from acestep_serverless.engines.sketch.form import Stretch
from acestep_serverless.engines.sketch.grids import bar_events
from acestep_serverless.engines.sketch.groove import perform
from acestep_serverless.engines.sketch.parts_build import build_bar
from acestep_serverless.engines.sketch.score import Note, Part
from acestep_serverless.engines.sketch.sheet import LOUD_SECTIONS, Sheet, loudness
from acestep_serverless.engines.sketch.styles.model import LANES, Drums, Groove

# Velocity of each grid mark, and how many strokes share the event's step.
MARKS = {"X": (114, 1), "x": (94, 1), "o": (52, 1), "r": (78, 2), "t": (80, 3)}
# Timekeepers sit back in the mix, and fill the middle eighth in 6/8.
TIMEKEEPERS = frozenset({"hat", "ride", "shaker", "cabasa", "tamb", "pedal", "bell", "triangle"})
TIMEKEEPER_SHARE = 0.8
# What rests in a break.
BACKBONE = frozenset({"kick", "deep", "snare", "snare2", "clap"})
# Below this energy only the timekeepers and soft strokes play; below the second, no crash announces a section.
FULL_KIT, CRASHES = 0.45, 0.6
STROKE = 0.2


def strokes(lane: str, grid: str, meter: str, bar: int, energy: float) -> list[Note]:
    """One lane of one bar, from beat 0."""
    notes = []
    share = TIMEKEEPER_SHARE if lane in TIMEKEEPERS else 1.0
    for event in bar_events(grid, meter, bar):
        velocity, count = MARKS[event.mark]
        span = {1: STROKE, 2: 0.25, 3: 0.5}[count] / count
        for index in range(count):
            notes.append(Note(event.start + index * span, span, LANES[lane], loudness(velocity * share, energy)))
        if meter == "6" and lane in TIMEKEEPERS and event.start % 1.5 == 1.0:
            notes.append(Note(event.start - 0.5, STROKE, LANES[lane], loudness(velocity * share * 0.75, energy)))
    return notes


def section_groove(sheet: Sheet, drums: Drums, stretch: Stretch) -> Groove:
    """Which lanes a section uses: the chorus groove in loud sections, only the light lanes in quiet ones and breaks."""
    groove = drums.chorus if stretch.name in LOUD_SECTIONS else drums.verse
    if stretch.energy >= FULL_KIT and not sheet.steps_back(stretch):
        return groove
    if sheet.steps_back(stretch):
        light = {lane: grid for lane, grid in groove.items() if lane not in BACKBONE}
    else:
        light = {lane: grid for lane, grid in groove.items() if lane in TIMEKEEPERS or lane == "rim"}
    return light or groove


def play_bar(groove: Groove, meter: str, index: int, beat: float, energy: float) -> list[Note]:
    """One bar of a groove or a fill, placed at its beat; the same spot of one drum is struck once."""
    struck: dict[tuple[float, int], Note] = {}
    for lane, grid in groove.items():
        for note in strokes(lane, grid, meter, index, energy):
            struck.setdefault((note.start, note.pitch), Note(beat + note.start, note.length, note.pitch, note.velocity))
    return list(struck.values())


def variation(sheet: Sheet, drums: Drums, stretch: Stretch, beat: float) -> list[Note]:
    """What every fourth bar adds to the groove in full sections: one soft stroke towards the next bar."""
    rng = sheet.brief.chance.of("variation", stretch.name)
    groove = section_groove(sheet, drums, stretch)
    lane = rng.choice([lane for lane in ("kick", "snare", "rim", "open") if lane in groove] or [""])
    early = rng.choice((0.25, 0.5))
    if not lane or stretch.energy < FULL_KIT:
        return []
    return [Note(beat + sheet.plan.beats_per_bar - early, STROKE, LANES[lane], loudness(62, stretch.energy))]


def fills_here(stretch: Stretch, index: int) -> bool:
    """Whether this bar is a fill: the last bar of a section long enough to have had a groove first."""
    return index == stretch.bars - 1 and (stretch.bars >= 2 or stretch.first > 0)


def drum_bar(sheet: Sheet, drums: Drums, stretch: Stretch, index: int, beat: float) -> list[Note]:
    """One bar: the groove, a fill at a section's end, or the roll of a build; a crash where a loud section begins."""
    meter, energy = sheet.brief.meter, stretch.energy
    notes: list[Note] = []
    if (step := sheet.build_step(stretch, index)) is not None:
        notes += build_bar(beat, sheet.plan.beats_per_bar, *step)
    else:
        groove = section_groove(sheet, drums, stretch)
        if fills_here(stretch, index):
            fill = sheet.brief.chance.of("fill", stretch.first).choice(drums.fills)
            groove = groove if energy < FULL_KIT and stretch.first > 0 else fill
        elif index % 4 == 3:
            notes += variation(sheet, drums, stretch, beat)
        notes += play_bar(groove, meter, index, beat, energy)
    if index == 0 and energy >= CRASHES and stretch.first > 0:
        notes.append(Note(beat, 1.0, LANES[drums.crash], loudness(100, energy)))
    return notes


def drum_part(sheet: Sheet) -> Part:
    """The whole drum part, fills and last hit included; without notes where the style has no drums."""
    drums = sheet.brief.drums
    if drums is None:
        return Part("Drums", "drums", 0, ())
    notes = [note for stretch, index, beat in sheet.bars() for note in drum_bar(sheet, drums, stretch, index, beat)]
    notes = sheet.before_final(notes)
    final, length = sheet.plan.final, sheet.plan.end - sheet.plan.final
    notes += [Note(final, length, LANES[lane], 100) for lane in dict.fromkeys(("kick", drums.crash))]
    return Part(
        "Drums",
        "drums",
        drums.kit,
        perform(sheet, notes, sheet.brief.chance.of("humanise", "drums"), tightness=2.0),
        gain=drums.gain,
        reverb=drums.reverb,
    )
