"""What the voice sounds like: on the note, on the beat, words first, no clicks, and the same samples each time."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from acestep_serverless.engines.sketch.voice.kinds import TAKES
from acestep_serverless.engines.sketch.voice.pitch import Tone, pitch_curve
from acestep_serverless.engines.sketch.voice.singer import sing, voice_for
from acestep_serverless.engines.sketch.voice.song import KINDS, RANGES, SungLine, SungNote, Vocals
from acestep_serverless.engines.sketch.voice.stage import Sound, Stage
from acestep_serverless.engines.sketch.voice.syllables import read_line, spoken_line
from acestep_serverless.engines.sketch.voice.timing import OPENING, Timed, spans_of
from acestep_serverless.errors import GenerationCancelled

RATE = 48_000
TEMPO = 100.0
BEAT = 60 / TEMPO
STEPS = (0, 2, 4, 5, 7, 5, 4, 2)

Doubles = NDArray[np.float64]


def line_of(text: str, base: int, start: float = 2.0, language: str = "en", beats: float = 1.0) -> SungLine:
    syllables = read_line(text, language)
    return SungLine(
        text,
        tuple(
            SungNote(start + beats * place, beats, base + STEPS[place % len(STEPS)], 96, syllable)
            for place, syllable in enumerate(syllables)
        ),
    )


def vocals_of(*lines: SungLine, kind: str = "female", language: str = "en") -> Vocals:
    return Vocals(lines, language, kind)


def cents_off(sound: Doubles, note: SungNote) -> float:
    """How far the middle of a note is from its pitch, by the peak of its autocorrelation near that pitch."""
    middle = (note.start + 0.55 * note.length) * BEAT
    width = 0.18 * note.length * BEAT
    piece = sound[int((middle - width) * RATE) : int((middle + width) * RATE)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(piece.size), 4 * piece.size)) ** 2
    correlation = np.fft.irfft(spectrum)
    period = RATE / (440 * 2 ** ((note.pitch - 69) / 12))
    low, high = int(period / 1.35), int(period * 1.35)
    peak = low + int(np.argmax(correlation[low:high]))
    before, here, after = correlation[peak - 1 : peak + 2]
    exact = peak + 0.5 * (before - after) / (before - 2 * here + after)
    return float(1200 * np.log2(period / exact))


@pytest.mark.parametrize("kind", ["female", "male", "child"])
def test_the_middle_of_every_note_is_on_its_pitch(kind: str) -> None:
    line = line_of("the sun is shining on the water and the wind is in my hair", RANGES[kind][0] + 4)
    sound = sing(vocals_of(line, kind=kind), TEMPO, 12.0, 1)[0].astype(np.float64)
    errors = np.abs([cents_off(sound, note) for note in line.notes])
    assert np.median(errors) < 20
    assert np.mean(errors < 50) > 0.9


def level_near(sound: Doubles, low: float, high: float, second: float, seconds: float) -> float:
    """The root mean square of a band around a time."""
    band = signal.sosfiltfilt(signal.butter(4, (low, high), "bandpass", fs=RATE, output="sos"), sound)
    return float(np.sqrt(np.mean(band[int((second - seconds) * RATE) : int((second + seconds) * RATE)] ** 2)))


def test_consonants_come_before_the_beat_and_have_no_pitch() -> None:
    line = line_of("see sue saw", 60)
    sound = sing(vocals_of(line), TEMPO, 5.0, 1)[0].astype(np.float64)
    for note in line.notes:
        hiss = note.start * BEAT - 0.05
        assert level_near(sound, 5000, 10_000, hiss, 0.02) > 0.01
        assert level_near(sound, 5000, 10_000, hiss, 0.02) > 2 * level_near(sound, 200, 1200, hiss, 0.01)


@pytest.mark.parametrize("text", ["see sue saw say", "ma me mow my", "tea toe two tie"])
def test_vowels_set_in_within_30_ms_of_their_notes(text: str) -> None:
    syllables = line_of(text, 57).notes
    apart = tuple(replace(note, start=2.0 + 2 * place, pitch=57) for place, note in enumerate(syllables))
    sound = sing(vocals_of(SungLine(text, apart), kind="male"), TEMPO, 9.0, 1)[0].astype(np.float64)
    body = signal.sosfiltfilt(signal.butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), sound)
    loud = np.sqrt(signal.sosfiltfilt(signal.butter(1, 50, fs=RATE, output="sos"), body**2).clip(0))
    for note in apart:
        beat = round(note.start * BEAT * RATE)
        around = loud[beat - RATE // 8 : beat + RATE // 8]
        full = np.median(loud[beat + RATE // 20 : beat + RATE // 5])
        onset = (int(np.argmax(around > 0.6 * full)) - RATE // 8) / RATE
        assert abs(onset) < 0.03


def test_a_held_vowel_begins_on_its_note_and_lasts_until_the_next_consonants() -> None:
    spoken = spoken_line("hold my hand", "en")
    spans = spans_of([Timed(sounds, 1.0 + place, 2.0 + place, 96) for place, sounds in enumerate(spoken)])
    assert [span.start for span in spans if span.held] == [1.0, 2.0, 3.0]
    assert all(before.stop <= after.start + 1e-9 for before, after in pairwise(spans))
    assert all(span.length <= span.spoken + OPENING + 1e-9 for span in spans if not span.held)


@pytest.mark.parametrize("apart", [0.05, 0.1, 0.2])
def test_fast_notes_shorten_consonants_and_never_tangle(apart: float) -> None:
    spoken = spoken_line("strengths stretched splashed", "en")
    spans = spans_of([Timed(sounds, 1 + apart * p, 1 + apart * (p + 1), 96) for p, sounds in enumerate(spoken)])
    assert all(before.stop <= after.start + 1e-9 for before, after in pairwise(spans))
    assert [span.start for span in spans if span.held] == pytest.approx([1 + apart * p for p in range(3)])


def test_vibrato_swings_around_the_note_once_it_has_lasted() -> None:
    curve = pitch_curve([Tone(1.0, 3.0, 69)], TAKES["female"][0], 0.5, 3.5, np.random.default_rng(1))
    cents = 1200 * np.log2(curve / 440)
    assert np.ptp(cents[900:1200]) > 30
    assert abs(np.median(cents[400:1200])) < 10
    assert np.ptp(cents[310:350]) < 30


def test_a_melisma_moves_one_vowel_over_its_notes() -> None:
    syllable = read_line("love", "en")[0]
    notes = (SungNote(2, 1, 60, 96, syllable), SungNote(3, 1, 64, 96, None), SungNote(4, 1, 62, 96, None))
    sound = sing(vocals_of(SungLine("love", notes)), TEMPO, 5.0, 1)[0].astype(np.float64)
    assert all(abs(cents_off(sound, note)) < 30 for note in notes)
    assert level_near(sound, 200, 2000, 3 * BEAT, 0.05) > 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_the_voice_has_its_level_no_dc_and_no_clipping(kind: str) -> None:
    line = line_of("dancing in the rain until the morning", RANGES[kind][0] + 4)
    sound = sing(vocals_of(line, kind=kind), TEMPO, 9.0, 1)
    assert sound.dtype == np.float32
    assert sound.shape == ((2 if kind == "choir" else 1), 9 * RATE)
    assert np.abs(sound).max() < 0.901
    assert np.abs(sound.mean(axis=1)).max() < 1e-4
    loud = sound[np.abs(sound) > 0.02 * np.abs(sound).max()]
    assert 0.03 < np.sqrt(np.mean(loud**2)) < 0.2


def test_there_are_no_clicks_where_sounds_meet() -> None:
    """A click is one loud sample in a band in which voices have nothing."""
    line = line_of("no moon will ever leave my lonely room", 57, beats=0.5)
    sound = sing(vocals_of(line), TEMPO, 7.0, 1)[0].astype(np.float64)
    top = np.abs(signal.sosfiltfilt(signal.butter(6, 17_000, "highpass", fs=RATE, output="sos"), sound))
    assert top.max() < 0.02 * np.abs(sound).max()


def test_the_same_song_and_seed_are_the_same_samples_and_another_seed_is_not() -> None:
    song = vocals_of(line_of("all my friends", 60), line_of("all my friends", 60, 8.0), line_of("are here", 62, 13.0))
    one, again, other = (sing(song, TEMPO, 10.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_stretches_of_a_voice_are_its_whole() -> None:
    song = replace(vocals_of(line_of("all my friends are here", 60)), harmonies=(line_of("all my", 64).notes,))
    voice = voice_for(song, TEMPO, 1)
    whole = sing(song, TEMPO, 6.0, 1)
    parts = [voice.stretch(first, min(first + 50_000, 6 * RATE)) for first in range(0, 6 * RATE, 50_000)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_harmonies_stand_beside_the_lead_on_their_own_notes() -> None:
    lead = line_of("we all need love", 57)
    third = tuple(replace(note, pitch=note.pitch + 4, syllable=None) for note in lead.notes)
    sound = sing(replace(vocals_of(lead), harmonies=(third,)), TEMPO, 6.0, 1)
    side = (sound[0] - sound[1]).astype(np.float64)
    assert np.median(np.abs([cents_off(side, note) for note in third])) < 20


def test_a_song_in_a_language_that_nobody_speaks_is_hummed() -> None:
    line = line_of("mahal kita", 57, language="tl")
    sound = sing(vocals_of(line, language="tl"), TEMPO, 5.0, 1)[0].astype(np.float64)
    assert np.median(np.abs([cents_off(sound, note) for note in line.notes])) < 20
    assert level_near(sound, 5000, 10_000, line.notes[1].start * BEAT, 0.2) < 0.003


def test_a_singer_breathes_before_a_line_but_not_within_it() -> None:
    song = vocals_of(line_of("oh my love", 60), line_of("oh my love", 60, 9.0))
    sound = sing(song, TEMPO, 9.0, 1)[0].astype(np.float64)
    assert level_near(sound, 1000, 8000, 9 * BEAT - 0.15, 0.05) > 0.0005
    assert level_near(sound, 1000, 8000, 9 * BEAT - 1.0, 0.05) < 0.0001


@pytest.mark.parametrize("lines", [(), (SungLine("", ()),), (SungLine("oh", (SungNote(1, 1, 60, 96, None),)),)])
def test_nothing_to_sing_is_silence(lines: tuple[SungLine, ...]) -> None:
    assert not sing(vocals_of(*lines), TEMPO, 2.0, 1).any()


def test_syllables_of_another_line_are_refused() -> None:
    with pytest.raises(ValueError, match="not where the line 'my love' has it"):
        sing(vocals_of(replace(line_of("your heart", 60), text="my love")), TEMPO, 5.0, 1)


def test_a_cancelled_voice_stops() -> None:
    asked = iter([False])
    cancelled: Callable[[], bool] = lambda: next(asked, True)  # noqa: E731 - the iterator is its state
    lines = tuple(line_of(f"line number {number} goes on and on", 60, 10.0 * number) for number in range(1, 9))
    with pytest.raises(GenerationCancelled):
        sing(vocals_of(*lines), TEMPO, 60.0, 1, cancelled)


def test_a_choir_kept_as_one_piece_sounds_as_its_singers_do_one_by_one() -> None:
    rng = np.random.default_rng(1)
    pans = (-0.7, 0.3, 0.0, 0.9)
    sounds = [Sound(100 * n, rng.normal(0, 0.1, 4800).astype(np.float32), -3.0 * n, p) for n, p in enumerate(pans)]
    together, apart = Stage(2), Stage(2)
    together.add(0, sounds)
    for line, sound in enumerate(sounds):
        apart.add(line, [sound])
    assert np.abs(together.voice().stretch(50, 5000)).max() > 0.05
    np.testing.assert_allclose(together.voice().stretch(50, 5000), apart.voice().stretch(50, 5000), atol=1e-4)
