"""How is a song's voice made? Each different line is spoken once, then sung wherever it comes, by all who sing it.

Lines with the same words share one analysis and are one job; jobs run side by side. Their sums run in the order of the
song, whatever job was first: the same vocals and seed give the same samples.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.together import Stop, never, together
from acestep_serverless.engines.sketch.voice.analysis import Floats, Voiced, noises, voiced
from acestep_serverless.engines.sketch.voice.espeak import speak
from acestep_serverless.engines.sketch.voice.kinds import HARMONY_GAIN, HARMONY_PANS, TAKES, Kind, Take
from acestep_serverless.engines.sketch.voice.song import SungLine, Vocals
from acestep_serverless.engines.sketch.voice.stage import Sound, Stage, Voice
from acestep_serverless.engines.sketch.voice.throat import first_sample, sing_verse
from acestep_serverless.engines.sketch.voice.words import Spoken, Verse, harmony_of, spoken_for, verse_of

# Before the first line everybody has had time to breathe.
_LONG_AGO = -10.0


def sing(vocals: Vocals, tempo: float, seconds: float, seed: int, cancelled: Callable[[], bool] = never) -> Floats:
    """Return the whole voice of a song of `seconds`, `[channels, samples]` at 48 kHz: `voice_for` in one stretch."""
    return voice_for(vocals, tempo, seed, cancelled).stretch(0, round(seconds * SAMPLE_RATE))


def voice_for(vocals: Vocals, tempo: float, seed: int, cancelled: Callable[[], bool] = never) -> Voice:
    """Return the voice of a song at `tempo` beats per minute, ready to be taken in stretches.

    One channel for a lead alone, two where a choir or harmonies stand left and right of it; `gain`, `pan` and `reverb`
    are the mixing desk's. Raises GenerationCancelled, EngineUnavailable without eSpeak NG, and ValueError when notes
    carry syllables that are not those of their line.
    """
    takes = TAKES[vocals.kind]
    stage = Stage(2 if vocals.harmonies or len(takes) > 1 else 1)
    lines: dict[Spoken, list[_Place]] = {}
    beat = 60 / tempo
    silent_since = _LONG_AGO
    for index, line in enumerate(vocals.lines):
        if line.notes:
            place = _Place(index, line.notes[0].start * beat - silent_since, line)
            lines.setdefault(spoken_for(vocals, line), []).append(place)
            silent_since = (line.notes[-1].start + line.notes[-1].length) * beat
    choir = _Choir(vocals, beat, seed, takes, stage)
    together([partial(choir.sing, *item) for item in lines.items()], cancelled)
    return stage.voice()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line is sung: the how many-th it is, and the seconds of silence before it."""

    index: int
    rested: float
    line: SungLine


@dataclass(frozen=True, slots=True)
class _Choir:
    """Everybody who sings a song; `beat` is in seconds."""

    vocals: Vocals
    beat: float
    seed: int
    takes: tuple[Take, ...]
    stage: Stage

    def sing(self, spoken: Spoken, places: list[_Place], stop: Stop) -> None:
        """Sing one line wherever the song has it."""
        speech = speak(spoken.text, spoken.voice)
        noise = noises(speech)
        banks: dict[Kind, Voiced] = {}
        for place in places:
            lead = verse_of(self.vocals, place.line, self.beat)
            sounds = []
            for voice, (take, verse) in enumerate(self._voices(lead)):
                stop()
                if take.kind not in banks:
                    banks[take.kind] = voiced(speech, take.kind)
                rng = self._rng(place.index, voice)
                rested = place.rested if voice == 0 else 0.0
                sound = sing_verse(verse, banks[take.kind], noise, take, rng, rested)
                first = first_sample(verse) + round(take.late * SAMPLE_RATE)
                sounds.append(Sound(first, sound, take.gain, take.pan))
            self.stage.add(place.index, sounds)

    def _voices(self, lead: Verse) -> list[tuple[Take, Verse]]:
        """Return everyone who sings a line, with what they sing of it."""
        if not lead.syllables:
            return []
        voices = [(take, lead) for take in self.takes]
        for index, notes in enumerate(self.vocals.harmonies):
            verse = harmony_of(lead, notes, self.beat)
            if verse.syllables:
                pan = HARMONY_PANS[index % len(HARMONY_PANS)]
                voices.append((Take(self.takes[0].kind, pan, HARMONY_GAIN, 0.008 + 0.005 * index), verse))
        return voices

    def _rng(self, line: int, voice: int) -> np.random.Generator:
        name = f"{self.seed}/voice/{line}/{voice}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
