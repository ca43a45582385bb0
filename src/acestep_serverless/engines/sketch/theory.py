"""Which pitches belong to a key, and which to a chord? Keys, scales and the chord symbols of the style tables.

A chord symbol is a degree with an optional accidental and colour: "1", "6", "b7", "57", "5M", "4m", "1sus". A plain
degree takes the third and fifth that the key's own scale puts on it, so one progression serves the major and the minor
key; an accidental counts from the major scale, whatever the mode; "~7" adds a minor seventh to the key's own triad.
Pitch classes run from 0 (C) to 11 (B).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

MAJOR_STEPS = (0, 2, 4, 5, 7, 9, 11)
MINOR_STEPS = (0, 2, 3, 5, 7, 8, 10)
MODES = {"major": MAJOR_STEPS, "minor": MINOR_STEPS}
PENTATONIC = {"major": (0, 2, 4, 7, 9), "minor": (0, 3, 5, 7, 10)}

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
# The usual spelling of each tonic: the one with fewer accidentals in its signature.
SPELLING = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
KEY_SCALE = re.compile(r"^([A-G])([#b♯♭]?) (major|minor)$")

# Colours that a symbol may name outright, as semitones above the root.
COLOURS = {
    "M": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "m7": (0, 3, 7, 10),
    "m9": (0, 3, 7, 10, 14),
    "maj7": (0, 4, 7, 11),
    "maj9": (0, 4, 7, 11, 14),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "o7": (0, 3, 6, 9),
    "sus": (0, 5, 7),
    "sus2": (0, 2, 7),
    "7sus": (0, 5, 7, 10),
}
# The key's own triad with a minor seventh: what blues and funk play in either mode.
BLUE = "~7"
SYMBOL = re.compile(r"^([b#]?)([1-7])(" + "|".join([*sorted(COLOURS, key=len, reverse=True), BLUE]) + r")?$")


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic pitch class and a mode, "major" or "minor"."""

    tonic: int
    mode: str

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The seven pitch classes of the key's scale (natural minor for minor)."""
        return frozenset((self.tonic + step) % 12 for step in MODES[self.mode])

    @property
    def name(self) -> str:
        """The key in words, such as "C# minor"."""
        return f"{SPELLING[self.mode][self.tonic]} {self.mode}"


@dataclass(frozen=True, slots=True)
class Chord:
    """A root pitch class and the semitones that stand above it."""

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Every pitch class that belongs to the chord."""
        return frozenset((self.root + interval) % 12 for interval in self.intervals)

    @property
    def third(self) -> int:
        """Semitones from the root to the third, or to the note that stands in for it in suspended chords."""
        return next((interval for interval in self.intervals if interval in (3, 4)), self.intervals[1])

    @property
    def fifth(self) -> int:
        """Semitones from the root to the fifth, diminished where the chord is."""
        return next((interval for interval in self.intervals if interval in (6, 7, 8)), 7)


def parse_key(text: str) -> Key:
    """Read a key such as "C# minor" or "B♭ major". Raises ValueError on any other shape."""
    match = KEY_SCALE.match(text.strip())
    if match is None:
        raise ValueError(f"not a key: {text!r}")
    letter, accidental, mode = match.groups()
    return Key((LETTERS[letter] + ACCIDENTALS[accidental]) % 12, mode)


def stacked(key: Key, degree: int, tones: int) -> tuple[int, ...]:
    """The chord of `tones` thirds that the key's scale builds on a degree (0 to 6), in semitones above its root."""
    steps = MODES[key.mode]
    heights = [steps[(degree + 2 * tone) % 7] + 12 * ((degree + 2 * tone) // 7) for tone in range(tones)]
    return tuple(height - heights[0] for height in heights)


def diatonic(key: Key, degree: int, tones: int) -> Chord:
    """The key's own chord on a degree, with the two that sound broken as triads mended.

    The leading-tone triad of major becomes the major chord a semitone lower (the common subtonic); a diminished
    triad in minor gets its seventh, the half-diminished chord that is a minor sixth chord upside down.
    """
    if degree == 6 and key.mode == "major" and tones == 3:
        return Chord((key.tonic + 10) % 12, COLOURS["M"])
    intervals = stacked(key, degree, tones)
    if intervals[:3] == (0, 3, 6):
        intervals = (0, 3, 6, 10)
    return Chord((key.tonic + MODES[key.mode][degree]) % 12, intervals)


@lru_cache(maxsize=4096)
def parse_chord(symbol: str, key: Key, tones: int) -> Chord:
    """Read a chord symbol in a key; `tones` (3 to 5) is how many thirds a plain degree stacks. Raises ValueError."""
    match = SYMBOL.match(symbol)
    if match is None:
        raise ValueError(f"not a chord symbol: {symbol!r}")
    accidental, digit, colour = match.groups()
    degree = int(digit) - 1
    if not accidental and colour is None:
        return diatonic(key, degree, tones)
    if not accidental and colour == BLUE:
        own = diatonic(key, degree, 3)
        return Chord(own.root, (*own.intervals[:3], 10))
    steps = MAJOR_STEPS if accidental else MODES[key.mode]
    root = (key.tonic + steps[degree] + ACCIDENTALS[accidental]) % 12
    return Chord(root, COLOURS[colour or "M"])


def scale_over(key: Key, chord: Chord) -> frozenset[int]:
    """The key's scale bent to a chord: a foreign chord tone replaces the scale notes a semitone beside it."""
    scale = set(key.pitch_classes)
    for foreign in chord.pitch_classes - key.pitch_classes:
        scale -= {(foreign + side) % 12 for side in (-1, 1)} - chord.pitch_classes
        scale.add(foreign)
    return frozenset(scale)
