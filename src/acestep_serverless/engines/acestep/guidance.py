"""How is a guided model led by its prompt? Two predictions, with and without words, become one.

Both work on velocities of flow matching, float `[songs, frames, channels]`. Frames beyond a song's end must be zero in
both predictions: sums over time then are those of the song alone.
"""

from dataclasses import dataclass
from typing import Any

import torch

MOMENTUM, THRESHOLD = -0.75, 2.5
"""Of adaptive projected guidance, as ACE-Step's base and sft models were tuned."""

_LARGEST_ANGLE = 3.14 / 6
_STRAIGHT = 1e-3


@dataclass
class Projected:
    """Adaptive projected guidance (Sadat et al., arXiv 2410.02416) over time, with its running average.

    The difference of both predictions, averaged over the steps with negative momentum and bounded per channel, pushes
    only across the prompted prediction, never along it: more prompt without more loudness.
    """

    average: Any = 0.0

    def __call__(self, prompted: torch.Tensor, free: torch.Tensor, scale: float) -> torch.Tensor:
        """Give the guided prediction; call once for each guided step, in order."""
        self.average = (prompted - free) + MOMENTUM * self.average
        length = self.average.norm(dim=1, keepdim=True)
        push = (self.average * (THRESHOLD / length.clamp(min=THRESHOLD))).double()
        along = torch.nn.functional.normalize(prompted.double(), dim=1)
        across = push - (push * along).sum(dim=1, keepdim=True) * along
        return prompted + (scale - 1.0) * across.to(prompted.dtype)

    def keep(self, places: torch.Tensor, frames: int) -> None:
        """Forget the songs that are not at `places`, and all frames beyond so many."""
        if isinstance(self.average, torch.Tensor):
            self.average = self.average[places, :frames]


def by_angle(
    latents: torch.Tensor, prompted: torch.Tensor, free: torch.Tensor, level: float, scale: float
) -> torch.Tensor:
    """Guide by the angle between both predicted clean signals, frame by frame (angle-based dynamic guidance).

    The prompted signal is turned further away from the free one by (scale - 1) times their angle, at most 30 degrees,
    and keeps its length. `level` is the noise level of this step, above 0.
    """
    weight = max(scale - 1.0, 0.0) + _STRAIGHT
    clean, wild = (latents - level * prompted).double(), (latents - level * free).double()
    cosine = torch.nn.functional.cosine_similarity(clean, wild, dim=-1).clamp(-1 + 1e-6, 1 - 1e-6).unsqueeze(-1)
    angle = torch.acos(cosine)
    turn = (weight * angle).clamp(-_LARGEST_ANGLE, _LARGEST_ANGLE)
    difference = clean - wild
    shadow = (difference * wild).sum(-1, keepdim=True) / (wild.square().sum(-1, keepdim=True) + 1e-8) * wild
    sine = torch.sin(angle)
    swing = torch.where(sine > _STRAIGHT, torch.sin(turn) / sine, torch.full_like(sine, weight))
    turned = torch.cos(turn) * clean + swing * (difference - shadow)
    return ((latents.double() - turned) / level).to(prompted.dtype)


def is_guided(level: float, first: float, last: float) -> bool:
    """Tell whether the step at noise level `level` lies in the interval of guidance, 0.0 being the first step."""
    return first <= 1.0 - level <= last
