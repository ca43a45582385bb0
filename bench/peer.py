"""What does the worker protocol itself cost? A worker of a few lines that takes a job and answers it at once.

It speaks the protocol of the unmodified SDK's workers without their waits (the SDK waits up to 0.1 s before it starts a
job and 1 s between two takes), so what is left is the gateway.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bench.bare import WORKER_KEY
from bench.load import request

RESULT = json.dumps({"output": {"seconds": 45.0}}).encode()
ENDPOINT_PATH = "/v2/ace-step"


class Line:
    """One kept connection to a server on this machine: a request out, its answer in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, asked: bytes) -> bytes:
        """Send a request and give the body of its answer, b"" of a 204. Raises RuntimeError for any other code."""
        self._writer.write(asked)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        body = await self._reader.readexactly(length)
        if head[9:12] not in (b"200", b"204"):
            raise RuntimeError(f"the server answered {(head + body)[:300]!r}")
        return body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def _work(line: Line, worker_id: str) -> None:
    enrolled = json.loads(
        await line.ask(
            request("POST", f"{ENDPOINT_PATH}/workers", json.dumps({"worker_id": worker_id}).encode(), WORKER_KEY)
        )
    )
    token = enrolled["token"]
    take = request("GET", f"{ENDPOINT_PATH}/job-take/{worker_id}?token={token}&job_in_progress=0")
    while True:
        job = await line.ask(take)
        if job:
            job_id = json.loads(job)["id"]
            done = f"{ENDPOINT_PATH}/job-done/{worker_id}/{job_id}?token={token}&isStream=false"
            await line.ask(request("POST", done, RESULT))


async def _strike_off(port: int, names: Iterable[str]) -> None:
    line = await Line.to(port)
    for name in names:
        await line.ask(request("POST", f"{ENDPOINT_PATH}/workers/{name}/ended", b'{"died": false}', WORKER_KEY))
    line.close()


@asynccontextmanager
async def peers(port: int, count: int) -> AsyncIterator[None]:
    """Keep so many peers at work. A peer that fails ends what is measured with its reason."""
    lines = {f"peer-{uuid.uuid4()}": await Line.to(port) for _ in range(count)}
    works = [asyncio.create_task(_work(line, name)) for name, line in lines.items()]
    try:
        yield
    finally:
        for work, line in zip(works, lines.values(), strict=True):
            work.cancel()
            line.close()
        await asyncio.gather(*works, return_exceptions=True)
        await _strike_off(port, lines)
    for work in works:
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error
