"""Which methods does a path have? All that its routes take together: RFC 9110, 15.5.6, wants them in `Allow`."""

from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.routing import Match

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def headers_of(request: Request, error: HTTPException) -> dict[str, str]:
    """Give the headers of the framework's error. In those of a 405 the framework names the first route's methods
    only, though several routes share the path."""
    headers = dict(error.headers or {})
    return headers | {"Allow": ", ".join(_methods(request))} if error.status_code == 405 else headers


def _methods(request: Request) -> list[str]:
    routes: list[Any] = request.app.routes
    scope = {**request.scope, "path_params": {}}
    return [
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
