"""Which web pages may read the answers? Those of this machine, as upstream's newer servers allow; browsers ask first.

Without a key, the page of a file ("null") stays out: every page on the internet can take that origin for a frame of
its own, and could then drive the server. With a key it may come in, since it must know the key as well.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

LOCAL_PAGES = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
METHODS = ("GET", "POST", "OPTIONS")
HEADERS = ("Content-Type", "Authorization", "Range")


class LocalPages(CORSMiddleware):
    """ASGI middleware that answers browsers' questions and marks answers for pages of this machine."""

    def __init__(self, app: ASGIApp, *, files_too: bool) -> None:
        origins: Sequence[str] = ("null",) if files_too else ()
        super().__init__(
            app, allow_origins=origins, allow_origin_regex=LOCAL_PAGES, allow_methods=METHODS, allow_headers=HEADERS
        )
