"""How fast is the engine here? The real shapes with random weights, stage by stage, beside diffusers' own pipeline.

Speed does not depend on what the weights are, so none are needed. Work is counted in floating-point operations (a
product and its sum are two) and held against the rate that this machine reaches for a plain matrix product in the same
numbers, measured in the same run: the fraction says how much of the machine a stage uses, wherever it runs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AceStepPipeline, FlowMatchEulerDiscreteScheduler

from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.codec import encode
from acestep_serverless.engines.acestep.adapters import Shelf
from acestep_serverless.engines.acestep.batching import Desk
from acestep_serverless.engines.acestep.choosing import published_burden
from acestep_serverless.engines.acestep.denoising import Denoising, plan_walk
from acestep_serverless.engines.acestep.eight_bits import round_layers
from acestep_serverless.engines.acestep.finishing import finish
from acestep_serverless.engines.acestep.loading import Components
from acestep_serverless.engines.acestep.machine import this_machine
from acestep_serverless.engines.acestep.making import Studio
from acestep_serverless.engines.acestep.placement import Placement, place
from acestep_serverless.engines.acestep.published import PLANNERS
from acestep_serverless.engines.acestep.randomness import (
    CAPTION,
    LYRICS,
    Rehearsal,
    random_components,
    random_planner,
)
from acestep_serverless.engines.acestep.tasks import Brief, brief
from acestep_serverless.engines.acestep.work import decoder_work, step_work
from acestep_serverless.engines.base import GenerationRequest, Piece
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import SettingsError

SHAPES = {shape: f"acestep-v15-{shape}" for shape in ("turbo", "sft", "base", "xl-turbo", "xl-sft", "xl-base")}
"""What a measurement can be asked for, and the published model of that shape."""

PLANNER_SIZES = {name.rpartition("-")[2]: name for name in PLANNERS}
"""The language models by their sizes, such as "0.6B"."""

_SIDES, _TRIES = {"cpu": 2048, "cuda": 8192}, 5
"""Rows of the matrices whose product tells the rate: on a GPU so many that starting it takes no time beside it."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds of each stage of a batch; the planner's are those of all codes, None where it was not measured."""

    text: float
    dit: float
    codec: float
    encode: float
    planner: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. Fractions are of the measured matrix rate; `plain` is diffusers' pipeline on the same work
    (text, transformer and codec), in seconds, and `ratio` how many times as long it takes. `error` is how far int8
    leads the songs' latents away, relative, root mean square; None in other precisions."""

    shape: str
    duration: float
    batch: int
    seconds: Stages
    dit_fraction: float
    codec_fraction: float
    plain: float | None
    ratio: float | None
    planner_fraction: float | None = None
    error: float | None = None

    @property
    def total(self) -> float:
        """Seconds of the whole batch without planning and encoding, which diffusers' pipeline does not have."""
        return self.seconds.text + self.seconds.dit + self.seconds.codec


@dataclass(frozen=True, slots=True)
class Clockwork:
    """How time is read: a clock in seconds, and what waits for the device to end its work. A `warm` one does all work
    once before it is timed: a GPU loads its kernels then, and layers are compiled."""

    now: Callable[[], float]
    settle: Callable[[], None]
    warm: bool = False

    def timed(self, work: Callable[[], Any]) -> tuple[float, Any]:
        """Give the seconds that `work` takes, and what it gives."""
        if self.warm:
            work()
        self.settle()
        start = self.now()
        found = work()
        self.settle()
        return self.now() - start, found


def clockwork(now: Callable[[], float], device: str) -> Clockwork:
    """Make the clockwork of a device."""
    if device == "cpu":
        return Clockwork(now, lambda: None)
    return Clockwork(now, partial(torch.cuda.synchronize, device), warm=True)


def matrix_rate(clock: Clockwork, device: str, dtype: str) -> float:
    """Measure the floating-point operations a second of a product of square matrices, the best of five."""
    rows = _SIDES[torch.device(device).type]
    side = torch.randn(rows, rows, device=device).to(getattr(torch, dtype))
    seconds = [clock.timed(lambda: side @ side)[0] for _ in range(_TRIES + 1)]
    return 2.0 * rows**3 / min(seconds[1:])


