"""Which statements touch batches? All of them, here; each takes a connection inside somebody's transaction.

A batch's row is locked before anything of it changes. A piece of work may be run again although its first run was
committed after all: new rows go in once by their id, and `again` tells the others that what they meet may be their own
doing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from acestep_serverless.contract import batch as wire
from acestep_serverless.contract.batch import BatchState, BatchView, ResultPage
from acestep_serverless.contract.job import JobRequest, JobState
from acestep_serverless.contract.worker_protocol import IDENTIFIER, dump
from acestep_serverless.database.tables import BATCH_DRAFTS, BATCHES, JOB_BODIES, JOBS
from acestep_serverless.database.upsert import insert_once
from acestep_serverless.errors import Conflict, NotFound
from acestep_serverless.jobs.store import IS_HELD, IS_WAITING

BATCH_LANE = 1
"""The lane of a batch's jobs: every waiting job of lane 0 is handed out before them."""

_IS_DRAFT = BATCHES.c.state == BatchState.DRAFT.value
_FAILED = (JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED)


def draft_row(batch_id: str, request_id: str, request: JobRequest) -> dict[str, Any]:
    """Give the row of a checked request of a batch that is not finalized."""
    return {
        "id": request_id,
        "batch_id": batch_id,
        "input": dump(request.input),
        "passed_on": dump(dict(request.passed_on)),
        "execution_timeout_ms": request.execution_timeout_ms,
        "ttl_ms": request.ttl_ms,
        "low_priority": request.low_priority,
        "webhook": request.webhook,
    }


def lock(connection: sa.Connection, endpoint_id: str, batch_id: str) -> tuple[BatchState, int]:
    """Read a batch's state and total, and let nobody change them before the transaction ends. Raises NotFound."""
    _require_name(endpoint_id, batch_id)
    here = (BATCHES.c.id == batch_id, BATCHES.c.endpoint_id == endpoint_id)
    row = connection.execute(sa.select(BATCHES.c.state, BATCHES.c.total).where(*here).with_for_update()).first()
    if row is None:
        raise no_such(endpoint_id, batch_id)
    return BatchState(row.state), row.total


def no_such(endpoint_id: str, batch_id: str) -> NotFound:
    """Say that an endpoint does not have this batch."""
    return NotFound(f"endpoint {endpoint_id} has no batch {batch_id!r}; batches are kept for a limited time")


def _require_name(endpoint_id: str, batch_id: str) -> None:
    # PostgreSQL refuses to compare with a text that holds NUL, which a path can spell.
    if not IDENTIFIER.fullmatch(batch_id):
        raise no_such(endpoint_id, batch_id)


def _require_draft(batch_id: str, state: BatchState) -> None:
    if state is not BatchState.DRAFT:
        raise Conflict(f"batch {batch_id} is {state}: only a DRAFT can be changed or finalized")


def create(connection: sa.Connection, row: Mapping[str, Any], drafts: Sequence[Mapping[str, Any]]) -> None:
    """Write a new batch with its first requests. Raises Conflict when the endpoint has too many active ones."""
    if not insert_once(connection, BATCHES, [row], "id"):
        return
    if _active(connection, row["endpoint_id"]) > wire.ACTIVE_BATCHES:
        raise Conflict(
            f"endpoint {row['endpoint_id']} has {wire.ACTIVE_BATCHES} active batches, which is the limit: a draft, or"
            " one with unfinished requests, is active until it is cancelled or done"
        )
    append(connection, row["endpoint_id"], row["id"], drafts)


def _active(connection: sa.Connection, endpoint_id: str) -> int:
    """Count drafts, and finalized batches with unfinished jobs: found from those jobs, however many have finished."""
    own = sa.select(JOBS.c.batch_id).where(JOBS.c.endpoint_id == endpoint_id, JOBS.c.lane == BATCH_LANE)
    # The state is named too: without it SQLite would walk through all of the endpoint's jobs to those that run.
    held = own.where(IS_HELD, JOBS.c.state == JobState.IN_PROGRESS.value)
    unfinished = sa.union(own.where(IS_WAITING), held)
    busy = sa.and_(BATCHES.c.state == BatchState.FINALIZED.value, BATCHES.c.id.in_(unfinished))
    query = sa.select(sa.func.count()).where(BATCHES.c.endpoint_id == endpoint_id, _IS_DRAFT | busy)
    return connection.execute(query).scalar_one()


