"""What can be heard of each parameter? What is kept stays the source, strengths reach from nothing to all."""

from typing import Any

import numpy as np
import pytest
import torch
from generation import BASE, TURBO, Parts, Placed, Watched, asked, engine, made_of, model, noise_clip, songs_of
from planner_parts import planner
from tiny import tiny

from acestep_serverless.engines.acestep.adapters import Shelf
from acestep_serverless.engines.acestep.denoising import Denoising, plan_walk
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights
from acestep_serverless.engines.acestep.making import Studio
from acestep_serverless.engines.acestep.tasks import brief
from acestep_serverless.engines.base import Editing, Planning, Sampling, Song
from acestep_serverless.errors import InputError

SOURCE = noise_clip(2.0, seed=8)


def heard(name: str = TURBO, *, changes: dict[str, Any] | None = None, **editing: Any) -> np.ndarray:
    [song] = songs_of(engine(name), asked(6, editing=Editing(**editing), **(changes or {})))
    return song.clip.samples


@pytest.mark.parametrize("mode", ["conservative", "balanced"])
def test_what_is_not_repainted_is_the_source_sample_for_sample(mode: str) -> None:
    found = heard(task_type="repaint", source=SOURCE, repainting_start=0.8, repainting_end=1.2, repaint_mode=mode)
    assert np.array_equal(found[:, :35_900], SOURCE.samples[:, :35_900])
    assert np.array_equal(found[:, 60_100:], SOURCE.samples[:, 60_100:])
    assert np.abs(found - SOURCE.samples)[:, 38_400:57_600].max() > 0.05


def test_repainting_holds_its_source_more_firmly_the_less_it_may_change() -> None:
    span = {"task_type": "repaint", "source": SOURCE, "repainting_start": 0.4, "repainting_end": 1.6}
    alike = {"repaint_latent_crossfade_frames": 3, "repaint_wav_crossfade_sec": 0.01}
    kept = [heard(**span, **alike, repaint_strength=strength) for strength in (0.0, 1.0)]
    assert np.abs(kept[0] - kept[1])[:, 20_000:76_000].max() > 1e-4


def test_a_cover_of_strength_zero_is_the_song_of_the_words_alone() -> None:
    alone = heard(changes={"duration": 2.0})
    assert np.abs(heard(task_type="cover", source=SOURCE, audio_cover_strength=0.0) - alone).max() < 1e-5
    assert np.abs(heard(task_type="cover", source=SOURCE) - alone).max() > 1e-3


def test_a_cover_near_its_source_starts_late_and_from_it() -> None:
    cover = Editing(task_type="cover-nofsq", source=SOURCE, cover_noise_strength=1.0)
    request = asked(6, editing=cover, timesteps=(1.0, 0.5, 0.01))
    studio = Studio.of(Parts(model(TURBO)), Shelf())
    with torch.inference_mode():
        [song] = studio.conditioner.prepare([brief(request, 600.0)], [6])
        walk = plan_walk(request.sampling, steps=8, guided=False, noise_strength=song.noise_strength)
        run = Denoising(studio.velocity, [song], walk, studio.conditioner.free)
    assert walk.levels == (0.01,)
    assert song.source is not None
    assert (run.latents[0] - song.source).abs().max() < 0.1


def test_no_step_is_wasted_on_the_end_of_the_walk() -> None:
    assert plan_walk(Sampling(timesteps=(0.9, 0.0)), steps=8, guided=False).levels == (0.9,)
    with pytest.raises(InputError, match="timesteps: must hold a number above 0"):
        plan_walk(Sampling(timesteps=(0.0,)), steps=8, guided=False)


