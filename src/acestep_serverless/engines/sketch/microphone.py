"""How does the singer stand in the band? Loud enough to be understood over it, with a room, while the others step back.

As an engineer rides a fader, the voice's gain follows the band: for every stretch both are measured where words are
heard, from 300 to 4,000 Hz, while somebody sings.
"""

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pedalboard import Compressor, HighpassFilter, PeakFilter
from pedalboard._pedalboard import Pedalboard
from scipy.signal import butter, sosfilt

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.together import Stop
from acestep_serverless.engines.sketch.control import STEP, every_sample
from acestep_serverless.engines.sketch.effects import pan_gains
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.tone import Floats
from acestep_serverless.engines.sketch.voice.singer import voice_for
from acestep_serverless.engines.sketch.voice.song import Vocals
from acestep_serverless.engines.sketch.voice.stage import Voice

# How far a part steps back while somebody sings, by role.
STEPS_BACK: Mapping[str, float] = MappingProxyType({"drums": 0.0, "bass": 0.0})
BACK = 0.2
RAMP_SECONDS = 0.15
# Decibels of the voice over the others in that band, and how much of the way the fader goes from stretch to stretch.
ABOVE, FOLLOWS = 5.0, 0.4
# Where the fader may stand, in decibels, and how long it takes to get there.
LOWEST_FADER, HIGHEST_FADER, FADER_SECONDS = -24.0, 30.0, 0.6
# Less singing than this says nothing about a stretch; samples below this share of its peak are no singing.
HEARD_SECONDS, HEARD = 0.25, 0.05
_WORDS = butter(4, (300, 4000), "bandpass", fs=SAMPLE_RATE, output="sos")


def seed_of(score: Score) -> int:
    """Return the seed of the singer's small faults: the same for the same score."""
    return zlib.crc32(repr((score.style, score.tempo, score.key_scale, score.vocals)).encode())


class Microphone:
    """The singer's place on the desk: takes the voice's stretches in order."""

    def __init__(self, vocals: Vocals, voice: Voice) -> None:
        self.reverb = vocals.reverb
        self._voice = voice
        self._gains = pan_gains(vocals.pan)
        self._wanted = ABOVE + vocals.gain
        self._fader: float | None = None
        self._effects = Pedalboard(
            [
                HighpassFilter(110),
                Compressor(threshold_db=-22, ratio=2.5, attack_ms=8, release_ms=120),
                PeakFilter(3200, gain_db=3.0, q=0.7),
            ]
        )

    def play(self, first: int, last: int, stop: Stop) -> Floats:
        """Return the stereo stretch from sample `first` to `last`; stretches must follow one another."""
        stop()
        self._voice.forget(first)
        sound = self._effects(self._voice.stretch(first, last), SAMPLE_RATE, reset=False)
        return np.asarray(sound * self._gains, dtype=np.float32)

    def ride(self, sound: Floats, band: Floats) -> Floats:
        """Return a stretch of the voice at the level that this stretch of the band asks for; in order."""
        loud = np.abs(sound).max(axis=0)
        heard = loud > HEARD * loud.max()
        before = self._fader
        if loud.max() > 0 and np.count_nonzero(heard) > HEARD_SECONDS * SAMPLE_RATE:
            target = float(
                np.clip(self._wanted + _level(band, heard) - _level(sound, heard), LOWEST_FADER, HIGHEST_FADER)
            )
            self._fader = target if before is None else before + FOLLOWS * (target - before)
        after = self._fader if self._fader is not None else 0.0
        ramp = np.linspace(after if before is None else before, after, int(FADER_SECONDS * SAMPLE_RATE))[: loud.size]
        gains = np.full(loud.size, 10 ** (after / 20), dtype=np.float32)
        gains[: ramp.size] = 10 ** (ramp / 20)
        return sound * gains


def _level(sound: Floats, heard: NDArray[np.bool_]) -> float:
    """Return the level of `[2, n]` samples where words are heard, in decibels."""
    words = sosfilt(_WORDS, sound.mean(axis=0))[heard]
    return float(10 * np.log10(np.mean(np.square(words, dtype=np.float64)) + 1e-9))


def microphone_for(score: Score, cancelled: Callable[[], bool]) -> Microphone | None:
    """Return the singer's place with the song's voice ready; None where nobody sings. Raises GenerationCancelled."""
    if score.vocals is None:
        return None
    return Microphone(score.vocals, voice_for(score.vocals, score.tempo, seed_of(score), cancelled))


class StepBack:
    """When the others play softer: while somebody sings."""

    def __init__(self, score: Score, vocals: Vocals) -> None:
        beat = 60 / score.tempo
        points: list[tuple[float, float]] = [(-1.0, 0.0)]
        for line in vocals.lines:
            begin = line.notes[0].start * beat
            end = (line.notes[-1].start + line.notes[-1].length) * beat
            begin = max(begin, points[-1][0] + 2e-3)
            points += [(max(points[-1][0] + 1e-3, begin - RAMP_SECONDS), 0.0), (begin, 1.0)]
            points += [(max(end, begin + 1e-3), 1.0), (max(end, begin + 1e-3) + RAMP_SECONDS, 0.0)]
        self._seconds, self._levels = (np.array(column) for column in zip(*points, strict=True))

    def gains(self, part: Part, first: int, count: int) -> Floats | None:
        """Return a part's gains from sample `first` on, `[count]`; None where it never steps back."""
        depth = STEPS_BACK.get(part.role, BACK)
        if not depth:
            return None
        places: NDArray[np.float64] = (first + np.arange(-(-count // STEP) + 1) * STEP) / SAMPLE_RATE
        return every_sample(1 - depth * np.interp(places, self._seconds, self._levels), count)
