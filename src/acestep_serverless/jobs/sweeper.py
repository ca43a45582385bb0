"""What happens to jobs by the passing of time? Leases run out, limits are met, old jobs go; `run_once` does one
round."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobState
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS
from acestep_serverless.jobs import looks, store
from acestep_serverless.jobs.desk import JobDesk

LOG = structlog.get_logger(__name__)

DELETE_LIMIT = 200
"""Jobs deleted in one round, so that no transaction grows long."""

Move = Callable[[sa.Connection, int, store.Condition], list[store.Moved]]


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

    def __init__(self, desk: JobDesk, database: Database, clock: Clock, *, started_at: int) -> None:
        self._desk, self._database, self._clock = desk, database, clock
        self._watching_since, self._last_round = started_at, started_at

    async def run_once(self) -> SweepReport:
        """Do one round and tell what it did."""
        now, patience = self._clock.now_ms(), 2 * self._desk.rules.heartbeat_ms
        if not 0 <= now - self._last_round <= patience:
            # The machine slept, or this process could not run: neither could the workers. Or the clock was set back.
            self._watching_since = now
        self._last_round = now
        # Workers that could not reach us while we were away get time to say that they live, and to deliver.
        settled = now >= self._watching_since + patience
        await self._follow_the_clock(now)
        await self._count_time(now)
        timed_out = await self._sweep(_timed_out(now), _time_out, now) if settled else []
        expired = await self._sweep(_expired(now, settled=settled), _expire, now)
        silent = await self._sweep(_silent(now), self._reclaim, now) if settled else []
        outlived = await self._database.read(lambda connection: looks.due_for_purge(connection, now, DELETE_LIMIT))
        report = SweepReport(len(silent), len(timed_out), len(expired), tuple(outlived), settled)
        if silent or timed_out or expired:
            LOG.info("swept", silent=report.silent, timed_out=report.timed_out, expired=report.expired)
        return report

    async def _follow_the_clock(self, now: int) -> None:
        """Bring back what lies further ahead than it can: a clock that was set back by an hour would keep a dead
        worker's lease, and a hung job's time, for that hour longer."""
        lease_ms, slack = self._desk.rules.lease_ms, 2 * self._desk.rules.heartbeat_ms
        ahead = store.is_ahead(now + slack, lease_ms)
        if await self._database.read(lambda connection: looks.any_of(connection, ahead)):
            LOG.warning("the clock was set back: leases and timeouts of running jobs follow it")
            await self._database.write(lambda connection: store.bring_back(connection, ahead, now, lease_ms))

    async def _count_time(self, now: int) -> None:
        if await self._database.read(lambda connection: looks.any_of(connection, store.IS_NEXT)):
            await self._database.write(lambda connection: store.count_time_of_next(connection, now))

    async def _sweep(self, which: store.Condition, move: Move, now: int) -> list[store.Moved]:
        """Look first: most rounds find nothing, and a look is cheaper than a transaction."""
        if not await self._database.read(lambda connection: looks.any_of(connection, which)):
            return []
        return await self._desk.change(lambda connection: move(connection, now, which))

    def _reclaim(self, connection: sa.Connection, now: int, which: store.Condition) -> list[store.Moved]:
        return self._desk.give_back(connection, now, which, died=True)


def _timed_out(now: int) -> store.Condition:
    return sa.and_(store.IS_HELD, JOBS.c.overdue_at < now)


def _expired(now: int, *, settled: bool) -> store.Condition:
    """Jobs whose ttl has passed; those in progress only once their workers could have delivered."""
    which = sa.and_(store.IS_OPEN, JOBS.c.expires_at < now)
    return which if settled else sa.and_(which, store.IS_WAITING)


def _silent(now: int) -> store.Condition:
    return sa.and_(store.IS_HELD, JOBS.c.lease_expires_at < now)


def _time_out(connection: sa.Connection, now: int, which: store.Condition) -> list[store.Moved]:
    text = sa.literal("the job ran longer than its executionTimeout of ") + sa.cast(
        JOBS.c.execution_timeout_ms, sa.Text
    )
    return store.move(connection, "time_out", now, which, error=text + " ms", progress=None)


def _expire(connection: sa.Connection, now: int, which: store.Condition) -> list[store.Moved]:
    text = sa.case(
        (JOBS.c.state == JobState.IN_QUEUE.value, "the job's ttl passed before a worker took it"),
        else_="the job's ttl passed before it ended",
    )
    return store.move(connection, "expire", now, which, error=text, progress=None)
