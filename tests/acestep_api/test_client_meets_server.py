"""Do our client and our server understand each other? In process, and once over a real socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from acestep_parts import Running, SineEngine, new_app, running

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.errors import PeerError, PeerUnreachable, TaskFailed, TooLarge

SOON = 20.0


def client_of(server: Running, api_key: str = "") -> AceStepClient:
    return AceStepClient(server.http, clock=SYSTEM_CLOCK, api_key=api_key)


async def test_a_followed_task_ends_with_songs_that_can_be_downloaded_in_ranges(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        client = client_of(server)
        task_id = await client.release(
            {"prompt": "two tones", "batch_size": 2, "seed": "5,6", "use_random_seed": False}
        )
        reports = [r async for r in client.follow(task_id, interval=5, deadline=SYSTEM_CLOCK.monotonic() + SOON)]
        assert [report.final for report in reports] == [False] * (len(reports) - 1) + [True]
        assert [item.raw["seed"] for item in reports[-1].items] == [5, 6]
        assert reports[-1].items[0].engine == "sine"
        body = bytearray()
        item = reports[-1].items[1]
        audio = await client.download(item.file, body.extend, chunk=1000, limit=1 << 20)
    assert audio.bytes == len(body) == item.raw["bytes"]
    assert audio.sha256 == hashlib.sha256(body).hexdigest() == item.raw["sha256"]
    assert audio.media_type == "audio/mpeg"


async def test_a_finished_song_is_seen_at_once_however_long_the_interval(tmp_path: Path) -> None:
    engine = SineEngine()
    engine.go.clear()
    async with running(tmp_path, engine=engine) as server:
        client = client_of(server)
        task_id = await client.release({"prompt": "x", "batch_size": 1})
        asked = SYSTEM_CLOCK.monotonic()
        query = asyncio.create_task(client.query(task_id, wait=3 * SOON))
        await asyncio.to_thread(engine.started.wait, SOON)
        engine.go.set()
        report = await asyncio.wait_for(query, SOON)
    assert report.state == "succeeded"
    assert SYSTEM_CLOCK.monotonic() - asked < SOON


async def test_following_stops_at_the_deadline_with_a_last_report_that_is_not_final(tmp_path: Path) -> None:
    engine = SineEngine()
    engine.go.clear()
    async with running(tmp_path, engine=engine) as server:
        client = client_of(server)
        task_id = await client.release({"prompt": "x", "batch_size": 1})
        deadline = SYSTEM_CLOCK.monotonic() + 0.3
        reports = [r async for r in client.follow(task_id, interval=0.1, deadline=deadline)]
        assert reports
        assert not any(report.final for report in reports)
        assert SYSTEM_CLOCK.monotonic() - deadline < SOON
        assert await client.cancel(task_id)
        assert (await client.query(task_id, wait=0)).stage == "cancelled"


async def test_a_refused_request_raises_with_the_sentence_of_the_server(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        with pytest.raises(TaskFailed, match=r"bpm: must be a whole number from 30 to 300, got 9000"):
            await client_of(server).release({"prompt": "x", "bpm": 9000})


async def test_a_wrong_key_is_said_to_be_the_reason(tmp_path: Path) -> None:
    async with running(tmp_path, api_key="right") as server:
        with pytest.raises(PeerError, match="refused the key"):
            await client_of(server, "wrong").release({"prompt": "x"})
        assert await client_of(server, "right").release({"prompt": "x", "batch_size": 1})


async def test_an_id_that_the_server_does_not_know_is_a_failed_task(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        report = await client_of(server).query("nobody", wait=30)
    assert (report.state, report.stage) == ("failed", "unknown")
    assert "no such task" in report.error


async def test_a_song_over_the_limit_is_refused_before_a_byte_is_handed_on(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        client = client_of(server)
        task_id = await client.release({"prompt": "x", "batch_size": 1})
        report = await client.query(task_id, wait=SOON)
        received = bytearray()
        with pytest.raises(TooLarge, match="limit is 100"):
            await client.download(report.items[0].file, received.extend, chunk=50, limit=100)
    assert not received


async def test_health_names_the_engine(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        health = await client_of(server).health()
    assert health["status"] == "ok"
    assert health["engine"] == "sine"
    assert health["models_initialized"] is True
    assert health["llm_initialized"] is False


async def test_the_whole_road_works_over_a_real_socket(tmp_path: Path) -> None:
    async with running(tmp_path) as server, over_socket(server) as url, httpx.AsyncClient(base_url=url) as http:
        client = AceStepClient(http, clock=SYSTEM_CLOCK)
        task_id = await client.release({"prompt": "x", "batch_size": 1, "audio_format": "flac"})
        reports = [r async for r in client.follow(task_id, interval=30, deadline=SYSTEM_CLOCK.monotonic() + SOON)]
        body = bytearray()
        audio = await client.download(reports[-1].items[0].file, body.extend, chunk=4096, limit=1 << 24)
        assert await client.cancel(task_id)
    assert (audio.media_type, bytes(body[:4])) == ("audio/flac", b"fLaC")
    assert audio.bytes == reports[-1].items[0].raw["bytes"]


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async with running(tmp_path) as server, over_socket(server) as url:
        pass
    async with httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(PeerUnreachable):
            await AceStepClient(http, clock=SYSTEM_CLOCK).release({"prompt": "x"})


def test_one_server_serves_one_event_loop_after_another_and_a_wait_left_behind_harms_none(tmp_path: Path) -> None:
    engine = SineEngine()
    engine.go.clear()
    app = new_app(tmp_path, engine)
    app.state.tasks.start()

    async def release_and_go() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://acestep") as http:
            client = AceStepClient(http, clock=SYSTEM_CLOCK)
            task_id = await client.release({"prompt": "x", "batch_size": 1})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.query(task_id, wait=60), 0.05)
            return task_id

    async def come_back(task_id: str) -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://acestep") as http:
            query = asyncio.create_task(AceStepClient(http, clock=SYSTEM_CLOCK).query(task_id, wait=SOON))
            engine.go.set()
            return (await query).state

    try:
        task_id = asyncio.run(release_and_go())
        assert asyncio.run(come_back(task_id)) == "succeeded"
    finally:
        app.state.tasks.stop()


@asynccontextmanager
async def over_socket(server: Running) -> AsyncIterator[str]:
    """Serve the app with uvicorn on a free loopback port; its lifespan starts what already runs, and stops it."""
    uvicorn_server = uvicorn.Server(uvicorn.Config(server.app, port=0, log_level="warning"))
    serving = asyncio.create_task(uvicorn_server.serve())
    for _ in range(1000):
        if uvicorn_server.started:
            break
        await asyncio.sleep(0.01)
    port = uvicorn_server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        uvicorn_server.should_exit = True
        await serving
