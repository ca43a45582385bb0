"""How does a frozen record become JSON, and come back the same? By its dataclass's own fields and their types."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


def plain(value: object) -> Plain:
    """Return dataclasses as objects, tuples as lists, enums as their values. Raises TypeError for anything else."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no plain form")


def rebuilt(kind: Any, data: object) -> Any:
    """Return what `plain` made of a value of this type. Fields that are absent take their default.

    Raises ValueError for what is none: a wrong type, an unknown or missing field.
    """
    if is_dataclass(kind):
        return _record(kind, data)
    if get_origin(kind) in (Union, UnionType):
        return _either(get_args(kind), data)
    if get_origin(kind) is tuple:
        return tuple(rebuilt(get_args(kind)[0], entry) for entry in _as(list, data))
    if issubclass(kind, Enum):
        return kind(data)
    if kind is float and type(data) is int:
        return float(data)
    return _as(kind, data)


def _either(kinds: tuple[Any, ...], data: object) -> Any:
    """Read `X | None`, the only kind of union in these records."""
    if data is None and NoneType in kinds:
        return None
    return rebuilt(next(kind for kind in kinds if kind is not NoneType), data)


def _record(kind: Any, data: object) -> Any:
    members: Mapping[str, object] = _as(dict, data)
    known = {field.name: field for field in fields(kind)}
    if unknown := members.keys() - known:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    for name, field in known.items():
        if name not in members and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{kind.__name__} lacks {name}")
    types = _types(kind)
    return kind(**{name: rebuilt(types[name], value) for name, value in members.items()})


@lru_cache
def _types(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _as(kind: type[Any], data: object) -> Any:
    if type(data) is not kind:
        raise ValueError(f"{kind.__name__} expected, got {type(data).__name__}")
    return data