def placed(shape: str, device: str, precision: str = "auto") -> tuple[Placement, Components]:
    """Decide where a shape computes on this machine and build it there, its linear layers not yet rounded. Raises
    SettingsError, EngineUnavailable."""
    if shape not in SHAPES:
        raise SettingsError(f"shape: must be one of {', '.join(SHAPES)}, got {shape!r}")
    burden = replace(published_burden(SHAPES[shape]), planners={})
    placement = place(this_machine(), burden, EngineOptions(planner="none", device=device, precision=precision))
    return whole(shape, placement), random_components(SHAPES[shape], placement)


def whole(shape: str, placement: Placement) -> Placement:
    """Give the placement of a model that stays where it computes. Raises SettingsError for one in parts: the way of the
    parts to the GPU would be measured instead."""
    if placement.offload == "none":
        return placement
    raise SettingsError(f"shape: {shape} does not fit whole on {placement.device}; choose a smaller one, or device cpu")


def rehearsed(size: str, placement: Placement) -> Rehearsal | None:
    """Build the planner of a size beside a model; None for "none". Raises SettingsError."""
    if size not in (*PLANNER_SIZES, "none"):
        raise SettingsError(f"planner: must be one of {', '.join(PLANNER_SIZES)} or none, got {size!r}")
    return None if size == "none" else random_planner(PLANNER_SIZES[size], placement)


def measure(
    parts: Components,
    durations: Sequence[float],
    batches: Sequence[int],
    clock: Clockwork,
    *,
    plain: bool,
    rehearsal: Rehearsal | None = None,
) -> tuple[float, list[Run]]:
    """Give the matrix rate and a run for each duration with each batch.

    `plain` runs diffusers' pipeline first, while all weights are as they were stored; `rehearsal` is the planner to
    measure. Where the placement rounds to eight bits the songs are walked once before that, for their error.
    """
    requests = [_request(duration, batch) for duration in durations for batch in batches]
    peers = [_plain(parts, request, clock) if plain else None for request in requests]
    studio, rate = Studio.of(parts, Shelf()), matrix_rate(clock, parts.placement.device, parts.placement.dtype)
    exact = [_walked(studio, request) for request in requests] if parts.placement.eight_bits else []
    if exact:
        round_layers(parts.transformer.layers)
    runs = [_measured(studio, request, clock, rate, peer) for request, peer in zip(requests, peers, strict=True)]
    if exact:
        far = [_distance(_walked(studio, request), latents) for request, latents in zip(requests, exact, strict=True)]
        runs = [replace(run, error=error) for run, error in zip(runs, far, strict=True)]
    return rate, [_planned(run, rehearsal, clock, rate) if rehearsal is not None else run for run in runs]


def row(run: Run) -> tuple[str, ...]:
    """Give a run as the cells of a table."""
    seconds = run.seconds
    return (
        f"{run.duration:g}",
        str(run.batch),
        "-" if seconds.planner is None else f"{seconds.planner:.2f}",
        "-" if run.planner_fraction is None else f"{run.planner_fraction:.2f}",
        f"{seconds.text:.2f}",
        f"{seconds.dit:.2f}",
        f"{run.dit_fraction:.2f}",
        f"{seconds.codec:.2f}",
        f"{run.codec_fraction:.2f}",
        f"{seconds.encode:.2f}",
        "-" if run.plain is None else f"{run.plain:.2f} / {run.total:.2f} = {run.ratio:.2f}",
    )


def as_json(
    runs: Sequence[Run], placement: Placement, rate: float, rehearsal: Rehearsal | None = None
) -> dict[str, Any]:
    """Give a measurement as plain data: seconds, and the rate in TFLOP/s."""
    return {
        "device": placement.device,
        "dtype": placement.dtype,
        "int8": placement.eight_bits,
        "matrix_tflops": rate / 1e12,
        "torch": str(torch.__version__),
        "planner": "" if rehearsal is None else rehearsal.name,
        "threads": torch.get_num_threads(),
        "runs": [{**asdict(run), "total": run.total} for run in runs],
    }


