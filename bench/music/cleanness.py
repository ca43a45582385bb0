"""Is the sound clean? Silences, peaks, loudness, a constant offset and clicks, each as a number of one song.

Samples are float32 `[channels, samples]` in -1..1.
"""

from dataclasses import dataclass

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import resample_poly

Samples = NDArray[np.float32]

SILENT_DBFS, WINDOW_SECONDS = -60.0, 0.05
CLICK_LEAST, CLICK_RATIO = 0.02, 8.0
"""A click is a bend of the wave of at least 0.02 of full scale that is eight times as sharp as every other bend within
10 ms before and after it: a drum's stroke goes on, a tone's own edges come again."""
CLICK_ITSELF, CLICK_AROUND = 0.0003, 0.01


@dataclass(frozen=True, slots=True)
class Cleanness:
    """`silence` the longest in seconds, `ending` the silence after the last sound, `true_peak` in dBTP, `loudness` in
    LUFS, `offset` the larger channel's mean, `clicks` in seconds from the start."""

    silence: float
    ending: float
    true_peak: float
    loudness: float
    offset: float
    clicks: tuple[float, ...]


def cleanness(samples: Samples, rate: int) -> Cleanness:
    """Measure one song."""
    silence, ending = silences(samples, rate)
    return Cleanness(
        silence=silence,
        ending=ending,
        true_peak=true_peak(samples),
        loudness=float(pyloudnorm.Meter(rate).integrated_loudness(samples.T.astype(np.float64))),
        offset=float(np.abs(samples.mean(axis=1)).max()),
        clicks=clicks(samples, rate),
    )


def silences(samples: Samples, rate: int) -> tuple[float, float]:
    """Return the longest silence in seconds from the start to the last sound, and how long it is silent after that."""
    window = int(WINDOW_SECONDS * rate)
    count = samples.shape[1] // window
    power = (samples[:, : count * window].reshape(len(samples), count, window) ** 2).mean(axis=(0, 2))
    loud = np.flatnonzero(10 * np.log10(power + 1e-12) > SILENT_DBFS)
    if not loud.size:
        return count * WINDOW_SECONDS, 0.0
    gaps = np.diff(np.concatenate(([-1], loud))) - 1
    return float(gaps.max()) * WINDOW_SECONDS, (count - 1 - int(loud[-1])) * WINDOW_SECONDS


def true_peak(samples: Samples) -> float:
    """Return the highest level of the four times oversampled signal in dBTP (BS.1770-4, annex 2)."""
    peak = max(float(np.abs(resample_poly(channel, 4, 1)).max(initial=0.0)) for channel in samples)
    return float(20 * np.log10(max(peak, 1e-9)))


def clicks(samples: Samples, rate: int) -> tuple[float, ...]:
    """Return where the wave breaks, in seconds, once for each break."""
    itself, around = max(2, int(CLICK_ITSELF * rate)), int(CLICK_AROUND * rate)
    found: list[float] = []
    for channel in samples:
        bends = np.abs(np.diff(channel, n=2))
        before = _largest_before(bends, around, itself)
        after = _largest_before(bends[::-1], around, itself)[::-1]
        broken = np.flatnonzero((bends >= CLICK_LEAST) & (bends > CLICK_RATIO * np.maximum(before, after)))
        found += [(int(place) + 1) / rate for place in broken]
    return _apart(sorted(found))


def _apart(times: list[float]) -> tuple[float, ...]:
    """Keep the first of those that lie close together."""
    return tuple(time for time, last in zip(times, [-1.0, *times], strict=False) if time - last > CLICK_AROUND)


def _largest_before(values: NDArray[np.float32], count: int, gap: int) -> NDArray[np.float32]:
    """Return for each value the largest of about `count` values that end `gap` before it; 0.0 where there are none."""
    half = count // 2
    centred = maximum_filter1d(values, 2 * half + 1, mode="constant")
    return np.concatenate((np.zeros(half + gap, dtype=values.dtype), centred))[: len(values)]
