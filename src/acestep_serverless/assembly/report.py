"""What is here, and what is missing? Findings of plain data for `doctor`; it imports nothing heavy but the sketch
engine, and torch where the extra [acestep] and weights are here. No weight is read."""

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from acestep_serverless import __version__
from acestep_serverless.assembly.engine import engine_options
from acestep_serverless.engines import choose_engine, find_acestep, load_engine
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineError
from acestep_serverless.settings import Settings

LEAST_FREE_GB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, what was seen, and the command that mends it ("" when nothing is to
    mend).

    `needed` is False for what only widens the reach (the model on a machine that can do without).
    """

    name: str
    well: bool
    text: str
    mend: str = ""
    needed: bool = True


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a song needs."""
    options = engine_options(settings)
    acestep = list(_acestep(options, needed=settings.engine == "acestep"))
    chosen, why = _choice(settings.engine, options)
    if not acestep[0].well:
        why = why.replace(acestep[0].text, "see above")  # A long sentence with commands is said once.
    return [
        Finding("program", True, f"acestep-serverless {__version__}, Python {platform.python_version()}"),
        _package("runpod", "the worker loop", "pip install 'runpod>=1.12'"),
        _sketch(needed=chosen == "sketch"),
        *acestep,
        Finding("engine in use", True, f"{chosen}: {why}"),
        _disk(settings),
    ]


def _choice(name: str, options: EngineOptions) -> tuple[str, str]:
    try:
        choice = choose_engine(name, options)
    except EngineError as error:
        return "none", str(error)
    return choice.name, choice.why


def _package(name: str, purpose: str, mend: str) -> Finding:
    try:
        return Finding(name, True, f"{importlib.metadata.version(name)} ({purpose})")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, f"not installed ({purpose})", mend)


def _sketch(*, needed: bool) -> Finding:
    try:
        engine = load_engine("sketch")
        engine.load(lambda fraction, stage: None)
    except EngineError as error:
        return Finding("engine sketch", False, str(error), needed=needed)
    return Finding("engine sketch", True, f"ready, up to {engine.limits.longest:g} s a song")


def _acestep(options: EngineOptions, *, needed: bool) -> Iterator[Finding]:
    """Say whether the real model can be loaded, which weights are here, and where they would go."""
    try:
        found = find_acestep(options)
    except EngineError as error:
        yield Finding("engine acestep", False, str(error), needed=needed)
        return
    yield Finding("engine acestep", True, found)
    yield _weights(options)
    yield _placement(options, needed=needed)


def _weights(options: EngineOptions) -> Finding:
    from acestep_serverless.engines.acestep.search import find

    found = find(options)
    models = ", ".join(f"{model.name} ({model.place}, layout {model.layout})" for model in found.models)
    planners = ", ".join(f"{planner.name} ({planner.place})" for planner in found.planners) or "none"
    flaws = "".join(f"; {flaw}" for flaw in found.flawed)
    return Finding("weights", not found.flawed, f"models: {models}; planners: {planners}{flaws}", needed=False)


def _placement(options: EngineOptions, *, needed: bool) -> Finding:
    from acestep_serverless.engines.acestep.choosing import choose_here

    try:
        chosen = choose_here(options)
    except EngineError as error:
        return Finding("placement", False, str(error), needed=needed)
    placed = chosen.placement
    offload = "parts in turn" if placed.offload == "parts" else "whole"
    compiled = "compiled" if placed.compile else "not compiled"
    songs = f"{placed.songs_together} song{'s' if placed.songs_together > 1 else ''} of 240 s together"
    text = f"{chosen.model.name} on {placed.device}, {placed.dtype}, {offload}, {compiled}, {songs}"
    return Finding("placement", True, f"{text} ({'; '.join(placed.reasons)})")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    well = free > LEAST_FREE_GB
    mend = "" if well else "free some space, or name another --data-dir"
    return Finding("data folder", well, f"{folder}, {free:.0f} GB free", mend)
