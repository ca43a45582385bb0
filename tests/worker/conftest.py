"""What the handler's tests share: a real ACE-Step server in this process, around a tiny real engine."""

import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from handler_studio import Studio
from tone_engine import ToneEngine

from acestep_serverless.acestep_api import create_app
from acestep_serverless.clock import SYSTEM_CLOCK

# `house` is of the endpoint's tests, `file_server` and `upstream_server` of those of their rooms. They come behind this
# folder, so that nothing here is hidden by a name there.
for room in ("endpoint", "outbound", "client"):
    sys.path.append(str(Path(__file__).parent.with_name(room)))


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    engine, ids, seeds = ToneEngine(), itertools.count(1), itertools.count(1000)
    app = create_app(
        engine=engine,
        folder=tmp_path / "api_audio",
        clock=SYSTEM_CLOCK,
        new_id=lambda: f"task-{next(ids)}",
        new_seed=lambda: next(seeds),
    )
    app.state.tasks.start()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
        yield Studio(engine, app, http, tmp_path / "outputs")
    engine.hold.clear()
    app.state.tasks.stop()
