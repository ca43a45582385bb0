"""Is a song in a batch the song that it is alone? And who leaves, who stays, when a piece or the memory gives out?"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from generation import BASE, TURBO, Watched, asked, engine, made_of, model, noise_clip, songs_of

from acestep_serverless.engines.base import Editing, GenerationRequest
from acestep_serverless.errors import EngineError, GenerationCancelled, InputError

SAME = 2e-5
"""Largest difference of two samples, full scale is 1: rounding that depends on the shape of a batch (float32)."""

SOURCE = noise_clip(1.6, seed=3)


def mixed(**sampling: Any) -> list[GenerationRequest]:
    """Pieces that differ in all that may differ: words, metas, length, task, seeds."""
    repaint = Editing(task_type="repaint", source=SOURCE, repainting_start=0.4, repainting_end=1.0)
    cover = Editing(task_type="cover", source=SOURCE, audio_cover_strength=0.5)
    return [
        asked(1, 2, duration=2.2, **sampling),
        asked(3, caption="bright guitars over a warm bass and drums", lyrics="", bpm=None, duration=1.0, **sampling),
        asked(4, editing=repaint, **sampling),
        asked(5, editing=cover, key_scale="", **sampling),
    ]


@pytest.mark.parametrize(
    ("name", "sampling"),
    [(TURBO, {}), (TURBO, {"infer_method": "sde"}), (BASE, {}), (BASE, {"use_adg": True, "cfg_interval_end": 0.5})],
)
def test_each_song_of_a_mixed_batch_is_what_it_is_alone(name: str, sampling: dict[str, Any]) -> None:
    ready = engine(name)
    requests = mixed(**sampling)
    together = songs_of(ready, *requests)
    alone = [song for request in requests for song in songs_of(ready, request)]
    assert [song.seed for song in together] == [1, 2, 3, 4, 5]
    for ours, own in zip(together, alone, strict=True):
        assert ours.clip.samples.shape == own.clip.samples.shape
        assert np.abs(ours.clip.samples - own.clip.samples).max() < SAME
    assert np.abs(together[0].clip.samples - together[1].clip.samples).max() > 0.01


def test_a_song_says_of_itself_what_was_asked_and_nothing_that_nobody_said() -> None:
    told, untold = songs_of(engine(), asked(1), asked(2, bpm=None, key_scale="", time_signature=""))
    assert (told.metas.bpm, told.metas.key_scale, told.metas.time_signature) == (120, "C# minor", "4")
    assert (untold.metas.bpm, untold.metas.key_scale, untold.metas.time_signature) == (None, "", "")


def test_a_batch_is_one_pass_of_the_transformer_for_each_step() -> None:
    with counted(TURBO) as passes:
        songs_of(engine(), *mixed())
    assert passes == [5, 5, 5]


def test_a_cancelled_piece_leaves_within_a_step_and_the_others_go_on() -> None:
    ready = engine()
    others = [Watched(request) for request in mixed()[1:]]
    leaving = Watched(asked(1, 2, duration=2.2), cancel_at=2)
    with counted(TURBO) as passes:
        found = list(ready.generate([leaving.piece(), *(other.piece() for other in others)]))
    assert passes == [5, 3, 3]
    first, *rest = found
    assert (first.piece, type(first.failure)) == (0, GenerationCancelled)
    assert [made.piece for made in rest] == [1, 2, 3]
    for made, request in zip(rest, mixed()[1:], strict=True):
        [own] = songs_of(ready, request)
        assert made.song is not None
        assert np.abs(made.song.clip.samples - own.clip.samples).max() < SAME


def test_a_piece_cancelled_while_it_is_decoded_ends_alone() -> None:
    leaving = Watched(asked(1), cancel_at=4)  # asked once before the words and before each of three steps
    with counted(TURBO) as passes:
        first, second = engine().generate([leaving.piece(), Watched(asked(2)).piece()])
    assert passes == [2, 2, 2]
    assert isinstance(first.failure, GenerationCancelled)
    assert (second.piece, second.failure) == (1, None)


def test_progress_is_told_at_each_step_and_never_falls() -> None:
    watched = Watched(asked(1, 2, duration=3.0))
    list(engine().generate([watched.piece()]))
    fractions = [done for done, _ in watched.heard]
    stages = [stage for _, stage in watched.heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [f"step {step} of 3" for step in (1, 2, 3)] == [stage for stage in stages if stage.startswith("step")]


def test_a_batch_too_large_for_the_memory_is_halved_until_it_fits() -> None:
    ready, requests = engine(), mixed()
    together = songs_of(ready, *requests)
    with limited(TURBO, rows=2), counted(TURBO) as passes:
        halved = songs_of(ready, *requests)
    assert max(passes) == 2
    for ours, own in zip(halved, together, strict=True):
        assert np.abs(ours.clip.samples - own.clip.samples).max() < SAME


def test_a_single_song_that_does_not_fit_ends_with_words() -> None:
    with limited(TURBO, rows=0):
        found = made_of(engine(), asked(1, duration=2.0), asked(2, duration=1.0))
    assert [type(made.failure) for made in found] == [EngineError, EngineError]
    assert str(found[0].failure) == "there is not enough memory on cpu for a song of 2 seconds; ask for a shorter one"


def test_another_error_of_the_model_is_not_taken_for_a_lack_of_memory() -> None:
    with limited(TURBO, rows=0, error=RuntimeError("shapes do not match")), pytest.raises(RuntimeError, match="shapes"):
        made_of(engine(), asked(1), asked(2))


def test_a_wrong_piece_fails_alone() -> None:
    wrong = asked(1, editing=Editing(audio_code_string="<|audio_code_64000|>"))
    found = made_of(engine(), wrong, asked(2))
    assert isinstance(found[0].failure, InputError)
    assert str(found[0].failure).startswith("audio_code_string: must hold only")
    assert found[1].song is not None


def test_a_turbo_model_refuses_what_only_guided_models_do() -> None:
    [made] = made_of(engine(), asked(1, editing=Editing(task_type="extract", source=SOURCE)))
    assert str(made.failure) == (
        "task_type: must be cover, cover-nofsq, repaint, text2music with acestep-v15-turbo, got 'extract'"
    )


def test_requests_share_a_batch_exactly_when_walk_model_and_length_agree() -> None:
    ready = engine(TURBO, BASE)
    key = ready.sharing(asked(1))
    assert key == ready.sharing(asked(2, caption="other", duration=14.0, editing=Editing(task_type="repaint")))
    assert key is not None
    assert key.songs == 8
    for other in (
        asked(1, duration=20.0),
        asked(1, model=BASE),
        asked(1, inference_steps=4),
        asked(1, editing=Editing(task_type="cover", cover_noise_strength=0.5)),
    ):
        assert ready.sharing(other) != key
    assert ready.sharing(asked(1, analysis="extract_codes_only")) is None
    assert engine(together=1).sharing(asked(1)) is None


def test_another_model_is_loaded_when_a_request_names_it() -> None:
    ready = engine(TURBO, BASE)
    [song] = songs_of(ready, asked(1, model=BASE))
    assert ready.model == BASE
    [own] = songs_of(engine(BASE), asked(1))
    assert np.array_equal(song.clip.samples, own.clip.samples)


@contextmanager
def counted(name: str) -> Iterator[list[int]]:
    """Note how many songs each pass of the transformer holds."""
    passes: list[int] = []
    layer = model(name).transformer.proj_out_conv
    hook = layer.register_forward_hook(lambda _module, given, _found: passes.append(given[0].shape[0]))
    try:
        yield passes
    finally:
        hook.remove()


@contextmanager
def limited(name: str, *, rows: int, error: Exception | None = None) -> Iterator[None]:
    """Let the transformer run out of memory with more than so many songs."""

    def refuse(_module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if given[0].shape[0] > rows:
            raise error or torch.OutOfMemoryError("CUDA out of memory")

    hook = model(name).transformer.proj_in_conv.register_forward_pre_hook(refuse)
    try:
        yield
    finally:
        hook.remove()
        gc.collect()
