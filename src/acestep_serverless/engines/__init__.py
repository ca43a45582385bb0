"""Which engine makes the songs? Loads one by name, and only that one: importing this package imports no engine."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import EngineUnavailable


def _sketch() -> Engine:
    from acestep_serverless.engines.sketch.engine import SketchEngine

    return SketchEngine()


def _acestep() -> Engine:
    raise EngineUnavailable(
        "the acestep engine is not part of this version; start with --engine sketch, which needs no weights"
    )


_ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType(
    {"auto": _sketch, "sketch": _sketch, "acestep": _acestep}
)

ENGINE_NAMES: tuple[str, ...] = tuple(_ENGINES)
"""What `load_engine` understands; "auto" is the best engine that works here."""


def load_engine(name: str) -> Engine:
    """Return the engine of `name`, not yet loaded (call its `load`). Raises EngineUnavailable."""
    if name not in _ENGINES:
        raise EngineUnavailable(f"engine: one of {', '.join(ENGINE_NAMES)}, got {name!r}")
    return _ENGINES[name]()