def _planned(run: Run, rehearsal: Rehearsal, clock: Clockwork, rate: float) -> Run:
    """Add what planning the songs of a run takes."""
    party = rehearsal.party(CAPTION, LYRICS, run.duration, run.batch)
    seconds, _ = clock.timed(lambda: rehearsal.planner.plan([party]))
    work = rehearsal.work(run.duration, run.batch)
    return replace(run, seconds=replace(run.seconds, planner=seconds), planner_fraction=work / seconds / rate)


def _walked(studio: Studio, request: GenerationRequest) -> list[torch.Tensor]:
    """The latents of a request's songs."""
    briefs, seeds = _briefs(request)
    with torch.inference_mode():
        prepared = studio.conditioner.prepare(briefs, seeds)
        walk = plan_walk(request.sampling, steps=studio.steps, guided=studio.guided)
        return list(_walk(Denoising(studio.velocity, prepared, walk, studio.conditioner.free)).values())


def _walk(run: Denoising) -> dict[int, torch.Tensor]:
    for step in range(run.steps):
        run.step(step)
    return run.result()


def _distance(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> float:
    difference = sum(float((one - other).square().sum()) for one, other in zip(found, wanted, strict=True))
    return math.sqrt(difference / sum(float(one.square().sum()) for one in wanted))


def _briefs(request: GenerationRequest) -> tuple[list[Brief], list[int]]:
    desk = Desk.of([Piece(request, lambda _done, _stage: None, lambda: False)])
    for song in desk.songs:
        song.brief = brief(request, request.duration + 1.0)
    return [song.asked for song in desk.songs], [song.seed for song in desk.songs]


def _measured(studio: Studio, request: GenerationRequest, clock: Clockwork, rate: float, plain: float | None) -> Run:
    briefs, seeds = _briefs(request)
    with torch.inference_mode():
        text, prepared = clock.timed(lambda: studio.conditioner.prepare(briefs, seeds))
        walk = plan_walk(request.sampling, steps=studio.steps, guided=studio.guided)
        dit, latents = clock.timed(lambda: _walk(Denoising(studio.velocity, prepared, walk, studio.conditioner.free)))
        codec, clips = clock.timed(
            lambda: [finish(studio.codec.decode(latents[row], lambda _: None), briefs[row]) for row in latents]
        )
    encoded = _encoded(clips, clock)
    frames, batch = briefs[0].frames, len(briefs)
    passes = sum(2 if walk.scale > 1.0 else 1 for _ in walk.levels) * batch
    work = step_work(studio.parts.transformer, frames, len(prepared[0].led.states)) * passes
    sound = decoder_work(studio.parts.vae.decoder, frames) * batch
    run = Run(
        shape=studio.parts.name.removeprefix("acestep-v15-"),
        duration=request.duration,
        batch=batch,
        seconds=Stages(text, dit, codec, encoded),
        dit_fraction=work / dit / rate,
        codec_fraction=sound / codec / rate,
        plain=plain,
        ratio=None,
    )
    return run if plain is None else replace(run, ratio=plain / run.total)


def _encoded(clips: Sequence[Clip], clock: Clockwork) -> float:
    """Seconds that it takes to write the songs as mp3."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "song.mp3"

        def write() -> None:
            for clip in clips:
                encode(clip, path, "mp3", {})

        return clock.timed(write)[0]


def _plain(parts: Components, request: GenerationRequest, clock: Clockwork) -> float:
    """Seconds that diffusers' pipeline takes for the same songs."""
    names = ("vae", "text_encoder", "tokenizer", "transformer", "condition_encoder")
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
    pipeline = AceStepPipeline(**{name: getattr(parts, name) for name in names}, scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    songs = len(request.seeds)
    return clock.timed(
        lambda: pipeline(
            prompt=[request.caption] * songs,
            lyrics=[request.lyrics] * songs,
            audio_duration=request.duration,
            num_inference_steps=parts.steps,
            guidance_scale=request.sampling.guidance_scale if parts.guided else 1.0,
            generator=[torch.Generator().manual_seed(seed) for seed in request.seeds],
        )
    )[0]


def _request(duration: float, batch: int) -> GenerationRequest:
    return GenerationRequest(CAPTION, LYRICS, duration, tuple(range(batch)), bpm=96, vocal_language="en")
