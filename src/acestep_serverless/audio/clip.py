"""What is a clip? Samples with their rate: float32 `[channels, samples]`, nominally within -1..1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.errors import AudioError

SAMPLE_RATE = 48_000
"""Samples per second of everything the engines make (ACE-Step 1.5's codec rate)."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Sound in memory. Raises AudioError unless `samples` is float32 `[channels, samples]`, 1 or 2 channels, finite."""

    samples: NDArray[np.float32]
    sample_rate: int = SAMPLE_RATE

    def __post_init__(self) -> None:
        if self.samples.dtype != np.float32 or self.samples.ndim != 2 or self.samples.shape[0] not in (1, 2):
            raise AudioError(
                f"a clip is float32 [1 or 2 channels, samples], got {self.samples.dtype} {self.samples.shape}"
            )
        if not np.isfinite(self.samples).all():
            raise AudioError("the samples hold NaN or infinity")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return int(self.samples.shape[1]) / self.sample_rate
