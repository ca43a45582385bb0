"""Which statements move jobs? All of them, here; each takes a connection inside somebody's transaction.

Every move is one guarded UPDATE: its WHERE names the expected states (and the lease holder where there is one), the
rows it returns are the answer. Nothing here reads, thinks and then writes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from acestep_serverless.contract.job import FINAL_STATES, JobRequest, JobState
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.database.tables import BATCHES, JOB_BODIES, JOB_EVENTS, JOBS, OUTBOX, STREAM_CHUNKS, WORKERS
from acestep_serverless.database.upsert import insert_new
from acestep_serverless.jobs import stops, tallies
from acestep_serverless.jobs.states import MOVES

Condition = sa.ColumnElement[bool]
_Statement = sa.sql.dml.ReturningUpdate[Any]

IS_OPEN = JOBS.c.finished_at.is_(None)
"""Condition: the job is not final, in the words of the index that leads to such jobs."""
IS_WAITING = sa.and_(IS_OPEN, JOBS.c.lease_expires_at.is_(None))
"""Condition: the job is IN_QUEUE, in the words of its index."""
IS_HELD = JOBS.c.lease_expires_at.is_not(None)
"""Condition: the job is IN_PROGRESS, in the words of its index."""

_WAITING = (JobState.IN_QUEUE,)
_INDEX_OF: dict[tuple[JobState, ...], Condition] = {
    (JobState.IN_QUEUE,): IS_WAITING,
    (JobState.IN_PROGRESS,): IS_HELD,
}
# Built once: putting such a statement together for each call takes longer than SQLite takes to answer it.
_INSERT_EVENT = JOB_EVENTS.insert()
_FORGET_CHUNKS = STREAM_CHUNKS.delete().where(STREAM_CHUNKS.c.job_id == sa.bindparam("job"))
_SET_OUTPUT = (
    JOB_BODIES.update()
    .where(JOB_BODIES.c.job_id == sa.bindparam("job"))
    .values(output=sa.bindparam("new_output"), passed_on="{}")
)
_BODY = sa.select(JOB_BODIES.c.job_id, JOB_BODIES.c.input, JOB_BODIES.c.passed_on)


@dataclass(frozen=True, slots=True)
class Moved:
    """One job that moved: its id, its endpoint, the worker that held it last, and its times (ms)."""

    id: str
    endpoint_id: str
    worker_id: str | None
    webhook: str | None
    state: str
    submitted_at: int
    taken_at: int | None
    finished_at: int | None
    deliveries: int
    started_at: int | None = None

    @property
    def begun_at(self) -> int | None:
        """When work on it began: as far as that is known, else its take."""
        return self.taken_at if self.started_at is None else self.started_at


_RETURNED = [JOBS.c[name] for name in Moved.__slots__]
_MOVED_AT: sa.BindParameter[int] = sa.bindparam("moved_at", type_=sa.BigInteger)


def insert_jobs(connection: sa.Connection, jobs: Sequence[tuple[dict[str, Any], JobRequest]]) -> None:
    """Write new jobs with their bodies, in this order; a job of an id that is there already stays as it is."""
    insert_new(connection, JOBS, [{**row, "state": JobState.IN_QUEUE.value} for row, _ in jobs], "id")
    bodies = [
        {"job_id": row["id"], "input": dump(request.input), "passed_on": dump(dict(request.passed_on))}
        for row, request in jobs
    ]
    insert_new(connection, JOB_BODIES, bodies, "job_id")


def move(connection: sa.Connection, name: str, at: int, *where: Condition, **values: Any) -> list[Moved]:
    """Make one legal move for every job that `where` and the table of moves allow; returns those that moved."""
    moved: list[Moved] = []
    for sources in _by_finality(MOVES[name].sources):
        moved += _carry_out(connection, name, at, sources, _spelled(name, sources, where, values), {})
    return moved


def _spelled(
    name: str, sources: tuple[JobState, ...], where: Sequence[Condition], values: Mapping[str, Any]
) -> _Statement:
    """Spell a move's statement; the time of a final one is the parameter `moved_at`."""
    target = MOVES[name].target
    final = target in FINAL_STATES
    changed = {**values, "state": target.value, "finished_at": _MOVED_AT if final else None}
    changed["purge_at"] = _MOVED_AT + JOBS.c.keep_ms if final else None
    if target is not JobState.IN_PROGRESS:
        changed |= {"lease_expires_at": None, "overdue_at": None}
    if target is JobState.IN_QUEUE:
        changed |= {"progress": None, "taken_at": None, "started_at": None, "missed_heartbeats": 0, "missed_at": None}
    return JOBS.update().where(*_in_states(sources), *where).values(**changed).returning(*_RETURNED)


