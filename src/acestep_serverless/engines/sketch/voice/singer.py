"""How is a song's voice made? Each different line is spoken once, then sung wherever it comes, by all who sing it.

Lines with the same words share one analysis and are one job; jobs run side by side and add to one buffer. At most two
lines sound at once, and a sum of two has no order: the same vocals and seed give the same samples.
"""

import hashlib
import threading
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.together import Stop, never, together
from acestep_serverless.engines.sketch.voice.analysis import Floats, Noises, Voiced, noises, voiced
from acestep_serverless.engines.sketch.voice.kinds import HARMONY_GAIN, HARMONY_PANS, TAKES, Kind, Take
from acestep_serverless.engines.sketch.voice.song import SungLine, Vocals
from acestep_serverless.engines.sketch.voice.throat import first_sample, sing_verse
from acestep_serverless.engines.sketch.voice.words import Spoken, Verse, harmony_of, spoken_for, verse_of

LOUDEST = 0.9
"""Peak of a voice: it leaves room below full scale, whatever the notes."""
LEVEL = 0.1
"""Root mean square of the voice where it sounds."""
# Below the lowest note there is only rumble and DC.
_RUMBLE = signal.butter(2, 65, "highpass", fs=SAMPLE_RATE, output="sos")


def sing(
    vocals: Vocals, tempo: float, seconds: float, seed: int, cancelled: Callable[[], bool] = never
) -> NDArray[np.float32]:
    """Return the voice of a song of `seconds` at `tempo` beats per minute: float32 at 48 kHz.

    `[1, samples]` for a lead alone, `[2, samples]` where a choir or harmonies stand left and right of it; `gain`, `pan`
    and `reverb` are the mixing desk's. Raises GenerationCancelled, EngineUnavailable without eSpeak NG, and ValueError
    when notes carry syllables that are not those of their line.
    """
    takes = TAKES[vocals.kind]
    channels = 2 if vocals.harmonies or len(takes) > 1 else 1
    stage = _Stage(channels, round(seconds * SAMPLE_RATE))
    lines: dict[Spoken, list[tuple[int, float, SungLine]]] = {}
    silent_since = -10.0
    beat = 60 / tempo
    for index, line in enumerate(vocals.lines):
        if line.notes:
            begins = line.notes[0].start * beat
            lines.setdefault(spoken_for(vocals, line), []).append((index, begins - silent_since, line))
            silent_since = (line.notes[-1].start + line.notes[-1].length) * beat
    together([partial(_Work(vocals, beat, seed, stage, takes).run, *item) for item in lines.items()], cancelled)
    return stage.finished()


class _Stage:
    """Where all sing: the song's buffer, to which one at a time adds."""

    def __init__(self, channels: int, count: int) -> None:
        self._sound = np.zeros((channels, count), dtype=np.float32)
        self._lock = threading.Lock()

    def add(self, first: int, sound: Floats, gain: float, pan: float) -> None:
        """Add mono `sound` from sample `first` of the song; what lies outside the song is not heard."""
        begin, end = max(0, first), min(self._sound.shape[1], first + sound.size)
        if end <= begin:
            return
        angle = (pan + 1) * np.pi / 4
        sides = (np.cos(angle) * np.sqrt(2), np.sin(angle) * np.sqrt(2)) if self._sound.shape[0] == 2 else (1.0,)
        with self._lock:
            for channel, side in zip(self._sound, sides, strict=True):
                channel[begin:end] += sound[begin - first : end - first] * np.float32(gain * side)

    def finished(self) -> Floats:
        """Return the buffer at its level, without rumble."""
        sound = self._sound
        for channel in sound:
            channel[:] = signal.sosfilt(_RUMBLE, channel)
        peak = float(np.abs(sound).max(initial=0.0))
        if peak == 0.0:
            return sound
        loud = np.abs(sound).max(axis=0) > 0.02 * peak
        power = float(np.mean(np.square(sound, dtype=np.float64).mean(axis=0)[loud]))
        sound *= np.float32(min(LEVEL / np.sqrt(power), LOUDEST / peak))
        return sound


class _Work:
    """What all jobs of a song share."""

    def __init__(self, vocals: Vocals, beat: float, seed: int, stage: _Stage, takes: tuple[Take, ...]) -> None:
        self._vocals, self._beat, self._seed, self._stage, self._takes = vocals, beat, seed, stage, takes

    def run(self, spoken: Spoken, places: list[tuple[int, float, SungLine]], stop: Stop) -> None:
        """Sing one line wherever the song has it."""
        noise = noises(spoken.text, spoken.voice)
        banks: dict[Kind, Voiced] = {}
        for index, rested, line in places:
            lead = verse_of(self._vocals, line, self._beat)
            if not lead.syllables:
                continue
            for voice, (take, verse) in enumerate(self._voices(lead)):
                stop()
                if take.kind not in banks:
                    banks[take.kind] = voiced(spoken.text, spoken.voice, take.kind)
                rng = self._rng(index, voice)
                self._add(verse, banks[take.kind], noise, take, rng, rested if voice == 0 else 0.0)

    def _voices(self, lead: Verse) -> list[tuple[Take, Verse]]:
        """Return everyone who sings a line, with what they sing of it."""
        voices = [(take, lead) for take in self._takes]
        for index, notes in enumerate(self._vocals.harmonies):
            verse = harmony_of(lead, notes, self._beat)
            if verse.syllables:
                pan = HARMONY_PANS[index % len(HARMONY_PANS)]
                voices.append((Take(self._takes[0].kind, pan, HARMONY_GAIN, 0.008 + 0.005 * index), verse))
        return voices

    def _add(
        self, verse: Verse, bank: Voiced, noise: Noises, take: Take, rng: np.random.Generator, rested: float
    ) -> None:
        sound = sing_verse(verse, bank, noise, take, rng, rested)
        first = first_sample(verse) + round(take.late * SAMPLE_RATE)
        self._stage.add(first, sound, 10 ** (take.gain / 20), take.pan)

    def _rng(self, line: int, voice: int) -> np.random.Generator:
        name = f"{self._seed}/voice/{line}/{voice}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
