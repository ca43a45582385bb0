"""How does an OpenAI request become a job, and a job an OpenAI answer? Shapes only, of the platform's passthrough.

A worker gets `{"openai_route": "/v1/...", "openai_input": body or null}`. The official vLLM worker (a generator with
its chunks gathered as output) yields one JSON object, or with `"stream": true` raw pieces of server-sent events; its
errors are `{"error": {"message", "type", "code"}}`, of which the SDK keeps `str()` of the inner object.
"""

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_serverless.contract.job import RUN_BODY_LIMIT, JobRequest, JobState, JobView, load_client_json
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.errors import FieldProblem, InputError

BODY_LIMIT = RUN_BODY_LIMIT
"""Bytes of one request's body, as for `/run`."""
SPELLED_LIMIT = 20_000
"""Characters of a job's error that are read as an object; a longer one is a message as it stands."""
ERROR_MEMBERS = ("message", "type", "param", "code")
"""What OpenAI's error object has; nothing else of a worker's is passed on."""


@dataclass(frozen=True, slots=True)
class OpenAIFailure:
    """An HTTP status code from 400 to 599 and OpenAI's error object, which always has `message`, `type` and `code`."""

    status: int
    error: Mapping[str, Any]

    def as_json(self) -> str:
        """Encode the body of an answer, or the data of an event."""
        return dump({"error": dict(self.error)})


def failure(status: int, message: str) -> OpenAIFailure:
    """Make an error of ours."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return OpenAIFailure(status, {"message": message, "type": kind, "code": status})


def read_request(path: str, raw: bytes) -> tuple[JobRequest, bool]:
    """Give the job of a request and whether its answer is to be streamed. `path` is what follows `/openai/v1/`; an
    empty body becomes null. Raises InputError."""
    body = load_client_json(raw) if raw else None
    if raw and not isinstance(body, dict):
        raise InputError([FieldProblem("body", type(body).__name__, 'must be a JSON object such as {"model": "..."}')])
    streams = isinstance(body, dict) and body.get("stream") is True
    return JobRequest({"openai_route": f"/v1/{path}", "openai_input": body}), streams


def answer_text(output: str | None) -> str:
    """Give a finished job's output as the answer's JSON text: a list with a single element is that element."""
    text = (output or "null").strip()
    if not text.startswith("[") or text == "[]":
        return text
    _, end = json.JSONDecoder().raw_decode(text, 1)
    return text[1:end] if text[end:] == "]" else text


def output_chunks(output: str | None) -> list[str]:
    """Split the output (JSON text) of a job that streamed nothing into what it could have streamed."""
    value = json.loads(output or "null")
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [dump(value) for value in values]


def event_text(chunk: str) -> str:
    """Give a chunk (JSON text) as it goes out: a string as it is, any other value as one event's data."""
    return json.loads(chunk) if chunk.startswith('"') else f"data: {chunk}\n\n"


def failure_of(view: JobView) -> OpenAIFailure | None:
    """Tell how a final job failed; None when it did not."""
    if view.state is JobState.TIMED_OUT:
        return failure(504, view.error or "the job took too long")
    if view.state is JobState.CANCELLED:
        # Not 409: OpenAI's clients send a request again after 408, 409, 429 and 5xx, and somebody wanted this to end.
        return failure(410, "the job was cancelled")
    return read_error(view.error or "the job failed") if view.state is JobState.FAILED else None


def read_error(text: str) -> OpenAIFailure:
    """Read the error of a FAILED job: an object in JSON or in Python's spelling, inner or whole; else a message."""
    given = _spelled_object(text)
    error = given.get("error")
    inner: dict[Any, Any] = error if isinstance(error, dict) else given
    # `error_message` is what the SDK calls the text of an exception that a handler let go.
    message = inner.get("message", inner.get("error_message"))
    if not isinstance(message, str):
        return failure(500, text)
    kept = {name: inner[name] for name in ERROR_MEMBERS if isinstance(inner.get(name), str | int)}
    ours = failure(_status(inner.get("code")), message)
    return OpenAIFailure(ours.status, {**ours.error, **kept})


def _spelled_object(text: str) -> dict[Any, Any]:
    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    if not text.startswith("{") or len(text) > SPELLED_LIMIT:
        return {}
    for read in readers:
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _status(code: object) -> int:
    number = int(code) if isinstance(code, str) and code.isascii() and code.isdecimal() and len(code) == 3 else code
    return number if isinstance(number, int) and 400 <= number <= 599 else 500