def _carry_out(
    connection: sa.Connection,
    name: str,
    at: int,
    sources: tuple[JobState, ...],
    statement: _Statement,
    given: Mapping[str, Any],
    output: str | None = None,
) -> list[Moved]:
    known = {**given, "moved_at": at} if MOVES[name].target in FINAL_STATES else {**given}
    rows = [Moved(*tuple(row)) for row in connection.execute(statement, known)]
    if rows:
        _follow(connection, name, at, rows, sources, output)
    return rows


def _by_finality(sources: tuple[JobState, ...]) -> list[tuple[JobState, ...]]:
    """Split states so that each statement's rows come from one final state, or from none: tallies count those."""
    if FINAL_STATES.isdisjoint(sources):
        return [sources]
    return [(source,) for source in sources]


def _in_states(states: tuple[JobState, ...]) -> list[Condition]:
    named = JOBS.c.state.in_([state.value for state in states])
    if not FINAL_STATES.isdisjoint(states):
        return [named]
    return [named, _INDEX_OF.get(states, IS_OPEN)]


def _follow(
    connection: sa.Connection,
    name: str,
    at: int,
    moved: list[Moved],
    sources: tuple[JobState, ...],
    output: str | None,
) -> None:
    """Write what every move brings with it: history, tallies, output, the outbox, a request to its worker to stop."""
    rule = MOVES[name]
    events = [{"job_id": job.id, "at": at, "move": name, "worker_id": job.worker_id} for job in moved]
    connection.execute(_INSERT_EVENT, events)
    counted: Counter[tuple[str, str]] = Counter()
    if sources[0] in FINAL_STATES:
        counted.subtract((job.endpoint_id, sources[0].value) for job in moved)
    if rule.target in FINAL_STATES:
        counted.update((job.endpoint_id, rule.target.value) for job in moved)
        _close(connection, at, moved, output)
    if rule.target is JobState.IN_PROGRESS:
        counted.update((job.endpoint_id, tallies.RETRIED) for job in moved if job.deliveries > 1)
    tallies.add(connection, counted)
    if rule.tells_worker:
        for job in moved:
            if job.worker_id is not None:
                stops.ask(connection, job.worker_id, job.id)


def _close(connection: sa.Connection, at: int, moved: Sequence[Moved], output: str | None) -> None:
    # Row by row: a purged queue may have more ids than a statement may have parameters.
    connection.execute(_SET_OUTPUT, [{"job": job.id, "new_output": output} for job in moved])
    letters = [{"job_id": job.id, "url": job.webhook, "due_at": at} for job in moved if job.webhook]
    if letters:
        connection.execute(OUTBOX.insert(), letters)


def _taking() -> tuple[Any, _Statement]:
    worker: sa.BindParameter[str] = sa.bindparam("new_worker")
    at: sa.BindParameter[int] = sa.bindparam("new_taken_at", type_=sa.BigInteger)
    fed = WORKERS.update().where(WORKERS.c.id == worker, WORKERS.c.state == "ACTIVE")
    line = (
        sa.select(JOBS.c.number, JOBS.c.lane)
        .where(JOBS.c.endpoint_id == sa.bindparam("endpoint"), IS_WAITING)
        .order_by(JOBS.c.lane, JOBS.c.number)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("line")
    )
    head = sa.select(line.c.number).order_by(line.c.lane, line.c.number).limit(1).scalar_subquery()
    begins = JOBS.c.number == head
    starts: sa.BindParameter[int] = sa.bindparam("new_started_at", type_=sa.BigInteger)
    values = {
        "worker_id": worker,
        "taken_at": at,
        "started_at": sa.case((begins, starts)),
        "overdue_at": sa.case((begins, starts + JOBS.c.execution_timeout_ms)),
        "lease_expires_at": sa.bindparam("new_lease", type_=sa.BigInteger),
        "missed_heartbeats": 0,
        "missed_at": None,
        "deliveries": JOBS.c.deliveries + 1,
    }
    first = JOBS.c.number.in_(sa.select(line.c.number))
    return fed.values(polled_at=at, fed_at=at), _spelled("take", _WAITING, [first], values)


_FED, _TAKE = _taking()


