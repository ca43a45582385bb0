"""Which statements touch jobs? All of them, here; each takes a connection inside somebody's transaction.

Every move is one guarded UPDATE: its WHERE names the expected states (and the lease holder where there is one), the
rows it returns are the answer. Nothing here reads, thinks and then writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from acestep_serverless.contract.job import FINAL_STATES, JobRequest, JobState, JobView
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.database.tables import JOB_BODIES, JOB_EVENTS, JOBS, OUTBOX, STOPS, STREAM_CHUNKS, WORKERS
from acestep_serverless.jobs.states import MOVES

Condition = sa.ColumnElement[bool]

# Built once: putting such a statement together for each call takes longer than SQLite takes to answer it.
_INSERT_JOB, _INSERT_BODY, _INSERT_EVENT = JOBS.insert(), JOB_BODIES.insert(), JOB_EVENTS.insert()
_VIEW = sa.select(
    *(JOBS.c[name] for name in ("id", "state", "submitted_at", "taken_at", "finished_at", "worker_id")),
    *(JOBS.c[name] for name in ("progress", "error")),
).where(JOBS.c.id == sa.bindparam("job"), JOBS.c.endpoint_id == sa.bindparam("endpoint"))
_FORGET_CHUNKS = STREAM_CHUNKS.delete().where(STREAM_CHUNKS.c.job_id == sa.bindparam("job"))
_OUTPUT = sa.select(JOB_BODIES.c.output).where(JOB_BODIES.c.job_id == sa.bindparam("job"))


@dataclass(frozen=True, slots=True)
class Moved:
    """One job that moved: its id, its endpoint, and the worker that held it last."""

    id: str
    endpoint_id: str
    worker_id: str | None
    webhook: str | None


def insert(connection: sa.Connection, row: dict[str, Any], request: JobRequest) -> None:
    """Write a new job with its body and its first event."""
    # Values as parameters, not in the statement: building and hashing three statements took half of a submit's time.
    connection.execute(_INSERT_JOB, {**row, "state": JobState.IN_QUEUE.value})
    body = {"job_id": row["id"], "input": dump(request.input), "passed_on": dump(dict(request.passed_on))}
    connection.execute(_INSERT_BODY, body)
    connection.execute(_INSERT_EVENT, {"job_id": row["id"], "at": row["submitted_at"], "move": "submit"})


def move(connection: sa.Connection, name: str, at: int, *where: Condition, **values: Any) -> list[Moved]:
    """Make one legal move for every job that `where` and the table of moves allow; returns those that moved."""
    rule = MOVES[name]
    final, leased = rule.target in FINAL_STATES, rule.target is JobState.IN_PROGRESS
    statement = (
        JOBS.update()
        .where(JOBS.c.state.in_([state.value for state in rule.sources]), *where)
        .values(state=rule.target.value, finished_at=at if final else None, **values)
        .returning(JOBS.c.id, JOBS.c.endpoint_id, JOBS.c.worker_id, JOBS.c.webhook)
    )
    if not leased:
        statement = statement.values(lease_expires_at=None)
    if rule.target is JobState.IN_QUEUE:
        statement = statement.values(progress=None, taken_at=None)
    moved = [Moved(*row) for row in connection.execute(statement)]
    if moved:
        _record(connection, name, at, moved)
    if moved and final:
        # Row by row: a purged queue may have more ids than a statement may have parameters.
        emptied = JOB_BODIES.update().where(JOB_BODIES.c.job_id == sa.bindparam("moved_id")).values(passed_on="{}")
        connection.execute(emptied, [{"moved_id": job.id} for job in moved])
        letters = [{"job_id": job.id, "url": job.webhook, "due_at": at} for job in moved if job.webhook]
        if letters:
            connection.execute(OUTBOX.insert(), letters)
    if rule.tells_worker:
        for job in moved:
            if job.worker_id is not None:
                ask_to_stop(connection, job.worker_id, job.id)
    return moved


def _record(connection: sa.Connection, name: str, at: int, moved: Sequence[Moved]) -> None:
    events = [{"job_id": job.id, "at": at, "move": name, "worker_id": job.worker_id} for job in moved]
    connection.execute(JOB_EVENTS.insert(), events)


def forget_chunks(connection: sa.Connection, job_id: str) -> None:
    """Forget what an earlier attempt at a job has streamed and nobody has read."""
    connection.execute(_FORGET_CHUNKS, {"job": job_id})


def next_in_line(endpoint_id: str) -> Condition:
    """Condition: the job that has waited longest at an endpoint."""
    waiting = JOBS.alias("waiting")
    first = (
        sa.select(waiting.c.number)
        .where(waiting.c.endpoint_id == endpoint_id, waiting.c.state == JobState.IN_QUEUE.value)
        .order_by(waiting.c.number)
        .limit(1)
        .scalar_subquery()
    )
    return JOBS.c.number == first


def worker_may_take(worker_id: str) -> Condition:
    """Condition: the worker is still enrolled and is being fed."""
    return sa.exists().where(WORKERS.c.id == worker_id, WORKERS.c.state == "ACTIVE")


def held_by(worker_id: str) -> Condition:
    """Condition: this worker holds the job's lease."""
    return sa.and_(JOBS.c.worker_id == worker_id, JOBS.c.state == JobState.IN_PROGRESS.value)


