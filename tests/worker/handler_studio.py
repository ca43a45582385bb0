"""The handler with everything it needs, as its tests use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI
from tone_engine import ToneEngine

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
