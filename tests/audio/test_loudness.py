"""Loudness and true peak are tested against physics: sines whose levels are known without any meter."""

import numpy as np
import pyloudnorm
import pytest

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.loudness import SILENCE, integrated_loudness, true_peak
from acestep_serverless.audio.mastering import master
from acestep_serverless.errors import GenerationCancelled

RATE = 48_000


def sine(hertz: float, seconds: float, amplitude: float = 1.0, channels: int = 2, rate: int = RATE) -> Clip:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return Clip(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def beats(seconds: float, seed: int = 0) -> Clip:
    """Noise bursts four times a second over a steady tone: about as peaky as a band."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    noise = chance.normal(0, 0.2, (2, time.size)) * np.exp(-((time * 4) % 1) * 8)
    return Clip((noise + 0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32))


@pytest.mark.parametrize(("channels", "expected"), [(1, -3.01), (2, 0.0)])
def test_a_full_scale_sine_at_997_hertz_reads_what_the_standard_says(channels: int, expected: float) -> None:
    """BS.1770-4: -3.01 LKFS in one front channel, so 0.0 in two; tolerance 0.01 LU."""
    assert integrated_loudness(sine(997, 5, channels=channels)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("level", [-20.0, -33.0, -60.0])
def test_loudness_follows_the_level_decibel_by_decibel(level: float) -> None:
    assert integrated_loudness(sine(997, 3, 10 ** (level / 20))) == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_loudness_does_not_depend_on_the_sample_rate(rate: int) -> None:
    assert integrated_loudness(sine(997, 3, 0.1, rate=rate)) == pytest.approx(-20.0, abs=0.05)


def test_silence_between_the_music_does_not_count() -> None:
    """The absolute gate: ten seconds of music and ten of silence are as loud as the music (edges: 0.1 LU)."""
    music = sine(997, 10, 0.1).samples
    both = Clip(np.concatenate((music, np.zeros_like(music)), axis=1))
    assert integrated_loudness(both) == pytest.approx(-20.0, abs=0.1)


def test_a_passage_ten_decibels_down_does_not_count_and_one_nine_down_does() -> None:
    """The relative gate lies 10 LU below the mean of what passed the absolute one."""
    loud = sine(997, 10, 0.1).samples
    quiet = integrated_loudness(Clip(np.concatenate((loud, loud * 10 ** (-20 / 20)), axis=1)))
    near = integrated_loudness(Clip(np.concatenate((loud, loud * 10 ** (-6 / 20)), axis=1)))
    assert quiet == pytest.approx(-20.0, abs=0.1)
    assert near == pytest.approx(-20 + 10 * np.log10((1 + 10**-0.6) / 2), abs=0.1)


def test_another_implementation_agrees_on_music_like_noise() -> None:
    """pyloudnorm's filters stray from the standard's table by up to 0.1 dB; its sine reading shows it."""
    clip = beats(20)
    assert integrated_loudness(clip) == pytest.approx(
        pyloudnorm.Meter(RATE).integrated_loudness(clip.samples.T), abs=0.15
    )


@pytest.mark.parametrize("clip", [Clip(np.zeros((2, 48_000), np.float32)), Clip(np.zeros((1, 0), np.float32))])
def test_silence_and_nothing_measure_the_gate(clip: Clip) -> None:
    assert integrated_loudness(clip) == SILENCE
    assert true_peak(clip) == -np.inf


def test_a_clip_shorter_than_a_gating_block_still_has_a_loudness() -> None:
    assert integrated_loudness(sine(997, 0.2, 0.1)) == pytest.approx(-20.0, abs=0.3)


def test_a_peak_between_two_samples_is_found() -> None:
    """A sine at a quarter of the rate, 45 degrees off: every sample reads -3.01 dB, the wave reaches 0 dB.

    Tolerance 0.2 dB; the standard allows an under-reading of 0.55 dB at this frequency.
    """
    places = np.arange(RATE)
    wave = np.sin(np.pi / 2 * places + np.pi / 4) * np.hanning(RATE) ** 0.1
    clip = Clip(wave[None, :].astype(np.float32))
    assert 20 * np.log10(np.abs(clip.samples).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(clip) == pytest.approx(0.0, abs=0.2)


def test_true_peak_has_no_seams_between_the_stretches_it_works_in() -> None:
    """A cosine stands at its crest where one stretch ends: cut there, its oversampling would ring by 0.7 dB."""
    time = np.arange(13 * RATE) / RATE
    wave = 0.5 * np.cos(2 * np.pi * 1000 * time) * np.minimum(1, np.minimum(time, 13 - time))
    assert true_peak(Clip(wave[None, :].astype(np.float32))) == pytest.approx(-6.02, abs=0.05)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0, 20.0])
def test_mastering_hits_loudness_and_ceiling(seconds: float) -> None:
    mastered = master(beats(seconds))
    assert integrated_loudness(mastered) == pytest.approx(-14.0, abs=0.05)
    assert true_peak(mastered) <= -1.9


@pytest.mark.parametrize("level", [0.01, 1.0, 8.0])
def test_mastering_works_from_any_level(level: float) -> None:
    clip = Clip(beats(5).samples * np.float32(level))
    assert integrated_loudness(master(clip, target=-16.0)) == pytest.approx(-16.0, abs=0.05)


def test_mastering_leaves_silence_silent_and_its_input_untouched() -> None:
    silence = Clip(np.zeros((2, 48_000), np.float32))
    clip = beats(2)
    before = clip.samples.copy()
    master(clip)
    assert not master(silence).samples.any()
    assert np.array_equal(before, clip.samples)


def test_the_ceiling_wins_where_both_cannot_be_had() -> None:
    """One full-scale sample per second cannot be -14 LUFS under a ceiling."""
    samples = np.zeros((2, 5 * RATE), np.float32)
    samples[:, 24_000::48_000] = 1.0
    assert true_peak(master(Clip(samples))) <= -1.9


def test_mastering_can_be_cancelled() -> None:
    with pytest.raises(GenerationCancelled):
        master(beats(5), cancelled=lambda: True)
