"""What is a score? Plain data between the composer and the band: notes, parts, sections, and nothing about sound files.

Conventions: positions and lengths are beats (quarter notes; in 6/8 too) from the start of the song as floats, already
swung and humanised by the composer; pitches are MIDI note numbers (60 = middle C); velocities are 1 to 127; pan runs
from -1.0 (left) to 1.0 (right); gains are decibels; drums use General MIDI percussion pitches (36 kick, 38 snare ...).
"""

from dataclasses import dataclass

from acestep_serverless.engines.sketch.voice.song import Vocals


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note: `start` and `length` in beats, `pitch` as MIDI number, `velocity` 1 to 127."""

    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Part:
    """One player. `role` is one of "drums", "bass", "chords", "pad", "arpeggio", "melody", "counter", "texture".

    `program` is a General MIDI program 0 to 127 (ignored for drums, where it picks the kit: 0 standard, 8 room,
    16 power, 24 electronic, 25 TR-808, 32 jazz, 40 brush, 48 orchestra); `gain` in dB; `reverb` and `chorus` 0.0 to
    1.0 sends; `effect` names a treatment of effects.py or movement.py, "" for none.
    """

    name: str
    role: str
    program: int
    notes: tuple[Note, ...]
    gain: float = 0.0
    pan: float = 0.0
    reverb: float = 0.2
    chorus: float = 0.0
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form, such as "intro" or "chorus": `start` and `length` in beats, `energy` 0.0 to 1.0."""

    name: str
    start: float
    length: float
    energy: float


@dataclass(frozen=True, slots=True)
class Score:
    """A whole song on paper.

    `seconds` is the exact length of the audio to make; the last notes end early enough for their release to ring out.
    `tempo` is in quarter notes per minute (constant); `beats_per_bar` in quarter notes (6/8 is 3.0); `style` names
    the style that was chosen; `sidechain` 0.0 to 1.0 is how deeply the kick ducks the other parts; `vocals` is what is
    sung, None where nobody sings; `understood` is what the caption was read as, in words.
    """

    style: str
    seconds: float
    tempo: float
    key_scale: str
    time_signature: str
    beats_per_bar: float
    sections: tuple[Section, ...]
    parts: tuple[Part, ...]
    sidechain: float = 0.0
    vocals: Vocals | None = None
    understood: tuple[str, ...] = ()