def body_for_worker(connection: sa.Connection, job_id: str) -> tuple[str, str]:
    """Read a job's input and what is passed on with it, both as JSON text."""
    query = sa.select(JOB_BODIES.c.input, JOB_BODIES.c.passed_on).where(JOB_BODIES.c.job_id == job_id)
    row = connection.execute(query).one()
    return row.input, row.passed_on


def set_output(connection: sa.Connection, job_id: str, output: str | None) -> None:
    """Store a result's output (JSON text) beside the job."""
    connection.execute(JOB_BODIES.update().where(JOB_BODIES.c.job_id == job_id).values(output=output))


def holds(connection: sa.Connection, worker_id: str, job_id: str) -> bool:
    """Tell whether this worker holds this job's lease, in the caller's transaction."""
    return connection.execute(sa.select(JOBS.c.id).where(JOBS.c.id == job_id, held_by(worker_id))).first() is not None


def renew(connection: sa.Connection, worker_id: str, job_ids: Sequence[str], until: int, **values: Any) -> int:
    """Prolong the leases of jobs that this worker holds; returns how many it does hold."""
    where = (JOBS.c.id.in_(job_ids), held_by(worker_id))
    statement = JOBS.update().where(*where).values(lease_expires_at=until, missed_heartbeats=0, **values)
    return connection.execute(statement).rowcount


def count_missed(connection: sa.Connection, worker_id: str, listed: Sequence[str], taken_before: int) -> None:
    """Count a heartbeat that does not list a held job, and one that no longer lists a job to be stopped."""
    absent = (held_by(worker_id), JOBS.c.id.not_in(listed), JOBS.c.taken_at < taken_before)
    connection.execute(JOBS.update().where(*absent).values(missed_heartbeats=JOBS.c.missed_heartbeats + 1))
    gone = (STOPS.c.worker_id == worker_id, STOPS.c.job_id.not_in(listed))
    connection.execute(STOPS.update().where(*gone).values(missed_heartbeats=STOPS.c.missed_heartbeats + 1))
    connection.execute(STOPS.delete().where(STOPS.c.worker_id == worker_id, STOPS.c.missed_heartbeats >= 2))


def ask_to_stop(connection: sa.Connection, worker_id: str, job_id: str) -> None:
    """Ask a worker to drop a job; asking twice is asking once."""
    connection.execute(STOPS.delete().where(STOPS.c.worker_id == worker_id, STOPS.c.job_id == job_id))
    connection.execute(STOPS.insert().values(worker_id=worker_id, job_id=job_id))


def forget_stops(connection: sa.Connection, worker_id: str, job_id: str | None = None) -> None:
    """Forget what a worker was asked to drop: one job (it takes it anew) or all (it has ended)."""
    statement = STOPS.delete().where(STOPS.c.worker_id == worker_id)
    connection.execute(statement if job_id is None else statement.where(STOPS.c.job_id == job_id))


