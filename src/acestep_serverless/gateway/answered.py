"""With which statuses can each route answer? One table for `/openapi.json`; tests bring about every line of it."""

from collections.abc import Mapping
from typing import Any

from acestep_serverless.contract.openapi import Document, Refusal, Refusals, with_errors
from acestep_serverless.gateway.limits import OPERATION_OF, segment

_LATER = {"Retry-After": "seconds until the same request may succeed"}
ERRORS: Mapping[int, Refusal] = {
    400: Refusal("The body cannot be read, or a field of it, of the URL or a header is wrong: the sentence names it."),
    401: Refusal("The key is missing or wrong, or does not open this endpoint."),
    403: Refusal("Without any key the server answers to programs of its own machine only."),
    404: Refusal("There is no such endpoint, job, batch, request or file, or not any more."),
    409: Refusal("Things have moved on: look at the state first."),
    413: Refusal("The body is larger than the limit, which the sentence names."),
    416: Refusal("`Range` names no byte of the file.", headers={"Content-Range": "bytes */ and the length"}),
    429: Refusal("This key asks too often.", headers=_LATER),
    500: Refusal("The gateway failed; its log has the reason."),
    503: Refusal("Not now: the database does not answer, or the gateway is ending.", headers=_LATER),
}
"""What each status means, wherever it comes from."""

EVERYWHERE = (401, 403, 500, 503)
READS, ASKS, MOVES = (400, 413), (400,), (409,)
"""What a route adds that reads a body, that judges a query, and that a state can stand in the way of."""

OPENAI = "/openai/v1/{path}"
OWN: Mapping[str, tuple[int, ...]] = {
    "post /run": READS,
    "post /runsync": READS,
    "get /status/{job_id}": ASKS,
    "get /status-sync/{job_id}": ASKS,
    "get /requests": ASKS,
    "post /retry/{job_id}": MOVES,
    "get /batch": ASKS,
    "post /batch": (*READS, *MOVES),
    "put /batch/{batch_id}": READS,
    "get /batch/{batch_id}/requests": ASKS,
    "post /batch/{batch_id}/requests": (*READS, *MOVES),
    "delete /batch/{batch_id}/requests/{request_id}": MOVES,
    "post /batch/{batch_id}/finalize": MOVES,
    f"post {OPENAI}": READS,
    "get /v1/audio": (400, 404, 416),
}
"""What a route adds to that which all have, and to 404 and 429 of those of an endpoint."""

_SENTENCE = {"error": {"type": "string", "description": "one sentence: what is wrong, and what to do"}}
_OPENAI_ERROR = {
    "type": "object",
    "required": ["message", "type", "code"],
    "properties": {"message": {"type": "string"}},
}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "Error": {"type": "object", "required": ["error"], "properties": _SENTENCE, "additionalProperties": False},
    "OpenAIError": {"type": "object", "required": ["error"], "properties": {"error": _OPENAI_ERROR}},
    "AnyError": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Error", "OpenAIError")]},
}
_HANDLERS: Refusals = {
    "4XX": Refusal("What the handler refused; 410 when the job was cancelled.", "OpenAIError"),
    "5XX": Refusal("What failed in the handler; 504 when the job timed out.", "OpenAIError"),
}

SENDS_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the handler answers; events when the body has `stream`.",
        "content": {"application/json": {}, "text/event-stream": {"schema": {"type": "string"}}},
    }
}
"""The `responses` of the route for OpenAI's clients."""


def refused(method: str, path: str) -> Refusals:
    """Give the errors of a route by status; `method` in small letters, `path` as it is routed."""
    short = path.removeprefix("/v2/{endpoint_id}")
    codes = {*EVERYWHERE, *OWN.get(f"{method} {short}", ())}
    if short != path:
        codes.add(404)
    if segment(path) in OPERATION_OF:
        codes.add(429)
    if short != OPENAI:
        return {str(code): ERRORS[code] for code in codes}
    ours = {str(code): Refusal(ERRORS[code].reason, _openai_body(code), ERRORS[code].headers) for code in codes}
    return {**ours, **_HANDLERS}


def _openai_body(code: int) -> str:
    """The guard before all routes, a path that none fits (an empty name in it), and what nobody foresaw know nothing
    of OpenAI's shape."""
    return {403: "Error", 404: "AnyError", 500: "AnyError"}.get(code, "OpenAIError")


def described(document: Document) -> Document:
    """Give the gateway's description with what its routes answer when they refuse."""
    return with_errors(document, BODIES, refused)
