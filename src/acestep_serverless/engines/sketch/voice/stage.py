"""Where is a song's voice kept until it is mixed? In pieces of a line each, 16 bits a sample, added up on demand.

A voice of 600 s as one stereo buffer takes 230 MB, as much as the song itself; its pieces take 60 MB. Where more than
two sing a line they are mixed into one piece with two channels: a choir of 600 s takes 125 MB instead of 280.
"""

import threading
from collections.abc import Sequence
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
MOST_APART = 2
"""Voices of a line that are kept one by one: so many mono pieces take no more memory than one with two channels."""
# Seconds of a stretch in which `peak` looks for the loudest sample.
_LOOK = 10 * SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A line from one throat: mono `samples` from the song's sample `first` on, `gain` in dB, `pan` -1.0 to 1.0."""

    first: int
    samples: Floats
    gain: float
    pan: float


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A line of one voice, `[1, samples]`, or of all who sing it, `[2, samples]`: `first` is its sample in the song,
    `order` names it, `sides` are the gains of the song's channels."""

    first: int
    order: tuple[int, int]
    samples: NDArray[np.int16]
    scale: float
    sides: tuple[float, ...]

    @property
    def last(self) -> int:
        """The sample after its last one."""
        return self.first + int(self.samples.shape[1])


@dataclass(frozen=True, slots=True)
class Level:
    """How loud voices are where they sound: the sum of the squares of `heard` samples."""

    power: float = 0.0
    heard: int = 0

    def __add__(self, other: "Level") -> "Level":
        """Return the level of both."""
        return Level(self.power + other.power, self.heard + other.heard)


class Voice:
    """The voice of a song: `stretch` gives any part of it."""

    def __init__(self, pieces: list[Piece], level: Level, channels: int) -> None:
        self.channels = channels
        self._pieces = sorted(pieces, key=lambda piece: (piece.first, piece.order))
        self._gain = 1.0
        if level.heard:
            self._gain = min(LEVEL / float(np.sqrt(level.power / level.heard)), LOUDEST / self._peak())

    def stretch(self, first: int, last: int) -> Floats:
        """Return the samples `[channels, last - first]` from sample `first` of the song on."""
        sound = np.zeros((self.channels, last - first), dtype=np.float32)
        for piece in self._pieces:
            begin, end = max(first, piece.first), min(last, piece.last)
            if begin < end:
                parts = piece.samples[:, begin - piece.first : end - piece.first].astype(np.float32)
                for index, side in enumerate(piece.sides):
                    part = parts[min(index, len(parts) - 1)]
                    sound[index, begin - first : end - first] += part * np.float32(piece.scale * side * self._gain)
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
        self._levels: dict[int, Level] = {}
        self._lock = threading.Lock()

    def add(self, line: int, sounds: Sequence[Sound]) -> None:
        """Add everybody's sound of the song's `line`, each line once."""
        loud = [_trimmed(sound) for sound in sounds if sound.samples.any()]
        if not loud:
            return
        if self._channels == 2 and len(loud) > MOST_APART:
            pieces = [_together(line, loud)]
        else:
            pieces = [_alone((line, voice), sound, self._channels) for voice, sound in enumerate(loud)]
        level = sum((_level(sound.samples) for sound in loud), Level())
        with self._lock:
            self._pieces += pieces
            self._levels[line] = level

    def voice(self) -> Voice:
        """Return what has been sung."""
        level = sum((self._levels[line] for line in sorted(self._levels)), Level())
        return Voice(self._pieces, level, self._channels)


def _trimmed(sound: Sound) -> Sound:
    """Return a sound that is not silent at its own gain, without the silence around it."""
    loud = np.flatnonzero(sound.samples)
    begin = int(loud[0])
    samples = sound.samples[begin : int(loud[-1]) + 1] * np.float32(10 ** (sound.gain / 20))
    return Sound(sound.first + begin, samples, 0.0, sound.pan)


def _level(samples: Floats) -> Level:
    heard = samples[np.abs(samples) > HEARD * float(np.abs(samples).max())]
    return Level(float(np.sum(np.square(heard, dtype=np.float64))), heard.size)


def _sides(pan: float) -> tuple[float, float]:
    angle = (pan + 1) * np.pi / 4
    return float(np.cos(angle) * np.sqrt(2)), float(np.sin(angle) * np.sqrt(2))


def _alone(order: tuple[int, int], sound: Sound, channels: int) -> Piece:
    sides = _sides(sound.pan) if channels == 2 else (1.0,)
    samples, scale = _sixteen_bits(sound.samples[None, :])
    return Piece(sound.first, order, samples, scale, sides)


def _together(line: int, sounds: Sequence[Sound]) -> Piece:
    """Return all voices of a line as one piece, added up in their order."""
    first = min(sound.first for sound in sounds)
    mix = np.zeros((2, max(sound.first + sound.samples.size for sound in sounds) - first), dtype=np.float32)
    for sound in sounds:
        place = sound.first - first
        for channel, side in zip(mix, _sides(sound.pan), strict=True):
            channel[place : place + sound.samples.size] += sound.samples * np.float32(side)
    samples, scale = _sixteen_bits(mix)
    return Piece(first, (line, 0), samples, scale, (1.0, 1.0))


def _sixteen_bits(samples: Floats) -> tuple[NDArray[np.int16], float]:
    """Return samples of full scale, and the factor that makes them what they were."""
    peak = float(np.abs(samples).max())
    return np.round(samples * np.float32(_FULL / peak)).astype(np.int16), peak / _FULL