def take(
    connection: sa.Connection,
    endpoint_id: str,
    worker_id: str,
    limit: int,
    at: int,
    lease_expires_at: int,
    *,
    busy: bool = False,
) -> list[Moved]:
    """Give a worker that is being fed up to `limit` of the jobs that have waited longest, in their order.

    The first one starts now, unless the worker is `busy` with another: the rest wait for their first progress. The
    worker's row is written first: on PostgreSQL that holds off whoever wants to drain it until this is over.
    """
    given = {"new_worker": worker_id, "new_taken_at": at}
    if not connection.execute(_FED, given).rowcount:
        return []
    given |= {"endpoint": endpoint_id, "most": limit, "new_lease": lease_expires_at}
    given |= {"new_started_at": None if busy else at}
    moved = _carry_out(connection, "take", at, _WAITING, _TAKE, given)
    for job in moved:
        if job.deliveries > 1:  # Of an earlier delivery there may be something left.
            stops.forget(connection, worker_id, job.id)
            connection.execute(_FORGET_CHUNKS, {"job": job.id})
    return moved if len(moved) < 2 else _in_line(connection, moved)


def _in_line(connection: sa.Connection, moved: list[Moved]) -> list[Moved]:
    """Order jobs as they stood in the queue: an UPDATE returns its rows in no order that is promised."""
    by_id = {job.id: job for job in moved}
    query = sa.select(JOBS.c.id).where(JOBS.c.id.in_(by_id)).order_by(JOBS.c.lane, JOBS.c.number)
    return [by_id[job_id] for job_id in connection.execute(query).scalars()]


def _finishing(name: str) -> _Statement:
    holder = (JOBS.c.id == sa.bindparam("job"), JOBS.c.worker_id == sa.bindparam("holder"), IS_HELD)
    return _spelled(name, MOVES[name].sources, holder, {"error": sa.bindparam("new_error"), "progress": None})


_FINISH = {name: _finishing(name) for name in ("complete", "fail")}


def finish(
    connection: sa.Connection, worker_id: str, job_id: str, at: int, output: str | None, error: str | None
) -> list[Moved]:
    """End a job with the result of its lease holder: an output (JSON text), or an error."""
    name = "complete" if error is None else "fail"
    given = {"job": job_id, "holder": worker_id, "new_error": error}
    return _carry_out(connection, name, at, MOVES[name].sources, _FINISH[name], given, output)


def held_by(worker_id: str) -> Condition:
    """Condition: this worker holds the job's lease."""
    return sa.and_(JOBS.c.worker_id == worker_id, IS_HELD)


