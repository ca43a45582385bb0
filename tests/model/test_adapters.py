"""Does the model wear an adapter as PEFT and diffusers would have it, when asked, and nothing that does not fit?"""

import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from generation import BASE, TURBO, Parts, asked, engine, made_of, noise_clip, songs_of
from safetensors.torch import save_file
from tiny import Tiny, tiny

from acestep_serverless.engines.acestep import adapters
from acestep_serverless.engines.acestep.adapters import Shelf
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights
from acestep_serverless.engines.extras import Adapter
from acestep_serverless.errors import EngineError, InputError

XL = "acestep-v15-xl-turbo"
RANK, WIDTH = 2, 32
LAYER = "layers.{}.self_attn.{}"


def tensors(name: str, seed: int, *, prefix: str, rows: int = WIDTH) -> dict[str, torch.Tensor]:
    """Both halves of a LoRA for one projection of every layer."""
    chance = torch.Generator().manual_seed(seed)
    found = {}
    for layer in range(2):
        module = prefix + LAYER.format(layer, name)
        found[f"{module}.lora_A.weight"] = torch.randn(RANK, WIDTH, generator=chance)
        found[f"{module}.lora_B.weight"] = torch.randn(rows, RANK, generator=chance)
    return found


def diffusers_file(folder: Path, seed: int = 1) -> Path:
    folder.mkdir()
    save_file(tensors("to_q", seed, prefix="transformer."), folder / "pytorch_lora_weights.safetensors")
    return folder


def trained_folder(folder: Path, *, alpha: float, seed: int = 1) -> Path:
    """What the upstream project's training writes."""
    folder.mkdir()
    save_file(tensors("q_proj", seed, prefix="base_model.model."), folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": alpha, "peft_type": "LORA"}))
    return folder


def merged(made: Tiny, seed: int, scale: float) -> Tiny:
    """The same model with the adapter added to its weights by hand."""
    given = tensors("to_q", seed, prefix="")
    for layer in range(2):
        name = LAYER.format(layer, "to_q")
        weight = made.transformer.get_submodule(name).weight
        weight.data += scale * given[f"{name}.lora_B.weight"] @ given[f"{name}.lora_A.weight"]
    return made


def heard(ready: AceStepEngine, **sampling: object) -> np.ndarray:
    [song] = songs_of(ready, asked(1, duration=0.5, **sampling))
    return song.clip.samples


def test_a_worn_adapter_is_its_product_added_to_the_weights(tmp_path: Path) -> None:
    ready = engine(made=tiny(TURBO))
    plain = heard(ready)
    assert ready.adapters.load(diffusers_file(tmp_path / "one"), "one") == Adapter("one", active=True, scale=1.0)
    worn = heard(ready)
    assert np.abs(worn - heard(engine(made=merged(tiny(TURBO), 1, 1.0)))).max() < 1e-5
    assert np.abs(worn - plain).max() > 1e-3
    ready.adapters.scale("one", 0.25)
    assert np.abs(heard(ready) - heard(engine(made=merged(tiny(TURBO), 1, 0.25)))).max() < 1e-5
    ready.adapters.switch(active=False)
    assert np.array_equal(heard(ready), plain)
    ready.adapters.switch(active=True)
    assert np.abs(heard(ready) - plain).max() > 1e-3
    ready.adapters.unload()
    assert ready.adapters.list() == ()
    assert np.array_equal(heard(ready), plain)


def test_upstreams_training_folder_keeps_its_alpha(tmp_path: Path) -> None:
    ready = engine(made=tiny(TURBO))
    ready.adapters.load(trained_folder(tmp_path / "trained", alpha=1.0), "trained")
    assert np.abs(heard(ready) - heard(engine(made=merged(tiny(TURBO), 1, 1.0 / RANK)))).max() < 1e-5


def test_a_training_with_rank_stabilisation_divides_by_the_root_of_the_rank(tmp_path: Path) -> None:
    folder = trained_folder(tmp_path / "trained", alpha=1.0)
    config = folder / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "use_rslora": True}))
    ready = engine(made=tiny(TURBO))
    ready.adapters.load(folder, "trained")
    assert np.abs(heard(ready) - heard(engine(made=merged(tiny(TURBO), 1, RANK**-0.5)))).max() < 1e-5


def test_a_file_too_large_to_be_an_adapter_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = engine(made=tiny(TURBO)).adapters
    folder = diffusers_file(tmp_path / "one")
    monkeypatch.setattr(adapters, "_LARGEST_FILE", 2**10)
    monkeypatch.setattr(adapters, "load_file", lambda _path: pytest.fail("it was read"))
    with pytest.raises(InputError, match="lora_path: must be at most 0 GiB"):
        shelf.load(folder, "one")


