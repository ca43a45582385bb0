"""Which sounds does a sung line have, and on which notes? Its syllables are found again in the line as spoken."""

from dataclasses import dataclass, replace
from functools import lru_cache

from acestep_serverless.engines.sketch.voice.espeak import speak
from acestep_serverless.engines.sketch.voice.languages import VOICES
from acestep_serverless.engines.sketch.voice.pitch import Tone
from acestep_serverless.engines.sketch.voice.song import SungLine, SungNote, Vocals
from acestep_serverless.engines.sketch.voice.syllables import HUM, SpokenSyllable, Syllable, spoken_line, spoken_text
from acestep_serverless.engines.sketch.voice.timing import Timed

HUMMED = ("hum", "en-us")
"""What eSpeak NG says, and in which voice, for a hum: its last sound is held."""

NEAR = 0.02
"""Beats by which a note in harmony may differ from the lead's start and still be on the same syllable."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is spoken for a line: the text and the voice, as `espeak.speak` takes them."""

    text: str
    voice: str


@dataclass(frozen=True, slots=True)
class Verse:
    """A line ready to be sung by one voice: its syllables in time and its notes, in seconds."""

    syllables: tuple[Timed, ...]
    tones: tuple[Tone, ...]


def spoken_for(vocals: Vocals, line: SungLine) -> Spoken:
    """Return what has to be spoken before the line can be sung."""
    if hummed(vocals):
        return Spoken(*HUMMED)
    return Spoken(spoken_text(line.text, vocals.language), VOICES[vocals.language])


def hummed(vocals: Vocals) -> bool:
    """Say whether the song is hummed: by wish, or because nobody can pronounce its language."""
    return vocals.humming or vocals.language not in VOICES


def verse_of(vocals: Vocals, line: SungLine, beat: float) -> Verse:
    """Return a line as its lead sings it; `beat` is in seconds.

    Raises ValueError when its notes carry syllables that `read_line` did not find in its text.
    """
    notes = line.notes
    if hummed(vocals):
        spoken = [_hum()] * len(notes)
        firsts = list(range(len(notes)))
    else:
        spoken = _matched(line, vocals.language)
        firsts = [index for index, note in enumerate(notes) if note.syllable is not None]
    lasts = [*(first - 1 for first in firsts[1:]), len(notes) - 1][: len(firsts)]
    timed = tuple(
        Timed(sounds, notes[first].start * beat, _stop(notes[last]) * beat, notes[first].velocity)
        for sounds, first, last in zip(spoken, firsts, lasts, strict=True)
    )
    return Verse(timed, tuple(_tone(note, beat) for note in notes))


def harmony_of(verse: Verse, notes: tuple[SungNote, ...], beat: float) -> Verse:
    """Return what a voice in harmony sings of a verse: the syllables that start on notes of its own."""
    kept, tones = [], []
    for timed in verse.syllables:
        own = [note for note in notes if timed.start - NEAR * beat <= note.start * beat < timed.stop - NEAR * beat]
        if own and abs(own[0].start * beat - timed.start) <= NEAR * beat:
            kept.append(replace(timed, stop=min(timed.stop, _stop(own[-1]) * beat), velocity=own[0].velocity))
            tones += [_tone(note, beat) for note in own]
    return Verse(tuple(kept), tuple(tones))


def _stop(note: SungNote) -> float:
    return note.start + note.length


def _tone(note: SungNote, beat: float) -> Tone:
    return Tone(note.start * beat, _stop(note) * beat, note.pitch)


def _matched(line: SungLine, language: str) -> list[SpokenSyllable]:
    """Return the spoken syllable of each note that has one; some of the line's may be left out, none exchanged."""
    found = []
    spoken = iter(spoken_line(line.text, language))
    for note in line.notes:
        if note.syllable is None:
            continue
        match = next((candidate for candidate in spoken if candidate.syllable == note.syllable), None)
        if match is None:
            raise ValueError(f"the syllable {note.syllable.text!r} is not where the line {line.text!r} has it")
        found.append(match)
    return found


@lru_cache(maxsize=1)
def _hum() -> SpokenSyllable:
    phone = next(phone for phone in reversed(speak(*HUMMED).phones) if phone.name)
    return SpokenSyllable(Syllable("", (HUM,), 0, False), (phone,), 0)
