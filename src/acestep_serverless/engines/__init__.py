"""Which engine makes the songs? Chooses by name and by what is here, and loads that one alone: importing this package
imports no engine."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from acestep_serverless.engines.base import Engine
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

EXTRA = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "peft", "llguidance")
"""What the extra [acestep] brings and the engine of that name cannot do without."""
INSTALL = f"{sys.executable} -m pip install 'acestep-serverless[acestep]'"
"""True where the package is installed, and there alone: no public index has it."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that a wish leads to, and why, in words that complete "sketch: ..."."""

    name: str
    why: str


def _sketch(_options: EngineOptions) -> Engine:
    from acestep_serverless.engines.sketch.engine import SketchEngine

    return SketchEngine()


def _acestep(options: EngineOptions) -> Engine:
    from acestep_serverless.engines.acestep.opening import open_engine

    return open_engine(options)


_ENGINES: Mapping[str, Callable[[EngineOptions], Engine]] = MappingProxyType({"sketch": _sketch, "acestep": _acestep})

ENGINE_NAMES: tuple[str, ...] = ("auto", *_ENGINES)
"""What `load_engine` understands; "auto" is the best engine that works here."""


def choose_engine(name: str, options: EngineOptions) -> EngineChoice:
    """Tell which engine `name` leads to here: quick, and without loading it. Raises EngineUnavailable."""
    if name not in ENGINE_NAMES:
        raise EngineUnavailable(f"engine: one of {', '.join(ENGINE_NAMES)}, got {name!r}")
    if name == "sketch":
        return EngineChoice(name, "it is configured")
    try:
        found = find_acestep(options)
    except EngineUnavailable as error:
        if name == "acestep":
            raise
        return EngineChoice("sketch", f"auto takes it: the acestep engine is not available here ({error})")
    return EngineChoice("acestep", "it is configured" if name == "acestep" else f"auto takes it: {found}")


def find_acestep(options: EngineOptions) -> str:
    """Say which weights the acestep engine would load. Raises EngineUnavailable with what mends it."""
    from acestep_serverless.engines.acestep.search import find

    absent = ", ".join(package for package in EXTRA if find_spec(package) is None)
    try:
        model = find(options).model(options.model)
    except EngineUnavailable as error:
        if absent:  # Packages first: nobody should fetch gigabytes to learn that they are of no use yet.
            raise EngineUnavailable(f"{absent} is not installed; run: {INSTALL}; after that: {error}") from None
        raise
    if absent:
        raise EngineUnavailable(f"{model.name} was found, but {absent} is not installed; run: {INSTALL}")
    return f"{model.name} was found ({model.place})"


def load_engine(name: str, options: EngineOptions | None = None) -> Engine:
    """Return the engine that `name` leads to, not yet loaded (call its `load`). Raises EngineUnavailable."""
    options = EngineOptions() if options is None else options
    return _ENGINES[choose_engine(name, options).name](options)
