"""What does the web page at `/` consist of? Plain files without a build step, sent with headers that let it load and
ask nothing but this gateway.

The page speaks the public HTTP API only. Its files are the same for everybody; what needs a key is behind the API.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "files"

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Cache-Control": "no-cache",
    }
)
"""On the page and each of its files. No script or style inside the page, no other host, no frame around it; with
trusted types the browser itself refuses to read text as HTML. `no-cache` asks again with the ETag: a new version shows
at once."""


class StudioFiles(StaticFiles):
    """The page's files, each with HEADERS."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Send one file, or 304 to whoever has it already."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def front_page(self, request: Request) -> Response:
        """Send the page itself."""
        return await self.get_response("index.html", request.scope)
