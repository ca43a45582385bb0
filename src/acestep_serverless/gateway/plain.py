"""Which URLs are not even looked at? Those with the character NUL: no id has one, PostgreSQL takes it in no text."""

from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_serverless.gateway.failures import say


class PlainUrls:
    """ASGI middleware: 400 for a path or a query with NUL in it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            await say(400, "the URL: must not hold the character NUL, got %00")(scope, receive, send)
        else:
            await self._app(scope, receive, send)
