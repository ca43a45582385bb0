"""What is there to see of jobs? The reading statements: one job, a page of them, the queue, counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from acestep_serverless.contract.job import FINAL_STATES, JobState, JobView
from acestep_serverless.database.tables import JOB_BODIES, JOB_EVENTS, JOBS, WORKERS
from acestep_serverless.jobs import tallies
from acestep_serverless.jobs.store import IS_HELD, IS_WAITING, Condition

# The state is named too: without it SQLite would walk through all of an endpoint's jobs to those that run.
IS_RUNNING = sa.and_(IS_HELD, JOBS.c.state == JobState.IN_PROGRESS.value)

SCALING_COUNTED = 1_000
"""Waiting jobs that are counted for a fleet: no policy needs to know of more."""

_SHOWN = ("id", "state", "submitted_at", "taken_at", "finished_at", "worker_id", "started_at")
# Built once: putting such a statement together for each call takes longer than SQLite takes to answer it.
_ALL_SHOWN = sa.select(*(JOBS.c[name] for name in (*_SHOWN, "progress", "error")))
_VIEW = _ALL_SHOWN.where(JOBS.c.id == sa.bindparam("job"), JOBS.c.endpoint_id == sa.bindparam("endpoint"))
_VIEWS = _ALL_SHOWN.add_columns(JOBS.c.endpoint_id).where(JOBS.c.id.in_(sa.bindparam("jobs", expanding=True)))
_OUTPUT = sa.select(JOB_BODIES.c.output).where(JOB_BODIES.c.job_id == sa.bindparam("job"))


def view(connection: sa.Connection, endpoint_id: str, job_id: str) -> JobView | None:
    """Read what `/status` shows of a job; None when this endpoint has no such job."""
    row = connection.execute(_VIEW, {"job": job_id, "endpoint": endpoint_id}).first()
    if row is None:
        return None
    return _shown(row, output(connection, job_id) if row.state in FINAL_STATES else row.progress)


def output(connection: sa.Connection, job_id: str) -> str | None:
    """Read a job's output, as JSON text."""
    return connection.execute(_OUTPUT, {"job": job_id}).scalar()


def views(connection: sa.Connection, asked: Sequence[tuple[str, str]]) -> list[JobView | None]:
    """Read what `/status` shows of several jobs, (endpoint, job) each; the outputs of final ones are left out: they
    may be large, and nobody should wait for another's."""
    rows = {row.id: row for row in connection.execute(_VIEWS, {"jobs": [job for _, job in asked]})}
    found = [(rows.get(job), endpoint) for endpoint, job in asked]
    return [
        _shown(row, None if row.state in FINAL_STATES else row.progress)
        if row is not None and row.endpoint_id == endpoint
        else None
        for row, endpoint in found
    ]


def _shown(row: sa.Row[Any], text: str | None) -> JobView:
    times = row.submitted_at, row.taken_at, row.finished_at
    return JobView(row.id, JobState(row.state), *times, row.worker_id, text, row.error, row.started_at)


def page(
    connection: sa.Connection, endpoint_id: str, state: JobState | None, offset: int, limit: int
) -> tuple[list[JobView], int]:
    """Read a page of an endpoint's jobs, newest first and without their outputs, and how many there are in all."""
    by_state = counts(connection, endpoint_id)
    total = by_state.get(state, 0) if state else sum(by_state.get(name, 0) for name in JobState)
    where = [JOBS.c.endpoint_id == endpoint_id] + ([JOBS.c.state == state.value] if state else [])
    query = sa.select(*(JOBS.c[name] for name in (*_SHOWN, "error"))).where(*where)
    query = query.order_by(JOBS.c.number.desc()).offset(offset).limit(limit)
    return [_shown(row, None) for row in connection.execute(query)], total


