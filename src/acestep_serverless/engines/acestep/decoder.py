"""How does the codec's decoder run fast on a CPU? Channels last, stage by stage, in stretches that stay in the cache.

Measured on an AMD EPYC with AVX512-BF16, one core, against its own rate of a 2048 x 2048 bfloat16 product (1.00): a
convolution of 128 channels reaches 0.72 to 1.00 as diffusers runs it (least with dilation 9, 0.55 with one tap), 1.08
channels last; a transposed convolution is far below 0.2 and becomes one matrix product. Samples are the same but for
rounding. Shapes here are `[songs, places, channels]`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import conv2d

Layer = Callable[[torch.Tensor], torch.Tensor]

_CHUNK = 2**22
"""Numbers in one stretch of a stage's output (8 MiB of bfloat16): 2**19 takes 9 % longer, 2**23 is no better."""
_REACH = 3 * (1 + 3 + 9)
"""Places to each side that a stage's three residual units hear."""


class FastDecoder:
    """Does what an OobleckDecoder does whose weight norm is folded, for transposed convolutions of even strides."""

    def __init__(self, decoder: Any) -> None:
        self._first = _convolution(decoder.conv1)
        self._stages = [_Stage(block) for block in decoder.block]
        self._last_snake, self._last = _snake(decoder.snake1), _convolution(decoder.conv2)
        self._last_reach = decoder.conv2.kernel_size[0] // 2

    def __call__(self, latents: torch.Tensor, between: Callable[[], None]) -> torch.Tensor:
        """Decode `[songs, channels, frames]` to `[songs, 2, samples]`; `between` is called after each stretch."""
        sound = self._first(latents.transpose(1, 2).contiguous())
        for stage in self._stages[:-1]:
            sound = stage.whole(sound, 0, lambda part: part, between)
        end = self._stages[-1]
        whole = end.whole(sound, self._last_reach, lambda part: self._last(self._last_snake(part)), between)
        return whole.transpose(1, 2)


class _Stage:
    """One block of the decoder: it makes `stride` places of each, then hears three residual units."""

    def __init__(self, block: Any) -> None:
        self._stride, self._width = int(block.conv_t1.stride[0]), int(block.conv_t1.out_channels)
        self._snake, self._spread = _snake(block.snake1), _spreading(block.conv_t1)
        self._units = [_unit(unit) for unit in (block.res_unit1, block.res_unit2, block.res_unit3)]

    def whole(self, given: torch.Tensor, more_reach: int, then: Layer, between: Callable[[], None]) -> torch.Tensor:
        """Run the stage and `then` (which hears `more_reach` places to each side), stretch by stretch."""
        places = given.shape[1]
        halo = -(-(_REACH + more_reach) // self._stride) + 1
        size = max(4 * halo, _CHUNK // (self._width * self._stride * given.shape[0]))
        found = []
        for start in range(0, places, size):
            end = min(start + size, places)
            before = max(0, start - halo)
            sound = self._spread(self._snake(given[:, before : min(places, end + halo)]))
            for unit in self._units:
                sound = unit(sound)
            made = then(sound)
            found.append(made[:, (start - before) * self._stride : (end - before) * self._stride])
            between()
        return torch.cat(found, dim=1)


def _unit(unit: Any) -> Layer:
    first_snake, first = _snake(unit.snake1), _convolution(unit.conv1)
    second_snake, second = _snake(unit.snake2), _convolution(unit.conv2)
    return lambda sound: second(second_snake(first(first_snake(sound)))).add_(sound)


def _convolution(layer: Any) -> Layer:
    """A convolution that keeps the number of places, as a two-dimensional one of height 1, channels last."""
    weight = layer.weight.data[:, :, None].contiguous(memory_format=torch.channels_last)
    bias, dilation, padding = layer.bias, layer.dilation[0], layer.padding[0]

    def run(sound: torch.Tensor) -> torch.Tensor:
        image = sound[:, None].permute(0, 3, 1, 2)
        found = conv2d(image, weight, bias, padding=(0, padding), dilation=(1, dilation))
        return found.permute(0, 2, 3, 1)[:, 0]

    return run


def _spreading(layer: Any) -> Layer:
    """A transposed convolution whose kernel is two strides long: one product, and its halves added side by side."""
    stride, width, crop = layer.stride[0], layer.out_channels, layer.padding[0]
    weight, bias = layer.weight.data.permute(0, 2, 1).reshape(layer.in_channels, -1).contiguous(), layer.bias

    def run(sound: torch.Tensor) -> torch.Tensor:
        songs, places, _ = sound.shape
        both = (sound @ weight).reshape(songs, places, 2, stride * width)
        spread = both.new_empty(songs, places + 1, stride * width)
        spread[:, :places] = both[:, :, 0]
        spread[:, places] = 0
        spread[:, 1:] += both[:, :, 1]
        return spread.reshape(songs, -1, width)[:, crop : crop + places * stride] + bias

    return run


def _snake(layer: Any) -> Layer:
    """The activation x + sin(a x)^2 / b, with 1 / root of b worked out beforehand."""
    speed, root = (part.data[:, :, 0].float() for part in (layer.alpha, layer.beta))
    if layer.logscale:
        speed, root = speed.exp(), root.exp()
    kind = layer.alpha.dtype
    speed, share = speed.to(kind), (root + 1e-9).rsqrt().to(kind)

    def run(sound: torch.Tensor) -> torch.Tensor:
        wave = (sound * speed).sin_().mul_(share)
        return torch.addcmul(sound, wave, wave)

    return run
