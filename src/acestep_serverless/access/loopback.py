"""May this request come in at all? Without keys only this machine's own programs may, and no web page of another site.

A page on the internet can make a browser send requests to 127.0.0.1. Its own name then stands in `Origin`, or, after
rebinding its name's address, in `Host`: both must name this machine while a server is open.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def host_is_loopback(host: str) -> bool:
    """Tell whether a `Host` value or host name (port allowed) names this machine's loopback."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class LoopbackGuard:
    """ASGI middleware for a server without keys: 403 unless `Host` is loopback and `Origin` absent, the same place, or
    one that the pattern `pages` fits. `is_open` tells whether there are no keys, now; without it there never are."""

    def __init__(
        self, app: ASGIApp, is_open: Callable[[], Awaitable[bool]] | None = None, *, pages: str | None = None
    ) -> None:
        self._app, self._is_open = app, is_open
        self._pages = None if pages is None else re.compile(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or (self._is_open is not None and not await self._is_open()):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        refusal = None
        if not host_is_loopback(host):
            refusal = "without an API key this server answers to loopback names only, such as 127.0.0.1"
        elif origin is not None and origin.partition("://")[2] != host and not self._welcome(origin):
            refusal = "without an API key this server does not answer to web pages of other sites"
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"error": refusal}, status_code=403)(scope, receive, send)

    def _welcome(self, origin: str) -> bool:
        return self._pages is not None and self._pages.fullmatch(origin) is not None
