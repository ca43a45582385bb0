"""Does the client drive a server that behaves like upstream's: no `wait`, no cancel, lost tasks, broken connections?"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from acestep_serverless.client.acestep import LOST_AFTER_KNOWN, LOST_FROM_START, AceStepClient
from acestep_serverless.client.reports import TaskReport
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.errors import PeerError, PeerUnreachable, TaskFailed, TooLarge

SONG = bytes(range(256)) * 10
FILE = "/v1/audio?path=%2Fsrv%2Facestep%2Ftmp%2Fapi_audio%2Fa.mp3"
RUNNING = ('[{"file": "", "wave": "", "status": 0, "progress": 0.5, "stage": "Generating music..."}]', 0)
DONE = (json.dumps([{"file": FILE, "wave": "", "status": 1, "prompt": "p", "lyrics": "", "metas": {}}]), 1)
LOST = ("[]", 0)


@dataclass
class Upstream:
    """A server with upstream's routes and shapes; `states` are its answers in turn, the last one for good."""

    states: list[tuple[str, int]]
    asked: int = 0
    released: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    audio: Callable[[Request], Response] = lambda _: Response(SONG, media_type="audio/mpeg")

    def app(self) -> FastAPI:
        app = FastAPI()

        def envelope(data: object) -> dict[str, object]:
            return {"data": data, "code": 200, "error": None, "timestamp": 1795411771988, "extra": None}

        @app.post("/release_task")
        async def release(request: Request) -> dict[str, object]:
            self.authorizations.add(request.headers.get("authorization"))
            self.released.append(await request.json())
            return envelope({"task_id": "t", "status": "queued", "queue_position": 1})

        @app.post("/query_result")
        async def query(request: Request) -> dict[str, object]:
            self.authorizations.add(request.headers.get("authorization"))
            result, status = self.states[min(self.asked, len(self.states) - 1)]
            self.asked += 1
            return envelope([{"task_id": "t", "result": result, "status": status, "progress_text": "a log line"}])

        @app.get("/v1/audio")
        async def audio(request: Request) -> Response:
            self.authorizations.add(request.headers.get("authorization"))
            return self.audio(request)

        return app


