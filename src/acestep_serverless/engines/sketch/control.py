"""How do slow curves reach every sample? They are computed every 64 samples and joined by straight lines.

One value per 1.3 ms is finer than any attack here, and it takes a fortieth of the time of computing every sample.
"""

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.audio.clip import SAMPLE_RATE

STEP = 64
"""Samples between two control values."""

_RAMP = (np.arange(STEP, dtype=np.float32) / STEP)[None, :]


def control_times(count: int) -> NDArray[np.float64]:
    """Return the seconds of the control values that span `count` samples: ceil(count / 64) + 1 of them."""
    return np.arange(-(-count // STEP) + 1, dtype=np.float64) * (STEP / SAMPLE_RATE)


def line(points: tuple[tuple[float, float], ...], count: int) -> NDArray[np.float64]:
    """Return control values on the line through (seconds, level) `points`; it is level outside them."""
    seconds, levels = zip(*points, strict=True)
    return np.asarray(np.interp(control_times(count), seconds, levels), dtype=np.float64)


def every_sample(values: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """Return `count` float32 samples on the straight lines between control values."""
    heads = values[:-1, None].astype(np.float32)
    slopes = np.diff(values)[:, None].astype(np.float32)
    return np.asarray((heads + slopes * _RAMP).reshape(-1)[:count], dtype=np.float32)
