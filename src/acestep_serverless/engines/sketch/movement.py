"""Which effects move with the music, and how do they keep time between stretches? Curves over the song's own time.

A movement is called stretch by stretch with the stretch's first sample, so that its curve never jumps at a seam.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pedalboard import LowpassFilter

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.control import STEP, every_sample
from acestep_serverless.engines.sketch.tone import Floats

# Turns of the wobble's filter per beat, one after the other every two beats.
WOBBLES = (2, 2, 3, 4, 1, 2, 4, 3)
WOBBLE_HERTZ = 240.0
# A rotating loudspeaker at its fast speed, and how much of the level turns.
ROTARY_HERTZ, ROTARY_DEPTH = 6.4, 0.22


def _seconds(first: int, count: int) -> NDArray[np.float64]:
    """Return the times of the control values of a stretch."""
    return (first + np.arange(-(-count // STEP) + 1, dtype=np.float64) * STEP) / SAMPLE_RATE


@dataclass(slots=True)
class Wobble:
    """A filter that opens and closes in time with the beat; `beat` in seconds."""

    beat: float
    _filter: LowpassFilter = field(default_factory=lambda: LowpassFilter(WOBBLE_HERTZ))

    def __call__(self, sound: Floats, first: int) -> Floats:
        """Return `[channels, n]` samples of a stretch that begins at sample `first` of the song."""
        beats = _seconds(first, sound.shape[1]) / self.beat
        rates = np.array(WOBBLES)[(beats // 2).astype(np.int64) % len(WOBBLES)]
        opened = every_sample(0.5 - 0.5 * np.cos(2 * np.pi * rates * (beats % 2)), sound.shape[1])
        dark = self._filter(sound, SAMPLE_RATE, reset=False)
        return np.asarray(dark + (sound - dark) * opened, dtype=np.float32)


@dataclass(slots=True)
class Rotary:
    """A loudspeaker that turns: the level swings between left and right."""

    beat: float

    def __call__(self, sound: Floats, first: int) -> Floats:
        """Return `[2, n]` samples of a stretch that begins at sample `first` of the song."""
        turn = 2 * np.pi * ROTARY_HERTZ * _seconds(first, sound.shape[1])
        swing = every_sample(ROTARY_DEPTH * np.sin(turn), sound.shape[1])
        return np.asarray(sound * np.stack((1 + swing, 1 - swing)), dtype=np.float32)


Movement = Callable[[Floats, int], Floats]
_MOVEMENTS: Mapping[str, Callable[[float], Movement]] = MappingProxyType({"wobble": Wobble, "rotary": Rotary})


def movement(effect: str, tempo: float) -> Movement | None:
    """Return the movement of this name for a tempo in beats per minute; None where the effect is none that moves."""
    made = _MOVEMENTS.get(effect)
    return made(60 / tempo) if made is not None else None
