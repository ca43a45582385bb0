"""What does the gateway's server do with connections that ask for nothing, or for too much at once?"""

import asyncio
import contextlib
import resource
import subprocess
import sys

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from acestep_serverless.assembly.heads import HEAD_BYTES, BoundedHeads

REQUEST = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Server:
    """An app that answers at `/now`, and elsewhere once it is let go, behind heads that have half a second."""

    def __init__(self):
        self.go, self.ports = asyncio.Event(), []

        class Quick(BoundedHeads):
            head_seconds = 0.5

        config = uvicorn.Config(self.app, http=Quick, port=0, log_config=None, lifespan="off", interface="asgi3")
        self.server = uvicorn.Server(config)
        self.server.install_signal_handlers = lambda: None

    async def app(self, scope, receive, send):
        size, more = 0, True
        if scope["path"] != "/refused":
            while more:
                message = await receive()
                size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        if scope["path"] == "/held":
            await self.go.wait()
        await PlainTextResponse(f"read {size}")(scope, receive, send)

    @contextlib.asynccontextmanager
    async def connected(self):
        port = self.server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def server():
    server = Server()
    serving = asyncio.create_task(server.server.serve())
    while not server.server.started:
        await asyncio.sleep(0.01)
    yield server
    server.go.set()
    server.server.should_exit = server.server.force_exit = True
    await asyncio.wait_for(serving, 30)


async def answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    length = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
    return head.split()[1], await asyncio.wait_for(reader.readexactly(length), 30)


@pytest.mark.parametrize("beginning", [b"", b"GET /now HT", b"GET /now HTTP/1.1\r\nHost: x\r\n"])
@pytest.mark.parametrize("kept", [False, True])
async def test_a_connection_that_does_not_finish_its_head_is_closed(server, beginning, kept):
    async with server.connected() as (reader, writer):
        if kept:
            writer.write(REQUEST % (b"now", 0))
            assert await answer(reader) == (b"200", b"read 0")
            beginning = beginning or b"\r\n"
        writer.write(beginning)
        assert await asyncio.wait_for(reader.read(), 30) == b""


async def test_a_head_that_does_not_end_is_refused_before_it_fills_the_memory(server):
    async with server.connected() as (reader, writer):
        writer.write(b"GET /now HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(64_000):
                writer.write(b"x-more: " + b"y" * 1_000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
            raise AssertionError("64 megabytes of head were taken")
        with contextlib.suppress(ConnectionError):
            assert str(HEAD_BYTES).encode() in await asyncio.wait_for(reader.read(), 30)


async def test_held_requests_large_bodies_and_what_is_pipelined_are_nobodys_business(server):
    async with server.connected() as (reader, writer):
        writer.write(REQUEST % (b"held", 3 * HEAD_BYTES) + b"x" * 3 * HEAD_BYTES + b"\r\n")
        await asyncio.sleep(1.2)  # Longer than a head may take, twice.
        server.go.set()
        assert await answer(reader) == (b"200", b"read %d" % (3 * HEAD_BYTES))
        writer.write(REQUEST % (b"now", 0) + REQUEST % (b"now", 1) + b"y")
        assert [await answer(reader), await answer(reader)] == [(b"200", b"read 0"), (b"200", b"read 1")]
        writer.write(REQUEST % (b"refused", 3 * HEAD_BYTES))
        assert await answer(reader) == (b"200", b"read 0")
        writer.write(b"z" * 3 * HEAD_BYTES + REQUEST % (b"now", 0))
        assert await answer(reader) == (b"200", b"read 0"), "the rest of a body that nobody read is no head"


def test_the_limit_of_open_files_is_raised_as_far_as_the_system_allows():
    program = (
        "import resource as r\n"
        "from acestep_serverless.assembly.heads import MOST_FILES, allow_many_connections as allow\n"
        "most = r.getrlimit(r.RLIMIT_NOFILE)[1]\n"
        "for limits in ((100, most), (100, 200), (200, 200)):\n"
        "    r.setrlimit(r.RLIMIT_NOFILE, limits)\n"
        "    allow()\n"
        "    print(*r.getrlimit(r.RLIMIT_NOFILE))\n"
    )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    said = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, check=True).stdout.decode()
    first, *others = said.split("\n")
    assert int(first.split()[0]) == (65_536 if most == resource.RLIM_INFINITY else min(most, 65_536))
    assert others == ["200 200", "200 200", ""]