def bodies_for_worker(connection: sa.Connection, job_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Read by id each job's input and what is passed on with it, both as JSON text."""
    query = _BODY.where(JOB_BODIES.c.job_id.in_(job_ids))
    return {row.job_id: (row.input, row.passed_on) for row in connection.execute(query)}


def set_output(connection: sa.Connection, job_id: str, output: str | None) -> None:
    """Store a result's output (JSON text) beside a job that has ended, and forget what was passed on with it."""
    connection.execute(_SET_OUTPUT, {"job": job_id, "new_output": output})


def hold(connection: sa.Connection, worker_id: str, job_id: str) -> bool:
    """Tell whether this worker holds this job's lease, and let nobody change that before the transaction ends."""
    query = sa.select(JOBS.c.id).where(JOBS.c.id == job_id, held_by(worker_id)).with_for_update()
    return connection.execute(query).first() is not None


def renew(connection: sa.Connection, worker_id: str, job_ids: Sequence[str], until: int, **values: Any) -> int:
    """Prolong the leases of jobs that this worker holds; returns how many it does hold."""
    where = (JOBS.c.id.in_(job_ids), held_by(worker_id))
    fresh = {"lease_expires_at": until, "missed_heartbeats": 0, "missed_at": None, **values}
    return connection.execute(JOBS.update().where(*where).values(**fresh)).rowcount


def note_progress(connection: sa.Connection, worker_id: str, job_id: str, at: int, until: int, payload: str) -> None:
    """Keep what a job's holder says of it (JSON text), and prolong its lease. The first word starts its clock."""
    unheard = JOBS.c.started_at.is_(None)
    begun = {
        "started_at": sa.case((unheard, at), else_=JOBS.c.started_at),
        "overdue_at": sa.case((unheard, at + JOBS.c.execution_timeout_ms), else_=JOBS.c.overdue_at),
    }
    renew(connection, worker_id, [job_id], until, progress=payload, **begun)


def _is_next() -> Condition:
    """Condition: of the jobs that its worker holds, this one was taken first, and none of them counts its time."""
    other = JOBS.alias("other")
    earlier = sa.or_(
        other.c.taken_at < JOBS.c.taken_at,
        sa.and_(other.c.taken_at == JOBS.c.taken_at, other.c.number < JOBS.c.number),
    )
    before = sa.or_(other.c.overdue_at.is_not(None), earlier)
    held = other.c.lease_expires_at.is_not(None)
    rival = sa.exists().where(other.c.worker_id == JOBS.c.worker_id, held, other.c.number != JOBS.c.number, before)
    return sa.and_(IS_HELD, JOBS.c.overdue_at.is_(None), ~rival)


IS_NEXT = _is_next()
"""Condition: this job must be the one that its worker works at, though nothing was heard of it yet."""


def count_time_of_next(connection: sa.Connection, at: int) -> None:
    """Let the executionTimeout of such jobs count from now: a worker that never reports progress is bounded too."""
    statement = JOBS.update().where(IS_NEXT).values(overdue_at=at + JOBS.c.execution_timeout_ms)
    connection.execute(statement)


def _latest(at: int, lease_ms: int) -> dict[str, Any]:
    """Give what the times of a running job can be at most at a time (ms)."""
    past = dict.fromkeys(("taken_at", "started_at", "missed_at"), sa.literal(at, sa.BigInteger))
    return {**past, "lease_expires_at": at + lease_ms, "overdue_at": at + JOBS.c.execution_timeout_ms}


def is_ahead(at: int, lease_ms: int) -> Condition:
    """Condition: a running job has a time that it can only have from a clock that was set back after that (ms)."""
    return sa.and_(IS_HELD, sa.or_(*(JOBS.c[name] > most for name, most in _latest(at, lease_ms).items())))


def bring_back(connection: sa.Connection, which: Condition, at: int, lease_ms: int) -> None:
    """Let no time of such jobs be later than it can be at this one (ms)."""
    values = {
        name: sa.case((JOBS.c[name] > most, most), else_=JOBS.c[name]) for name, most in _latest(at, lease_ms).items()
    }
    connection.execute(JOBS.update().where(which).values(**values))


def count_missed(connection: sa.Connection, worker_id: str, listed: Sequence[str], at: int, spacing: int) -> None:
    """Count a heartbeat that does not list a held job; two within `spacing` ms are counted once, and one within the
    first `2 * spacing` ms of a job not at all."""
    fresh = JOBS.c.missed_at.is_(None) | (JOBS.c.missed_at <= at - spacing)
    absent = (held_by(worker_id), JOBS.c.id.not_in(listed), JOBS.c.taken_at < at - 2 * spacing, fresh)
    counted = {"missed_heartbeats": JOBS.c.missed_heartbeats + 1, "missed_at": at}
    connection.execute(JOBS.update().where(*absent).values(**counted))


def delete(connection: sa.Connection, job_ids: Sequence[str], *where: Condition) -> list[str]:
    """Delete those of these jobs that are final, with their bodies and history, what a worker was asked about them, and
    their part of the tallies; returns their ids. One that was queued again since it was looked at stays.

    Their batches remember how they ended."""
    columns = (JOBS.c.id, JOBS.c.endpoint_id, JOBS.c.state, JOBS.c.deliveries, JOBS.c.batch_id)
    gone = JOBS.delete().where(JOBS.c.id.in_(job_ids), JOBS.c.finished_at.is_not(None), *where).returning(*columns)
    rows = connection.execute(gone).all()
    stops.forget_jobs(connection, [row.id for row in rows])
    counted: Counter[tuple[str, str]] = Counter()
    of_batches: Counter[tuple[str, str]] = Counter()
    for _, endpoint_id, state, deliveries, batch_id in rows:
        counted[endpoint_id, state] -= 1
        if batch_id is not None:
            of_batches[batch_id, "gone_completed" if state == JobState.COMPLETED else "gone_failed"] += 1
        if deliveries > 1:
            counted[endpoint_id, tallies.RETRIED] -= deliveries - 1
    tallies.add(connection, counted)
    for (batch_id, column), count in sorted(of_batches.items()):
        statement = BATCHES.update().where(BATCHES.c.id == batch_id)
        connection.execute(statement.values({column: BATCHES.c[column] + count}))
    return [row.id for row in rows]
