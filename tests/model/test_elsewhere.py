"""What would break on a GPU? Whole generations on a pretended device that is not the CPU, by the rules of CUDA."""

import copy
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from elsewhere import AWAY, Device, Mixed, pretended
from generation import BASE, TURBO, Parts, Placed, asked, noise_clip, songs_of
from generation import engine as engine_here
from planner_parts import GIVEN, SHORT, plans, tiny_parts, wish
from planner_parts import planner as planner_here
from tiny import Tiny, TinyPlanner, tiny

from acestep_serverless.engines.acestep import codec, conditioning
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights
from acestep_serverless.engines.acestep.making import is_out_of_memory
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.velocity import Velocity
from acestep_serverless.engines.acestep.visiting import visiting
from acestep_serverless.engines.base import Editing, GenerationRequest

SAME = 2e-5
"""Largest difference of two samples: rounding (float32)."""
MODULES = ("transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer", "vae", "text_encoder")
SOURCE = noise_clip(0.4, seed=3)
CODES = "<|audio_code_97|><|audio_code_63999|>"
STEP = "denoising.step"


class Away(Parts):
    """A tiny model on the pretended device, whole or in parts that come in turn."""

    def __init__(self, made: Tiny, offload: str) -> None:
        super().__init__(made)
        self.placement = Placed(offload=offload, device=AWAY)
        for name in MODULES if offload == "none" else ():
            getattr(made, name).to(AWAY)


def engine(name: str, offload: str) -> AceStepEngine:
    """An engine over a tiny model there."""
    ready = AceStepEngine(
        Weights((Offer(name, name == BASE),), lambda name, _: Away(tiny(name), offload), songs_together=8)
    )
    ready.load(lambda _done, _stage: None)
    return ready


