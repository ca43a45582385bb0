"""What does `bench` show? How fast the real model is on this machine, stage by stage; one line of JSON comes last."""

import time
from importlib.util import find_spec
from typing import Annotated

import typer

from acestep_serverless.cli.words import say, say_json, say_table
from acestep_serverless.errors import SettingsError

BENCH = typer.Typer(help="Measure this machine.", no_args_is_help=True)

LONGEST_SECONDS, LARGEST_BATCH = 600.0, 64
PRECISIONS = ("auto", "bfloat16", "float16", "float32", "int8")


@BENCH.callback()
def bench() -> None:
    """Measure this machine."""


@BENCH.command("engine")
def bench_engine(
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="needed: speed does not depend on the weights")
    ] = False,
    shape: Annotated[str, typer.Option(help="turbo, sft, base, xl-turbo, xl-sft or xl-base")] = "turbo",
    duration: Annotated[str, typer.Option(help="seconds of a song, several with commas")] = "30",
    batch: Annotated[str, typer.Option(help="songs made together, several with commas")] = "1",
    plain: Annotated[bool, typer.Option(help="run diffusers' own pipeline on the same work as well")] = True,
    planner: Annotated[str, typer.Option(help="the language model: 0.6B, 1.7B, 4B, or none")] = "0.6B",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:0")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bfloat16, float16, float32, or int8 (CPU)")] = "auto",
) -> None:
    """Time planner, text, transformer, codec and encoding of the real shape, built with random weights."""
    durations = _numbers("duration", duration, LONGEST_SECONDS)
    batches = [int(number) for number in _numbers("batch", batch, LARGEST_BATCH)]
    if not random_weights:
        raise SettingsError("bench engine measures with random weights only: add --random-weights")
    from acestep_serverless.engines import EXTRA, INSTALL

    absent = [package for package in EXTRA if find_spec(package) is None]
    if absent:
        raise SettingsError(f"bench engine needs {', '.join(absent)}; run: {INSTALL}")
    from acestep_serverless.engines.acestep import speed

    if precision not in PRECISIONS:
        raise SettingsError(f"precision: must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    placement, parts = speed.placed(shape, device, precision)
    say(f"{shape}: {'; '.join(placement.reasons)}", aside=True)
    clock = speed.clockwork(time.perf_counter, placement.device)
    rehearsal = speed.rehearsed(planner, placement)
    rate, runs = speed.measure(parts, durations, batches, clock, plain=plain, rehearsal=rehearsal)
    heads = (
        "seconds",
        "songs",
        "planner",
        "of the rate",
        "text",
        "transformer",
        "of the rate",
        "codec",
        "of the rate",
        "encode",
        "plain / ours",
    )
    say_table(heads, [speed.row(run) for run in runs])
    for run in runs:
        if run.error is not None:
            say(f"{run.duration:g} s x {run.batch}: int8 leads the latents {run.error:.1%} away", aside=True)
    say_json(speed.as_json(runs, placement, rate, rehearsal))


def _numbers(name: str, given: str, most: float) -> list[float]:
    """Read numbers with commas. Raises SettingsError naming the flag."""
    try:
        numbers = [float(number) for number in given.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(1 <= number <= most for number in numbers):
        raise SettingsError(f"{name}: must be numbers from 1 to {most:g} with commas between them, got {given!r}")
    return numbers
