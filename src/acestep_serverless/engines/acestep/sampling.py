"""Which token comes next? Guidance, grammar, repetition, top-k, top-p and temperature on logits, song by song.

The order is the upstream project's, so that the published defaults mean the same: guided logits are masked by the
grammar, then penalised, cut to the top k and top p (before the temperature), and only then divided by it.
Every row is one song and is worked on by itself; all tensors are float32, [songs, tokens].
The draw is a race of exponential clocks (the Gumbel-max trick): each token gets its own chance from the song's own
generator, so a rounding error in one logit can change a song only where two tokens are level to the last digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from acestep_serverless.engines.base import Planning

Tensor = Any
"""A torch.Tensor: torch is read as Any, since it is no dependency of the default install."""

CANDIDATES = 2_048
COLDEST = 1e-4
"""Below this temperature the best token is taken."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one song's tokens are drawn: `scale` 1.0, `top_k` 0, `top_p` 1.0 and `penalty` 1.0 change nothing."""

    temperature: float = 1.0
    scale: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    penalty: float = 1.0

    @classmethod
    def of(cls, planning: Planning, *, guided: bool) -> "Settings":
        """Take a request's settings. Words are written without guidance; a scale of 1.0 or less is none."""
        scale = planning.cfg_scale if guided and planning.cfg_scale > 1.0 else 1.0
        return cls(planning.temperature, scale, planning.top_k, planning.top_p, planning.repetition_penalty)

    @property
    def guided(self) -> bool:
        """Whether the answer to the other prompt takes part."""
        return self.scale != 1.0


def guide(wanted: Tensor, other: Tensor, scales: Tensor) -> Tensor:
    """Lead logits away from what the other prompt would bring: other + scale x (wanted - other).

    Where the scale ([songs, 1]) is 1.0 the wanted logits come back to the bit.
    """
    return torch.where(scales == 1.0, wanted, other + scales * (wanted - other))


def penalize(logits: Tensor, seen: Tensor, penalties: Tensor) -> Tensor:
    """Make tokens that stand in the text already (bool [songs, tokens]) less likely (CTRL, arXiv 1909.05858)."""
    worse = torch.where(logits > 0, logits / penalties, logits * penalties)
    return torch.where(seen, worse, logits)


def cut(logits: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Leave each song its `top_k` best tokens (0: all), and of these the best whose chances just reach `top_p`.

    The best token always stays, and so do tokens level with the last one that stays. top_k is an integer tensor
    [songs, 1], top_p a float one; 1.0 is all. The best CANDIDATES tell it for all but very flat chances; sorting all
    64,000 takes ten times as long (12 ms a song on one core of a CPU, a fifth of what the model itself takes).
    """
    tokens = logits.shape[-1]
    floor, told = _floor(logits, logits.topk(min(CANDIDATES, tokens), dim=-1).values, top_k, top_p)
    if not bool(told.all()):
        floor, _ = _floor(logits, logits.sort(dim=-1, descending=True).values, top_k, top_p)
    return logits.masked_fill(logits < floor, -torch.inf)


def _floor(logits: Tensor, best: Tensor, top_k: Tensor, top_p: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest logit that stays, [songs, 1], and whether these `best` ones, in order, are enough to tell."""
    ranks = torch.arange(best.shape[-1], device=best.device)
    among = (top_k == 0) | (ranks < top_k)
    ordered = best.masked_fill(~among, -torch.inf)
    whole = torch.where(top_k == 0, logits.logsumexp(-1, keepdim=True), ordered.logsumexp(-1, keepdim=True))
    chances = (ordered - whole).exp()
    stays = among & ((chances.cumsum(dim=-1) - chances <= top_p) | (ranks == 0))
    number = stays.sum(dim=-1, keepdim=True)
    everything = (top_k == 0) & (top_p >= 1.0)
    floor = best.gather(-1, number - 1).masked_fill(everything, -torch.inf)
    return floor, everything | (number < best.shape[-1])


def draw(logits: Tensor, temperatures: Tensor, generators: Sequence[Any]) -> Tensor:
    """Draw one token for each song: int64 [songs]. Each song uses its own generator, once for each token."""
    clocks = torch.empty_like(logits)
    for clock, generator in zip(clocks, generators, strict=True):
        clock.exponential_(generator=generator)
    heated = logits / temperatures.clamp(min=COLDEST)
    raced = heated - clocks.clamp(min=torch.finfo(torch.float32).tiny).log()
    return torch.where(temperatures < COLDEST, logits, raced).argmax(dim=-1)


def choose(logits: Tensor, allowed: Tensor, seen: Tensor | None, table: "Table", generators: Sequence[Any]) -> Tensor:
    """Draw one token for each song from guided logits: int64 [songs]; `allowed` is the grammar's, bool like them."""
    logits = logits.masked_fill(~allowed, -torch.inf)
    if seen is not None:
        logits = penalize(logits, seen, table.penalties)
    if table.cuts:
        logits = cut(logits, table.top_k, table.top_p)
    return draw(logits, table.temperatures, generators)


@dataclass(frozen=True, slots=True)
class Table:
    """The settings of several songs as columns [songs, 1] on the device."""

    temperatures: Tensor
    scales: Tensor
    top_k: Tensor
    top_p: Tensor
    penalties: Tensor
    cuts: bool
    """Whether top-k or top-p is on for any of them; the others come back unchanged."""

    @classmethod
    def of(cls, settings: Sequence[Settings], device: Any) -> "Table":
        """Lay the settings of several songs side by side. They go to the device in one copy: at each the CPU waits for
        a GPU, and this is done for every token."""
        rows = [[song.temperature, song.scale, song.top_k, _share(song.top_p), song.penalty] for song in settings]
        temperatures, scales, top_k, top_p, penalties = torch.tensor(rows, device=device).split(1, dim=1)
        cuts = any(song.top_k > 0 or _share(song.top_p) < 1.0 for song in settings)
        return cls(temperatures, scales, top_k.long(), top_p, penalties, cuts)


def _share(top_p: float) -> float:
    """A share of 0 or less, or of 1 or more, is off."""
    return top_p if 0.0 < top_p < 1.0 else 1.0
