"""Where is a song's voice kept until it is mixed? In pieces of a line each, 16 bits a sample, added up on demand.

A voice of 600 s as one stereo buffer takes 230 MB, as much as the song itself; its pieces take 60 MB.
"""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.voice.analysis import Floats

LOUDEST = 0.9
"""Peak of a voice: it leaves room below full scale, whatever the notes."""
LEVEL = 0.1
"""Root mean square of the voice where it sounds."""
# Samples below this share of a piece's peak are no singing.
HEARD = 0.02
_FULL = 32_767
# Seconds of a stretch in which `peak` looks for the loudest sample.
_LOOK = 10 * SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A line as one voice sings it: `first` is its sample in the song, `order` names it, `sides` are left and right."""

    first: int
    order: tuple[int, int]
    samples: NDArray[np.int16]
    scale: float
    sides: tuple[float, ...]
    power: float
    heard: int

    @property
    def last(self) -> int:
        """The sample after its last one."""
        return self.first + self.samples.size


class Voice:
    """The voice of a song: `stretch` gives any part of it."""

    def __init__(self, pieces: list[Piece], channels: int) -> None:
        self.channels = channels
        self._pieces = sorted(pieces, key=lambda piece: (piece.first, piece.order))
        self._gain = 1.0
        heard = sum(piece.heard for piece in self._pieces)
        if heard:
            level = float(np.sqrt(sum(piece.power for piece in self._pieces) / heard))
            self._gain = min(LEVEL / level, LOUDEST / self._peak())

    def stretch(self, first: int, last: int) -> Floats:
        """Return the samples `[channels, last - first]` from sample `first` of the song on."""
        sound = np.zeros((self.channels, last - first), dtype=np.float32)
        for piece in self._pieces:
            begin, end = max(first, piece.first), min(last, piece.last)
            if begin < end:
                part = piece.samples[begin - piece.first : end - piece.first].astype(np.float32)
                for channel, side in zip(sound, piece.sides, strict=True):
                    channel[begin - first : end - first] += part * np.float32(piece.scale * side * self._gain)
        return sound

    def forget(self, first: int) -> None:
        """Let go of what ends before sample `first`: a mix that is read once from its start needs it no more."""
        self._pieces = [piece for piece in self._pieces if piece.last > first]

    def _peak(self) -> float:
        end = max(piece.last for piece in self._pieces)
        looks = (self.stretch(first, min(first + _LOOK, end)) for first in range(0, end, _LOOK))
        return max(float(np.abs(look).max(initial=1e-9)) for look in looks)


class Stage:
    """Where all sing: threads add lines in any order."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._pieces: list[Piece] = []
        self._lock = threading.Lock()

    def add(self, first: int, order: tuple[int, int], sound: Floats, gain: float, pan: float) -> None:
        """Add mono `sound` from sample `first` of the song, `gain` in dB; no two have the same `order`."""
        loud = np.flatnonzero(sound)
        if not loud.size:
            return
        begin = int(loud[0])
        sound = sound[begin : int(loud[-1]) + 1] * np.float32(10 ** (gain / 20))
        peak = float(np.abs(sound).max())
        heard = sound[np.abs(sound) > HEARD * peak]
        angle = (pan + 1) * np.pi / 4
        sides = (float(np.cos(angle) * np.sqrt(2)), float(np.sin(angle) * np.sqrt(2)))
        piece = Piece(
            first=first + begin,
            order=order,
            samples=np.round(sound * np.float32(_FULL / peak)).astype(np.int16),
            scale=peak / _FULL,
            sides=sides if self._channels == 2 else (1.0,),
            power=float(np.sum(np.square(heard, dtype=np.float64))),
            heard=heard.size,
        )
        with self._lock:
            self._pieces.append(piece)

    def voice(self) -> Voice:
        """Return what has been sung."""
        return Voice(self._pieces, self._channels)
