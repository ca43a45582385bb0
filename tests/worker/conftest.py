"""What the handler's tests share: a real ACE-Step server in this process, around a tiny real engine."""

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tone_engine import ToneEngine

from acestep_serverless.acestep_api import create_app
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.worker.delivery import FolderSink
from acestep_serverless.worker.handler import handle
from acestep_serverless.worker.sink import ArtifactSink


@dataclass
class Studio:
    """A handler with everything it needs. `ask` runs one job; `progress` holds what it reported."""

    engine: ToneEngine
    app: FastAPI
    http: httpx.AsyncClient
    outputs: Path
    progress: list[Mapping[str, object]] = field(default_factory=list)

    async def ask(
        self,
        given: object,
        *,
        job_id: str = "job-1",
        artifacts: ArtifactSink | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> dict[str, object]:
        return await handle(
            {"id": job_id, "input": given},
            acestep=AceStepClient(self.http, clock=SYSTEM_CLOCK),
            artifacts=artifacts or FolderSink(self.outputs),
            report=self.progress.append,
            clock=clock,
        )


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
