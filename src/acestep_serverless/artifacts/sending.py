"""How does a file go out, whole or in parts? The framework sends it; what is sent and what refused is decided here."""

import asyncio
import os
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from acestep_serverless.artifacts.ranges import spans
from acestep_serverless.contract.media import FILE_TYPES
from acestep_serverless.errors import FieldProblem

_TYPES: dict[str, Any] = {kind.partition(";")[0]: {} for kind in FILE_TYPES.values()}
SENDS_A_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": _TYPES},
    206: {"description": "The parts that `Range` asks for.", "content": {**_TYPES, "multipart/byteranges": {}}},
}
"""The framework's `responses` for a route that sends a song's file."""


def _asked(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}


TAKES_A_RANGE = {
    "parameters": [
        _asked("Range", "which bytes, such as bytes=0-99, bytes=100- or bytes=-100"),
        _asked("If-Range", "the ETag of the file that the range is of: another file comes whole"),
    ]
}
"""The framework's `openapi_extra` for such a route."""


class SentFile(FileResponse):
    """A file, whole or by `Range`. While it is answered it raises InputError (a `Range` that is none, 400) and
    HTTPException 416 (nothing of the file is in it)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was asked for."""
        if self.stat_result is None:
            self.stat_result = await asyncio.to_thread(os.stat, self.path)
            self.set_stat_headers(self.stat_result)
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"range", b"if-range")]
        asked = self._asked_for(scope["method"], Headers(scope=scope), self.stat_result.st_size)
        if asked is not None:
            headers.append((b"range", asked.encode()))
        await super().__call__({**scope, "headers": headers}, receive, send)

    def _asked_for(self, method: str, headers: Headers, size: int) -> str | None:
        """Say the ranges as the framework reads them without fail; None for the whole file."""
        given = ", ".join(headers.getlist("range"))
        # Only GET has ranges (14.2), and only while the file is the one that the asker knows.
        if method != "GET" or "range" not in headers or not self._is_known(headers.get("if-range")):
            return None
        found = spans(given, size)
        if found is None:
            return None
        if not found:
            problem = FieldProblem("Range", given[:80], f"must begin inside the file, which has {size} bytes")
            raise HTTPException(416, str(problem), {"Content-Range": f"bytes */{size}"})
        return f"bytes={','.join(f'{span.first}-{span.last}' for span in found)}"

    def _is_known(self, if_range: str | None) -> bool:
        """Compare strongly (13.1.5). A date never fits: a file can be written twice within its one second."""
        return if_range is None or if_range.strip() == self.headers["etag"]
