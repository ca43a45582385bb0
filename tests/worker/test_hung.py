"""Does a worker end whose engine never comes back, and only such a one?"""

import asyncio
import subprocess
import sys

import pytest

from acestep_serverless.clock import Clock
from acestep_serverless.worker.hung import HUNG, PATIENCE, HungWatch


async def until(condition):
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not within 30 s")


async def test_an_engine_that_does_not_leave_a_stopped_task_is_hung_and_one_that_is_wanted_is_not(studio):
    now, engine = [0.0], studio.engine
    watch = HungWatch(studio.app.state.tasks.unwanted, Clock(now_ms=lambda: 0, monotonic=lambda: now[0]))
    engine.deaf = True
    engine.hold.set()
    first = asyncio.create_task(studio.ask({"caption": "x", "duration": 1}))
    await until(engine.held.is_set)
    for _ in range(2):
        assert not watch.is_hung(), "somebody waits for it, however long it takes"
        now[0] += PATIENCE + 1
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(studio.ask({"caption": "y", "duration": 1}, job_id="job-2"))
    assert not watch.is_hung(), "it gets its time"
    now[0] += PATIENCE + 1
    assert watch.is_hung(), "the next job would wait for ever"
    engine.hold.clear()
    assert "error" not in await second
    await until(lambda: not watch.is_hung())


def test_a_hung_worker_ends_itself_with_its_own_code():
    program = (
        "import itertools, threading\n"
        "from acestep_serverless.clock import Clock\n"
        "from acestep_serverless.worker import hung\n"
        "hung.LOOK_EVERY, leaps = 0.01, itertools.count(0, 1000)\n"
        "hung.end_when_hung(lambda: ('task',), Clock(lambda: 0, lambda: float(next(leaps))))\n"
        "threading.Event().wait(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, check=False)
    assert ended.returncode == HUNG, ended
    assert b"does not leave a task that was stopped" in ended.stdout + ended.stderr
