"""A server on a free loopback port that records what it is sent and answers as a test tells it to; a wire, not a
gateway."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn


@dataclass(frozen=True)
class Recorded:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: object = None
    drop: bool = False


Script = Callable[[Recorded], Reply | Awaitable[Reply]]


@dataclass
class RecordingServer:
    """Records every request; `script` decides each answer; `arrived(predicate)` waits for one."""

    script: Script
    port: int = 0
    requests: list[Recorded] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: uvicorn.Server | None = None
    _serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to(self, part: str) -> list[Recorded]:
        return [request for request in self.requests if part in request.path]

    async def arrived(self, predicate: Callable[[Recorded], bool], *, seconds: float = 60.0) -> Recorded:
        def found() -> Recorded | None:
            return next((request for request in self.requests if predicate(request)), None)

        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: found() is not None)
        request = found()
        assert request is not None
        return request

    def start(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._server, self._serving = server, asyncio.create_task(server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Close every connection and the port; from now on connections are refused."""
        assert self._server is not None
        assert self._serving is not None
        self._server.should_exit = True
        await asyncio.wait_for(self._serving, 60)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Recorded(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)
        async with self._news:
            self.requests.append(request)
            self._news.notify_all()
        reply = self.script(request)
        if not isinstance(reply, Reply):
            reply = await reply
        await _answer(reply, send)


async def _answer(reply: Reply, send: Any) -> None:
    content = b"" if reply.body is None else json.dumps(reply.body).encode()
    announced = len(content) + (
        10 if reply.drop else 0
    )  # too few bytes: uvicorn closes, the client sees a broken answer
    headers = [(b"content-type", b"application/json"), (b"content-length", str(announced).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def recording_server(script: Script) -> AsyncIterator[RecordingServer]:
    """Serve on a free port until the block ends; open polls are cut, not waited for."""
    recorder = RecordingServer(script)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        recorder.port = listener.getsockname()[1]
        config = uvicorn.Config(
            recorder,
            log_level="critical",
            lifespan="off",
            ws="none",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=0,
        )
        recorder.start(uvicorn.Server(config), listener)
        try:
            yield recorder
        finally:
            await recorder.stop()
