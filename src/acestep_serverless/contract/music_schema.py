"""What does the handler's input look like to a machine? The table of fields as JSON Schema (draft 2020-12).

`contract.music_fields` is the judge; this says the same to editors, forms and generators of clients. What JSON Schema
has no words for stands in members of our own: `x-allowed` is the sentence of the errors, `x-used` tells whether the
endpoint's engine makes anything of the field, and `x-refused` which task types it does not do, as far as that is known.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from acestep_serverless.contract import acestep_values
from acestep_serverless.contract.abilities import Abilities, in_order
from acestep_serverless.contract.acestep_values import Choice, Numbers, Wholes
from acestep_serverless.contract.music_fields import FIELDS, NAME, SEED_MAXIMUM, FieldSpec, allowed
from acestep_serverless.contract.music_tasks import TASKS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

ALWAYS_USED = frozenset(
    {
        *("caption", "lyrics", "duration", "batch_size", "seed", "bpm", "key_scale", "time_signature"),
        *("vocal_language", "use_random_seed", "audio_format", "task_type", "model"),
        *("timeout_seconds", "poll_interval", "return_audio_base64", "max_base64_bytes"),
    }
)
"""Fields that every engine's songs follow, or that are the handler's own."""

_WITHOUT_CAPTION: tuple[dict[str, Any], ...] = (
    {"required": ["caption"]},
    *(
        {"required": [name], "properties": {name: {"const": True}}}
        for name in ("sample_mode", "full_analysis_only", "extract_codes_only")
    ),
    {"required": ["sample_query"]},
    *(
        {"required": ["task_type"], "properties": {"task_type": {"const": task.name}}}
        for task in TASKS.values()
        if not task.caption
    ),
)
"""One of these holds for every input: there is a caption, or what makes it needless."""

_TYPES: Mapping[str, tuple[str, ...]] = {
    "array of strings": ("array",),
    "string or integer": ("string", "integer"),
    "string or array": ("string", "array"),
    "integer or array": ("integer", "array"),
}
"""The table's words for types that are more than one word of JSON Schema; the others are one."""


def input_schema(abilities: Abilities | None = None, *, engine: str | None = None) -> dict[str, Any]:
    """Give the schema of a job's `input`. `engine` and its `abilities` are None where they are not known; where they
    are, no more is allowed than it can do."""
    return {
        "$schema": DIALECT,
        "title": "Input of a job",
        "type": "object",
        "additionalProperties": False,
        "anyOf": list(_WITHOUT_CAPTION),
        "properties": {spec.name: _field(spec, abilities) for spec in FIELDS},
        "x-engine": {"name": engine, **_said_of(abilities)},
    }


def _said_of(abilities: Abilities | None) -> dict[str, Any]:
    if abilities is None:
        return {"task_types": None, "task_types_by_model": None, "uses": None}
    return {
        "task_types": in_order(abilities.any_task_type),
        "task_types_by_model": {name: in_order(tasks) for name, tasks in abilities.task_types.items()},
        "uses": sorted(abilities.uses),
    }


def _narrowed(spec: FieldSpec, abilities: Abilities) -> FieldSpec:
    """Give a field as it is with these abilities: what none of them does is not allowed."""
    if spec.name == "task_type":
        return replace(spec, reader=Choice(tuple(in_order(abilities.any_task_type))))
    most = {"duration": int(abilities.longest), "batch_size": abilities.largest_batch}.get(spec.name)
    return spec if most is None else replace(spec, maximum=min(most, spec.maximum))


def _field(spec: FieldSpec, abilities: Abilities | None) -> dict[str, Any]:
    if abilities is not None:
        spec = _narrowed(spec, abilities)
    kinds = list(_TYPES.get(spec.type, (spec.type,)))
    said: dict[str, Any] = {"description": spec.description, "type": [*kinds, "null"]}
    if spec.default is not None:
        said["default"] = spec.default
    said |= _bounds(spec)
    said["x-allowed"] = allowed(spec)
    if abilities is not None:
        said["x-used"] = _is_used(spec.name, abilities)
        said |= _choices(spec.name, abilities)
    return said


def _choices(name: str, abilities: Abilities) -> dict[str, Any]:
    """The models there are, and the task types that none of them does."""
    if name == "task_type":
        return {"x-refused": in_order(frozenset(TASKS) - abilities.any_task_type)}
    return {"examples": list(abilities.models)} if name == "model" else {}


def _is_used(name: str, abilities: Abilities) -> bool:
    is_source = name == "src_audio" and abilities.takes_source
    return name in ALWAYS_USED or _api_name(name) in abilities.uses or is_source


def _api_name(name: str) -> str:
    return {"reference_audio": "reference_audio_path"}.get(name, name)


def _bounds(spec: FieldSpec) -> dict[str, Any]:
    """What JSON Schema can say of a field's range, words or form."""
    reader = spec.reader
    if spec.name == "seed":
        seed = {"type": "integer", "minimum": 0, "maximum": SEED_MAXIMUM}
        return {"minimum": 0, "maximum": SEED_MAXIMUM, "items": seed, "minItems": 1, "maxItems": 8}
    if isinstance(reader, Wholes | Numbers):
        return {"minimum": reader.least, "maximum": reader.most}
    if isinstance(reader, Choice):
        return {"enum": [*reader.allowed, None]}
    if spec.name in ("track_name", "track_classes"):
        words = {"enum": list(acestep_values.TRACKS)}
        return {"items": words} if spec.name == "track_classes" else {"examples": words["enum"]}
    if spec.name in ("model", "lm_model_path", "lora"):
        return {"pattern": rf"^\s*({NAME.pattern})?\s*$"}
    return _EXAMPLES.get(spec.name) or _plain_bounds(spec)


_EXAMPLES: Mapping[str, dict[str, Any]] = {
    "key_scale": {"examples": [f"{note} {mode}" for mode in ("major", "minor") for note in "CDEFGAB"]},
    "time_signature": {"examples": list(acestep_values.TIME_SIGNATURES)},
    "timesteps": {"examples": ["0.97,0.76,0.5"]},
}


def _plain_bounds(spec: FieldSpec) -> dict[str, Any]:
    if spec.type == "integer":
        return {"minimum": spec.minimum, "maximum": spec.maximum}
    if spec.type != "string" or not spec.maximum:
        return {}
    return {"minLength": 1, "maxLength": spec.maximum} if spec.required else {"maxLength": spec.maximum}
