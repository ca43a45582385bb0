"""Is what we make what diffusers' own AceStepPipeline makes of the same weights and seed? (float32, every task)"""

from typing import Any

import numpy as np
import pytest
import torch
from generation import BASE, TURBO, asked, engine, noise_clip, pipeline_song, songs_of

from acestep_serverless.engines.base import Editing

EQUAL = 5e-6
"""Largest difference of two samples; full scale is 1."""

SOURCE = noise_clip(2.0, extra=777)
SOURCE_TENSOR = torch.from_numpy(SOURCE.samples)
CODES = (1, 63_999, 777, 5, 1_234)
CODE_STRING = "".join(f"<|audio_code_{code}|>" for code in CODES)
SPAN = {"repainting_start": 0.6, "repainting_end": 1.4}

TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text2music": ({}, {}),
    "cover": ({}, {}),
    "repaint": ({"repaint_mode": "aggressive", **SPAN}, SPAN),
    "lego": ({"track_name": "drums", **SPAN}, {"track_name": "drums", **SPAN}),
    "extract": ({"track_name": "vocals"}, {"track_name": "vocals"}),
    "complete": ({"track_classes": ("bass", "drums")}, {"complete_track_classes": ["bass", "drums"]}),
}


@pytest.mark.parametrize("task_type", TASKS)
def test_a_guided_model_does_every_task_as_the_pipeline_does(task_type: str) -> None:
    ours, theirs = TASKS[task_type]
    sourced = task_type != "text2music"
    request = asked(7, editing=Editing(task_type=task_type, source=SOURCE if sourced else None, **ours))
    given = {**theirs, **({"src_audio": SOURCE_TENSOR, "audio_duration": None} if sourced else {})}
    expected = pipeline_song(BASE, request, task_type=task_type, **given)
    [song] = songs_of(engine(BASE), request)
    assert song.clip.samples.shape == expected.shape
    assert np.abs(song.clip.samples - expected).max() < EQUAL


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({}, {}),
        ({"shift": 1.0, "inference_steps": 5}, {}),
        ({"timesteps": (0.97, 0.6, 0.25)}, {"timesteps": [0.97, 0.6, 0.25]}),
        ({"timesteps": (0.97, 0.6, 0.0)}, {"timesteps": [0.97, 0.6]}),
    ],
)
def test_turbo_walks_without_guidance_as_the_pipeline_does(settings: dict[str, Any], arguments: dict[str, Any]) -> None:
    request = asked(11, **settings)
    expected = pipeline_song(TURBO, request, **arguments)
    [song] = songs_of(engine(TURBO), request)
    assert np.abs(song.clip.samples - expected).max() < EQUAL


def test_guidance_keeps_to_its_interval_as_the_pipeline_does() -> None:
    request = asked(3, cfg_interval_start=0.1, cfg_interval_end=0.4, guidance_scale=4.0, inference_steps=4)
    expected = pipeline_song(BASE, request, cfg_interval_start=0.1, cfg_interval_end=0.4, guidance_scale=4.0)
    whole = pipeline_song(BASE, request, guidance_scale=4.0)
    [song] = songs_of(engine(BASE), request)
    assert np.abs(song.clip.samples - expected).max() < EQUAL
    assert np.abs(song.clip.samples - whole).max() > 1e-3


def test_audio_codes_lead_the_song_and_give_it_its_length() -> None:
    request = asked(2, editing=Editing(audio_code_string=CODE_STRING))
    expected = pipeline_song(TURBO, request, audio_codes=CODE_STRING, audio_duration=None)
    [song] = songs_of(engine(TURBO), request)
    assert song.metas.duration == len(CODES) / 5
    assert np.abs(song.clip.samples - expected).max() < EQUAL


def test_a_reference_gives_its_timbre_as_in_the_pipeline() -> None:
    reference = noise_clip(4.0, seed=9)
    request = asked(4, editing=Editing(reference=reference), duration=1.0)
    expected = pipeline_song(TURBO, request, reference_audio=torch.from_numpy(reference.samples))
    [song] = songs_of(engine(TURBO), request)
    assert np.abs(song.clip.samples - expected).max() < EQUAL
