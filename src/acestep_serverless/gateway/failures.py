"""How does an error become an answer? One table from the error tree to status codes; the body is {"error":
sentence}."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from acestep_serverless.errors import (
    AccessDenied,
    AcestepServerlessError,
    Conflict,
    InputError,
    NotFound,
    TooLarge,
)

STATUS_CODES: dict[type[AcestepServerlessError], int] = {
    InputError: 400,
    AccessDenied: 401,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
}


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    code = next((code for kind, code in STATUS_CODES.items() if isinstance(error, kind)), 500)
    return JSONResponse({"error": str(error)}, status_code=code)


async def _answer_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, status_code=error.status_code, headers=error.headers)


def install(app: FastAPI) -> None:
    """Answer every deliberate error, and the framework's own (404, 405), with a status code and one sentence."""
    app.add_exception_handler(AcestepServerlessError, _answer)
    app.add_exception_handler(HTTPException, _answer_http)
