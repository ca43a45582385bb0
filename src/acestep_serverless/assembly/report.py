"""What is here, and what is missing? Findings of plain data for `doctor`; it imports nothing heavy but the engine it
tries."""

import importlib.metadata
import platform
import shutil
from dataclasses import dataclass

from acestep_serverless import __version__
from acestep_serverless.engines import load_engine
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
    chosen, why = _choice(settings.engine)
    return [
        Finding("program", True, f"acestep-serverless {__version__}, Python {platform.python_version()}"),
        _package("runpod", "the worker loop", "pip install 'runpod>=1.12'"),
        _engine("sketch", needed=chosen == "sketch"),
        _engine("acestep", needed=chosen == "acestep"),
        Finding("engine in use", True, f"{chosen}: {why}"),
        _disk(settings),
    ]


def _choice(name: str) -> tuple[str, str]:
    if name != "auto":
        return name, "it is configured"
    try:
        return load_engine("auto").name, "auto takes it: the acestep engine is not available here"
    except EngineError as error:
        return "none", str(error)


def _package(name: str, purpose: str, mend: str) -> Finding:
    try:
        return Finding(name, True, f"{importlib.metadata.version(name)} ({purpose})")
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, f"not installed ({purpose})", mend)


def _engine(name: str, *, needed: bool) -> Finding:
    try:
        engine = load_engine(name)
        engine.load(lambda fraction, stage: None)
    except EngineError as error:
        return Finding(f"engine {name}", False, str(error), needed=needed)
    return Finding(f"engine {name}", True, f"ready, up to {engine.limits.longest:g} s a song")


def _disk(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    well = free > LEAST_FREE_GB
    mend = "" if well else "free some space, or name another --data-dir"
    return Finding("data folder", well, f"{folder}, {free:.0f} GB free", mend)
