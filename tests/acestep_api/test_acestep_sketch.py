"""Does the built-in engine make songs through the ACE-Step API? The whole road with the real composer and band."""

from pathlib import Path

import httpx
import pytest

from acestep_serverless.acestep_api import create_app
from acestep_serverless.audio.decode import decode
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.reports import TaskReport
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines import load_engine
from acestep_serverless.engines.base import Engine

SOON = 60.0
WORDS = {"prompt": "upbeat electronic", "audio_duration": 4, "batch_size": 2, "use_random_seed": False, "seed": "7,8"}


async def made(client: AceStepClient, **fields: object) -> TaskReport:
    task_id = await client.release({**WORDS, **fields})
    deadline = SYSTEM_CLOCK.monotonic() + SOON
    return [report async for report in client.follow(task_id, interval=SOON, deadline=deadline)][-1]


@pytest.fixture(scope="module")
def sketch() -> Engine:
    engine = load_engine("sketch")
    engine.load(lambda _fraction, _stage: None)
    return engine


async def test_sketch_makes_the_songs_that_were_asked_for_and_the_same_ones_again(
    tmp_path: Path, sketch: Engine
) -> None:
    names = iter(range(100))
    app = create_app(
        engine=sketch, folder=tmp_path, clock=SYSTEM_CLOCK, new_id=lambda: f"{next(names)}", new_seed=lambda: 1
    )
    app.state.tasks.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://acestep") as http:
            client = AceStepClient(http, clock=SYSTEM_CLOCK)
            first, again = await made(client), await made(client)
            body = bytearray()
            await client.download(first.items[0].file, body.extend, limit=1 << 24)
    finally:
        app.state.tasks.stop()
    assert first.state == "succeeded", first.error
    assert [item.raw["seed"] for item in first.items] == [7, 8]
    assert {item.engine for item in first.items} == {"sketch"}
    sums = [item.raw["sha256"] for item in first.items]
    assert sums == [item.raw["sha256"] for item in again.items]
    assert sums[0] != sums[1]
    (tmp_path / "copy.mp3").write_bytes(body)
    assert abs(decode(tmp_path / "copy.mp3").seconds - 4) <= 0.05