def append(connection: sa.Connection, endpoint_id: str, batch_id: str, drafts: Sequence[Mapping[str, Any]]) -> int:
    """Add requests to a draft; returns how many it has then. Raises NotFound, Conflict."""
    state, total = lock(connection, endpoint_id, batch_id)
    if drafts and not insert_once(connection, BATCH_DRAFTS, drafts, "id"):
        return total
    _require_draft(batch_id, state)
    grown = total + len(drafts)
    if grown > wire.REQUESTS_A_BATCH:
        raise Conflict(f"batch {batch_id} would have {grown:,} requests; the limit is {wire.REQUESTS_A_BATCH:,}")
    connection.execute(BATCHES.update().where(BATCHES.c.id == batch_id, _IS_DRAFT).values(total=grown))
    return grown


def remove(connection: sa.Connection, endpoint_id: str, batch_id: str, request_id: str, *, again: bool) -> int:
    """Take a request out of a draft; returns how many are left. Raises NotFound, Conflict."""
    state, total = lock(connection, endpoint_id, batch_id)
    _require_draft(batch_id, state)
    which = (BATCH_DRAFTS.c.id == request_id, BATCH_DRAFTS.c.batch_id == batch_id)
    gone = connection.execute(BATCH_DRAFTS.delete().where(*which)).rowcount if IDENTIFIER.fullmatch(request_id) else 0
    if not gone and not again:
        raise NotFound(f"batch {batch_id} has no request {request_id!r}")
    connection.execute(BATCHES.update().where(BATCHES.c.id == batch_id).values(total=total - gone))
    return total - gone


def rename(connection: sa.Connection, endpoint_id: str, batch_id: str, name: str) -> BatchState:
    """Name a batch, whatever its state. Raises NotFound."""
    state, _ = lock(connection, endpoint_id, batch_id)
    connection.execute(BATCHES.update().where(BATCHES.c.id == batch_id).values(name=name))
    return state


def finalize(connection: sa.Connection, batch_id: str, job: Mapping[str, Any], *, again: bool) -> None:
    """Turn a draft's requests into waiting jobs with their ids, in their order; `job` is what all their rows share.

    Raises NotFound, Conflict. The rows never leave the database: 5,000 take it 0.1 s (SQLite) to 0.3 s (PostgreSQL),
    and other writers wait for that long.
    """
    state, total = lock(connection, job["endpoint_id"], batch_id)
    if again and state is BatchState.FINALIZED:
        return
    _require_draft(batch_id, state)
    _require_room(connection, job["endpoint_id"], total)
    final = {"state": BatchState.FINALIZED.value, "finalized_at": job["submitted_at"]}
    if not connection.execute(BATCHES.update().where(BATCHES.c.id == batch_id, _IS_DRAFT).values(**final)).rowcount:
        return
    drafts, mine = BATCH_DRAFTS.c, BATCH_DRAFTS.c.batch_id == batch_id
    columns: dict[str, Any] = {name: sa.literal(value, JOBS.c[name].type) for name, value in job.items()} | {
        "id": drafts.id,
        "batch_id": drafts.batch_id,
        "lane": sa.literal(BATCH_LANE, sa.SmallInteger),
        "state": sa.literal(JobState.IN_QUEUE.value, sa.Text),
        "expires_at": sa.literal(job["submitted_at"], sa.BigInteger) + drafts.ttl_ms,
        "execution_timeout_ms": sa.func.coalesce(drafts.execution_timeout_ms, job["execution_timeout_ms"]),
        "low_priority": drafts.low_priority,
        "webhook": drafts.webhook,
    }
    jobs = sa.select(*columns.values()).where(mine).order_by(drafts.number)
    connection.execute(JOBS.insert().from_select(list(columns), jobs))
    bodies = sa.select(drafts.id, drafts.input, drafts.passed_on).where(mine).order_by(drafts.number)
    connection.execute(JOB_BODIES.insert().from_select(["job_id", "input", "passed_on"], bodies))
    connection.execute(BATCH_DRAFTS.delete().where(mine))


