"""Who sings? Rows of numbers that make one spoken voice a woman, a man, a child or a choir."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to sing.

    `formants` stretches the spectrum's shape (1.0 is the man that eSpeak NG speaks as); `tilt` in dB per octave above
    1 kHz brightens it; `breath` is the air in vowels, in dB below
    them; `vibrato` in cents, `rate` in Hz.
    """

    formants: float
    tilt: float
    breath: float
    vibrato: float
    rate: float


@dataclass(frozen=True, slots=True)
class Take:
    """One singer of a voice: how they sing, where they stand (-1.0 to 1.0), how loud (dB), how far off in time (s)."""

    kind: Kind
    pan: float = 0.0
    gain: float = 0.0
    late: float = 0.0
    cents: float = 0.0


MAN = Kind(formants=1.0, tilt=1.5, breath=-20, vibrato=28, rate=5.2)
WOMAN = Kind(formants=1.08, tilt=1.0, breath=-21, vibrato=32, rate=5.6)
# Formants of 1.2 and the range 58 to 74: words misread 1.66 times as often as speech in six songs; so 1.41.
CHILD = Kind(formants=1.14, tilt=0.5, breath=-20, vibrato=12, rate=5.9)

TAKES: dict[str, tuple[Take, ...]] = {
    "female": (Take(WOMAN),),
    "male": (Take(MAN),),
    "child": (Take(CHILD),),
    "choir": (
        Take(WOMAN, -0.25, -5.0, 0.0, 3.0),
        Take(MAN, 0.3, -5.0, 0.011, -5.0),
        Take(WOMAN, 0.7, -7.0, 0.017, 8.0),
        Take(MAN, -0.75, -7.0, 0.006, -9.0),
    ),
}
"""The singers of each kind of voice: one, or the four of a choir."""

HARMONY_PANS = (-0.45, 0.45, -0.7, 0.7)
HARMONY_GAIN = -8.0
"""Decibels of a voice in harmony below the lead."""
