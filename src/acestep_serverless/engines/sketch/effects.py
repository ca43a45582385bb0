"""How is each part treated before it meets the others? Rows of filters, compressors and sends, by role."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from pedalboard import (
    Chorus,
    Compressor,
    Delay,
    HighpassFilter,
    HighShelfFilter,
    LowpassFilter,
    PeakFilter,
    Reverb,
)
from pedalboard._pedalboard import Pedalboard

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.tone import Floats

ELECTRONIC_LEADS = range(80, 88)


@dataclass(frozen=True, slots=True)
class Channel:
    """A role's strip on the mixing desk: `level` in dB on top of the score's gain; filters in Hz, 0 for none.

    `presence` is a gain in dB at 3 kHz; `threshold` (dB) and `ratio` belong to the compressor; `ducking` is which share
    of the score's sidechain reaches the role.
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
        "bass": Channel(level=0.0, highpass=32, lowpass=5000, threshold=-20, ratio=3.0, mono=True),
        "chords": Channel(level=0.5, highpass=140, presence=-1.0),
        "pad": Channel(level=0.0, highpass=180, presence=-2.0),
        "arpeggio": Channel(level=0.5, highpass=200),
        "melody": Channel(level=2.0, highpass=150, presence=2.0, threshold=-20, ratio=2.0, ducking=0.4),
        "counter": Channel(level=0.5, highpass=180, ducking=0.6),
        "texture": Channel(level=0.0, highpass=220),
    }
)


def channel_of(part: Part) -> Channel:
    """Return the strip of a part's role."""
    return CHANNELS.get(part.role, CHANNELS["texture"])


def insert_effects(part: Part, score: Score) -> Pedalboard:
    """Return the effects in a part's own signal, in order."""
    strip = channel_of(part)
    chain = Pedalboard([HighpassFilter(strip.highpass)])
    if strip.lowpass:
        chain.append(LowpassFilter(strip.lowpass))
    if strip.presence:
        chain.append(PeakFilter(cutoff_frequency_hz=3000, gain_db=strip.presence, q=0.7))
    if strip.ratio > 1:
        chain.append(Compressor(threshold_db=strip.threshold, ratio=strip.ratio, attack_ms=12, release_ms=140))
    if part.chorus > 0 and not strip.mono:
        chain.append(Chorus(rate_hz=0.7, depth=0.2, mix=0.5 * part.chorus))
    if part.role == "melody" and part.program in ELECTRONIC_LEADS:
        chain.append(Delay(delay_seconds=min(1.0, 45 / score.tempo), feedback=0.3, mix=0.14))
    return chain


def room(score: Score) -> Pedalboard:
    """Return the room all parts share: larger where the score sends more; its low end stays clear."""
    sends = [part.reverb for part in score.parts] or [0.2]
    size = float(np.clip(0.35 + 0.9 * np.mean(sends), 0.3, 0.92))
    return Pedalboard([HighpassFilter(220), Reverb(room_size=size, damping=0.45, wet_level=0.33, dry_level=0, width=1)])


def bus_effects() -> Pedalboard:
    """Return what glues the finished mix: two gentle dB of compression and some air above the recordings' dull top."""
    return Pedalboard(
        [
            Compressor(threshold_db=-16, ratio=1.7, attack_ms=25, release_ms=180),
            HighShelfFilter(cutoff_frequency_hz=7500, gain_db=2.5),
        ]
    )


def pan_gains(pan: float) -> Floats:
    """Return left and right gains of equal power, `[2, 1]`, 1.0 each in the middle."""
    angle = (float(np.clip(pan, -1, 1)) + 1) * np.pi / 4
    return np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32) * np.float32(np.sqrt(2))


def ducking_curve(kicks: Floats, first: int, count: int, depth: float, beat: float) -> Floats:
    """Return gains `[count]` that dip by `depth` (0.0 to 1.0) at each kick and are back after three quarters of a beat.

    `kicks` are sorted sample positions, `beat` is in samples.
    """
    places = np.arange(first, first + count)
    before = np.searchsorted(kicks, places, side="right") - 1
    since = np.where(before >= 0, places - kicks[np.maximum(before, 0)], np.inf)
    rise = np.clip(since / (0.75 * beat), 0, 1)
    fall = np.clip(since / (0.004 * SAMPLE_RATE), 0, 1)
    return np.asarray(1 - depth * fall * (1 - rise) ** 2, dtype=np.float32)
