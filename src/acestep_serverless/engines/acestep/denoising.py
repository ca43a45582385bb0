"""How does noise become latents? A walk down the noise levels, all songs of a batch in one pass at each step.

Latents are float32 `[songs, frames, channels]`, zero beyond each song's end, whatever numbers the transformer computes
in; the same seed gives the same noise on every device. A song that nobody wants any more leaves between two steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from acestep_serverless.engines.acestep.guidance import Projected, by_angle, is_guided
from acestep_serverless.engines.acestep.tasks import Repainting
from acestep_serverless.engines.acestep.velocity import Moment, Velocity, Words
from acestep_serverless.engines.base import Sampling
from acestep_serverless.errors import FieldProblem, InputError


@dataclass(frozen=True, slots=True)
class Condition:
    """What leads one song: `states` of its words `[tokens, width]`, and `context` `[frames, channels]`."""

    states: torch.Tensor
    context: torch.Tensor


@dataclass(frozen=True, slots=True)
class Prepared:
    """One song ready for the walk. `plain` leads it once `cover_strength` of the steps are done; `source` are clean
    latents `[frames, channels]`; `span` is what is made new, in frames.
    """

    seed: int
    frames: int
    led: Condition
    plain: Condition | None = None
    cover_strength: float = 1.0
    source: torch.Tensor | None = None
    noise_strength: float = 0.0
    span: tuple[int, int] | None = None
    repainting: Repainting | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """The noise levels of all steps, falling from at most 1.0, and how each step is taken. `scale` 1.0: no guidance."""

    levels: tuple[float, ...]
    stochastic: bool = False
    scale: float = 1.0
    by_angle: bool = False
    interval: tuple[float, float] = (0.0, 1.0)


def plan_walk(sampling: Sampling, *, steps: int, guided: bool, noise_strength: float = 0.0) -> Walk:
    """Lay out the walk of a request; `steps` are the model's own, `guided` whether it knows guidance.

    With `noise_strength` the walk starts at the level nearest to 1 - strength. Raises InputError for timesteps
    without a level above 0.
    """
    levels = list(sampling.timesteps) or _shifted(sampling.inference_steps or steps, sampling.shift)
    while levels and levels[-1] == 0.0:
        levels.pop()
    if not levels:
        raise InputError([FieldProblem("timesteps", "0", "must hold a number above 0")])
    if noise_strength > 0.0:
        nearest = min(levels, key=lambda level: abs(level - (1.0 - noise_strength)))
        levels = levels[levels.index(nearest) :]
    return Walk(
        levels=tuple(levels),
        stochastic=sampling.infer_method == "sde",
        scale=sampling.guidance_scale if guided and sampling.guidance_scale > 1.0 else 1.0,
        by_angle=sampling.use_adg,
        interval=(sampling.cfg_interval_start, sampling.cfg_interval_end),
    )


def _shifted(steps: int, shift: float) -> list[float]:
    """Evenly spaced levels from 1, moved towards the noise: s * t / (1 + (s - 1) * t), in float32 as in diffusers."""
    even = torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float32)
    moved = shift * even / (1 + (shift - 1) * even) if shift != 1.0 else even
    return [float(level) for level in moved[:-1]]


class Denoising:
    """A batch on its walk: call `step` with 0, 1, ... `steps` - 1, and `keep` between two steps when songs leave.

    `free` are the states of no words, `[1, width]`, for guidance. Use it inside `torch.inference_mode()`.
    """

    def __init__(self, velocity: Velocity, songs: Sequence[Prepared], walk: Walk, free: torch.Tensor) -> None:
        self._velocity, self._songs, self._walk, self._free = velocity, songs, walk, free
        self.rows = list(range(len(songs)))
        self._chances = [torch.Generator().manual_seed(song.seed) for song in songs]
        self._channels = velocity.latent_channels
        self._noise = self._draw()
        self.latents = torch.stack([self._start(row) for row in self.rows])
        self._moments: list[Moment] = velocity.moments(walk.levels)
        self._projected = Projected()
        self._led: tuple[object, torch.Tensor, Words] | None = None

    @property
    def steps(self) -> int:
        """How many steps the walk has."""
        return len(self._walk.levels)

    def result(self) -> dict[int, torch.Tensor]:
        """Give the latents `[frames, channels]` of every song that stayed, by its number in the batch."""
        return {
            row: _faded(self._songs[row], self.latents[place, : self._songs[row].frames])
            for place, row in enumerate(self.rows)
        }

    def keep(self, rows: list[int]) -> None:
        """Let the songs go that are not in `rows` (their numbers in the batch, rising)."""
        if rows == self.rows:
            return
        places = torch.tensor([self.rows.index(row) for row in rows], dtype=torch.long, device=self._velocity.device)
        longest = max((self._songs[row].frames for row in rows), default=0)
        self.rows = rows
        self.latents, self._noise = self.latents[places, :longest], self._noise[places, :longest]
        self._projected.keep(places, longest)

    def step(self, step: int) -> None:
        """Take one step with everybody who is still here."""
        walk, level = self._walk, self._walk.levels[step]
        last = step + 1 == len(walk.levels)
        following = 0.0 if last else walk.levels[step + 1]
        velocity = self._guided(step) if self._is_guided(step) else self._plain(step)
        if walk.stochastic and not last:
            clean = self.latents - velocity * level
            self.latents = following * self._draw() + (1.0 - following) * clean
        else:
            self.latents = self.latents + (following - level) * velocity
        if not last:
            self._hold_sources(step, following)

    def _is_guided(self, step: int) -> bool:
        return self._walk.scale > 1.0 and is_guided(self._walk.levels[step], *self._walk.interval)

    def _plain(self, step: int) -> torch.Tensor:
        context, words = self._leads(step, guided=False)
        frames = [self._songs[row].frames for row in self.rows]
        return self._velocity(self.latents, context, frames, self._moments[step], words)

    def _guided(self, step: int) -> torch.Tensor:
        """Both predictions in one pass, with words and without, and what guidance makes of them."""
        context, words = self._leads(step, guided=True)
        frames = [self._songs[row].frames for row in self.rows] * 2
        both = self._velocity(self.latents.repeat(2, 1, 1), context, frames, self._moments[step], words)
        prompted, free = both.chunk(2)
        if self._walk.by_angle:
            return by_angle(self.latents, prompted, free, self._walk.levels[step], self._walk.scale)
        return self._projected(prompted, free, self._walk.scale)

    def _leads(self, step: int, *, guided: bool) -> tuple[torch.Tensor, Words]:
        """Context and words of the batch at this step; worked out again only when they change."""
        leads = [self._lead(row, step) for row in self.rows]
        key = (tuple(map(id, leads)), guided)
        if self._led is None or self._led[0] != key:
            self._led = None  # the words' keys are large: never those of before and of now at once
            context = torch.nn.utils.rnn.pad_sequence([lead.context for lead in leads], batch_first=True)
            states = [lead.states for lead in leads] + ([self._free] * len(leads) if guided else [])
            self._led = (key, context.repeat(2, 1, 1) if guided else context, self._velocity.hear(states))
        return self._led[1], self._led[2]

    def _lead(self, row: int, step: int) -> Condition:
        song = self._songs[row]
        follows = step < int(len(self._walk.levels) * song.cover_strength)
        return song.led if follows or song.plain is None else song.plain

    def _draw(self) -> torch.Tensor:
        """Fresh noise for everybody who is here, each song's from its own generator. A GPU does not wait for it."""
        drawn = [
            torch.randn(1, self._songs[row].frames, self._channels, generator=self._chances[row])[0]
            for row in self.rows
        ]
        return torch.nn.utils.rnn.pad_sequence(drawn, batch_first=True).to(self._velocity.device, non_blocking=True)

    def _start(self, row: int) -> torch.Tensor:
        """Noise, or for a song that starts near its source a mixture of both."""
        song, noise = self._songs[row], self._noise[row]
        if song.noise_strength <= 0.0 or song.source is None:
            return noise
        level, mixed = self._walk.levels[0], torch.zeros_like(noise)
        mixed[: song.frames] = level * noise[: song.frames] + (1.0 - level) * song.source.to(noise)
        return mixed

    def _hold_sources(self, step: int, level: float) -> None:
        """Put the source, as noisy as the song is by now, back outside the spans that are made new."""
        for place, row in enumerate(self.rows):
            song = self._songs[row]
            held = 0.0 if song.repainting is None else song.repainting.held
            if song.span is None or song.source is None or step >= round(held * len(self._walk.levels)):
                continue
            for part in (slice(0, song.span[0]), slice(song.span[1], song.frames)):
                source = song.source[part].to(self.latents)
                self.latents[place, part] = level * self._noise[place, part] + (1.0 - level) * source


def _faded(song: Prepared, latents: torch.Tensor) -> torch.Tensor:
    """Fade a repainted span into its source; latents as they are when there is nothing to fade."""
    frames = 0 if song.repainting is None else song.repainting.crossfade_frames
    if song.span is None or song.source is None or frames == 0:
        return latents
    share = span_share(song.frames, song.span, frames).to(latents)[:, None]
    return share * latents + (1.0 - share) * song.source.to(latents)


def span_share(total: int, span: tuple[int, int], fade: int) -> torch.Tensor:
    """Give the new sound's share at each of `total` places: 1 within `span`, then a straight ramp of `fade` places."""
    place = torch.arange(total, dtype=torch.float32)
    outside = torch.maximum(span[0] - place, place - (span[1] - 1)).clamp(min=0)
    return (1.0 - outside / (fade + 1)).clamp(min=0.0)
