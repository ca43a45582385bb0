"""How are the routes described? What `/openapi.json` says about bodies that are read by hand, and about refusals."""

from collections.abc import Mapping
from typing import Any

from acestep_serverless.acestep_api.sounds import FILE_FIELDS
from acestep_serverless.contract.acestep_parameters import NESTED_METADATA, PARAMETERS
from acestep_serverless.contract.openapi import Document, Refusal, Refusals, with_errors

_KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")

ERRORS: Mapping[int, Refusal] = {
    400: Refusal("The body is malformed, or a field is not allowed: the sentence names it."),
    401: Refusal("A key is set, and the request has none or a wrong one."),
    403: Refusal("No key is set and the request is not of this machine, or the file is none of a song.", "Guarded"),
    404: Refusal("There is no such song, or not any more."),
    408: Refusal("The body took too long to arrive."),
    413: Refusal("The body or a file is over its limit."),
    415: Refusal("The body is neither JSON nor a form."),
    416: Refusal("`Range` names no byte of the file.", headers={"Content-Range": "bytes */ and the length"}),
    422: Refusal("No song is named."),
    429: Refusal("Too much is waiting already: ask again later."),
    500: Refusal("The server failed; its log says why."),
    503: Refusal("The disk takes nothing now, or the engine has no language model."),
    504: Refusal("The song was not finished in time, and was given up."),
}
"""What each status means, wherever it comes from."""

EVERYWHERE = (403, 500)
READS = (400, 408, 413, 415)
WAITS = (*READS, 429)
OWN: Mapping[str, tuple[int, ...]] = {
    "post /release_task": (*WAITS, 503),
    "post /query_result": READS,
    "post /cancel_task": READS,
    "get /v1/audio": (400, 404, 416, 422),
    "post /v1/init": READS,
    "post /create_random_sample": WAITS,
    "post /format_input": (*WAITS, 503),
    "post /v1/create_sample": (*WAITS, 503),
    "post /v1/lora/load": WAITS,
    "post /v1/lora/unload": WAITS,
    "post /v1/lora/toggle": WAITS,
    "post /v1/lora/scale": WAITS,
    "post /v1/chat/completions": (*WAITS, 503, 504),
}
"""What a route adds to that which all have: one that reads a body, and one whose work stands in a queue."""
KEYLESS = "get /health"

_TEXT = {"type": "string"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "Error": {
        "type": "object",
        "required": ["detail", "error"],
        "properties": {"detail": _TEXT, "error": _TEXT},
        "additionalProperties": False,
    },
    "Guarded": {"type": "object", "required": ["error"], "properties": {"detail": _TEXT, "error": _TEXT}},
}
"""The bodies of errors; the guard before all routes knows nothing of upstream's `detail`."""

SENDS_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion; events when the body has `stream`.",
        "content": {"application/json": {}, "text/event-stream": {"schema": _TEXT}},
    }
}
"""The framework's `responses` for the chat."""


def refused(method: str, path: str) -> Refusals:
    """Give the errors of a route by status; `method` in small letters."""
    name = f"{method} {path}"
    codes = {*EVERYWHERE, *OWN.get(name, ()), *(() if name == KEYLESS else (401,))}
    return {str(code): ERRORS[code] for code in codes}


def described(document: Document) -> Document:
    """Give the server's description with what its routes answer when they refuse."""
    return with_errors(document, BODIES, refused)


def body(properties: Mapping[str, str], *required: str, optional: bool = False) -> dict[str, Any]:
    """Describe a body of any kind by its fields: name and meaning. An `optional` one may be left out."""
    fields = {name: {"description": meaning} for name, meaning in properties.items()}
    token = {"ai_token": {"type": "string", "description": "the key, when it is not in the header"}}
    schema = {"type": "object", "properties": {**fields, **token}, "required": list(required)}
    content = {kind: {"schema": schema} for kind in _KINDS}
    return {"requestBody": {"required": not optional, "content": content}}


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
