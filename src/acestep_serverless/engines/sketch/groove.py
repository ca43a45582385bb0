"""How does a straight score come to swing and breathe? Swing bends the beat, looseness moves each note a little."""

from random import Random

from acestep_serverless.engines.sketch.score import Note
from acestep_serverless.engines.sketch.sheet import Sheet

# Spread of human velocities, as one standard deviation per millisecond of looseness.
VELOCITY_SPREAD = 0.45
SHORTEST_SECONDS = 0.03


def swung(beat: float, ratio: float, pair: float) -> float:
    """Bend a beat so that the middle of each pair (of length `pair` beats) falls at `ratio` of it."""
    base = beat // pair * pair
    place = (beat - base) / pair
    bent = place * 2 * ratio if place < 0.5 else ratio + (place - 0.5) * 2 * (1 - ratio)
    return base + bent * pair


def perform(sheet: Sheet, notes: list[Note], rng: Random, tightness: float = 1.0) -> tuple[Note, ...]:
    """Swing and humanise a part, and keep it inside the song: starts from 0, ends at or before the plan's end.

    `tightness` above 1.0 divides the looseness (drums keep better time than a soloist).
    """
    style, plan = sheet.brief.style, sheet.plan
    ratio = 0.5 if sheet.brief.meter == "6" else style.swing
    pair = 0.5 if style.swing_sixteenths else 1.0
    spread = style.looseness / tightness / 1000 * plan.tempo / 60
    shortest = SHORTEST_SECONDS * plan.tempo / 60
    played = []
    for note in notes:
        start, stop = swung(note.start, ratio, pair), swung(note.start + note.length, ratio, pair)
        start = max(0.0, start + max(-2.0, min(2.0, rng.gauss(0, 1))) * spread)
        velocity = round(note.velocity + rng.gauss(0, VELOCITY_SPREAD * style.looseness / tightness))
        start = min(start, plan.end - shortest)
        length = min(max(stop - start, shortest), plan.end - start)
        played.append(Note(round(start, 5), round(length, 5), note.pitch, max(1, min(127, velocity))))
    return tuple(sorted(played))