def _require_room(connection: sa.Connection, endpoint_id: str, total: int) -> None:
    here = (JOBS.c.endpoint_id == endpoint_id, IS_WAITING)
    waiting = connection.execute(sa.select(sa.func.count()).select_from(JOBS).where(*here)).scalar_one()
    if waiting + total > wire.QUEUED_JOBS:
        limit = f"at most {wire.QUEUED_JOBS:,} may wait when a batch of {total:,} is finalized, its own included"
        raise Conflict(f"{waiting:,} jobs wait at endpoint {endpoint_id}; {limit}: finalize it later")


def cancel(connection: sa.Connection, endpoint_id: str, batch_id: str) -> None:
    """Call a batch off; a draft's requests are dropped. Its waiting jobs are for `store.move`. Raises NotFound."""
    state, total = lock(connection, endpoint_id, batch_id)
    left = 0 if state is BatchState.DRAFT else total
    changed = {"state": BatchState.CANCELLED.value, "total": left}
    connection.execute(BATCHES.update().where(BATCHES.c.id == batch_id).values(**changed))
    connection.execute(BATCH_DRAFTS.delete().where(BATCH_DRAFTS.c.batch_id == batch_id))


def view(connection: sa.Connection, endpoint_id: str, batch_id: str) -> BatchView:
    """Read a batch with its counts. Raises NotFound."""
    _require_name(endpoint_id, batch_id)
    found = _views(connection, sa.select(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.endpoint_id == endpoint_id))
    if not found:
        raise no_such(endpoint_id, batch_id)
    return found[0]


def page(connection: sa.Connection, endpoint_id: str, offset: int, limit: int) -> tuple[list[BatchView], int]:
    """Read a page of an endpoint's batches, newest first, and how many there are in all."""
    here = BATCHES.c.endpoint_id == endpoint_id
    total = connection.execute(sa.select(sa.func.count()).select_from(BATCHES).where(here)).scalar_one()
    query = sa.select(BATCHES).where(here).order_by(BATCHES.c.number.desc()).offset(offset).limit(limit)
    return _views(connection, query), total


def _views(connection: sa.Connection, query: sa.Select[Any]) -> list[BatchView]:
    rows = connection.execute(query).all()
    counts: dict[str, Counter[str]] = {row.id: Counter() for row in rows}
    counting = sa.select(JOBS.c.batch_id, JOBS.c.state, sa.func.count()).where(JOBS.c.batch_id.in_(counts))
    for batch_id, state, count in connection.execute(counting.group_by(JOBS.c.batch_id, JOBS.c.state)):
        counts[batch_id][state] = count
    return [
        BatchView(
            row.id,
            row.endpoint_id,
            BatchState(row.state),
            row.name,
            row.created_at,
            row.total,
            in_progress=counts[row.id][JobState.IN_PROGRESS],
            completed=row.gone_completed + counts[row.id][JobState.COMPLETED],
            failed=row.gone_failed + sum(counts[row.id][state] for state in _FAILED),
        )
        for row in rows
    ]


def results(connection: sa.Connection, batch_id: str, offset: int, limit: int, *, is_draft: bool) -> ResultPage:
    """Read a page of a batch's requests in their order."""
    table = BATCH_DRAFTS if is_draft else JOBS
    mine = table.c.batch_id == batch_id
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one()
    query = sa.select(table.c.id).where(mine).order_by(table.c.number).offset(offset).limit(limit)
    return ResultPage(list(connection.execute(query).scalars()), total, is_draft)


def outlived(created_before: int) -> sa.ColumnElement[bool]:
    """Condition: a batch that was made or finalized before that time (ms) and has no jobs (left)."""
    has_jobs = sa.exists().where(JOBS.c.batch_id == BATCHES.c.id)
    return sa.and_(sa.func.coalesce(BATCHES.c.finalized_at, BATCHES.c.created_at) < created_before, ~has_jobs)
