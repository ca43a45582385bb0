"""What leaves the band is a finished record: exact length, an ending, every player heard, always the same samples."""

import subprocess
import sys

import numpy as np
import pytest

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.audio.loudness import integrated_loudness, true_peak
from acestep_serverless.engines.sketch.band import play
from acestep_serverless.engines.sketch.effects import channel_of, ducking_curve, equaliser
from acestep_serverless.engines.sketch.instruments import instrument_for
from acestep_serverless.engines.sketch.player import EVEN_LOUDNESS, Player
from acestep_serverless.engines.sketch.score import Note, Part, Score, Section
from acestep_serverless.engines.sketch.soundfont import DRUM_BANK, SoundFont, find_soundfont
from acestep_serverless.engines.sketch.synth import VOICES, oscillate
from acestep_serverless.engines.sketch.tone import Tone, prolonged, velocity_gain
from acestep_serverless.errors import GenerationCancelled


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(find_soundfont())


def score_of(*parts: Part, seconds: float = 6.0, sidechain: float = 0.0) -> Score:
    return Score("test", seconds, 120.0, "C major", "4", 4.0, (Section("verse", 0, 8, 0.5),), parts, sidechain)


def part(role: str, program: int, *pitches: int, start: float = 0.0, length: float = 1.0) -> Part:
    notes = tuple(Note(start + number, length, pitch, 90) for number, pitch in enumerate(pitches))
    return Part(role, role, program, notes)


def trio(seconds: float = 6.0) -> Score:
    drums = part("drums", 0, *[36, 42, 38, 42] * 2, length=0.5)
    return score_of(drums, part("bass", 33, 36, 36, 43, 36), part("melody", 81, 72, 76, 79), seconds=seconds)


def quiet(_fraction: float, _stage: str) -> None:
    """Take progress that this test does not look at."""


def unstopped() -> None:
    """Never stop."""


def pitch_of(samples: np.ndarray) -> float:
    """Return the strongest frequency in Hz, to a fraction of a Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size), 1 << 19))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / (1 << 19)


@pytest.mark.parametrize("seconds", [1.0, 2.34567, 6.0])
def test_a_song_has_exactly_its_length_and_ends_in_silence(font: SoundFont, seconds: float) -> None:
    clip = play(trio(seconds), font, quiet)
    assert clip.samples.shape == (2, round(seconds * SAMPLE_RATE))
    assert not clip.samples[:, -400:].any()
    assert np.abs(clip.samples[:, -680:-480]).max() < 0.01


def test_a_song_is_mastered(font: SoundFont) -> None:
    clip = play(trio(), font, quiet)
    assert integrated_loudness(clip) == pytest.approx(-14.0, abs=0.1)
    assert true_peak(clip) <= -1.8


def test_an_empty_score_is_silence_of_the_right_length(font: SoundFont) -> None:
    clip = play(score_of(seconds=2.0), font, quiet)
    assert clip.samples.shape == (2, 2 * SAMPLE_RATE)
    assert not clip.samples.any()


@pytest.mark.parametrize(("program", "cents"), [(80, 5), (73, 15)])
def test_notes_sound_when_and_as_high_as_they_are_written(font: SoundFont, program: int, cents: float) -> None:
    """A4 is 440 Hz on an electronic lead and on the bank's flute (12.9 cents sharp there); onset within 30 ms."""
    clip = play(score_of(part("melody", program, 69, start=2.0, length=4.0)), font, quiet)
    loud = np.flatnonzero(np.abs(clip.samples).max(axis=0) > 0.02)
    assert loud[0] == pytest.approx(SAMPLE_RATE, abs=1440)
    heard = pitch_of(clip.samples.mean(axis=0)[SAMPLE_RATE + 12_000 : 3 * SAMPLE_RATE])
    assert abs(1200 * np.log2(heard / 440)) < cents


@pytest.mark.parametrize("program", [0, 24, 33, 48, 56, 73])
def test_recordings_are_in_tune_over_their_range(font: SoundFont, program: int) -> None:
    """Within 25 cents: some recordings of the bank were made a little off."""
    instrument = instrument_for(Part("x", "chords", program, ()), font)
    for pitch in (45, 57, 69):
        tone = instrument(pitch, 104, SAMPLE_RATE)
        assert tone is not None
        expected = 440 * 2 ** ((pitch - 69) / 12)
        held = tone.samples.sum(axis=0)[4800:48_000]
        spectrum = np.abs(np.fft.rfft(held * np.hanning(held.size), 1 << 18))
        hertz = np.arange(spectrum.size) * SAMPLE_RATE / (1 << 18)
        near = (hertz > expected * 0.97) & (hertz < expected * 1.03)
        assert abs(1200 * np.log2(hertz[near][np.argmax(spectrum[near])] / expected)) < 25


def test_louder_velocities_are_louder_and_plucked_strings_fade(font: SoundFont) -> None:
    assert 0 < velocity_gain(1) < velocity_gain(64) < 0.5 < velocity_gain(127) == 1
    tone = instrument_for(Part("x", "chords", 24, ()), font)(52, 104, 2 * SAMPLE_RATE)
    assert tone is not None
    early, late = (np.abs(tone.samples[:, place : place + 4800]).max() for place in (4800, 72_000))
    assert late < early / 2