def counts(connection: sa.Connection, endpoint_id: str) -> dict[str, int]:
    """Count an endpoint's jobs by state, and under "retried" how often any was handed out again."""
    here = JOBS.c.endpoint_id == endpoint_id
    waiting = sa.select(sa.func.count()).select_from(JOBS).where(here, IS_WAITING).scalar_subquery()
    held = sa.select(sa.func.count()).select_from(JOBS).where(here, IS_RUNNING).scalar_subquery()
    row = connection.execute(sa.select(waiting, held)).one()
    found = {JobState.IN_QUEUE.value: row[0], JobState.IN_PROGRESS.value: row[1], tallies.RETRIED: 0}
    return found | tallies.read(connection, endpoint_id)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a fleet decides by: jobs that wait and may start workers (counted up to SCALING_COUNTED), when the first of
    them was submitted (ms; None: none waits), and jobs in progress."""

    waiting: int
    waiting_since: int | None
    in_progress: int


def demand(connection: sa.Connection, endpoint_id: str) -> Demand:
    """Read an endpoint's demand. Jobs with `lowPriority` start no workers."""
    here = JOBS.c.endpoint_id == endpoint_id
    first = (
        sa.select(JOBS.c.submitted_at)
        .where(here, IS_WAITING, ~JOBS.c.low_priority)
        .order_by(JOBS.c.lane, JOBS.c.number)
        .limit(SCALING_COUNTED)
        .subquery()
    )
    held = sa.select(sa.func.count()).select_from(JOBS).where(here, IS_RUNNING).scalar_subquery()
    return Demand(*connection.execute(sa.select(sa.func.count(), sa.func.min(first.c.submitted_at), held)).one())


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is for a worker that asks: whether it is fed at all, whether a job waits, whether it has one already,
    and whether another worker of its endpoint is asking too, an idle one or any."""

    is_fed: bool
    waiting: bool
    busy: bool
    others_idle: bool
    others_ask: bool = False

    def share(self, asked: int) -> int:
        """Tell how many jobs the worker gets at most: a second one only when no idle worker is asking, and one at a
        time while any other is, so that workers with room for many share what waits."""
        if not (self.is_fed and self.waiting):
            return 0
        if self.others_idle:
            return 0 if self.busy else 1
        return 1 if self.others_ask else asked


def _offer() -> sa.Select[bool, bool, bool, bool, bool]:
    endpoint: sa.BindParameter[str] = sa.bindparam("endpoint")
    worker: sa.BindParameter[str] = sa.bindparam("worker")
    now: sa.BindParameter[int] = sa.bindparam("now")
    other = WORKERS.alias("other")
    holds_one = sa.exists().where(JOBS.c.worker_id == other.c.id, IS_HELD)
    asking = (other.c.endpoint_id == endpoint, other.c.state == "ACTIVE", other.c.polls_until > now)
    columns = (
        WORKERS.c.state == "ACTIVE",
        sa.exists().where(JOBS.c.endpoint_id == endpoint, IS_WAITING),
        sa.exists().where(JOBS.c.worker_id == worker, IS_HELD),
        sa.exists().where(*asking, other.c.id != worker, ~holds_one),
        sa.exists().where(*asking, other.c.id != worker),
    )
    return sa.select(*columns).where(WORKERS.c.id == worker)


_OFFER = _offer()


def offer(connection: sa.Connection, endpoint_id: str, worker_id: str, now: int) -> Offer:
    """Look whether there is work for a worker (a look before the guarded take, to spare idle writes)."""
    row = connection.execute(_OFFER, {"endpoint": endpoint_id, "worker": worker_id, "now": now}).first()
    return Offer(*(bool(value) for value in row)) if row is not None else Offer(False, False, False, False)


def due_for_purge(connection: sa.Connection, now: int, limit: int) -> list[str]:
    """List ids of final jobs that are no longer to be kept, oldest first."""
    query = sa.select(JOBS.c.id).where(JOBS.c.purge_at < now).order_by(JOBS.c.purge_at).limit(limit)
    return list(connection.execute(query).scalars())


def history(connection: sa.Connection, job_id: str) -> list[tuple[int, str, str | None]]:
    """Read the moves of a job, oldest first, after its submission: when (ms), which, and its worker."""
    columns = (JOB_EVENTS.c.at, JOB_EVENTS.c.move, JOB_EVENTS.c.worker_id)
    query = sa.select(*columns).where(JOB_EVENTS.c.job_id == job_id).order_by(JOB_EVENTS.c.number)
    return [(row.at, row.move, row.worker_id) for row in connection.execute(query)]


def any_of(connection: sa.Connection, *where: Condition) -> bool:
    """Tell whether there is such a job (a look before a sweep, to spare idle writes)."""
    return connection.execute(sa.select(JOBS.c.number).where(*where).limit(1)).first() is not None
