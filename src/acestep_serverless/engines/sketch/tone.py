"""What is a tone? One pitch of one instrument while its key is held, ready to be cut, scaled and placed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from acestep_serverless.audio.clip import SAMPLE_RATE

Floats = NDArray[np.float32]

VELOCITY_LAYERS = (48, 80, 112)
"""Brightness is rendered for these velocities only; loudness follows every velocity exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """`samples` is float32 `[1 or 2 channels, n]` at 48 kHz from the start of the note, its release included.

    After the key is let go the tone falls by 60 dB in `release` seconds; a `one_shot` (a drum) is not cut by its
    key. Tones with the same non-zero `choke` silence each other (open and closed hi-hat).
    """

    samples: Floats
    release: float
    one_shot: bool = False
    choke: int = 0


Instrument = Callable[[int, int, int], Tone | None]
"""Called with a MIDI pitch, a velocity layer and how many samples the key is held at most; None: no such sound."""


def velocity_layer(velocity: int) -> int:
    """Return the nearest velocity for which tones are rendered."""
    return min(VELOCITY_LAYERS, key=lambda layer: abs(layer - velocity))


def velocity_gain(velocity: int) -> float:
    """Return the linear gain of a velocity: (v / 127) to the power 1.6.

    SoundFont's own curve (section 8.4.1) has the power 2: quiet ghost notes vanish in a full mix.
    """
    return float((velocity / 127) ** 1.6)


def lowpass_sections(cutoff: float, quality: float) -> NDArray[np.float32]:
    """Return a two-pole low-pass as one second-order section: `cutoff` in Hz, `quality` 0.707 for no resonance."""
    angle = 2 * np.pi * min(cutoff, 0.45 * SAMPLE_RATE) / SAMPLE_RATE
    alpha, cosine = np.sin(angle) / (2 * quality), np.cos(angle)
    scale = 1 + alpha
    top = (1 - cosine) / scale
    return np.array([[top / 2, top, top / 2, 1, -2 * cosine / scale, (1 - alpha) / scale]], dtype=np.float32)


def swept_lowpass(samples: Floats, cutoffs: Floats, quality: float = 0.707) -> Floats:
    """Low-pass `samples` with a cutoff in Hz that moves, one value per sample.

    Blends filters that stand still, at most 1.5 octaves apart, in proportion to the logarithm of the cutoff: 6 times
    faster than changing one filter's coefficients every millisecond, and it cannot become unstable.
    """
    pitch = np.log2(np.clip(cutoffs, 20, 0.45 * SAMPLE_RATE))
    low, high = float(pitch.min()), float(pitch.max())
    count = int(np.ceil((high - low) / 1.5)) + 1
    if count == 1:
        return np.asarray(sosfilt(lowpass_sections(2**high, quality), samples), dtype=np.float32)
    place = (pitch - low) * ((count - 1) / (high - low))
    mixed = np.zeros_like(samples)
    for index, centre in enumerate(np.linspace(low, high, count)):
        weight = np.maximum(0, 1 - np.abs(place - index)).astype(np.float32)
        last = int(np.flatnonzero(weight)[-1]) + 1 if weight.any() else 0
        filtered = sosfilt(lowpass_sections(2**centre, quality), samples[:last])
        mixed[:last] += filtered * weight[:last]
    return mixed
