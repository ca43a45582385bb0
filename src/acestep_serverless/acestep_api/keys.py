"""Who asks, and may they? Upstream's two places for the key: `ai_token` in the body, which goes first, or
`Authorization`."""

from collections.abc import Mapping

from fastapi import Request
from starlette.exceptions import HTTPException

from acestep_serverless.access.keys import digest, from_authorization, matches

CALLER_LENGTH = 16


def check_header(request: Request, api_key: str | None) -> None:
    """Let the request pass if no key is set or its Authorization header holds it. Raises HTTPException 401."""
    if api_key is not None:
        _check_authorization(request, api_key, "Missing Authorization header")


def check_body(request: Request, fields: Mapping[str, object], api_key: str | None) -> None:
    """As `check_header`, but an `ai_token` among the fields decides alone. Raises HTTPException 401."""
    if api_key is None:
        return
    token = fields.get("ai_token")
    if token is None or token == "":
        _check_authorization(request, api_key, "Missing ai_token or Authorization header")
    elif not matches(str(token), api_key):
        raise HTTPException(401, "Invalid ai_token")


def caller_of(request: Request) -> str:
    """Tell callers apart by the address they come from: all who may come in hold the same key."""
    address = request.client.host if request.client else ""
    return digest(address)[:CALLER_LENGTH]


def _check_authorization(request: Request, api_key: str, missing: str) -> None:
    header = request.headers.get("authorization")
    if not header:
        raise HTTPException(401, missing)
    if not matches(from_authorization(header), api_key):
        raise HTTPException(401, "Invalid API key")
