"""How does a mix become exactly as loud as a record? One gain and one look-ahead limiter, solved together.

Gain and limiting pull against each other: more gain, more limiting, less loudness than hoped. Because the limiter's
gain moves slowly, the loudness after it is known from the powers per 1 ms block alone (within 0.02 LU, measured), so
the gain that hits the target is found on the control blocks and the samples are multiplied once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.loudness import (
    SILENCE,
    Doubles,
    Floats,
    block_samples,
    channel_peaks,
    channel_powers,
    gated_loudness,
)
from acestep_serverless.audio.together import Stop, never, together
from acestep_serverless.errors import GenerationCancelled

TARGET = -14.0
"""Delivered loudness in LUFS."""
CEILING = -1.0
"""Delivered true peak in dBTP."""

# A lossy codec adds noise, and with it peaks. Measured over all styles at 192 kbit/s: see tests/sketch/test_engine.py.
CODEC_HEADROOM = 1.0

# The limiter, in control blocks of 1 ms and dB: it opens its hand 3 ms before a peak and lets go at 80 dB per second.
_ATTACK_SLOPE, _RELEASE_SLOPE, _SMOOTHING = 2.0, 0.08, 5
_SOLVER_STEPS, _TOLERANCE, _MOST_GAIN = 16, 0.01, 60.0


@dataclass(frozen=True, slots=True)
class _Measured:
    powers: Doubles
    peaks: Doubles


def master(clip: Clip, target: float = TARGET, ceiling: float = CEILING, cancelled: Callable[[], bool] = never) -> Clip:
    """Return `clip` at `target` LUFS with its true peak below `ceiling` dBTP, also after lossy coding.

    Silence stays silence. Where both wishes cannot be had (a few clicks in silence) the ceiling wins. Raises
    GenerationCancelled.
    """
    samples = clip.samples.copy()
    master_in_place(samples, clip.sample_rate, target, ceiling, cancelled)
    return Clip(samples, clip.sample_rate)


def master_in_place(
    samples: Floats,
    rate: int,
    target: float = TARGET,
    ceiling: float = CEILING,
    cancelled: Callable[[], bool] = never,
) -> None:
    """Do what `master` does to `samples`, shape `[channels, samples]`, without a second copy of them."""
    powers = [partial(channel_powers, channel, rate) for channel in samples]
    peaks = [partial(channel_peaks, channel, rate) for channel in samples]
    values = together([*powers, *peaks], cancelled)
    count = min(value.size for value in values)
    half = len(samples)
    measured = _Measured(
        powers=np.sum([value[:count] for value in values[:half]], axis=0),
        peaks=np.max(values[half:], axis=0),
    )
    if gated_loudness(measured.powers) <= SILENCE:
        return
    edges = _solve(measured, target, 10 ** ((ceiling - CODEC_HEADROOM) / 20), cancelled)
    together([partial(_apply, channel, edges, block_samples(rate)) for channel in samples], cancelled)


def _solve(measured: _Measured, target: float, ceiling: float, cancelled: Callable[[], bool]) -> Doubles:
    """Return the gain at every block edge (blocks + 1 values) that brings the loudness to `target`.

    Newton's method on gain in dB against loudness, with the slope of the last step; the limiter makes that slope
    smaller than one, so a step never overshoots by much. Music with a crest of 12 dB takes three steps.
    """
    gain, slope = 0.0, 1.0
    last: tuple[float, float] | None = None
    edges = np.ones(measured.peaks.size + 1)
    for _ in range(_SOLVER_STEPS):
        if cancelled():
            raise GenerationCancelled("the song was cancelled while it was being mastered")
        factor = 10 ** (gain / 20)
        edges = factor * _limiter_edges(measured.peaks * (factor / ceiling))
        middles = (edges[1:] + edges[:-1]) / 2
        loudness = gated_loudness(measured.powers * middles[: measured.powers.size] ** 2)
        if abs(target - loudness) < _TOLERANCE:
            break
        if last is not None and abs(gain - last[0]) > _TOLERANCE / 10:
            slope = float(np.clip((loudness - last[1]) / (gain - last[0]), 0.1, 1.0))
        last = (gain, loudness)
        gain = min(gain + (target - loudness) / slope, _MOST_GAIN)
    return edges


def _limiter_edges(peaks: Doubles) -> Doubles:
    """Return the limiter's gain at every block edge, given each block's peak relative to the ceiling."""
    wanted = -20 * np.log10(np.maximum(peaks, 1.0))
    steps = np.arange(wanted.size)
    released = np.minimum.accumulate(wanted - steps * _RELEASE_SLOPE) + steps * _RELEASE_SLOPE
    backwards = released[::-1]
    ahead = (np.minimum.accumulate(backwards - steps * _ATTACK_SLOPE) + steps * _ATTACK_SLOPE)[::-1]
    lowest = minimum_filter1d(np.concatenate((ahead[:1], ahead)), _SMOOTHING + 1, mode="nearest")
    smooth = uniform_filter1d(lowest, _SMOOTHING, mode="nearest")
    edges = np.minimum(smooth, np.concatenate((ahead[:1], np.minimum(ahead[1:], ahead[:-1]), ahead[-1:])))
    return np.asarray(10 ** (edges / 20), dtype=np.float64)


def _apply(channel: Floats, edges: Doubles, block: int, stop: Stop) -> None:
    """Multiply `channel` by the gain curve, straight from edge to edge."""
    ramp = (np.arange(block, dtype=np.float32) / block)[None, :]
    heads = edges[:-1].astype(np.float32)
    slopes = np.diff(edges).astype(np.float32)
    for first in range(0, heads.size, 4000):
        stop()
        part = channel[first * block : (first + 4000) * block]
        curve = heads[first : first + 4000, None] + slopes[first : first + 4000, None] * ramp
        part *= curve.reshape(-1)[: part.size]
