"""What becomes of the character NUL in a URL? No id has one, and PostgreSQL takes it in no text, so another is read."""

from starlette.types import ASGIApp, Receive, Scope, Send

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class PlainUrls:
    """ASGI middleware: reads NUL in a path or a query as U+FFFD, so that such an id is simply not known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            path = scope["path"].replace("\0", REPLACEMENT)
            query = scope["query_string"].replace(b"%00", b"%EF%BF%BD")
            scope = {**scope, "path": path, "query_string": query}
        await self._app(scope, receive, send)
