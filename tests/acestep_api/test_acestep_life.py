"""How do a server and its tasks begin and end? Start, stop, expiry, and what an earlier process left behind."""

import asyncio
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from acestep_parts import SineEngine, new_app, running

from acestep_serverless.acestep_api import Keeping, Scheduler
from acestep_serverless.acestep_api.orders import Order, read_order
from acestep_serverless.clock import Clock

SOON = 20.0
DAY_MS = 86_400_000


@dataclass
class HandClock:
    """A clock that a test turns by hand."""

    milliseconds: int = 1_800_000_000_000

    def clock(self) -> Clock:
        return Clock(now_ms=lambda: self.milliseconds, monotonic=lambda: self.milliseconds / 1000)


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


async def test_finished_tasks_and_their_files_expire_after_a_day(tmp_path: Path, hand: HandClock) -> None:
    async with running(tmp_path, clock=hand.clock()) as server:
        old = await server.release()
        [entry] = await server.query(old)
        file = json.loads(str(entry["result"]))[0]["file"]
        hand.milliseconds += DAY_MS - 1
        await server.query(await server.release())
        assert (await server.http.get(file)).status_code == 200
        hand.milliseconds += 1
        young = await server.release()
        assert (await server.http.get(file)).status_code == 404
        entries = await server.query(old, young, wait=0)
    assert "no such task" in json.loads(str(entries[0]["result"]))[0]["error"]


async def test_no_more_finished_tasks_are_kept_than_allowed(tmp_path: Path) -> None:
    async with running(tmp_path, keeping=Keeping(tasks=2)) as server:
        ids = [await server.release() for _ in range(4)]
        for task_id in ids:
            await server.query(task_id)
        last = await server.release()
        await server.query(last)
        stages = [entry["progress_text"] for entry in await server.query(*ids, wait=0)]
        assert stages == ["", "", "succeeded", "succeeded"]
        assert len(list(tmp_path.iterdir())) == 3


async def test_a_stop_puts_the_running_task_back_and_a_new_start_makes_it_before_the_queued_one(tmp_path: Path) -> None:
    engine = SineEngine(held_from=1)
    engine.go.clear()
    async with running(tmp_path, engine=engine) as server:
        first, second = await server.release(batch_size=2), await server.release()
        tasks = server.app.state.tasks
        assert await asyncio.to_thread(first_song, tasks, first)
        for _ in range(2):
            tasks.stop()
        stopped = await server.query(first, second, wait=0)
        assert not list(tmp_path.iterdir())
        engine.go.set()
        for _ in range(2):
            tasks.start()
        after = [(await server.query(task_id))[0] for task_id in (first, second)]
    assert [(entry["status"], entry["progress_text"]) for entry in stopped] == [(0, "queued"), (0, "queued")]
    assert [json.loads(str(entry["result"]))[0]["queue_position"] for entry in stopped] == [1, 2]
    assert [entry["status"] for entry in after] == [1, 1]
    assert [len(json.loads(str(entry["result"]))) for entry in after] == [2, 1]
    seeds = [request.seeds for request in engine.requests]
    assert seeds == [seeds[0], seeds[0], seeds[2]]


async def test_a_task_that_was_stopped_does_not_succeed_even_if_its_engine_did_not_listen(tmp_path: Path) -> None:
    engine = SineEngine(deaf=True)
    engine.go.clear()
    async with running(tmp_path, engine=engine) as server:
        task_id = await server.release()
        assert await asyncio.to_thread(engine.started.wait, SOON)
        tasks = server.app.state.tasks
        told = tasks.table.get(task_id).stop
        stopping = asyncio.create_task(asyncio.to_thread(tasks.stop))
        assert await asyncio.to_thread(told.wait, SOON)
        engine.go.set()
        await stopping
        [entry] = await server.query(task_id, wait=0)
    assert (entry["status"], entry["progress_text"]) == (0, "queued")
    assert not list(tmp_path.iterdir())


async def test_tasks_released_before_the_start_are_made_after_it(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        server.app.state.tasks.stop()
        task_id = await server.release()
        assert (await server.query(task_id, wait=0))[0]["status"] == 0
        server.app.state.tasks.start()
        assert (await server.query(task_id))[0]["status"] == 1


async def test_the_lifespan_starts_and_stops_the_threads(tmp_path: Path) -> None:
    app = new_app(tmp_path / "songs", SineEngine())
    async with app.router.lifespan_context(app):
        task_id, _ = app.state.tasks.submit(order())
        await app.state.tasks.waits.until_any([task_id], SOON, app.state.tasks.is_final)
        assert app.state.tasks.table.get(task_id).songs
    assert app.state.tasks.table.take(0) is None


def test_a_start_removes_what_an_earlier_process_left_and_nothing_else(tmp_path: Path, hand: HandClock) -> None:
    for name, age_ms in {
        "song-a.mp3": DAY_MS + 1,
        ".song-b.mp3.x.part": DAY_MS + 1,
        "song-c.mp3": 1,
        "notes": 9**15,
    }.items():
        (tmp_path / name).write_bytes(b"x")
        seconds = max(0, (hand.milliseconds - age_ms) / 1000)
        os.utime(tmp_path / name, (seconds, seconds))
    app = new_app(tmp_path, SineEngine(), clock=hand.clock())
    app.state.tasks.start()
    app.state.tasks.stop()
    assert {path.name for path in tmp_path.iterdir()} == {"song-c.mp3", "notes"}


def first_song(tasks: Scheduler, task_id: str) -> bool:
    """Tell whether the first song of a running task is there soon; looks every 10 ms."""
    pause = threading.Event()
    for _ in range(int(SOON / 0.01)):
        task = tasks.table.get(task_id)
        if task is not None and task.songs:
            return True
        pause.wait(0.01)
    return False


def order() -> Order:
    return read_order({"prompt": "x", "batch_size": 1}, SineEngine(), lambda: 1)
