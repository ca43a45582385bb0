"""Are lyrics sung as a singer would: each syllable on its note, in range, with breaths, and loud enough to be heard?"""

from itertools import pairwise

import numpy as np
import pytest

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.loudness import integrated_loudness, true_peak
from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.band import play
from acestep_serverless.engines.sketch.composer import Composition, compose
from acestep_serverless.engines.sketch.microphone import Microphone, StepBack
from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.soundfont import SoundFont, find_soundfont
from acestep_serverless.engines.sketch.voice.singer import voice_for
from acestep_serverless.engines.sketch.voice.song import RANGES, Vocals
from acestep_serverless.engines.sketch.voice.syllables import read_line

SONG = """[Verse]
Walking down the empty street tonight
Every window holds a little light

[Chorus]
Carry me over the river
Carry me home
"""
STYLES = ("pop", "punk", "lullaby", "celtic", "jazz")


def made(caption: str, duration: float = 40, lyrics: str = SONG, seed: int = 1, **fields) -> Composition:
    return compose(GenerationRequest(caption, lyrics, duration, (seed,), **fields), seed)


def sung(score: Score) -> Vocals:
    assert score.vocals is not None
    return score.vocals


@pytest.mark.parametrize("style", STYLES)
def test_every_line_has_its_syllables_in_order_on_notes_that_follow_one_another(style):
    score = made(style).score
    for line in sung(score).lines:
        syllables = tuple(note.syllable for note in line.notes if note.syllable is not None)
        assert syllables == read_line(line.text, "en")
        assert line.notes[0].syllable is not None
        assert all(a.start + a.length <= b.start + 1e-6 for a, b in pairwise(line.notes))
        assert all(note.length * 60 / score.tempo > 0.05 for note in line.notes)


@pytest.mark.parametrize("kind", RANGES)
def test_notes_stay_in_the_range_of_the_voice_that_the_caption_names(kind):
    low, high = RANGES[kind]
    vocals = sung(made(f"pop with a {kind} voice").score)
    assert vocals.kind == kind
    assert all(low <= note.pitch <= high for line in vocals.lines for note in line.notes)


@pytest.mark.parametrize("style", STYLES)
def test_there_is_a_breath_between_two_lines(style):
    score = made(style).score
    for before, after in pairwise(sung(score).lines):
        end = before.notes[-1].start + before.notes[-1].length
        assert (after.notes[0].start - end) * 60 / score.tempo > 0.08


def test_choruses_have_a_second_voice_in_consonant_intervals_on_the_same_starts():
    vocals = sung(made("pop").score)
    lead = {note.start: note for line in vocals.lines for note in line.notes}
    (second,) = vocals.harmonies
    assert second
    assert all(2 < note.pitch - lead[note.start].pitch < 8 for note in second)
    assert len(second) < len(lead)


def test_the_soloist_is_silent_while_somebody_sings():
    score = made("pop").score
    solo = next(part for part in score.parts if part.role == "melody")
    for line in sung(score).lines:
        first, last = line.notes[0].start + 0.1, line.notes[-1].start
        assert not any(first < note.start < last for note in solo.notes)


@pytest.mark.parametrize(("caption", "lyrics"), [("pop", ""), ("pop", "[Instrumental]"), ("pop, no vocals", SONG)])
def test_without_words_or_by_wish_nobody_sings(caption, lyrics):
    assert made(caption, lyrics=lyrics).score.vocals is None


def test_a_language_that_nobody_speaks_is_hummed_and_said():
    composition = made("folk", lyrics="ahaṃ gacchāmi\nvanaṃ", vocal_language="sa")
    assert sung(composition.score).humming
    assert "hums" in composition.warnings[0]
    assert made("folk").warnings == ()


def test_lyrics_that_are_too_long_for_the_song_are_said_to_be_hurried():
    assert any(
        "hurried" in warning
        for warning in made("pop", 10, "[Verse]\n" + "Walking down the empty street tonight\n" * 12).warnings
    )


def test_the_caption_names_an_a_cappella_choir():
    score = made("a cappella choir").score
    assert {part.program for part in score.parts} == {52}
    assert sung(score).kind == "choir"


def test_a_sung_song_is_mastered_and_the_same_each_time():
    font = SoundFont(find_soundfont())
    score = made("pop", 12, "[Verse]\nCarry me over the river").score
    first, second = (play(score, font, lambda _fraction, _stage: None) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)
    assert integrated_loudness(first) == pytest.approx(-14.0, abs=0.2)
    assert true_peak(first) <= -1.0


def tone(hertz: float, level: float, seconds: float = 4.0) -> np.ndarray:
    wave = np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE) * level
    return np.stack((wave, wave)).astype(np.float32)


@pytest.mark.parametrize("band", [0.02, 0.2, 0.6])
def test_the_voice_follows_the_band_in_loudness(band):
    """Five decibels over it where words are heard, however loud the band is; rumble does not count."""
    vocals = sung(made("pop").score)
    microphone = Microphone(vocals, voice_for(vocals, 120, 1))
    ridden = microphone.ride(tone(1000, 0.1), tone(800, band) + tone(50, 0.5))
    assert 20 * np.log10(np.abs(ridden[:, -4800:]).max() / band) == pytest.approx(5.0, abs=0.7)


def test_the_others_step_back_only_while_somebody_sings():
    score = made("pop").score
    line = sung(score).lines[0]
    beat = 60 / score.tempo
    middle = round((line.notes[0].start + 1) * beat * SAMPLE_RATE)
    step_back = StepBack(score, sung(score))
    chords = next(part for part in score.parts if part.role == "chords")
    drums = next(part for part in score.parts if part.role == "drums")
    during, before = step_back.gains(chords, middle, 64), step_back.gains(chords, 0, 64)
    assert during is not None
    assert before is not None
    assert during[0] < 0.85 < before[0] == 1.0
    assert step_back.gains(drums, middle, 64) is None
