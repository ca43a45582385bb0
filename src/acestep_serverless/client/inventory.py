"""Which models and adapters does an ACE-Step server have? Its answers in whatever shape become plain values; no I/O.

Models are listed in three shapes: `/v1/model_inventory` of newer servers, the same list under `/v1/models` of the
server inside Gradio, and OpenRouter's list, which all others answer there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "acestep/"
"""What OpenRouter's list writes before a model's name."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that tasks may name. `task_types` is empty where the server does not say what it can do."""

    name: str
    default: bool = False
    loaded: bool = True
    task_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Adapters:
    """The adapters (LoRA) of a server that wears them for all its tasks: whether they take part, how strongly each
    does, and which one is chosen (None: the server does not say)."""

    active: bool
    scales: Mapping[str, float]
    chosen: str | None


def read_models(answer: Mapping[str, Any]) -> tuple[Model, ...]:
    """Read a list of models, the default one first. Raises ValueError for an answer of no known shape."""
    data = answer.get("data", answer)
    if isinstance(data, list):
        names = [_text(entry.get("id") or entry.get("name")) for entry in data if isinstance(entry, dict)]
        return tuple(Model(name.removeprefix(PREFIX), index == 0) for index, name in enumerate(filter(None, names)))
    listed = data.get("models") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it lists no models")
    default = data.get("default_model")
    models = [_model(entry, default) for entry in listed if isinstance(entry, dict) and _text(entry.get("name"))]
    return tuple(sorted(models, key=lambda model: not model.default))


def read_adapters(answer: Mapping[str, Any]) -> Adapters:
    """Read the answer to `/v1/lora/status`. Raises ValueError for an answer of no known shape."""
    data = answer.get("data", answer)
    if not isinstance(data, dict) or not isinstance(data.get("lora_loaded"), bool):
        raise ValueError("it does not say which adapters are loaded")
    whole = _number(data.get("lora_scale"))
    scales, named = data.get("scales"), data.get("adapters")
    each: dict[str, Any] = scales if isinstance(scales, dict) else {}
    listed: list[Any] = named if isinstance(named, list) else []
    names = [*each, *(_text(entry.get("name") if isinstance(entry, dict) else entry) for entry in listed)]
    return Adapters(
        active=data["lora_loaded"] and data.get("use_lora") is not False,
        scales={name: _number(each.get(name, whole)) for name in dict.fromkeys(filter(None, names))},
        chosen=_text(data.get("active_adapter")) or None,
    )


def _model(entry: Mapping[str, Any], default: object) -> Model:
    tasks = entry.get("supported_task_types")
    return Model(
        name=_text(entry["name"]),
        default=entry.get("is_default") is True or entry["name"] == default,
        loaded=entry.get("is_loaded") is not False,
        task_types=frozenset(_text(task) for task in tasks) if isinstance(tasks, list) else frozenset(),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and value == value else 1.0
