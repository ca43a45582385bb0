"""What does the singer read? Plain data: lines of words on notes, who sings them, and the voices in harmony.

Positions and lengths are beats (quarter notes) from the start of the song, as in `score.py`; pitches are MIDI note
numbers (60 is middle C), velocities 1 to 127, gains decibels, pans -1.0 (left) to 1.0 (right), reverb sends 0.0 to 1.0.
"""

from dataclasses import dataclass

from acestep_serverless.engines.sketch.voice.syllables import Syllable

KINDS = ("female", "male", "child", "choir")
"""Who can sing. Every kind sings best within its RANGES."""

RANGES = {"female": (53, 69), "male": (43, 60), "child": (57, 70), "choir": (48, 67)}
"""Lowest and highest MIDI pitch at which each kind stays easy to understand; other pitches are sung all the same."""


@dataclass(frozen=True, slots=True)
class SungNote:
    """One note of the tune. `syllable` is None where the vowel of the syllable before goes on (a melisma)."""

    start: float
    length: float
    pitch: int
    velocity: int
    syllable: Syllable | None


@dataclass(frozen=True, slots=True)
class SungLine:
    """One line of lyrics: its text as `read_line` read it, and its notes in order, none sounding into the next."""

    text: str
    notes: tuple[SungNote, ...]


@dataclass(frozen=True, slots=True)
class Vocals:
    """All that is sung in a song, by one singer (`kind`, one of KINDS) and the voices in harmony with them.

    `language` is a code as `language_of` returns it; with `humming` the notes are hummed, whatever the text.
    Each of `harmonies` is a further voice: its notes take their words from the lead's note with the same syllable that
    starts at the same time, so they carry the same starts as the lead's.
    """

    lines: tuple[SungLine, ...]
    language: str
    kind: str = "female"
    humming: bool = False
    harmonies: tuple[tuple[SungNote, ...], ...] = ()
    gain: float = 0.0
    pan: float = 0.0
    reverb: float = 0.25
