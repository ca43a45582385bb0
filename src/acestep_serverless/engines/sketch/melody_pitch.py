"""Which pitches does a phrase take? The cheapest path through the scale: small steps, chord tones where it counts.

A dynamic program over the candidate pitches of each note adds up what a singer would: leaps cost, tritones cost more, a
long or strong note off the chord costs, and so does every semitone away from the phrase's contour. The path with the
least cost is sung.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from acestep_serverless.engines.sketch.theory import PENTATONIC, Chord, Key, scale_over

# Cost of an interval in semitones; beyond the octave it grows by four with every one.
INTERVALS = (0.55, 0.1, 0.0, 0.4, 0.5, 0.75, 3.0, 1.1, 2.0, 2.0, 4.0, 5.0, 2.2)
TOO_WIDE = 4.0
BELOW_CENTRE, ABOVE_CENTRE = 8, 10
STRONG = 0.6

Contour = Callable[[float], float]
CONTOURS: dict[str, Contour] = {
    "arch": lambda x: math.sin(math.pi * x) - 0.3,
    "early arch": lambda x: math.sin(math.pi * math.sqrt(x)) - 0.3,
    "rise": lambda x: 1.1 * x - 0.5,
    "fall": lambda x: 0.6 - 1.1 * x,
    "wave": lambda x: 0.6 * math.sin(2 * math.pi * x),
    "valley": lambda x: 0.4 - math.sin(math.pi * x),
}
QUESTION_SHAPES = ("arch", "early arch", "rise", "arch", "wave", "valley")
ANSWER_SHAPES = ("arch", "fall", "early arch", "fall")


@dataclass(frozen=True, slots=True)
class Slot:
    """One note to pitch: the chord under it, its metric weight, its length in beats, the pitch it should be near."""

    chord: Chord
    weight: float
    length: float
    target: float


def around(centre: int, lowest: int = 0, highest: int = 127) -> range:
    """The pitches about a centre within a voice's lowest and highest."""
    return range(max(lowest, centre - BELOW_CENTRE), min(highest + 1, centre + ABOVE_CENTRE))


def interval_cost(semitones: int) -> float:
    """What a melodic interval costs."""
    return INTERVALS[semitones] if semitones < len(INTERVALS) else 9.0 + TOO_WIDE * (semitones - len(INTERVALS))


def candidates(key: Key, chord: Chord, around: range, pentatonic: bool) -> list[int]:
    """The pitches open to a note within a range: the scale over its chord, or the pentatonic scale and the chord."""
    classes = scale_over(key, chord)
    if pentatonic:
        five = {(key.tonic + step) % 12 for step in PENTATONIC[key.mode]}
        classes = frozenset((five & classes) | (chord.pitch_classes & key.pitch_classes)) or classes
    return [p for p in around if p % 12 in classes]


def fit_cost(pitch: int, slot: Slot, pull: float) -> float:
    """What a pitch costs on its own: distance from the target, and dissonance where it is heard."""
    cost = pull * abs(pitch - slot.target)
    tones = slot.chord.pitch_classes
    if pitch % 12 not in tones:
        cost += 2.2 if slot.length >= 1 else 1.6 if slot.weight >= STRONG else 0.25
        if (pitch - 1) % 12 in tones and slot.weight >= STRONG:
            cost += 1.2
    return cost


def close_cost(pitch: int, slot: Slot, key: Key, answer: bool) -> float:
    """What a phrase's last pitch costs: it rests in the key and on the chord, on the tonic only if it answers."""
    cost = 0.0 if pitch % 12 in key.pitch_classes else 12.0
    cost += 0.0 if pitch % 12 in slot.chord.pitch_classes else 4.0
    if answer == (pitch % 12 != key.tonic):
        cost += 1.4
    return cost


def cheapest_path(
    slots: Sequence[Slot],
    key: Key,
    around: range,
    pentatonic: bool,
    answer: bool,
    pull: float,
    before: int | None,
    rng: Random,
) -> list[int]:
    """The pitches of a phrase, all within `around` (an octave at least).

    `before` is the note that it follows, `pull` the cost per semitone off the contour.
    """
    best: dict[int, float] = {}
    backs: list[dict[int, int]] = []
    for index, slot in enumerate(slots):
        last = index == len(slots) - 1
        scores: dict[int, float] = {}
        back: dict[int, int] = {}
        for pitch in candidates(key, slot.chord, around, pentatonic):
            own = fit_cost(pitch, slot, pull) + rng.random() * 0.6
            own += close_cost(pitch, slot, key, answer) if last else 0.0
            if not best:
                scores[pitch] = own + (0.5 * interval_cost(abs(pitch - before)) if before is not None else 0.0)
                continue
            source = min(best, key=lambda p: best[p] + interval_cost(abs(p - pitch)))
            scores[pitch] = own + best[source] + interval_cost(abs(source - pitch))
            back[pitch] = source
        backs.append(back)
        best = scores
    path = [min(best, key=lambda p: (best[p], p))]
    for back in reversed(backs[1:]):
        path.append(back[path[-1]])
    return path[::-1]
