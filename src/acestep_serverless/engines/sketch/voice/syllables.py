"""Which syllables does a line of lyrics have, and which sounds is each made of? As eSpeak NG pronounces it.

`spoken_line` is the line with the places of its sounds in the speech; `read_line` is the same without them, for
composing.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from acestep_serverless.engines.sketch.voice.counting import WORD, divided, word_syllables
from acestep_serverless.engines.sketch.voice.espeak import Phone, speak
from acestep_serverless.engines.sketch.voice.languages import SUNG_LANGUAGES, VOICES, language_of
from acestep_serverless.engines.sketch.voice.phonemes import boundaries, nuclei
from acestep_serverless.engines.sketch.voice.readings import in_kana

__all__ = ["SUNG_LANGUAGES", "SpokenSyllable", "Syllable", "language_of", "read_line", "spoken_line"]

HUM = "m"
# Everything but letters, their marks, digits and apostrophes: pauses come from the tune, not from commas.
_NO_WORD = re.compile(r"[^\w'\u2019\u0300-\u036f\u0591-\u05c7\u064b-\u0670\u0900-\u0e4e]+|_")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable: letters, sounds as IPA, stress (0 none, 1 secondary, 2 primary), and whether it ends a word."""

    text: str
    phonemes: tuple[str, ...]
    stress: int
    word_end: bool


@dataclass(frozen=True, slots=True)
class SpokenSyllable:
    """A syllable and its phonemes in the speech; `nucleus` is the index of the one that is held."""

    syllable: Syllable
    phones: tuple[Phone, ...]
    nucleus: int


def spoken_text(text: str, language: str) -> str:
    """Return the line as it is spoken: words and single spaces, Japanese in kana."""
    if language == "ja":
        text = in_kana(text)
    words = _NO_WORD.sub(" ", text).replace("\u2019", "'").split()
    return " ".join(word for word in words if word.strip("'"))


@lru_cache(maxsize=1024)
def read_line(text: str, language: str) -> tuple[Syllable, ...]:
    """Return the syllables of a line in a language of `language_of`; none where it holds no word.

    A line that nobody pronounces, in a language that is hummed, has its syllables counted by letters.
    """
    if language not in SUNG_LANGUAGES:
        return tuple(syllable for word in WORD.findall(text) for syllable in _hummed(word))
    return tuple(spoken.syllable for spoken in spoken_line(text, language))


@lru_cache(maxsize=512)
def spoken_line(text: str, language: str) -> tuple[SpokenSyllable, ...]:
    """Return the syllables of a line with their places in `speak(spoken_text(text, language), VOICES[language])`."""
    said = spoken_text(text, language)
    if not said:
        return ()
    phones = [phone for phone in speak(said, VOICES[language]).phones if phone.name and phone.stop > phone.start]
    return tuple(syllable for word, sounds in _words(said, phones) for syllable in _syllables(word, sounds))


def _hummed(word: str) -> tuple[Syllable, ...]:
    count = word_syllables(word)
    return tuple(
        Syllable(piece, (HUM,), 2 if index == 0 else 0, index == count - 1)
        for index, piece in enumerate(divided(word, count))
    )


def _words(said: str, phones: list[Phone]) -> list[tuple[str, tuple[Phone, ...]]]:
    """Return each spoken word's letters and sounds; one without a vowel joins the word after it, or else before it."""
    places = sorted({phone.word for phone in phones})
    words: list[tuple[str, tuple[Phone, ...]]] = []
    waiting: tuple[str, tuple[Phone, ...]] = ("", ())
    for first, last in zip(places, [*places[1:], len(said)], strict=True):
        sounds = tuple(phone for phone in phones if phone.word == first)
        letters = said[first:last].strip()
        text = f"{waiting[0]} {letters}".strip()
        if nuclei(tuple(phone.name for phone in sounds)):
            words.append((text, waiting[1] + sounds))
            waiting = ("", ())
        else:
            waiting = (text, waiting[1] + sounds)
    if waiting[1] and words:
        words[-1] = (f"{words[-1][0]} {waiting[0]}", words[-1][1] + waiting[1])
    return words


def _syllables(word: str, sounds: tuple[Phone, ...]) -> tuple[SpokenSyllable, ...]:
    names = tuple(phone.name for phone in sounds)
    starts, kernels = boundaries(names), nuclei(names)
    pieces = divided(word, len(starts))
    found = []
    for index, (first, last) in enumerate(zip(starts, [*starts[1:], len(names)], strict=True)):
        inside = sounds[first:last]
        syllable = Syllable(
            pieces[index], names[first:last], max(phone.stress for phone in inside), index == len(starts) - 1
        )
        found.append(SpokenSyllable(syllable, inside, kernels[index] - first))
    return tuple(found)
