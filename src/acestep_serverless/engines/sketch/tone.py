"""What is a tone? One pitch of one instrument while its key is held, ready to be cut, scaled and placed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.control import STEP, every_sample

Floats = NDArray[np.float32]

VELOCITY_LAYERS = (60, 104)
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


LONGEST_MADE = 4 * SAMPLE_RATE
"""Tones are computed up to this length and repeat their end beyond (`prolonged`)."""


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


def prolonged(samples: Floats, count: int, hertz: float) -> Floats:
    """Return `count` samples: longer than what was made, the end is repeated in whole periods of `hertz`.

    Each repetition fades into the next over a third of itself. A pad of 12 s costs as much as one of 4 s.
    """
    if count <= samples.size:
        return samples
    period = SAMPLE_RATE / hertz
    fade = samples.size // 6
    loop = round(max(1, samples.size // 2 // period) * period)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    tail = samples[-loop:].copy()
    tail[-fade:] = tail[-fade:] * (1 - ramp) + samples[-loop - fade : -loop] * ramp
    body = samples[: samples.size - loop]
    repeats = -(-(count - body.size) // loop)
    return np.concatenate((body, *[tail] * repeats))[:count]


def swept_lowpass(samples: Floats, cutoffs: NDArray[np.float64], quality: float = 0.707) -> Floats:
    """Low-pass `samples` with a moving cutoff, given in Hz as control values (see control.py).

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
        weights = np.maximum(0, 1 - np.abs(place - index))
        heard = np.flatnonzero(weights)
        last = min(samples.size, int(heard[-1] + 1) * STEP) if heard.size else 0
        if last:
            filtered = sosfilt(lowpass_sections(2**centre, quality), samples[:last])
            filtered *= every_sample(weights, last)
            mixed[:last] += filtered
    return mixed
