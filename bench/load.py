"""How many requests a second does a server answer? Raw HTTP/1.1 over kept connections, each always asking.

A client library would be the slower side; this one only finds where an answer ends. Answers must have a Content-Length.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop

LONGEST_ANSWER = 1 << 20


def request(method: str, path: str, body: bytes = b"", key: str = "") -> bytes:
    """Spell a request for a server on this machine, with a key if there is one."""
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Authorization: Bearer {key}"] if key else []),
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Load:
    """What a load measured: answers, the seconds they took, and how long each was waited for (sorted, in ms)."""

    seconds: float
    answers: int = 0
    waits_ms: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The wait that `share` (0 to 1) of the answers did not exceed."""
        return self.waits_ms[min(int(share * len(self.waits_ms)), len(self.waits_ms) - 1)]


class _Asker(asyncio.Protocol):
    """One connection. Ends with an error when an answer is not a 200."""

    def __init__(self, ask: Callable[[], bytes], load: Load, until: float, keep: int) -> None:
        self._ask, self._load, self._until, self._keep = ask, load, until, keep
        self._received, self._asked_at = bytearray(), 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a TCP transport writes
        self._next()

    def _next(self) -> None:
        self._asked_at = time.perf_counter()
        self._transport.write(self._ask())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, _ = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        end = len(head) + 4 + length
        if len(self._received) < end:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(RuntimeError(f"the server answered {bytes(self._received[:end])[:300]!r}"))
            return
        self._count(bytes(self._received[len(head) + 4 : end]))
        self._received.clear()

    def _count(self, body: bytes) -> None:
        now = time.perf_counter()
        self._load.answers += 1
        self._load.waits_ms.append((now - self._asked_at) * 1000)
        if len(self._load.bodies) < self._keep:
            self._load.bodies.append(body)
        if now < self._until:
            self._next()
        else:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)
        self._transport.close()


def measure(port: int, ask: Callable[[], bytes], *, seconds: float, connections: int = 32, keep: int = 0) -> Load:
    """Load a server on loopback for about `seconds`; `ask` gives each next request; `keep` answers' bodies are kept."""

    async def run() -> Load:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        load = Load(seconds)
        made = [
            await loop.create_connection(lambda: _Asker(ask, load, began + seconds, keep), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.wait_for(asyncio.gather(*(asker.done for _, asker in made)), seconds + 30)
        load.seconds = time.perf_counter() - began
        load.waits_ms.sort()
        return load

    return uvloop.run(run())