def test_songs_of_other_seeds_differ_with_sde_and_repeat_with_their_own() -> None:
    ready = engine()
    first, other = songs_of(ready, asked(1, 2, infer_method="sde"))
    [again] = songs_of(ready, asked(1, infer_method="sde"))
    [straight] = songs_of(ready, asked(1))
    assert np.abs(first.clip.samples - again.clip.samples).max() < 2e-5
    assert np.abs(first.clip.samples - other.clip.samples).max() > 1e-3
    assert np.abs(first.clip.samples - straight.clip.samples).max() > 1e-3


def test_angle_guidance_is_another_guidance() -> None:
    [projected] = songs_of(engine(BASE), asked(1))
    [turned] = songs_of(engine(BASE), asked(1, use_adg=True))
    assert np.abs(projected.clip.samples - turned.clip.samples).max() > 1e-4


def test_a_finished_song_peaks_a_decibel_below_full_scale() -> None:
    assert np.abs(heard()).max() == pytest.approx(10 ** (-1 / 20), abs=1e-6)


def test_the_codes_of_a_source_are_those_that_cover_it() -> None:
    [made] = made_of(engine(), asked(1, editing=Editing(source=SOURCE), analysis="extract_codes_only"))
    assert made.analysis is not None
    assert made.analysis.audio_codes.count("<|audio_code_") == 10
    [song] = songs_of(engine(), asked(1, editing=Editing(audio_code_string=made.analysis.audio_codes)))
    assert song.metas.duration == 2.0


def test_text_beyond_what_the_model_reads_is_said() -> None:
    [song] = songs_of(engine(), asked(1, caption="a calm piano song " * 100, duration=0.5))
    assert [warning.split(",")[0] for warning in song.warnings] == ["caption: the model reads 256 tokens of this text"]
    [song] = songs_of(engine(), asked(1, lyrics="la\n" * 1_500, duration=0.5))
    assert [warning.split(",")[0] for warning in song.warnings] == ["lyrics: the model reads 2048 tokens of this text"]


def test_the_real_numbers_of_a_cpu_work_as_well() -> None:
    made = tiny(BASE)
    for part in (
        "transformer",
        "condition_encoder",
        "audio_tokenizer",
        "audio_token_detokenizer",
        "text_encoder",
        "vae",
    ):
        getattr(made, part).to(torch.bfloat16)
    cover = Editing(task_type="cover", source=SOURCE, reference=SOURCE)
    songs = songs_of(engine(BASE, made=made), asked(1, duration=2.2), asked(2, editing=cover))
    exact = songs_of(engine(BASE), asked(1, duration=2.2))
    assert [song.clip.samples.dtype for song in songs] == [np.float32] * 2
    assert np.abs(songs[0].clip.samples - exact[0].clip.samples).max() < 0.1


def test_the_planner_fills_in_what_is_open_and_writes_the_codes() -> None:
    weights = Weights(
        (Offer(TURBO, guided=False),), lambda name, _: Parts(model(name)), "tiny-planner", lambda _: planner()
    )
    ready = AceStepEngine(weights)
    ready.load(lambda _done, _stage: None)
    assert {"thinking", "sample_mode"} <= ready.uses
    assert ready.language_model == "tiny-planner"
    watched = Watched(asked(1, bpm=None, duration=2.0, planning=Planning(thinking=True)))
    [made] = ready.generate([watched.piece()])
    song = made.song
    assert [done for done, _ in watched.heard] == sorted(done for done, _ in watched.heard)
    assert "planning" in [stage for _, stage in watched.heard]
    assert isinstance(song, Song)
    assert 30 <= song.metas.bpm <= 300
    assert (song.metas.duration, song.metas.key_scale) == (2.0, "C# minor")


def test_parts_that_come_and_go_make_the_same_song() -> None:
    parts = Parts(model(TURBO))
    parts.placement = Placed(offload="parts")
    ready = AceStepEngine(Weights((Offer(TURBO, guided=False),), lambda _name, _progress: parts))
    ready.load(lambda _done, _stage: None)
    assert np.array_equal(songs_of(ready, asked(1))[0].clip.samples, songs_of(engine(), asked(1))[0].clip.samples)
