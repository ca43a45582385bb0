"""Where does the transformer want a song to go? One pass over a batch whose songs differ in length and words.

It runs the modules of diffusers' AceStepTransformer1DModel (adapters included) with three differences to its `forward`,
none of which changes a song that is alone: keys and values of the words are worked out once, not at every step; each
song looks at its own words and frames only; sliding windows skip what lies outside them. Shapes: latents and velocity
`[songs, frames, channels]`, context `[songs, frames, context channels]`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from acestep_serverless.engines.acestep.attention import attend, attend_near
from acestep_serverless.engines.acestep.eight_bits import products

_TIME_SCALE = 1000.0
_KINDS = 32
"""How many kinds of layers torch may compile; beyond its own limit of 8 the rest would silently run as it is. One song
or several, equal or not in length and words, within few windows or many: 19 were counted, whatever the lengths."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a batch hears of its words: keys and values for each layer, and which of them are each song's own."""

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    own: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One noise level as the transformer sees it: `[1, width]` for its end, `[1, 6, width]` for its layers."""

    end: torch.Tensor
    layers: torch.Tensor


class Velocity:
    """Predicts velocities with a transformer. Call it inside `torch.inference_mode()`."""

    def __init__(self, transformer: Any, *, compiled: bool = False) -> None:
        """Take an AceStepTransformer1DModel; `compiled` has torch compile what a layer does, once for each kind."""
        self._model = transformer
        self._config = transformer.config
        made = torch.compile(_through, dynamic=True, recompile_limit=_KINDS) if compiled else _through
        self._layer: Callable[..., torch.Tensor] = made

    @property
    def device(self) -> torch.device:
        """Where the transformer computes."""
        return self._model.proj_in_conv.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """In which numbers the transformer computes."""
        return self._model.proj_in_conv.weight.dtype

    @property
    def latent_channels(self) -> int:
        """How many channels a latent frame has."""
        return int(self._config.audio_acoustic_hidden_dim)

    def moments(self, levels: Sequence[float]) -> list[Moment]:
        """Work out all noise levels of a walk at once."""
        level = torch.tensor(levels, dtype=torch.float32, device=self.device)
        end, layers = _embed(self._model.time_embed, level, self.dtype)
        still_end, still_layers = _embed(self._model.time_embed_r, torch.zeros_like(level), self.dtype)
        ends, whole = end + still_end, layers + still_layers
        return [Moment(ends[step, None], whole[step, None]) for step in range(len(levels))]

    def hear(self, states: Sequence[torch.Tensor]) -> Words:
        """Work out keys and values of each song's states, `[tokens, width]`; the tokens may differ in number."""
        lengths = [len(state) for state in states]
        longest = max(lengths)
        padded = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True).to(self.device, self.dtype)
        states_in = self._model.condition_embedder(padded)
        own = None
        if min(lengths) < longest:
            own = _until(lengths, padded)[:, None, None]
        return Words(tuple(_keys_and_values(layer.cross_attn, states_in) for layer in self._model.layers), own)

    def __call__(
        self, latents: torch.Tensor, context: torch.Tensor, frames: Sequence[int], moment: Moment, words: Words
    ) -> torch.Tensor:
        """Give the velocity, float32, zero beyond each song's `frames`. There latents and context must be zero too."""
        total, patch = latents.shape[1], self._config.patch_size
        hidden = torch.cat([context, latents.to(context.dtype)], dim=-1)
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, -total % patch))
        # Contiguous: sums keep the layout they are given, and on a turned one each product of every layer copies its
        # weights first (on two cores 6.4 s a step of 30 s of audio instead of 3.4 s).
        hidden = self._model.proj_in_conv(hidden.transpose(1, 2)).transpose(1, 2).contiguous()
        sounding = None if min(frames) == total else _until([-(-count // patch) for count in frames], hidden)
        turn = _rotation(hidden.shape[1], self._config.head_dim, self._config.rope_theta, hidden)
        for index, layer in enumerate(self._model.layers):
            hidden = self._layer(layer, hidden, turn, moment.layers, words.layers[index], words.own, sounding)
        shift, scale = (self._model.scale_shift_table + moment.end.unsqueeze(1)).chunk(2, dim=1)
        hidden = self._model.norm_out(hidden) * (1 + scale) + shift
        found = self._model.proj_out_conv(hidden.transpose(1, 2)).transpose(1, 2)[:, :total].float()
        return found if sounding is None else found * _until(frames, found)[..., None]


def _through(
    layer: Any,
    hidden: torch.Tensor,
    turn: tuple[torch.Tensor, torch.Tensor],
    moment: torch.Tensor,
    words: tuple[torch.Tensor, torch.Tensor],
    own: torch.Tensor | None,
    sounding: torch.Tensor | None,
) -> torch.Tensor:
    """Go through one layer: look around, hear the words, think."""
    shift, scale, gate, late_shift, late_scale, late_gate = (layer.scale_shift_table + moment).chunk(6, dim=1)
    steered = layer.self_attn_norm(hidden) * (1 + scale) + shift
    hidden = torch.addcmul(hidden, _look_around(layer.self_attn, steered, turn, sounding), gate)
    queries = _heads(layer.cross_attn.to_q(layer.cross_attn_norm(hidden)), layer.cross_attn)
    queries = layer.cross_attn.norm_q(queries).transpose(1, 2)
    hidden = hidden + _leave(layer.cross_attn, attend(queries, *words, own))
    steered = layer.mlp_norm(hidden) * (1 + late_scale) + late_shift
    return torch.addcmul(hidden, _think(layer.mlp, steered), late_gate)


def _embed(module: Any, level: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed noise levels `[steps]`: the sinusoid in float32 (diffusers rounds a bfloat16 level before it)."""
    wave = module.time_sinusoid(level * _TIME_SCALE).to(dtype)
    end = module.linear_2(module.act1(module.linear_1(wave)))
    return end, module.time_proj(module.act2(end)).unflatten(1, (6, -1))


def _heads(projected: torch.Tensor, attention: Any) -> torch.Tensor:
    return projected.unflatten(-1, (-1, attention.head_dim))


def _keys_and_values(attention: Any, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    known, told = products(states, (attention.to_k, attention.to_v))
    keys = attention.norm_k(_heads(known, attention)).transpose(1, 2)
    return keys.contiguous(), _heads(told, attention).transpose(1, 2)


def _look_around(
    attention: Any, hidden: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], sounding: torch.Tensor | None
) -> torch.Tensor:
    asked, known, told = products(hidden, (attention.to_q, attention.to_k, attention.to_v))
    queries = _rotate(attention.norm_q(_heads(asked, attention)), turn).transpose(1, 2)
    keys = _rotate(attention.norm_k(_heads(known, attention)), turn).transpose(1, 2)
    values = _heads(told, attention).transpose(1, 2)
    if attention.sliding_window is not None:
        return _leave(attention, attend_near(queries, keys, values, attention.sliding_window, sounding))
    return _leave(attention, attend(queries, keys, values, None if sounding is None else sounding[:, None, None]))


def _think(mlp: Any, hidden: torch.Tensor) -> torch.Tensor:
    gate, up = products(hidden, (mlp.gate_proj, mlp.up_proj))
    return mlp.down_proj(torch.nn.functional.silu(gate) * up)


def _leave(attention: Any, found: torch.Tensor) -> torch.Tensor:
    return attention.to_out[0](found.transpose(1, 2).flatten(2))


def _rotation(tokens: int, width: int, base: float, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of rotary positions, float32 `[tokens, 1, width]`, both halves of the width alike (Qwen's way),
    rounded as the model's own numbers are. The first half of the sine is negative, as it is used."""
    speed = 1.0 / base ** (torch.arange(0, width, 2, device=like.device, dtype=torch.float32) / width)
    angle = torch.outer(torch.arange(tokens, device=like.device, dtype=torch.float32), speed).repeat(1, 2)[:, None]
    sign = torch.ones(width, device=like.device)
    sign[: width // 2] = -1.0
    return angle.cos().to(like.dtype).float(), angle.sin().to(like.dtype).float() * sign


def _rotate(heads: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    cosine, sine = turn
    first, second = heads.chunk(2, dim=-1)
    return torch.addcmul(heads * cosine, torch.cat([second, first], dim=-1), sine).to(heads.dtype)


def _until(lengths: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    """True for the places of each song before its end, `[songs, places of like]`. No tensor is made of the lengths:
    the CPU would wait for the GPU until it is there."""
    place = torch.arange(like.shape[1], device=like.device)
    return torch.stack([place < length for length in lengths])
