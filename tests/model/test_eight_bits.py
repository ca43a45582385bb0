"""Is a song in eight bits the same song but for rounding, with its adapters and from its own files?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from generation import TURBO, asked, engine, songs_of
from safetensors.torch import save_file
from test_adapters import tensors
from test_loading import ON_CPU, load
from tiny import Tiny, tiny, tiny_planner

from acestep_serverless.engines.acestep.eight_bits import EightBitLinear, products, round_layers, rounded
from acestep_serverless.engines.acestep.loading import load_planner
from acestep_serverless.engines.acestep.search import find
from acestep_serverless.engines.options import EngineOptions

IN_EIGHT_BITS = replace(ON_CPU, eight_bits=True)


def linear(outputs: int, inputs: int, seed: int = 0) -> torch.nn.Linear:
    layer = torch.nn.Linear(inputs, outputs, bias=False)
    layer.weight.data = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    return layer


def distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_products_are_exact_but_for_the_rounding_of_inputs_and_weights(kind: torch.dtype) -> None:
    layer = linear(48, 64).to(kind)
    tokens = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(1)).to(kind)
    tokens[0, 1] *= 1e4
    tokens[0, 2] *= 1e-4
    tokens[1, 3] = 0.0
    found = EightBitLinear(layer)(tokens)
    assert (found.shape, found.dtype) == ((2, 5, 48), kind)
    wanted = tokens.float() @ layer.weight.float().T
    loudness = wanted.norm(dim=-1).clamp(min=1e-9)
    assert float(((found.float() - wanted).norm(dim=-1) / loudness).max()) < 0.02  # in each token, loud or quiet
    assert not found[1, 3].any()


@torch.inference_mode()
def test_every_level_from_the_least_to_the_most_is_kept() -> None:
    levels = torch.arange(-127.0, 128.0)[None]
    unit = linear(255, 255)
    unit.weight.data = torch.eye(255)
    assert torch.equal(rounded(levels).levels, (levels + 128).to(torch.uint8))
    assert torch.allclose(EightBitLinear(unit)(levels), levels, atol=1e-4)


@torch.inference_mode()
def test_layers_that_share_an_input_give_what_each_gives_alone() -> None:
    layers = [EightBitLinear(linear(size, 64, seed=size)) for size in (16, 48)]
    tokens = torch.randn(1, 7, 64, generator=torch.Generator().manual_seed(1))
    for found, layer in zip(products(tokens, layers), layers, strict=True):
        assert torch.equal(found, layer(tokens))
    mixed = [layers[0], linear(48, 64)]
    for found, layer in zip(products(tokens, mixed), mixed, strict=True):
        assert torch.equal(found, layer(tokens))


def test_a_layer_with_a_bias_stays_as_it_is() -> None:
    both = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8, bias=False))
    round_layers(both)
    assert [type(layer) for layer in both] == [torch.nn.Linear, EightBitLinear]
    with pytest.raises(ValueError, match="bias"):
        EightBitLinear(torch.nn.Linear(8, 8))


def song(made: Tiny, adapter: Path | None = None) -> np.ndarray:
    ready = engine(made=made)
    if adapter is not None:
        ready.adapters.load(adapter, "mine")
    [made_song] = songs_of(ready, asked(1, duration=0.5))
    return made_song.clip.samples


def in_eight_bits() -> Tiny:
    made = tiny(TURBO)
    round_layers(made.transformer.layers)
    return made


def far(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def test_a_song_in_eight_bits_is_the_same_song_and_wears_adapters(tmp_path: Path) -> None:
    adapter = tmp_path / "one.safetensors"
    save_file(tensors("to_q", 1, prefix="transformer."), adapter)
    exact, worn = song(tiny(TURBO)), song(tiny(TURBO), adapter)
    ours, ours_worn = song(in_eight_bits()), song(in_eight_bits(), adapter)
    assert 1e-6 < far(ours, exact) < 1e-3  # the tiny model's layers have little to say
    assert far(ours_worn, worn) < 0.05
    assert far(ours_worn, exact) > 10 * far(ours_worn, worn)  # the adapter is heard, and it is the right one


def test_a_model_and_its_planner_are_rounded_as_they_are_loaded(tmp_path: Path) -> None:
    tiny(TURBO).save_checkpoints(tmp_path)
    loaded = load(tmp_path, IN_EIGHT_BITS)
    kinds = {type(part) for part in loaded.transformer.layers.modules() if isinstance(part, torch.nn.Linear)}
    assert kinds == {EightBitLinear}
    assert not any(isinstance(part, EightBitLinear) for part in loaded.condition_encoder.modules())


@torch.inference_mode()
def test_a_planner_in_eight_bits_thinks_nearly_the_same(tmp_path: Path) -> None:
    tiny(TURBO).save_checkpoints(tmp_path)
    tiny_planner().save(tmp_path)
    found = find(EngineOptions(models_dir=tmp_path)).planner("acestep-5Hz-lm-0.6B")
    exact, ours = (load_planner(found, where, lambda *_: None) for where in (ON_CPU, IN_EIGHT_BITS))
    ids = torch.arange(40, 60)[None]
    assert 1e-4 < distance(ours.model(ids).logits, exact.model(ids).logits) < 0.05