def stops_due(connection: sa.Connection, worker_id: str, told_before: int) -> list[str]:
    """List the jobs that a worker is to drop and was not told of since `told_before`."""
    due = sa.or_(STOPS.c.told_at.is_(None), STOPS.c.told_at <= told_before)
    query = sa.select(STOPS.c.job_id).where(STOPS.c.worker_id == worker_id, due)
    return list(connection.execute(query).scalars())


def mark_told(connection: sa.Connection, worker_id: str, job_ids: Sequence[str], at: int) -> None:
    """Note when a worker was told to drop these jobs."""
    where = (STOPS.c.worker_id == worker_id, STOPS.c.job_id.in_(job_ids))
    first = sa.func.coalesce(STOPS.c.first_told_at, at)
    connection.execute(STOPS.update().where(*where).values(told_at=at, first_told_at=first))


def view(connection: sa.Connection, endpoint_id: str, job_id: str) -> JobView | None:
    """Read what `/status` shows of a job; None when this endpoint has no such job."""
    row = connection.execute(_VIEW, {"job": job_id, "endpoint": endpoint_id}).first()
    if row is None:
        return None
    state, output = JobState(row.state), row.progress
    if state in FINAL_STATES:
        output = connection.execute(_OUTPUT, {"job": job_id}).scalar()
    return JobView(row.id, state, row.submitted_at, row.taken_at, row.finished_at, row.worker_id, output, row.error)


def page(
    connection: sa.Connection, endpoint_id: str, state: JobState | None, offset: int, limit: int
) -> tuple[list[JobView], int]:
    """Read a page of an endpoint's jobs, newest first and without their outputs, and how many there are in all."""
    where = [JOBS.c.endpoint_id == endpoint_id] + ([JOBS.c.state == state.value] if state else [])
    total = connection.execute(sa.select(sa.func.count()).select_from(JOBS).where(*where)).scalar_one()
    query = sa.select(JOBS).where(*where).order_by(JOBS.c.number.desc()).offset(offset).limit(limit)
    views = [
        JobView(
            row.id, JobState(row.state), row.submitted_at, row.taken_at, row.finished_at, row.worker_id, None, row.error
        )
        for row in connection.execute(query)
    ]
    return views, total


def counts(connection: sa.Connection, endpoint_id: str) -> dict[str, int]:
    """Count an endpoint's jobs by state, and under "retried" how often any was handed out again."""
    here = JOBS.c.endpoint_id == endpoint_id
    by_state = sa.select(JOBS.c.state, sa.func.count()).where(here).group_by(JOBS.c.state)
    # A literal, not a parameter: only so is the index seen to hold every such row. (8 ms for 100,000 jobs, not 25.)
    again = JOBS.c.deliveries > sa.literal_column("1")
    retried = sa.select(sa.func.coalesce(sa.func.sum(JOBS.c.deliveries - 1), 0)).where(here, again)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_state)}
    return found | {"retried": connection.execute(retried).scalar_one()}


def any_waiting(connection: sa.Connection, endpoint_id: str) -> bool:
    """Tell whether an endpoint has a job in its queue (a look before the guarded take, to spare idle writes)."""
    query = sa.select(JOBS.c.number).where(JOBS.c.endpoint_id == endpoint_id, JOBS.c.state == JobState.IN_QUEUE.value)
    return connection.execute(query.limit(1)).first() is not None


def finished_before(connection: sa.Connection, before: int, limit: int) -> list[str]:
    """List ids of jobs that have been final since before `before`, oldest first."""
    query = sa.select(JOBS.c.id).where(JOBS.c.finished_at < before).order_by(JOBS.c.finished_at).limit(limit)
    return list(connection.execute(query).scalars())


def delete(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Delete jobs with their bodies and history, and what a worker was asked about them."""
    connection.execute(STOPS.delete().where(STOPS.c.job_id.in_(job_ids)))
    connection.execute(JOBS.delete().where(JOBS.c.id.in_(job_ids)))
