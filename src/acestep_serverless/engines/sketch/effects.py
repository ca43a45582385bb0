"""How is each part treated before it meets the others? Rows of filters, compressors and sends, by role."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pedalboard import (
    Chorus,
    Compressor,
    Delay,
    Distortion,
    Gain,
    HighpassFilter,
    HighShelfFilter,
    LowpassFilter,
    Plugin,
    Reverb,
)
from pedalboard._pedalboard import Pedalboard
from scipy.signal import butter

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.control import STEP, every_sample
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.tone import Floats

# Leads that have an echo anyway: not the console's.
ELECTRONIC_LEADS = frozenset({80, 81, 84, 85, 86, 87})
PRESENCE_HERTZ, PRESENCE_QUALITY = 3000.0, 0.7


@dataclass(frozen=True, slots=True)
class Channel:
    """A role's strip on the mixing desk: `level` in dB on top of the score's gain; filters in Hz, 0 for none.

    `presence` is a gain in dB at 3 kHz; `threshold` (dB) and `ratio` belong to the compressor; `ducking` is which share
    of the score's sidechain reaches the role; a `mono` strip has neither pan nor chorus.
    """

    level: float
    highpass: float
    lowpass: float = 0.0
    presence: float = 0.0
    threshold: float = 0.0
    ratio: float = 1.0
    ducking: float = 1.0
    mono: bool = False


CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        "drums": Channel(level=2.0, highpass=28, threshold=-14, ratio=2.2, ducking=0.0),
        "bass": Channel(level=3.0, highpass=32, lowpass=5000, threshold=-20, ratio=3.0, mono=True),
        "chords": Channel(level=1.5, highpass=140, presence=-1.0),
        "pad": Channel(level=0.0, highpass=180, presence=-2.0),
        "arpeggio": Channel(level=1.5, highpass=200),
        "melody": Channel(level=1.5, highpass=150, presence=2.0, ducking=0.4),
        "counter": Channel(level=0.5, highpass=180, ducking=0.6),
        "texture": Channel(level=0.0, highpass=220),
    }
)


def channel_of(part: Part) -> Channel:
    """Return the strip of a part's role."""
    return CHANNELS.get(part.role, CHANNELS["texture"])


def equaliser(strip: Channel) -> NDArray[np.float32]:
    """Return a strip's filters as second-order sections; they are applied to tones, seconds instead of minutes."""
    sections = [butter(2, strip.highpass, "highpass", fs=SAMPLE_RATE, output="sos")]
    if strip.lowpass:
        sections.append(butter(2, strip.lowpass, "lowpass", fs=SAMPLE_RATE, output="sos"))
    if strip.presence:
        sections.append(_bell(PRESENCE_HERTZ, PRESENCE_QUALITY, strip.presence))
    return np.concatenate(sections).astype(np.float32)


def _bell(hertz: float, quality: float, gain: float) -> NDArray[np.float64]:
    """Return a peaking filter (R. Bristow-Johnson's audio equaliser cookbook) of `gain` dB."""
    angle, amplitude = 2 * np.pi * hertz / SAMPLE_RATE, 10 ** (gain / 40)
    alpha = np.sin(angle) / (2 * quality)
    top = np.array([1 + alpha * amplitude, -2 * np.cos(angle), 1 - alpha * amplitude])
    bottom = np.array([1 + alpha / amplitude, -2 * np.cos(angle), 1 - alpha / amplitude])
    section: NDArray[np.float64] = np.concatenate((top, bottom))[None, :] / bottom[0]
    return section


def _echo(tempo: float) -> list[Plugin]:
    """Return a dotted eighth's echo."""
    return [Delay(delay_seconds=min(1.0, 45 / tempo), feedback=0.3, mix=0.14)]


def _drive(_tempo: float) -> list[Plugin]:
    """Return an overdriven amplifier and its loudspeaker, as loud as what goes in."""
    return [Distortion(drive_db=10), Gain(gain_db=-9), LowpassFilter(5200)]


def _tape(_tempo: float) -> list[Plugin]:
    """Return a worn tape: it wavers and is dull."""
    return [Chorus(rate_hz=0.6, depth=0.12, centre_delay_ms=7, mix=1.0), LowpassFilter(5500)]


_INSERTS: Mapping[str, Callable[[float], list[Plugin]]] = MappingProxyType(
    {"echo": _echo, "drive": _drive, "tape": _tape}
)


def insert_effects(part: Part, score: Score) -> Pedalboard | None:
    """Return the effects in a part's own signal, in order; None for none. Those that move are in movement.py."""
    strip = channel_of(part)
    chain = Pedalboard([])
    if strip.ratio > 1:
        chain.append(Compressor(threshold_db=strip.threshold, ratio=strip.ratio, attack_ms=12, release_ms=140))
    effect = part.effect
    if not effect and part.role == "melody" and part.program in ELECTRONIC_LEADS:
        effect = "echo"
    for plugin in _INSERTS[effect](score.tempo) if effect in _INSERTS else ():
        chain.append(plugin)
    return chain if len(chain) else None


def room(score: Score) -> Pedalboard:
    """Return the room all parts share: larger where the score sends more; its low end stays clear."""
    sends = [part.reverb for part in score.parts] or [0.2]
    size = float(np.clip(0.35 + 0.9 * np.mean(sends), 0.3, 0.92))
    return Pedalboard([HighpassFilter(220), Reverb(room_size=size, damping=0.45, wet_level=0.33, dry_level=0, width=1)])


def ensemble() -> Pedalboard:
    """Return the chorus all parts share: only what it adds."""
    return Pedalboard([Chorus(rate_hz=0.7, depth=0.2, mix=1.0)])


def bus_effects() -> Pedalboard:
    """Return what glues the finished mix: nothing below what is heard (808 kicks push to one side by up to 0.005),
    two gentle dB of compression and some air above the recordings' dull top."""
    return Pedalboard(
        [
            HighpassFilter(cutoff_frequency_hz=20),
            Compressor(threshold_db=-16, ratio=1.7, attack_ms=25, release_ms=180),
            HighShelfFilter(cutoff_frequency_hz=7500, gain_db=3.5),
        ]
    )


def pan_gains(pan: float) -> Floats:
    """Return left and right gains of equal power, `[2, 1]`, 1.0 each in the middle."""
    angle = (float(np.clip(pan, -1, 1)) + 1) * np.pi / 4
    return np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32) * np.float32(np.sqrt(2))


def ducking_curve(kicks: NDArray[np.float64], first: int, count: int, beat: float) -> Floats:
    """Return `[count]` values: 1.0 just after each kick, back at 0.0 three quarters of a beat later.

    `kicks` are sorted sample positions, `beat` is in samples. A gain of `1 - depth * curve` ducks.
    """
    places = first + np.arange(-(-count // STEP) + 1) * STEP
    before = np.searchsorted(kicks, places, side="right") - 1
    since = np.where(before >= 0, places - kicks[np.maximum(before, 0)], np.inf)
    return every_sample((1 - np.clip(since / (0.75 * beat), 0, 1)) ** 2, count)
