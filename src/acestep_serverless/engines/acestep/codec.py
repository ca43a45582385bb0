"""How do samples become latents, and latents samples? diffusers' Oobleck codec in tiles that join exactly.

A tile is worked out with so much of its neighbours on each side as one frame can hear (`halo`), so what is kept of it
equals the untiled result but for rounding: there is no seam. Latents are `[frames, channels]`, samples `[2, samples]`
at 48 kHz, 1,920 of them a frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from acestep_serverless.engines.acestep.decoder import FastDecoder

Watch = Callable[[float], None]
"""Told the share that is done (0.0 to 1.0), after each tile or more often; may raise to end the work."""

Decoder = Callable[[torch.Tensor, Callable[[], None]], torch.Tensor]
"""Decodes `[tiles, channels, frames]`, and may call its second argument while it does."""

_RESIDUAL_REACH = 3 * (1 + 3 + 9)
_FRAMES_IN_A_TILE = {"cpu": 384, "cuda": 512}


@dataclass(frozen=True, slots=True)
class Heard:
    """What the codec hears in samples: float32 mean and deviation of every latent, `[frames, channels]`."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def draw(self, chance: torch.Generator) -> torch.Tensor:
        """Draw latents as the model was trained on them; `chance` is a generator of the CPU."""
        noise = torch.randn(1, *self.mean.T.shape, generator=chance)[0].T
        return self.mean + self.deviation * noise.to(self.mean.device)


@dataclass(frozen=True, slots=True)
class _Tile:
    """Frames `start` to `end` are kept, those from `before` to `after` are worked out."""

    before: int
    start: int
    end: int
    after: int


class Codec:
    """Encodes and decodes with an AutoencoderOobleck, whose weight norm is folded into its weights for good.

    Call it inside `torch.inference_mode()`. Folding is done in float32; it changes results by rounding only.
    """

    def __init__(self, vae: Any, frames_at_once: int = 512) -> None:
        """Take the codec's module, and how many frames it may work on at once on a GPU (several tiles side by side)."""
        self._vae, self._frames_at_once = vae, frames_at_once
        ratios = list(vae.config.downsampling_ratios)
        self.samples_per_frame = int(vae.hop_length)
        self._exact = all(ratio % 2 == 0 for ratio in ratios)
        self._decoder_halo, self._encoder_halo = decoder_halo(ratios), encoder_halo(ratios)
        fold(vae)
        self._fast: tuple[torch.Tensor, Decoder] | None = None

    def narrow(self) -> bool:
        """Work on one tile at a time from now on; tell whether that is fewer than before."""
        fewer = self._side_by_side(self._vae.decoder.conv1.weight) > 1
        self._frames_at_once = 0
        return fewer

    def encode(self, samples: torch.Tensor) -> Heard:
        """Hear `samples`, float32 `[2, samples]`, at least one frame of them."""
        weight = self._vae.encoder.conv1.weight
        hop, total = self.samples_per_frame, samples.shape[1]
        found = []
        for tile in self._tiles(total // hop, self._encoder_halo, _size(weight), tiled=self._exact):
            stop = total if tile.after == total // hop else tile.after * hop
            part = samples[None, :, tile.before * hop : stop].to(weight.device, weight.dtype)
            latents = self._vae.encoder(part)[0, :, tile.start - tile.before :]
            found.append(latents[:, : tile.end - tile.start].float())
        mean, scale = torch.cat(found, dim=1).T.chunk(2, dim=1)
        return Heard(mean, torch.nn.functional.softplus(scale) + 1e-4)

    def decode(self, latents: torch.Tensor, watch: Watch, *, tiled: bool = True) -> torch.Tensor:
        """Give float32 samples `[2, frames * 1920]` on the CPU for latents `[frames, channels]`."""
        weight = self._vae.decoder.conv1.weight
        hop, given = self.samples_per_frame, latents.T[None].to(weight.device, weight.dtype)
        tiles = self._tiles(len(latents), self._decoder_halo, _size(weight), tiled=tiled and self._exact)
        samples = torch.empty(self._vae.config.audio_channels, len(latents) * hop)
        done, decoder = 0, self._decoder(weight)
        for group in _alike(tiles, self._side_by_side(weight)):
            parts = torch.cat([given[:, :, tile.before : tile.after] for tile in group])
            share = done / len(latents)
            for tile, sound in zip(group, decoder(parts, partial(watch, share)), strict=True):
                kept = sound[:, (tile.start - tile.before) * hop : (tile.end - tile.before) * hop]
                samples[:, tile.start * hop : tile.end * hop] = kept.float()
                done += tile.end - tile.start
            watch(done / len(latents))
        return samples

    def _side_by_side(self, weight: torch.Tensor) -> int:
        """How many tiles are decoded together: on a CPU one keeps every core busy and more only fill the cache."""
        return 1 if weight.device.type == "cpu" else max(1, self._frames_at_once // _size(weight))

    def _decoder(self, weight: torch.Tensor) -> Decoder:
        """The decoder for where the weights are now, made anew when they have moved or changed their type."""
        if weight.device.type != "cpu" or not self._exact:
            return lambda parts, _between: self._vae.decoder(parts)
        if self._fast is None or self._fast[0].data_ptr() != weight.data_ptr():
            self._fast = (weight.data, FastDecoder(self._vae.decoder))
        return self._fast[1]

    def _tiles(self, frames: int, halo: int, size: int, *, tiled: bool) -> list[_Tile]:
        if not tiled:
            return [_Tile(0, 0, frames, frames)]
        starts = range(0, frames, size)
        ends = [min(start + size, frames) for start in starts]
        return [
            _Tile(max(0, start - halo), start, end, min(frames, end + halo))
            for start, end in zip(starts, ends, strict=True)
        ]


def decoder_halo(ratios: Sequence[int]) -> int:
    """How many frames to each side a frame's samples depend on, for the encoder's `ratios` (11 in ACE-Step's codec)."""
    reach = 3
    for ratio in ratios:
        reach = -(-(reach + _RESIDUAL_REACH) // ratio) + 2
    return reach + 3


def encoder_halo(ratios: Sequence[int]) -> int:
    """How many frames to each side a frame depends on, for the encoder's `ratios` (9 in ACE-Step's codec)."""
    reach, hop = 1, 1
    for ratio in reversed(ratios):
        reach, hop = reach * ratio + 2 * ratio + _RESIDUAL_REACH, hop * ratio
    return -(-(reach + 3) // hop)


def fold(module: Any) -> None:
    """Replace every weight-normed convolution's two parts, direction and length, by their product."""
    for layer in module.modules():
        if hasattr(layer, "weight_g") and hasattr(layer, "weight_v"):
            direction, length = layer.weight_v.data.float(), layer.weight_g.data.float()
            norm = direction.norm(2, dim=tuple(range(1, direction.ndim)), keepdim=True)
            folded, kind = direction * (length / norm), layer.weight_v.dtype
            torch.nn.utils.remove_weight_norm(layer)
            layer.weight.data = folded.to(kind)
            layer.weight.requires_grad_(False)


def _size(weight: torch.Tensor) -> int:
    return _FRAMES_IN_A_TILE.get(weight.device.type, 512)


def _alike(tiles: Sequence[_Tile], most: int) -> list[list[_Tile]]:
    """Group neighbouring tiles of the same length, at most so many together."""
    groups: list[list[_Tile]] = []
    for tile in tiles:
        last = groups[-1] if groups else []
        if last and len(last) < most and last[0].after - last[0].before == tile.after - tile.before:
            last.append(tile)
        else:
            groups.append([tile])
    return groups