@asynccontextmanager
async def client_of(app: FastAPI, api_key: str = "") -> AsyncIterator[AceStepClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://acestep") as http:
        yield AceStepClient(http, clock=SYSTEM_CLOCK, api_key=api_key)


async def followed(client: AceStepClient, interval: float = 0.01, seconds: float = 20) -> list[TaskReport]:
    deadline = SYSTEM_CLOCK.monotonic() + seconds
    return [report async for report in client.follow("t", interval=interval, deadline=deadline)]


async def test_a_task_is_released_once_followed_and_its_song_downloaded_with_the_key_everywhere() -> None:
    upstream = Upstream([RUNNING, RUNNING, DONE])
    body = bytearray()
    async with client_of(upstream.app(), "sk-test") as client:
        assert await client.release({"prompt": "p", "batch_size": 1}) == "t"
        reports = await followed(client)
        audio = await client.download(reports[-1].items[0].file, body.extend, limit=10_000)
    assert [report.state for report in reports] == ["running", "running", "succeeded"]
    assert (bytes(body), audio.bytes, audio.media_type) == (SONG, len(SONG), "audio/mpeg")
    assert upstream.released == [{"prompt": "p", "batch_size": 1}]
    assert upstream.authorizations == {"Bearer sk-test"}


async def test_a_server_that_ignores_the_wait_is_not_asked_all_the_time() -> None:
    upstream = Upstream([RUNNING])
    async with client_of(upstream.app()) as client:
        reports = await followed(client, interval=0.1, seconds=0.35)
    assert 3 <= upstream.asked <= 5
    assert len(reports) == upstream.asked


async def test_a_task_that_the_server_never_knew_is_lost() -> None:
    upstream = Upstream([LOST])
    async with client_of(upstream.app()) as client:
        with pytest.raises(TaskFailed, match="lost"):
            await followed(client)
    assert upstream.asked == LOST_FROM_START


async def test_a_task_that_the_server_has_known_is_lost_sooner_but_not_by_a_gap() -> None:
    gap = [LOST] * (LOST_AFTER_KNOWN - 1)
    upstream = Upstream([RUNNING, *gap, RUNNING, LOST])
    async with client_of(upstream.app()) as client:
        with pytest.raises(TaskFailed, match="lost"):
            await followed(client)
    assert upstream.asked == 2 + len(gap) + LOST_AFTER_KNOWN


async def test_a_server_without_the_route_cannot_cancel() -> None:
    async with client_of(Upstream([RUNNING]).app()) as client:
        assert await client.cancel("t") is False


async def test_a_soft_error_in_the_envelope_is_the_reason() -> None:
    app = FastAPI()

    @app.post("/release_task")
    async def release() -> dict[str, object]:
        return {"data": None, "code": 400, "error": "no such model", "timestamp": 1, "extra": None}

    async with client_of(app) as client:
        with pytest.raises(TaskFailed, match=r"^no such model$"):
            await client.release({})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (JSONResponse({"detail": "Server busy: queue is full"}, 429), "queue is full"),
        (JSONResponse({"detail": "Invalid API key"}, 401), "refused the key: Invalid API key"),
        (JSONResponse({"detail": [{"type": "missing", "msg": "Field required"}]}, 422), "^Field required$"),
        (PlainTextResponse("Internal Server Error", 500), "failed: Internal Server Error"),
        (PlainTextResponse("hello"), "not a JSON object"),
        (JSONResponse([1]), "not a JSON object"),
        (JSONResponse({"data": {}}), "no id"),
        (Response(status_code=302, headers={"Location": "http://elsewhere/"}), "HTTP status 302"),
    ],
)
async def test_every_refusal_of_a_release_has_a_sentence_and_is_not_repeated(answer: Response, sentence: str) -> None:
    app, asked = FastAPI(), []

    @app.post("/release_task")
    async def release() -> Response:
        asked.append(1)
        return answer

    async with client_of(app) as client:
        with pytest.raises(PeerError, match=sentence):
            await client.release({})
    assert len(asked) == 1


def ranged(request: Request, *, total: str | None = None, shift: int = 0, short: int = 0, tag: str = '"1"') -> Response:
    """Answer a range as a server does; `shift`, `short` and `total` make it a wrong one."""
    first, last = (int(text) for text in request.headers["range"].removeprefix("bytes=").split("-"))
    if first >= len(SONG):
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(SONG)}"})
    last = min(last, len(SONG) - 1)
    span = f"bytes {first + shift}-{last + shift}/{total or len(SONG)}"
    body = SONG[first : last + 1 - short]
    return Response(body, 206, {"Content-Range": span, "ETag": tag}, "audio/mpeg")


async def download(audio: Callable[[Request], Response], *, chunk: int = 1000, limit: int = 10_000) -> bytearray:
    body = bytearray()
    async with client_of(Upstream([DONE], audio=audio).app()) as client:
        await client.download(FILE, body.extend, chunk=chunk, limit=limit)
    return body


@pytest.mark.parametrize("chunk", [70, 999, 1280, 2560, 5000])
@pytest.mark.parametrize("total", [None, "*"])
async def test_a_song_comes_whole_in_ranges_of_any_size(chunk: int, total: str | None) -> None:
    assert await download(lambda request: ranged(request, total=total), chunk=chunk) == SONG