def test_a_request_chooses_one_adapter_and_its_scale(tmp_path: Path) -> None:
    ready = engine(made=tiny(TURBO))
    ready.adapters.load(diffusers_file(tmp_path / "one", 1), "one")
    ready.adapters.load(diffusers_file(tmp_path / "two", 2), "two")
    chosen = heard(ready, lora="two", lora_scale=0.5)
    assert np.abs(chosen - heard(engine(made=merged(tiny(TURBO), 2, 0.5)))).max() < 1e-5
    both = merged(merged(tiny(TURBO), 1, 1.0), 2, 1.0)
    assert np.abs(heard(ready) - heard(engine(made=both))).max() < 1e-5


def test_an_adapter_of_the_same_name_takes_the_place_of_the_first(tmp_path: Path) -> None:
    ready = engine(made=tiny(TURBO))
    ready.adapters.load(diffusers_file(tmp_path / "one", 1), "mine")
    heard(ready)
    ready.adapters.load(diffusers_file(tmp_path / "two", 2), "mine")
    assert np.abs(heard(ready) - heard(engine(made=merged(tiny(TURBO), 2, 1.0)))).max() < 1e-5


def test_what_is_no_adapter_of_this_model_is_refused_by_name(tmp_path: Path) -> None:
    shelf = engine(made=tiny(TURBO)).adapters
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"lora_path: must be a \.safetensors file"):
        shelf.load(empty, "x")
    pickled = tmp_path / "adapter.bin"
    torch.save(tensors("to_q", 1, prefix="transformer."), pickled)
    with pytest.raises(InputError, match=r"must be a \.safetensors file"):
        shelf.load(pickled, "x")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(noise_clip(0.1).samples.tobytes())
    with pytest.raises(InputError, match="whole safetensors file"):
        shelf.load(broken, "x")
    wide = tmp_path / "wide.safetensors"
    save_file(tensors("to_q", 1, prefix="transformer.", rows=48), wide)
    with pytest.raises(InputError, match=r"layers\.0\.self_attn\.to_q\.lora_B\.weight \[48, 2\] is no part of it"):
        shelf.load(wide, "x")
    assert shelf.list() == ()


def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    ready = engine(made=tiny(TURBO))
    ready.adapters.load(diffusers_file(tmp_path / "one"), "one")
    with pytest.raises(InputError, match="adapter_name: must be a loaded adapter: one"):
        ready.adapters.scale("other", 0.5)
    with pytest.raises(InputError, match="lora: must be a loaded adapter: one, got 'other'"):
        heard(ready, lora="other")


def changing() -> AceStepEngine:
    """An engine that opens a new model whenever another one is named."""
    offers = tuple(Offer(name, name == BASE) for name in (TURBO, BASE, XL))
    ready = AceStepEngine(Weights(offers, lambda name, _: Parts(tiny(name))))
    ready.load(lambda _done, _stage: None)
    return ready


def test_adapters_stay_on_the_shelf_when_the_model_changes_and_are_worn_by_those_they_fit(tmp_path: Path) -> None:
    ready = changing()
    ready.adapters.load(diffusers_file(tmp_path / "one"), "one")
    worn = heard(ready, lora="one")
    of_base = heard(ready, lora="one", model=BASE)
    assert np.abs(of_base - heard(engine(BASE, made=merged(tiny(BASE), 1, 1.0)))).max() < 1e-5
    [plain, refused] = made_of(ready, asked(1, duration=0.5, model=XL), asked(2, duration=0.5, model=XL, lora="one"))[
        ::-1
    ]
    why = f"it was loaded for {TURBO} and does not fit {XL}"
    assert plain.song.warnings == (f"adapter one was not worn: {why}",)
    assert (
        str(refused.failure) == f"lora: must be a loaded adapter: none is ({why}; name a model that it fits), got 'one'"
    )
    assert ready.adapters.list() == (Adapter("one", active=True, scale=1.0),)
    assert np.array_equal(heard(ready, lora="one"), worn)


def test_an_unknown_adapter_is_one_piece_s_failure(tmp_path: Path) -> None:
    found = made_of(engine(made=tiny(TURBO)), asked(1, duration=0.5), asked(2, duration=0.5, lora="other"))
    assert {made.piece: type(made.failure) for made in found} == {0: type(None), 1: InputError}


def test_the_model_that_is_left_leaves_memory_before_the_next_one_is_read() -> None:
    alive: list[weakref.ref[torch.nn.Module]] = []
    left: list[int] = []

    def open_model(name: str, _progress: object) -> Parts:
        left.append(sum(one() is not None for one in alive))
        made = Parts(tiny(name))
        alive.append(weakref.ref(made.transformer))
        return made

    ready = AceStepEngine(Weights((Offer(TURBO, False), Offer(BASE, True)), open_model))
    for name in (TURBO, BASE, TURBO):
        songs_of(ready, asked(1, duration=0.5, model=name))
    assert left == [0, 0, 0]


def test_without_a_model_in_memory_nothing_can_be_put_on_the_shelf(tmp_path: Path) -> None:
    shelf = Shelf()
    with pytest.raises(EngineError, match="no model is in memory"):
        shelf.load(diffusers_file(tmp_path / "one"), "one")
