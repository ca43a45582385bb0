"""Does a GPU need the memory that `placement` computes? The real shapes on `meta`, every tensor counted while it lives.

What one operation needs within itself is not seen. Attention is stood in for by what CUDA's kernels for it keep: their
result, and a mask of numbers where there is one of truths.
"""

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from acestep_serverless.engines.acestep import published
from acestep_serverless.engines.acestep.choosing import published_burden
from acestep_serverless.engines.acestep.codec import Codec
from acestep_serverless.engines.acestep.placement import CODEC_FRAMES, WORDS, working
from acestep_serverless.engines.acestep.shapes import from_original
from acestep_serverless.engines.acestep.velocity import Velocity

TURBO = "acestep-v15-turbo"
KIND = torch.bfloat16


class Counted(TorchDispatchMode):
    """Counts the bytes of all storages that tensors hold, those of weights excepted: `now`, and `most` at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._holders: dict[int, int] = {}
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and count what it made."""
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor) and id(one) not in self._known:
                self._hold(one)
        self.most = max(self.most, self.now)
        return made

    def _hold(self, one: torch.Tensor) -> None:
        storage = one.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        self.now += 0 if self._holders.get(key) else size
        self._holders[key] = self._holders.get(key, 0) + 1
        self._known.add(id(one))
        weakref.finalize(one, self._drop, id(one), key, size)

    def _drop(self, name: int, key: int, size: int) -> None:
        self._known.discard(name)
        self._holders[key] -= 1
        self.now -= 0 if self._holders[key] else size


class Kernels(TorchFunctionMode):
    """Attention as CUDA keeps it, and the masks that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[tuple[int, ...]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Stand in for attention; everything else is torch's own."""
        given = kwargs or {}
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **given)
        mask = given.get("attn_mask")
        if mask is not None:
            self.masks.append(tuple(mask.shape))
            mask = torch.where(mask, args[0].new_zeros(()), -torch.inf)
        return torch.empty_like(args[0])


def walked(seconds: float, lengths: int = 1, layers: int = 24) -> tuple[int, list[tuple[int, ...]]]:
    """The most bytes of one pass of turbo over a song with all the words it can hear, or over several of different
    lengths, and the masks of its attention."""
    whole = from_original(published.config_of(TURBO), TURBO).transformer
    shape = {**whole, "num_hidden_layers": layers, "layer_types": whole["layer_types"][:layers]}
    with torch.device("meta"):
        model = AceStepTransformer1DModel(**shape).eval().requires_grad_(False)
    for one in model.parameters():
        one.data = one.data.to(KIND)
    frames = int(seconds * 25)
    with torch.inference_mode(), Counted() as count, Kernels() as kernels:
        velocity = Velocity(model)
        words = velocity.hear([torch.empty(WORDS, 2_048, device="meta", dtype=KIND)] * lengths)
        latents = torch.empty(lengths, frames, 64, device="meta")
        context = torch.empty(lengths, frames, 128, device="meta", dtype=KIND)
        [moment] = velocity.moments([0.5])
        velocity(latents, context, [frames - 50 * song for song in range(lengths)], moment, words)
    return count.most, kernels.masks


def test_a_pass_over_the_longest_song_needs_what_is_computed() -> None:
    most, _ = walked(600.0)
    assert most == pytest.approx(working(published_burden(TURBO), 2, 600.0, codec=False), rel=0.05)


def test_no_mask_is_as_large_as_a_song_s_tokens_squared() -> None:
    _, masks = walked(240.0, lengths=2, layers=2)
    blocks, window = 24, 128
    assert set(masks) == {(2 * blocks, 1, 2 * window, 3 * window), (2, 1, 1, 3_000)}


def test_the_codec_needs_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        codec = AutoencoderOobleck(**published.CODEC).eval().requires_grad_(False)
    for one in codec.parameters():
        one.data = one.data.to(KIND)
    empty: Callable[..., torch.Tensor] = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *sizes, **how: empty(*sizes, **{"device": "meta", **how}))
    frames = 3 * CODEC_FRAMES
    samples = frames * 1_920 * 2 * 4  # in main memory, where they are collected
    with torch.inference_mode(), Counted() as count:
        Codec(codec).decode(torch.empty(frames, 64), lambda _: None)
    assert count.most - samples == pytest.approx(working(published_burden(TURBO), 2, 1.0), rel=0.08)