@pytest.mark.parametrize(
    ("audio", "sentence"),
    [
        (lambda r: ranged(r, shift=1), "not with those asked for"),
        (lambda r: ranged(r, short=1), "announced"),
        (lambda r: ranged(r, total=str(3000 + len(r.headers["range"]))), "changed"),
        (lambda r: Response(SONG[:10], 206), "does not say which"),
        (lambda r: Response(b"", 416, {"Content-Range": "bytes */0"}), "empty"),
        (lambda r: Response(b""), "0 bytes"),
        (lambda r: ranged(r) if r.headers["range"].startswith("bytes=0-") else Response(SONG), "changed"),
        (lambda r: JSONResponse({"detail": "Audio file not found"}, 404), "Audio file not found"),
        (lambda r: Response(status_code=204), "HTTP status 204"),
    ],
)
async def test_a_download_that_does_not_fit_together_is_an_error(
    audio: Callable[[Request], Response], sentence: str
) -> None:
    with pytest.raises(PeerError, match=sentence):
        await download(audio)


async def test_a_part_from_another_place_is_not_taken_for_the_one_asked_for() -> None:
    with pytest.raises(PeerError, match="not with those asked for"):
        await download(lambda request: ranged(request, shift=1), chunk=5000)


@pytest.mark.parametrize("audio", [ranged, lambda r: Response(SONG), lambda r: ranged(r, total="*")])
async def test_a_song_over_the_limit_is_refused_and_one_at_the_limit_is_not(
    audio: Callable[[Request], Response],
) -> None:
    assert len(await download(audio, limit=len(SONG))) == len(SONG)
    with pytest.raises(TooLarge, match="the limit is 2,559"):
        await download(audio, limit=len(SONG) - 1)


@pytest.mark.parametrize(
    "file", ["http://evil.example/a.mp3", "http://acestep:81/v1/audio", "https://acestep/v1/audio"]
)
async def test_the_key_is_never_sent_to_another_server(file: str) -> None:
    async with client_of(Upstream([DONE]).app(), "sk-test") as client:
        with pytest.raises(PeerError, match="another server"):
            await client.download(file, bytearray().extend, limit=10)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def socket_server(handler: Handler) -> AsyncIterator[AceStepClient]:
    """Serve raw connections on a free loopback port; for what a well-behaved framework would not do."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield AceStepClient(http, clock=SYSTEM_CLOCK)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


def http_answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_a_question_survives_a_broken_answer_and_the_reset_that_follows_it() -> None:
    done = json.dumps({"data": [{"task_id": "t", "result": DONE[0], "status": 1}], "code": 200}).encode()
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_request(reader)
        if connections == 1:
            writer.write(http_answer(b"Internal Server Error", "500 Internal Server Error"))
        elif connections > 2:
            writer.write(http_answer(done))
        writer.close()
        await writer.wait_closed()

    async with socket_server(handler) as client:
        assert (await client.query("t", 0)).state == "succeeded"
    assert connections == 3


async def test_a_release_whose_answer_is_lost_is_not_sent_again() -> None:
    requests = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await read_request(reader)
        requests += 1
        writer.close()
        await writer.wait_closed()

    async with socket_server(handler) as client:
        with pytest.raises(PeerUnreachable):
            await client.release({"prompt": "p"})
    assert requests == 1


async def test_a_range_that_breaks_is_asked_for_again_and_handed_on_once() -> None:
    broken = False

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal broken
        request = await read_request(reader)
        first = 0 if b"bytes=0-" in request else 2000
        part = SONG[first : first + 2000]
        head = (
            f"HTTP/1.1 206 Partial Content\r\nContent-Length: {len(part)}\r\nConnection: close\r\nContent-Range: bytes "
        )
        writer.write(f"{head}{first}-{first + len(part) - 1}/{len(SONG)}\r\n\r\n".encode())
        writer.write(part if broken else part[:100])
        broken = True
        writer.close()
        await writer.wait_closed()

    body = bytearray()
    async with socket_server(handler) as client:
        await client.download(FILE, body.extend, chunk=2000, limit=10_000)
    assert body == SONG


async def test_following_a_silent_server_ends_shortly_after_the_deadline() -> None:
    ended = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await ended.wait()
        writer.close()

    async with socket_server(handler) as client:
        assert await followed(client, seconds=0.1) == []
        ended.set()