def everything(**sampling: Any) -> list[GenerationRequest]:
    """Songs of different lengths, words and tasks, with source, reference and codes."""
    repaint = Editing(task_type="repaint", source=SOURCE, repainting_start=0.1, repainting_end=0.3)
    cover = Editing(task_type="cover", source=SOURCE, reference=SOURCE, audio_cover_strength=0.5)
    return [
        asked(1, duration=0.5, **sampling),
        asked(2, caption="a warm bass", lyrics="", editing=Editing(audio_code_string=CODES), **sampling),
        asked(3, editing=repaint, **sampling),
        asked(4, editing=cover, **sampling),
    ]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Excerpts of a reference of 0.2 s each instead of 10 s, and only what is new is looked through for garbage."""
    monkeypatch.setattr(conditioning, "_SEGMENT_FRAMES", 5)
    gc.freeze()
    yield
    gc.unfreeze()


def test_songs_made_on_another_device_are_the_same() -> None:
    here = songs_of(engine_here(TURBO), *everything())
    with pretended() as device:
        there = songs_of(engine(TURBO, "parts"), *everything())
    for ours, own in zip(there, here, strict=True):
        assert np.abs(ours.clip.samples - own.clip.samples).max() < SAME
    assert waiting(device, STEP) == set()


def test_a_guided_walk_on_another_device_waits_for_nothing() -> None:
    with pretended() as device:
        ready = engine(BASE, "none")
        songs_of(ready, *everything(infer_method="sde", cfg_interval_end=0.5)[1:3])
        songs_of(ready, asked(5, duration=0.3, use_adg=True))
    assert waiting(device, STEP) == set()


def test_a_decoding_for_which_memory_runs_out_goes_on_tile_by_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sizes = tiny(TURBO), list[int]()
    ready = engine_here(TURBO, made=made)
    whole = songs_of(ready, asked(1, duration=1.4))[0].clip.samples
    monkeypatch.setattr(codec, "_FRAMES_IN_A_TILE", {AWAY: 4})

    def narrow(_module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        sizes.append(given[0].shape[0])
        if sizes[-1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pretended():
        ready = engine(TURBO, "none")
        assert ready._studio is not None
        ready._studio.parts.vae.decoder.register_forward_pre_hook(narrow)
        tiles = songs_of(ready, asked(1, duration=1.4))[0].clip.samples
    assert max(sizes) > 1
    assert sizes[-1] == 1
    assert np.abs(tiles - whole).max() < SAME


def waiting(device: Device, within: str) -> set[str]:
    """Which functions made a GPU wait within another one."""
    return {wait.callers[0] for wait in device.waits if wait.within(within)}


def test_plans_written_on_another_device_are_the_same() -> None:
    made, wishes = tiny_parts(), [wish(seed=1, cfg_scale=2.0, top_k=20, top_p=0.9), wish(GIVEN, seed=2)]
    here = plans(planner_here(), wishes)
    with pretended() as device:
        model = copy.deepcopy(made.model).to(AWAY)
        model.tie_weights()
        there = plans(Planner(TinyPlanner(model, made.tokenizer, made.codes), lengths=SHORT), wishes)
    assert there == here
    waits = Counter(wait.callers[0] for wait in device.waits if wait.within("writing._step"))
    drawn = waits["sampling.of"]
    assert waits["rows.feed"] <= 2 * drawn  # tokens that must follow are read, not drawn
    assert waits["writing._drawn"] == 2 * drawn  # a mask comes, a choice goes
    assert waits.keys() <= {"rows.feed", "sampling.of", "sampling.cut", "writing._drawn", "writing._picked"}


def test_tensors_of_both_devices_never_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The instrument itself: faults that a CPU does not notice are errors on the pretended device."""

    def planted(real: Callable[..., Any], fault: Callable[[Any], Any]) -> Callable[..., Any]:
        return lambda *given: fault(real(*given))

    with pretended():
        ready, request = engine(TURBO, "none"), asked(1, duration=0.4)
        monkeypatch.setattr(Velocity, "__call__", planted(Velocity.__call__, lambda found: found.cpu()))
        with pytest.raises(Mixed, match="tensors of both devices meet"):
            songs_of(ready, request)
        with pytest.raises(Mixed, match="generator"):
            torch.zeros(3, device=AWAY).exponential_(generator=torch.Generator())


class Swapped(torch.nn.BatchNorm1d):
    """A layer that keeps its parameters when it moves and gets other numbers, as between CPU and CUDA."""

    def to(self, *_given: Any, **_more: Any) -> "Swapped":
        for one in self.parameters():
            one.data = one.data.clone()
        return self


class Narrow(torch.nn.Linear):
    """A layer for which there is no room on the device."""

    def to(self, *_given: Any, **_more: Any) -> "Narrow":
        raise torch.OutOfMemoryError("CUDA out of memory")


def addresses(module: torch.nn.Module) -> list[int]:
    return [one.data_ptr() for one in module.state_dict().values()]


def test_parts_are_on_the_device_only_while_they_work_and_nothing_is_copied_back() -> None:
    part = torch.nn.BatchNorm1d(3)
    own = addresses(part)
    with pretended() as device, torch.inference_mode(), visiting([part], AWAY):
        assert {one.device.type for one in part.state_dict().values()} == {AWAY}
    assert addresses(part) == own
    assert not [wait for wait in device.waits if "from the device" in wait.kind]


def test_parts_are_as_they_were_when_there_was_no_room_for_all_of_them() -> None:
    part = Swapped(3)
    own = addresses(part)
    with torch.inference_mode(), pytest.raises(torch.OutOfMemoryError), visiting([part, Narrow(3, 3)], AWAY):
        pass
    assert addresses(part) == own
    part(torch.ones(2, 3)).sum().backward()  # what inference mode made is gone


@pytest.mark.parametrize(
    "said", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED when calling", "cuDNN: CUDNN_STATUS_ALLOC_FAILED"]
)
def test_a_lack_of_memory_in_the_driver_is_one_too(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))
