"""A desk over a real database, with a clock that can be moved; no HTTP."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobRequest
from acestep_serverless.contract.worker_protocol import JobResult
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOB_EVENTS, JOBS, WORKERS
from acestep_serverless.jobs.desk import DeskRules, JobDesk
from acestep_serverless.jobs.sweeper import Sweeper, SweepReport
from acestep_serverless.registry.workers import WorkerRegistry

START = 1_800_000_000_000
RULES = DeskRules(heartbeat_ms=4_000, lease_ms=30_000)
DONE = JobResult('{"made":true}', None)
BROKEN = JobResult(None, "it broke")
ENDPOINT = "ace-step"
WEEK_MS = 7 * 24 * 3600 * 1000


class Office:
    """Desk, sweeper, registry and their clock."""

    def __init__(self, database: Database) -> None:
        self.now = START
        self.clock = Clock(now_ms=lambda: self.now, monotonic=time.monotonic)
        self.database, self.desk = database, JobDesk(database, self.clock, RULES)
        self.workers = WorkerRegistry(database, self.clock, lambda: "token")
        self.started = 0
        self.restart()

    def restart(self) -> None:
        """Let a new process's sweeper begin now."""
        self.sweeper = Sweeper(self.desk, self.database, self.clock, started_at=self.now)

    async def submit(self, job_id: str, timeout_ms: int = 600_000, **request: Any) -> str:
        await self.desk.submit(ENDPOINT, job_id, JobRequest({"n": 1}, **request), timeout_ms)
        return job_id

    async def hire(self, *worker_ids: str) -> None:
        for worker_id in worker_ids:
            await self.workers.enrol(ENDPOINT, worker_id, fleet_id=None)

    async def revive(self, *worker_ids: str) -> None:
        """Let workers that have ended be there again, which spares a test new names."""
        statement = WORKERS.update().where(WORKERS.c.id.in_(worker_ids)).values(state="ACTIVE")
        await self.database.write(lambda connection: connection.execute(statement))

    async def pass_time(self, seconds: float, beats: dict[str, list[str]] | None = None) -> list[SweepReport]:
        """Let time pass second by second, with a sweep each second, and heartbeats as given every four."""
        reports = []
        for second in range(int(seconds)):
            self.now += 1000
            for worker_id, listed in (beats or {}).items() if second % 4 == 3 else ():
                await self.desk.heartbeat(worker_id, listed)
            reports.append(await self.sweeper.run_once())
        return reports

    async def row(self, job_id: str) -> Any:
        query = sa.select(JOBS).where(JOBS.c.id == job_id)
        return await self.database.read(lambda connection: connection.execute(query).one())

    async def state(self, job_id: str) -> str:
        return str((await self.row(job_id)).state)

    async def history(self, job_id: str) -> list[str]:
        query = sa.select(JOB_EVENTS.c.move).where(JOB_EVENTS.c.job_id == job_id).order_by(JOB_EVENTS.c.number)
        return await self.database.read(lambda connection: list(connection.execute(query).scalars()))


@contextlib.asynccontextmanager
async def open_office(url: str) -> AsyncIterator[Office]:
    """Open a desk over the database at a URL."""
    database = Database(url)
    database.open()
    try:
        yield Office(database)
    finally:
        database.close()
