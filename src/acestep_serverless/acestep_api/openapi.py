"""How are the routes described? What `/openapi.json` says about bodies that are read by hand, and about refusals."""

from collections.abc import Mapping
from typing import Any

from acestep_serverless.acestep_api.sounds import FILE_FIELDS
from acestep_serverless.contract.acestep_parameters import NESTED_METADATA, PARAMETERS

_KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_ERROR = {
    "type": "object",
    "required": ["detail", "error"],
    "properties": {"detail": {"type": "string"}, "error": {"type": "string"}},
}
_REASONS = {
    400: "The body is malformed, or a field is not allowed: the sentence names it.",
    401: "A key is set, and the request has none or a wrong one.",
    413: "The body or a file is over its limit.",
}

REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"description": reason, "content": {"application/json": {"schema": _ERROR}}}
    for code, reason in _REASONS.items()
}
"""The refusals that every route shares, for a router's `responses`."""


def body(properties: Mapping[str, str], *required: str) -> dict[str, Any]:
    """Describe a body of any kind by its fields: name and meaning."""
    fields = {name: {"description": meaning} for name, meaning in properties.items()}
    token = {"ai_token": {"type": "string", "description": "the key, when it is not in the header"}}
    schema = {"type": "object", "properties": {**fields, **token}, "required": list(required)}
    return {"requestBody": {"content": {kind: {"schema": schema} for kind in _KINDS}}}


def task_body() -> dict[str, Any]:
    """Describe the body of `/release_task`: every parameter with its default and its other names."""
    described = {row.name: _meaning(row.default, row.aliases) for row in PARAMETERS}
    described |= dict.fromkeys(NESTED_METADATA, "an object, or the JSON text of one, of the same parameters")
    extra = body({**described, "param_obj": "the same"})
    files = {name: {"type": "string", "format": "binary", "description": "a sound file"} for name in FILE_FIELDS}
    content = extra["requestBody"]["content"]
    schema = content["multipart/form-data"]["schema"]
    content["multipart/form-data"] = {"schema": {**schema, "properties": {**schema["properties"], **files}}}
    return extra


def _meaning(default: object, aliases: tuple[str, ...]) -> str:
    names = f"; also called {', '.join(aliases)}" if aliases else ""
    return f"default {default!r}{names}"
