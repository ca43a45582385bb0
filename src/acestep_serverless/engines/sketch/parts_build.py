"""How does club music rise to its drop? A snare roll that doubles its pace, a noise that rises, no bass on top."""

from acestep_serverless.engines.sketch.score import Note, Part
from acestep_serverless.engines.sketch.sheet import Sheet
from acestep_serverless.engines.sketch.styles.model import LANES

# Strokes per beat of the roll in the quarters of a build.
PACES = (1, 2, 2, 4)
SOFTEST, LOUDEST = 58, 112
# The last bar keeps its kick only up to here, as a share of the bar: the gap makes the drop.
KICKS_UNTIL = 0.5
SWEEP = 122


def build_bar(beat: float, bar: float, step: int, steps: int) -> list[Note]:
    """One bar of the drummer's build, `step` of `steps` from 0: kicks on the beat under a roll that rises."""
    last = step == steps - 1
    notes = [
        Note(beat + place, 0.2, LANES["kick"], 104)
        for place in range(int(bar))
        if not last or place < bar * KICKS_UNTIL
    ]
    pace = PACES[-1 if last else 4 * step // steps]
    count = round(bar * pace)
    for index in range(count):
        place = index / pace
        rise = (step + place / bar) / steps
        accent = 1.0 if place % 1 == 0 else 0.86
        notes.append(Note(beat + place, 0.2, LANES["snare"], round((SOFTEST + (LOUDEST - SOFTEST) * rise) * accent)))
    return notes


def sweep_part(sheet: Sheet) -> Part:
    """The noise that rises through every build, one note each."""
    notes = []
    for stretch, index, beat in sheet.bars():
        step = sheet.build_step(stretch, index)
        if step is not None and step[0] == 0:
            notes.append(Note(beat, step[1] * sheet.plan.beats_per_bar, 60, 96))
    return Part("Sweep", "texture", SWEEP, tuple(sheet.before_final(notes)), gain=-20.0, reverb=0.4)
