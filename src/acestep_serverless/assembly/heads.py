"""What may a connection send before it has asked for anything? The head of a request, whole within bounds of size and
time; uvicorn's fast parser has neither.

Without them anybody who can connect, with no key at all, fills the memory with headers that never end, or takes every
socket there is with connections that say nothing.
"""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 65_536
"""Bytes of a head that are read, request line included; what was read together with its end comes on top."""
HEAD_SECONDS = 20.0
"""Seconds for a head: after the connection stands, or after its first byte on one that is kept."""
MOST_FILES = 65_536
"""Sockets and files that this process may hold, where the system allows so many."""

_SENTENCE = b'{"error": "the head of the request is larger than the limit of %d bytes"}' % HEAD_BYTES
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_SENTENCE), _SENTENCE)
)


class BoundedHeads(HttpToolsProtocol):
    """Uvicorn's protocol with both bounds. A request whose head has arrived is nobody's business here: it may be held
    for as long as it likes, and its body has limits of its own."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads, self._in_head, self._received = 0, True, 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's own
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not whole yet."""
        before = (self._heads, self._in_head)
        super().data_received(data)
        if not self._in_head or before != (self._heads, True):
            return
        self._received += len(data)
        if self._received > HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._heads, self._in_head, self._received = self._heads + 1, False, 0
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that what comes next is the head of another request."""
        self._in_head = True
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._start_timer()  # A request of this connection is still being answered.
        else:
            self.transport.close()


def allow_many_connections() -> None:
    """Let this process hold as many sockets as the system allows, up to MOST_FILES. With the 1,024 that are usual a
    thousand held requests would have others, a worker's result among them, cut off."""
    lowest, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if lowest != resource.RLIM_INFINITY and lowest < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