def test_every_program_and_kit_has_sounds(font: SoundFont) -> None:
    for program in range(128):
        assert instrument_for(Part("x", "chords", program, ()), font)(60, 104, 2400) is not None, program
    for kit in (0, 8, 16, 24, 25, 32, 40, 48):
        for drum in (36, 38, 42, 46, 49, 51):
            assert instrument_for(Part("x", "drums", kit, ()), font)(drum, 104, 2400) is not None, (kit, drum)
    assert font.zones(DRUM_BANK, 99) == font.zones(DRUM_BANK, 0)


def test_electronic_voices_do_not_alias() -> None:
    """Between the harmonics of a saw at 2,003 Hz everything lies 35 dB down, up to 16 kHz."""
    wave = oscillate("saw", 2003.0, 0.0, SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(wave * np.blackman(SAMPLE_RATE)))[:16_000]
    bins = np.arange(16_000)
    between = np.abs((bins + 1001) % 2003 - 1001) > 10
    assert 20 * np.log10(spectrum[between].max() / spectrum.max()) < -35


@pytest.mark.parametrize("program", sorted(VOICES))
def test_long_tones_repeat_without_a_click(program: int) -> None:
    tone = VOICES[program](57, 104, 9 * SAMPLE_RATE)
    assert isinstance(tone, Tone)
    held = tone.samples[:, 2 * SAMPLE_RATE : 9 * SAMPLE_RATE]
    steps = np.abs(np.diff(held, axis=1)).max(axis=0)
    made, repeated = steps[:SAMPLE_RATE], steps[2 * SAMPLE_RATE :]
    assert repeated.max() <= 1.3 * made.max()


def test_prolonging_keeps_what_was_made() -> None:
    wave = np.sin(2 * np.pi * 100 * np.arange(48_000) / SAMPLE_RATE).astype(np.float32)
    longer = prolonged(wave, 200_000, 100.0)
    assert np.array_equal(longer[:24_000], wave[:24_000])
    expected = np.sin(2 * np.pi * 100 * np.arange(200_000) / SAMPLE_RATE)
    assert np.abs(longer - expected).max() < 0.01


def test_the_bass_is_in_the_middle_and_panned_parts_are_not(font: SoundFont) -> None:
    strings = 48  # recorded in stereo
    bass = Part("bass", "bass", strings, (Note(0, 4, 36, 90),), pan=0.7, reverb=0.0, chorus=1.0)
    middle = play(score_of(bass), font, quiet).samples
    assert np.array_equal(middle[0], middle[1])
    left = Part("chords", "chords", 25, (Note(0, 4, 60, 90),), pan=-1.0, reverb=0.0)
    sides = np.sqrt(np.mean(play(score_of(left), font, quiet).samples ** 2, axis=1))
    assert sides[0] > 10 * sides[1]


@pytest.mark.parametrize("program", [0, 16, 24, 30, 48, 73, 81])
@pytest.mark.parametrize("velocity", [40, 120])
def test_every_player_is_equally_loud_before_the_desk(font: SoundFont, program: int, velocity: int) -> None:
    """A soft recording and a loud one, a pluck and an organ, chords and single notes: within 2.5 LU."""
    notes = tuple(Note(beat, 1, pitch, velocity) for beat in range(8) for pitch in (60, 64, 67)[: 1 + 2 * (beat % 2)])
    seat = Part("chords", "chords", program, notes)
    player = Player(seat, 120.0, instrument_for(seat, font), equaliser(channel_of(seat)))
    player.prepare(unstopped)
    sound = Clip(player.play(0, 4 * SAMPLE_RATE, unstopped).copy())
    assert integrated_loudness(sound) == pytest.approx(EVEN_LOUDNESS, abs=2.5)


def test_a_closed_hi_hat_silences_the_open_one(font: SoundFont) -> None:
    opened = play(score_of(part("drums", 0, 46)), font, quiet).samples
    cut = play(score_of(Part("drums", "drums", 0, (Note(0, 1, 46, 90), Note(0.5, 1, 42, 1)))), font, quiet).samples
    ring = slice(20_000, 40_000)
    assert np.abs(cut[:, ring]).mean() < 0.2 * np.abs(opened[:, ring]).mean()


def test_the_kick_ducks_the_others() -> None:
    curve = ducking_curve(np.array([1000.0, 30_000.0]), 0, 60_000, 24_000)
    assert curve[:900].max() == 0
    assert curve[1100] > 0.95
    assert curve[1000 + 18_100] < 0.01
    assert curve[30_100] > 0.95


def test_the_same_score_gives_the_same_samples_in_another_process(font: SoundFont) -> None:
    code = (
        "import hashlib, sys; sys.path[:0] = ['tests/sketch']; import test_band as t;"
        "f = t.SoundFont(t.find_soundfont());"
        "print(hashlib.sha256(t.play(t.trio(), f, t.quiet).samples.tobytes()).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    first, second = (play(trio(), font, quiet).samples for _ in range(2))
    assert np.array_equal(first, second)


def test_progress_rises_through_the_stages(font: SoundFont) -> None:
    heard: list[tuple[float, str]] = []
    play(trio(), font, lambda fraction, stage: heard.append((fraction, stage)))
    assert [fraction for fraction, _ in heard] == sorted(fraction for fraction, _ in heard)
    assert [stage for _, stage in heard] == [
        "tuning the instruments",
        *["playing the verse"] * 3,
        "mixing",
        "mastering",
        "mastering",
    ]


@pytest.mark.parametrize("asked", [1, 2, 3, 6])
def test_a_cancel_ends_the_song_at_any_time(font: SoundFont, asked: int) -> None:
    answers = iter([False] * asked)
    with pytest.raises(GenerationCancelled):
        play(trio(60.0), font, quiet, lambda: next(answers, True))
