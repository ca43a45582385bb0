"""When does each sound of a line begin? Vowels start on their notes; consonants come before, and are never stretched.

A vowel lasts until the consonants that follow it must begin: its own syllable's end, then the next one's start. Where
the notes leave too little time, consonants give way together, down to TIGHTEST of their spoken length.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.engines.sketch.voice.espeak import RATE, Phone
from acestep_serverless.engines.sketch.voice.phonemes import is_double, is_stop, is_voiced
from acestep_serverless.engines.sketch.voice.syllables import SpokenSyllable

SHORTEST_VOWEL = 0.07
"""Seconds of a vowel that consonants leave it where the note is that long."""
TIGHTEST = 0.45
LONGEST_CONSONANT = 0.16
"""Seconds: eSpeak NG's last consonants of a line are longer."""
# Seconds at a vowel's ends that keep their pace: formants move there from one sound to the next.
EDGE, EDGE_SHARE = 0.07, 0.4
GLIDE = 0.11
OPENING, OPENING_SHARE = 0.05, 0.6


@dataclass(frozen=True, slots=True)
class Timed:
    """A syllable in time: its vowel begins at `start` and may last until `stop` (seconds), loud as `velocity`."""

    spoken: SpokenSyllable
    start: float
    stop: float
    velocity: int


@dataclass(frozen=True, slots=True)
class Span:
    """One phoneme in the song: spoken in `[source, source + spoken)`, sung in `[start, start + length)`, in seconds."""

    phone: Phone
    source: float
    spoken: float
    start: float
    length: float
    held: bool
    voiced: bool
    velocity: int

    @property
    def stop(self) -> float:
        """The second at which the sound ends."""
        return self.start + self.length


def spans_of(syllables: list[Timed]) -> tuple[Span, ...]:
    """Return the sounds of a line in order, none overlapping: every vowel's start is its note's start."""
    spans: list[Span] = []
    free = -np.inf
    for index, timed in enumerate(syllables):
        onset = timed.spoken.phones[: timed.spoken.nucleus]
        if index == 0 or timed.start - free > _spoken(onset):
            scale = 1.0
        else:
            scale = max(0.0, timed.start - free) / max(_spoken(onset), 1e-6)
        spans += _row(onset, timed.start - scale * _spoken(onset), scale, timed.velocity)
        early = _early(onset)
        if early:
            spans[-1] = replace(spans[-1], spoken=spans[-1].spoken - early)
        following = syllables[index + 1] if index + 1 < len(syllables) else None
        closing, stop = _closing(timed, following)
        kernel = timed.spoken.phones[timed.spoken.nucleus]
        vowel = _span(kernel, timed.start, stop - timed.start, True, timed.velocity)
        spans.append(replace(vowel, source=vowel.source - early, spoken=vowel.spoken + early))
        coda = timed.spoken.phones[timed.spoken.nucleus + 1 :]
        spans += _row(coda, stop, closing, timed.velocity)
        free = stop + closing * _spoken(coda)
    return tuple(span for span in spans if span.length > 0.002)


def _closing(timed: Timed, following: Timed | None) -> tuple[float, float]:
    """Return by how much the consonants after a vowel are shortened, and when the vowel ends."""
    coda = _spoken(timed.spoken.phones[timed.spoken.nucleus + 1 :])
    if following is None:
        return 1.0, max(timed.stop, timed.start + SHORTEST_VOWEL)
    onset = _spoken(following.spoken.phones[: following.spoken.nucleus])
    room = following.start - timed.start
    # After a rest the coda may sound into it; in legato it takes its time from the vowel.
    if timed.stop + coda + onset <= following.start:
        return 1.0, timed.stop
    wanted = coda + onset
    left = room - min(SHORTEST_VOWEL, 0.5 * room)
    scale = 1.0 if wanted <= left else max(TIGHTEST, left / wanted)
    scale = min(scale, 0.8 * room / max(wanted, 1e-6))
    return scale, following.start - scale * wanted


def _early(onset: tuple[Phone, ...]) -> float:
    """Return how long before its place in the speech a vowel is heard already: it opens while a hum or a glide ends."""
    if not onset or not is_voiced(onset[-1].name) or is_stop(onset[-1].name):
        return 0.0
    return min(OPENING, OPENING_SHARE * _length(onset[-1]))


def _row(phones: tuple[Phone, ...], start: float, scale: float, velocity: int) -> list[Span]:
    row = []
    for phone in phones:
        length = scale * min(_length(phone), LONGEST_CONSONANT)
        row.append(_span(phone, start, length, False, velocity))
        start += length
    return row


def _span(phone: Phone, start: float, length: float, held: bool, velocity: int) -> Span:
    return Span(phone, phone.start / RATE, _length(phone), start, length, held, is_voiced(phone.name), velocity)


def _length(phone: Phone) -> float:
    return (phone.stop - phone.start) / RATE


def _spoken(phones: tuple[Phone, ...]) -> float:
    return sum(min(_length(phone), LONGEST_CONSONANT) for phone in phones)


def places_in_speech(span: Span, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which second of the speech is heard at each of the song's `times` inside a span.

    A held vowel keeps its pace at both ends and is slow between them; one of two sounds ("ai") lingers on its first and
    glides at its end. Everything else runs evenly.
    """
    since = np.clip(times - span.start, 0, span.length)
    if not span.held or span.length <= span.spoken:
        return np.asarray(span.source + since * (span.spoken / span.length))
    double = is_double(span.phone.name)
    first = min(EDGE, EDGE_SHARE * span.spoken)
    last = min(GLIDE, 0.5 * span.spoken) if double else first
    ins = (0.0, first, span.length - last, span.length)
    outs = (0.0, first, span.spoken - last, span.spoken)
    return np.asarray(span.source + np.interp(since, ins, outs))
