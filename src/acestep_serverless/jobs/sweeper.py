"""What happens to jobs by the passing of time? Leases run out, limits are met, old jobs go; `run_once` does one
round."""

from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobState
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS
from acestep_serverless.jobs import store
from acestep_serverless.jobs.desk import JobDesk

LOG = structlog.get_logger(__name__)

# `finished_at IS NULL` in a condition says nothing new (the states do), but it is what an index leads to: without it a
# round reads every finished job of the past week, three times a second.
DELETE_LIMIT = 200
"""Jobs deleted in one round, so that no transaction grows long."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one round did: jobs by what happened to them, and the ids whose retention is over. `settled` is False while
    silence means nothing, since nobody could have reached us."""

    silent: int
    timed_out: int
    expired: int
    outlived: tuple[str, ...]
    settled: bool


class Sweeper:
    """Applies time to jobs. `started_at` (ms) is when this process began: heartbeats missed before it are nobody's
    fault."""

    def __init__(self, desk: JobDesk, database: Database, clock: Clock, *, started_at: int, retention_ms: int) -> None:
        self._desk, self._database, self._clock = desk, database, clock
        self._watching_since, self._last_round, self._retention_ms = started_at, started_at, retention_ms

    async def run_once(self) -> SweepReport:
        """Do one round and tell what it did."""
        now, patience = self._clock.now_ms(), 2 * self._desk.rules.heartbeat_ms
        if now - self._last_round > patience:
            self._watching_since = now  # The machine slept, or this process could not run: neither could the workers.
        self._last_round = now
        timed_out = await self._desk.change(lambda connection: _time_out(connection, now))
        expired = await self._desk.change(lambda connection: _expire(connection, now))
        silent = await self._desk.change(lambda connection: self._reclaim(connection, now))
        outlived = self._database.read(
            lambda connection: store.finished_before(connection, now - self._retention_ms, DELETE_LIMIT)
        )
        settled = now >= self._watching_since + patience
        report = SweepReport(len(silent), len(timed_out), len(expired), tuple(outlived), settled)
        if silent or timed_out or expired:
            LOG.info("swept", silent=report.silent, timed_out=report.timed_out, expired=report.expired)
        return report

    def _reclaim(self, connection: sa.Connection, now: int) -> list[store.Moved]:
        if now < self._watching_since + 2 * self._desk.rules.heartbeat_ms:
            return []  # Workers that could not reach us while we were away get time to say that they live.
        silent = sa.and_(JOBS.c.finished_at.is_(None), JOBS.c.lease_expires_at < now)
        return self._desk.give_back(connection, now, silent, died=True)


def _time_out(connection: sa.Connection, now: int) -> list[store.Moved]:
    where = sa.and_(JOBS.c.finished_at.is_(None), JOBS.c.taken_at + JOBS.c.execution_timeout_ms < now)
    text = sa.literal("the job ran longer than its executionTimeout of ") + sa.cast(
        JOBS.c.execution_timeout_ms, sa.Text
    )
    return store.move(connection, "time_out", now, where, error=text + " ms", progress=None)


def _expire(connection: sa.Connection, now: int) -> list[store.Moved]:
    text = sa.case(
        (JOBS.c.state == JobState.IN_QUEUE.value, "the job's ttl passed before a worker took it"),
        else_="the job's ttl passed before it ended",
    )
    where = (JOBS.c.finished_at.is_(None), JOBS.c.expires_at < now)
    return store.move(connection, "expire", now, *where, error=text, progress=None)
