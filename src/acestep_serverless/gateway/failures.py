"""How does an error become an answer? One table from the error tree to status codes; the body is {"error":
sentence}."""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from acestep_serverless.access.methods import headers_of
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.errors import (
    AccessDenied,
    AcestepServerlessError,
    Conflict,
    InputError,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
)

STATUS_CODES: dict[type[AcestepServerlessError], int] = {
    InputError: 400,
    AccessDenied: 401,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    TooManyRequests: 429,
    Unavailable: 503,
}


BASE = "/v2/{endpoint_id}/"
"""What the paths of all operations of an endpoint begin with."""


def say(code: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a code and one sentence."""
    return Response(dump({"error": sentence}), code, headers, "application/json")


async def _answer(_request: Request, error: Exception) -> Response:
    code = next((code for kind, code in STATUS_CODES.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests | Unavailable) else None
    return say(code, str(error), headers)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = headers_of(request, error)
    return say(error.status_code, _in_words(request, error, headers.get("Allow", "")), headers)


def _in_words(request: Request, error: HTTPException, allowed: str) -> str:
    """Say more than the framework does of a path that no route has, or that has no such method."""
    if error.status_code == 405:
        return f"this path takes {allowed}, not {request.method[:16]}"
    if error.status_code != 404:
        return str(error.detail)
    if str(request.scope["path"]).startswith("/v2/"):  # `request.url` cannot be built from every path that comes.
        return f"there is no such operation; below /v2/ENDPOINT_ID there are {', '.join(_operations(request.app))}"
    return "there is nothing at this path; operations are below /v2/ENDPOINT_ID, and /openapi.json describes them"


def _operations(app: FastAPI) -> list[str]:
    """Name each operation of an endpoint once, by the first of its described paths."""
    operations = [path.removeprefix(BASE) for path in app.openapi()["paths"] if path.startswith(BASE)]
    return list({path.partition("/")[0]: path for path in reversed(operations)}.values())[::-1]


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return say(400, "the request ended before its body did")


async def _answer_the_unforeseen(_request: Request, _error: Exception) -> Response:
    return say(500, "the gateway failed at this request; its log has the reason")


def install(app: FastAPI) -> None:
    """Answer every deliberate error, and the framework's own (404, 405), with a status code and one sentence."""
    app.add_exception_handler(AcestepServerlessError, _answer)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_the_unforeseen)
