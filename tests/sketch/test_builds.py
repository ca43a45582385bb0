"""Do the club styles rise to their drops, and do the computed drums and moving effects sound as they are described?"""

from dataclasses import replace

import numpy as np
import pytest

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.effects import insert_effects
from acestep_serverless.engines.sketch.kits import console_drum, electronic_kick, kick_hertz, noise, rising_noise
from acestep_serverless.engines.sketch.movement import movement
from acestep_serverless.engines.sketch.score import Part, Score

SECOND = SAMPLE_RATE


def song(caption: str) -> Score:
    return compose(GenerationRequest(caption, "", 90, (2,), bpm=128), 2).score


def drums_between(score: Score, first: float, last: float, pitch: int) -> list[int]:
    part = next(part for part in score.parts if part.role == "drums")
    return [note.velocity for note in part.notes if note.pitch == pitch and first <= note.start < last]


@pytest.mark.parametrize("style", ["trance", "house", "dubstep"])
def test_a_snare_roll_grows_before_each_drop_while_noise_rises(style):
    score = song(style)
    drops = [section.start for section in score.sections if section.name == "chorus"]
    sweeps = next(part for part in score.parts if part.role == "texture").notes
    for drop in drops:
        early, late = (
            drums_between(score, drop - bars * 4 - 0.05, drop - (bars - 1) * 4 - 0.05, 38) for bars in (2, 1)
        )
        assert len(late) > len(early) > 0
        assert sum(late) / len(late) > sum(early) / len(early)
        assert any(abs(sweep.start + sweep.length - drop) < 0.1 for sweep in sweeps)
        assert not drums_between(score, drop - 1.9, drop - 0.05, 36)


def test_other_styles_have_no_builds():
    assert "texture" not in {part.role for part in song("rock").parts}


@pytest.mark.parametrize("style", ["rock", "funk", "disco", "pop"])
def test_drums_and_bass_step_back_in_a_bridge_and_a_fill_ends_it(style):
    score = song(style)
    bridge = next(section for section in score.sections if section.name == "bridge")
    verse = next(section for section in score.sections if section.name == "verse")
    bass = next(part for part in score.parts if part.role == "bass").notes
    fill = bridge.length - score.beats_per_bar - 0.1

    def backbone(start: float, length: float) -> int:
        return sum(len(drums_between(score, start - 0.1, start + length, pitch)) for pitch in (36, 38, 39))

    def lengths(start: float, length: float) -> list[float]:
        return [note.length for note in bass if start - 0.1 <= note.start < start + length]

    assert backbone(bridge.start, fill) == 0
    assert backbone(verse.start, fill) > 4
    assert min(lengths(bridge.start, fill)) > 1.5
    assert backbone(bridge.start + fill + 0.2, score.beats_per_bar) > 0


@pytest.mark.parametrize("tonic", range(12))
def test_the_bass_drum_is_tuned_to_the_tonic(tonic):
    hertz = kick_hertz(tonic)
    assert 40 < hertz < 80
    assert round(69 + 12 * np.log2(hertz / 440)) % 12 == tonic
    late = electronic_kick(104, hertz).samples[0][7000:]
    spectrum = np.abs(np.fft.rfft(late * np.hanning(late.size), 1 << 19))
    assert np.argmax(spectrum) * SAMPLE_RATE / (1 << 19) == pytest.approx(hertz, rel=0.06)


@pytest.mark.parametrize("pitch", [36, 38, 42, 45, 46])
def test_console_drums_are_short_and_end_at_zero(pitch):
    tone = console_drum(pitch, 104)
    assert tone.one_shot
    assert 0.3 < np.abs(tone.samples).max() <= 1
    assert abs(tone.samples[0, -1]) < 0.01


def test_noise_is_the_same_on_every_machine():
    assert noise(4, 1) == pytest.approx([0.02364314, 0.9009273, -0.7116809, 0.8972988], abs=1e-6)
    assert abs(float(noise(100_000, 3).mean())) < 0.01


def test_a_sweep_grows_louder_and_brighter():
    sound = rising_noise(60, 104, 4 * SECOND).samples[0]
    early, late = sound[SECOND : 2 * SECOND], sound[3 * SECOND : 4 * SECOND - 2000]
    assert np.sqrt(np.mean(late**2)) > 2 * np.sqrt(np.mean(early**2))
    assert np.mean(np.diff(late) ** 2) / np.mean(late**2) > np.mean(np.diff(early) ** 2) / np.mean(early**2)


@pytest.mark.parametrize("effect", ["wobble", "rotary"])
def test_a_moving_effect_has_no_seam_between_stretches(effect):
    tone = np.sin(2 * np.pi * 500 * np.arange(4 * SECOND) / SECOND)
    sound = np.stack((tone, tone)).astype(np.float32)
    whole, parts = movement(effect, 120), movement(effect, 120)
    assert whole is not None
    assert parts is not None
    cut = 64 * 1500
    joined = np.concatenate((parts(sound[:, :cut], 0), parts(sound[:, cut:], cut)), axis=1)
    assert np.abs(joined - whole(sound, 0)).max() < 1e-3


def test_the_wobble_opens_in_time_with_the_beat():
    effect = movement("wobble", 120)
    assert effect is not None
    tone = np.sin(2 * np.pi * 3000 * np.arange(2 * SECOND) / SECOND).astype(np.float32)
    level = np.abs(effect(np.stack((tone, tone)), 0)[0])
    # Two turns in each half-second beat: closed at 0 and 0.25 s, open between.
    assert level[SECOND // 8 - 500 : SECOND // 8 + 500].max() > 5 * level[SECOND // 4 - 300 : SECOND // 4 + 300].max()
    assert movement("", 120) is None


@pytest.mark.parametrize("effect", ["echo", "drive", "tape"])
def test_an_effect_changes_the_sound_and_hardly_its_loudness(effect):
    score = replace(song("rock"), parts=())
    note = np.sin(2 * np.pi * 220 * np.arange(2 * SECOND) / SECOND) * 0.1
    sound = np.stack((note, note)).astype(np.float32)
    chain = insert_effects(Part("x", "pad", 0, (), effect=effect), score)
    assert chain is not None
    changed = chain(sound, SAMPLE_RATE)
    assert 20 * np.log10(np.std(changed) / np.std(sound)) == pytest.approx(0, abs=3)
    assert np.abs(changed - sound).max() > 0.01
    assert insert_effects(Part("x", "pad", 0, ()), score) is None
