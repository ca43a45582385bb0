"""What is a style? A page of plain data: tempo, harmony, and one line per player. All style tables have these shapes.

Grids are sixteenth steps (see `grids`). Programs are General MIDI numbers, gains dB, pans -1.0 to 1.0, sends 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Drum lanes and their General MIDI percussion pitches.
LANES = {
    "kick": 36,
    "deep": 35,
    "rim": 37,
    "snare": 38,
    "clap": 39,
    "snare2": 40,
    "low": 41,
    "hat": 42,
    "floor": 43,
    "pedal": 44,
    "tom": 45,
    "open": 46,
    "mid": 47,
    "high": 48,
    "crash": 49,
    "ride": 51,
    "bell": 53,
    "tamb": 54,
    "cowbell": 56,
    "conga_high": 63,
    "conga_low": 64,
    "cabasa": 69,
    "shaker": 70,
    "clave": 75,
    "triangle": 81,
}

USUAL_ROUND = 8
"""Bars of a section in most styles."""

Groove = Mapping[str, str]
"""Lane to grid: "X" accent, "x" hit, "o" ghost note, "r" two thirty-seconds, "t" three in the space of an eighth."""


@dataclass(frozen=True, slots=True)
class Sound:
    """How one player sounds and where it stands.

    Gains balance players who are equally loud at 0 dB: the band evens out what the instruments' recordings differ by.
    """

    program: int
    gain: float = 0.0
    pan: float = 0.0
    reverb: float = 0.2
    chorus: float = 0.0


@dataclass(frozen=True, slots=True)
class Drums:
    """The drummer: a kit (a General MIDI drum program), two grooves, and fills of one bar each that end sections."""

    kit: int
    verse: Groove
    chorus: Groove
    fills: tuple[Groove, ...]
    gain: float = 0.0
    reverb: float = 0.12
    crash: str = "crash"


@dataclass(frozen=True, slots=True)
class Bass:
    """The bassist: figures for verse and chorus.

    "R" root, "r" the same softly, "5" fifth, "3" third, "7" seventh, "O" octave, "A" a step from the next chord's root,
    "W" a walking tone. `low` is the lowest pitch of a root.
    """

    sound: Sound
    verse: str
    chorus: str
    low: int = 28


@dataclass(frozen=True, slots=True)
class Comping:
    """A player of chords or arpeggios: figures for verse and chorus.

    "X" accented chord, "x" chord, "d" and "u" strums down and up, "1" to "8" single tones of the voicing from below.
    `voices` tones are voiced near `centre`; `rootless` leaves the root to the bass; `power` plays root, fifth, octave;
    `enters` is the least energy of a section in which it plays.
    """

    sound: Sound
    verse: str
    chorus: str
    voices: int = 4
    centre: int = 62
    rootless: bool = False
    power: bool = False
    enters: float = 0.0


@dataclass(frozen=True, slots=True)
class Pad:
    """A player who holds each chord: `enters` is the least energy of a section in which it plays."""

    sound: Sound
    voices: int = 4
    centre: int = 60
    enters: float = 0.0


@dataclass(frozen=True, slots=True)
class Melody:
    """The soloist: `notes` per bar of four beats, `centre` the middle of the verse's range.

    `syncopation` 0.0 (on the beat) to 1.0; `legato` is the share of each gap that a note fills; `pentatonic` leaves out
    the scale's two sharpest dissonances; `riff` repeats one bar's idea instead of two-bar phrases.
    """

    sound: Sound
    notes: float
    centre: int = 67
    syncopation: float = 0.3
    legato: float = 0.92
    pentatonic: bool = False
    riff: bool = False


@dataclass(frozen=True, slots=True)
class Counter:
    """A second voice that answers in the melody's rests and joins it in thirds when the energy passes `enters`."""

    sound: Sound
    enters: float = 0.75
    centre: int = 60


@dataclass(frozen=True, slots=True)
class Progressions:
    """Chord symbols by section: bars are separated by "|", chords within a bar by spaces.

    Verse and chorus have alternatives that the seed chooses between; `cadence` is the bar before the last chord;
    `short` is what sections of more than four bars play that have no room for a round of more than eight.
    """

    verse: tuple[str, ...]
    chorus: tuple[str, ...]
    bridge: tuple[str, ...]
    cadence: str = "5M"
    tones: int = 3
    short: str = ""

    @property
    def round(self) -> int:
        """Bars after which verse and chorus come round: those of the longest progression, USUAL_ROUND at least."""
        return max(USUAL_ROUND, *(len(text.split("|")) for text in self.verse + self.chorus))


@dataclass(frozen=True, slots=True)
class Style:
    """Everything the composer needs to know about a style.

    `words` weighs the caption words that ask for it; `tempo` is its range in quarter notes per minute; `swing` the
    share of a pair that its first half takes (0.5 is straight), in eighths or, with `swing_sixteenths`, in sixteenths;
    `minor` the chance of a minor key; `looseness` the spread of human timing in milliseconds; `sidechain` how deeply
    the kick ducks the rest (0.0 to 1.0); `leads` the programs that the seed picks the soloist from; `meter` what is
    played where nobody names one ("2", "3", "4" or "6"); `drums` None where the style has none; `builds` whether drums
    and filters rise towards a drop before each chorus; `breaks` whether drums and bass step back in a bridge;
    `effects` name a treatment (effects.py) by role; `voices` are the kinds of voice that the seed picks from when the
    lyrics are sung.
    """

    name: str
    genre: str
    words: Mapping[str, float]
    tempo: tuple[float, float]
    minor: float
    progressions: Progressions
    drums: Drums | None
    bass: Bass
    chords: Comping
    melody: Melody
    pad: Pad | None = None
    arpeggio: Comping | None = None
    counter: Counter | None = None
    swing: float = 0.5
    swing_sixteenths: bool = False
    looseness: float = 8.0
    sidechain: float = 0.0
    leads: tuple[int, ...] = ()
    meter: str = "4"
    builds: bool = False
    breaks: bool = False
    effects: Mapping[str, str] = field(default_factory=dict)
    voices: tuple[str, ...] = ("female", "male")

    @property
    def programs(self) -> frozenset[int]:
        """Every General MIDI program that the style's own players have."""
        players = (self.bass, self.chords, self.melody, self.pad, self.arpeggio, self.counter)
        return frozenset({player.sound.program for player in players if player is not None} | set(self.leads))
