"""Can the sung words be understood? A speech recogniser reads each line, sung without the band and spoken by the same
voice, and the errors are compared.

The recogniser is PocketSphinx with the US English model of its own package. It chooses freely among the words of all
lines, in any order and number: its model of English sentences would guess words from their neighbours, which says
more about the lines than about the voice.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.voice.espeak import RATE as SPOKEN_RATE
from acestep_serverless.engines.sketch.voice.espeak import speak
from acestep_serverless.engines.sketch.voice.singer import sing

HEARING_RATE = 16_000
LEVEL = 0.08
"""Root mean square at which every line is read."""
EDGE_SECONDS, PAUSE_SECONDS = 0.12, 0.3

LINES = (
    "walking down the empty street",
    "i can hear my own heart beat",
    "nothing left for me to say",
    "maybe tomorrow maybe today",
    "we are shining in the light",
    "hold me close and hold me tight",
    "every river finds the sea",
    "every road will carry me",
    "winter came and took the sun",
    "now the summer has begun",
    "dancing under golden rain",
    "never going back again",
    "tell me what you want to know",
    "you and i are letting go",
    "stars are falling from the sky",
    "teach my broken wings to fly",
)
LYRICS = "[Verse]\n{}\n\n[Chorus]\n{}\n\n[Verse]\n{}\n\n[Chorus]\n{}".format(
    *("\n".join(LINES[first : first + 4]) for first in range(0, 16, 4))
)
SINGERS = (
    "pop song with a female singer",
    "rock song with a male singer",
    "soul ballad with a female singer",
    "country song with a male singer",
    "lullaby sung by a child",
)
SONG_SECONDS = 120.0

Mono = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a line that was `spoken` or sung for a caption."""

    caption: str
    line: str
    heard: str
    spoken: bool

    @property
    def wrong(self) -> int:
        """Words that are missing, exchanged or too many."""
        return edits(self.line.split(), self.heard.split())


@dataclass(frozen=True, slots=True)
class Reading:
    """Word errors, as shares of all words: 0.0 is perfect. `words` is how many were spoken."""

    sung: float
    spoken: float
    words: int

    @property
    def ratio(self) -> float:
        """How often singing is misread for each time that speech is; one wrong word of speech is taken for granted."""
        return self.sung / max(self.spoken, 1 / max(self.words, 1))


def read_songs(captions: Sequence[str], seeds: Sequence[int]) -> Iterator[Read]:
    """Yield every line spoken once, then every line as it is sung in a song for each caption and seed."""
    yield from (Read("", line, heard(speech_of(line), SPOKEN_RATE), True) for line in LINES)
    for caption in captions:
        for seed in seeds:
            request = GenerationRequest(caption, LYRICS, SONG_SECONDS, (seed,), vocal_language="en")
            yield from _read_sung(caption, compose(request, seed).score, seed)


def reading(reads: Sequence[Read]) -> Reading:
    """Sum up what was read."""
    sung, spoken = ([read for read in reads if read.spoken is kind] for kind in (False, True))
    return Reading(_errors(sung), _errors(spoken), _words(spoken))


def _errors(reads: Sequence[Read]) -> float:
    return sum(read.wrong for read in reads) / max(1, _words(reads))


def _words(reads: Sequence[Read]) -> int:
    return sum(len(read.line.split()) for read in reads)


def _read_sung(caption: str, score: Score, seed: int) -> Iterator[Read]:
    """Read each line of a score's lead, sung without the band."""
    if score.vocals is None:
        return
    voice, beat = sing(score.vocals, score.tempo, score.seconds, seed).mean(axis=0), 60 / score.tempo
    for line in score.vocals.lines:
        text = " ".join(line.text.lower().split())
        if line.notes and text in LINES:
            begin = line.notes[0].start * beat - EDGE_SECONDS
            end = (line.notes[-1].start + line.notes[-1].length) * beat + EDGE_SECONDS
            piece = voice[max(0, int(begin * SAMPLE_RATE)) : int(end * SAMPLE_RATE)]
            yield Read(caption, text, heard(piece, SAMPLE_RATE), False)


def speech_of(line: str) -> Mono:
    """The line as the singer's own voice speaks it, at SPOKEN_RATE."""
    return np.asarray(speak(line, "en-us").samples, dtype=np.float32)


def heard(sound: Mono, rate: int) -> str:
    """Return the words that are heard in a line."""
    plain = soxr.resample(sound, rate, HEARING_RATE)
    plain = plain * (LEVEL / max(1e-6, float(np.sqrt(np.mean(plain**2)))))
    pause = np.random.default_rng(0).normal(0, 1e-4, int(PAUSE_SECONDS * HEARING_RATE))
    whole = np.concatenate((pause, plain, pause))
    decoder = _decoder()
    decoder.start_utt()
    decoder.process_raw((np.clip(whole, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return "" if found is None else str(found.hypstr)


@cache
def _decoder() -> Decoder:
    """The recogniser; a line's own loudness and colour are taken out before it is read (`cmn`)."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "words.arpa"
        model.write_text(_any_word(sorted({word for line in LINES for word in line.split()})))
        return Decoder(
            lm=str(model), cmn="batch", beam=1e-40, pbeam=1e-40, wbeam=1e-30, maxhmmpf=3_000, loglevel="FATAL"
        )


def _any_word(words: Sequence[str]) -> str:
    """Return a language model in ARPA's form in which each word, and the end, is as likely as any other."""
    likely = -math.log10(len(words) + 1)
    rows = "".join(f"{likely:.4f} {word}\n" for word in ("</s>", *words))
    return f"\\data\\\nngram 1={len(words) + 2}\n\n\\1-grams:\n-99 <s>\n{rows}\n\\end\\\n"


def edits(wanted: Sequence[str], found: Sequence[str]) -> int:
    """Return the fewest words to insert, delete and exchange (Levenshtein)."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(wanted, 1):
        last, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (word != other))
    return row[-1]
