"""How loud is a clip? Integrated loudness and true peak as ITU-R BS.1770-4 defines them.

Conventions: loudness is in LUFS, peaks are in dBTP, both relative to full scale 1.0. Samples are first condensed to one
value per control block of 1 ms (`channel_powers`, `channel_peaks`), which is also what mastering works on.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import sosfilt

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.together import Stop, together

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SILENCE = -70.0
"""The absolute gate of BS.1770-4 in LUFS; what a clip without anything louder measures."""

# BS.1770-4 annex 1, "Gating": blocks of 400 ms, 100 ms apart, a relative gate 10 LU down; counted in control blocks.
_GATING_BLOCK, _GATING_STEP, _RELATIVE_GATE = 400, 100, -10.0
_OFFSET = -0.691
_OVERSAMPLING = 4  # annex 2
# 4 s of one channel are about 0.02 s of work. The margin is longer than soxr's filter: chunks join without a seam.
_CHUNK_BLOCKS, _MARGIN_BLOCKS = 4000, 20


def integrated_loudness(clip: Clip) -> float:
    """Return the gated programme loudness in LUFS, -70.0 for silence. A clip under 0.4 s is one gating block."""
    powers = together([partial(channel_powers, channel, clip.sample_rate) for channel in clip.samples])
    return gated_loudness(np.sum(powers, axis=0))


def true_peak(clip: Clip) -> float:
    """Return the highest level of the four times oversampled signal in dBTP, -inf for digital silence."""
    peaks = together([partial(channel_peaks, channel, clip.sample_rate) for channel in clip.samples])
    highest = float(np.max(peaks, initial=0.0))
    return float(20 * np.log10(highest)) if highest > 0 else -np.inf


def gated_loudness(powers: Doubles) -> float:
    """Return the loudness in LUFS of K-weighted powers per control block, channels already summed (annex 1)."""
    if not powers.size:
        return SILENCE
    sums = np.concatenate(([0.0], np.cumsum(powers)))
    length = min(_GATING_BLOCK, powers.size)
    starts = np.arange(0, powers.size - length + 1, _GATING_STEP)
    blocks = np.maximum((sums[starts + length] - sums[starts]) / length, 0.0)
    loud = blocks[blocks > _power(SILENCE)]
    if not loud.size:
        return SILENCE
    loud = loud[loud > _power(_loudness(float(loud.mean())) + _RELATIVE_GATE)]
    return _loudness(float(loud.mean()))


def _loudness(power: float) -> float:
    return float(_OFFSET + 10 * np.log10(power))


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def channel_powers(channel: Floats, rate: int, stop: Stop) -> Doubles:
    """Return the mean square of the K-weighted channel, shape `[samples]`, per control block of 1 ms."""
    sections = k_weighting(rate)
    state = np.zeros((len(sections), 2))

    def condense(chunk: Floats, _: int, __: int) -> Doubles:
        nonlocal state
        weighted, state = sosfilt(sections, chunk.astype(np.float64), zi=state)
        blocks = weighted[: weighted.size // block_samples(rate) * block_samples(rate)].reshape(-1, block_samples(rate))
        powers: Doubles = np.einsum("ij,ij->i", blocks, blocks) / block_samples(rate)
        return powers

    return _by_chunk(channel, rate, 0, condense, stop)


def channel_peaks(channel: Floats, rate: int, stop: Stop) -> Doubles:
    """Return the highest absolute value per control block of 1 ms after four times oversampling (annex 2)."""

    def condense(chunk: Floats, before: int, after: int) -> Doubles:
        fine = soxr.resample(chunk, rate, rate * _OVERSAMPLING, quality="HQ")
        inside = np.abs(fine[before * _OVERSAMPLING : fine.size - after * _OVERSAMPLING])
        return np.maximum.reduceat(inside, np.arange(0, inside.size, block_samples(rate) * _OVERSAMPLING)).astype(
            np.float64
        )

    return _by_chunk(channel, rate, _MARGIN_BLOCKS * block_samples(rate), condense, stop)


def _by_chunk(
    channel: Floats, rate: int, margin: int, condense: Callable[[Floats, int, int], Doubles], stop: Stop
) -> Doubles:
    """Call `condense(samples, before, after)` chunk by chunk with up to `margin` neighbouring samples on each side."""

    def values() -> Iterator[Doubles]:
        size = _CHUNK_BLOCKS * block_samples(rate)
        for start in range(0, channel.size, size):
            stop()
            end = min(start + size, channel.size)
            first, last = max(0, start - margin), min(channel.size, end + margin)
            yield condense(channel[first:last], start - first, last - end)

    return np.concatenate([np.zeros(0), *values()])


def _block(rate: int) -> int:
    return block_samples(rate)


def block_samples(rate: int) -> int:
    """Return the samples of one control block: 1 ms, rounded down (44 samples at 44.1 kHz)."""
    return max(1, rate // 1000)


@cache
def k_weighting(rate: int) -> Doubles:
    """Return the K-weighting filter as two second-order sections for scipy, for any sample rate.

    A high shelf and a high-pass with the analogue parameters behind the table of annex 1, which gives coefficients for
    48 kHz only; at 48 kHz the sections equal that table to eight digits.
    """
    shelf = np.tan(np.pi * 1681.974450955533 / rate)
    gain = 10 ** (3.999843853973347 / 20)
    middle, quality = gain**0.4996667741545416, 0.7071752369554196
    scale = 1 + shelf / quality + shelf**2
    high = np.tan(np.pi * 38.13547087602444 / rate)
    high_quality = 0.5003270373238773
    high_scale = 1 + high / high_quality + high**2
    return np.array(
        [
            [
                (gain + middle * shelf / quality + shelf**2) / scale,
                2 * (shelf**2 - gain) / scale,
                (gain - middle * shelf / quality + shelf**2) / scale,
                1.0,
                2 * (shelf**2 - 1) / scale,
                (1 - shelf / quality + shelf**2) / scale,
            ],
            [
                1.0,
                -2.0,
                1.0,
                1.0,
                2 * (high**2 - 1) / high_scale,
                (1 - high / high_quality + high**2) / high_scale,
            ],
        ]
    )
