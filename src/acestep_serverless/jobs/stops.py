"""What is a worker to drop? Rows that a cancel or a timeout leaves for it, told until its heartbeats show effect."""

from collections.abc import Sequence

import sqlalchemy as sa

from acestep_serverless.database.tables import STOPS

# Built once: putting such a statement together for each call takes longer than SQLite takes to answer it.
_FORGET_ALL = STOPS.delete().where(STOPS.c.worker_id == sa.bindparam("worker"))
_FORGET_ONE = _FORGET_ALL.where(STOPS.c.job_id == sa.bindparam("job"))


def ask(connection: sa.Connection, worker_id: str, job_id: str) -> None:
    """Ask a worker to drop a job; asking twice is asking once."""
    connection.execute(STOPS.delete().where(STOPS.c.worker_id == worker_id, STOPS.c.job_id == job_id))
    connection.execute(STOPS.insert().values(worker_id=worker_id, job_id=job_id))


def forget(connection: sa.Connection, worker_id: str, job_id: str | None = None) -> None:
    """Forget what a worker was asked to drop: one job (it takes it anew) or all (it has ended)."""
    if job_id is None:
        connection.execute(_FORGET_ALL, {"worker": worker_id})
    else:
        connection.execute(_FORGET_ONE, {"worker": worker_id, "job": job_id})


def forget_jobs(connection: sa.Connection, job_ids: Sequence[str]) -> None:
    """Forget these jobs, whoever was asked."""
    connection.execute(STOPS.delete().where(STOPS.c.job_id.in_(job_ids)))


def due(connection: sa.Connection, worker_id: str, told_before: int) -> list[str]:
    """List the jobs that a worker is to drop and was not told of since `told_before` (ms)."""
    untold = sa.or_(STOPS.c.told_at.is_(None), STOPS.c.told_at <= told_before)
    query = sa.select(STOPS.c.job_id).where(STOPS.c.worker_id == worker_id, untold)
    return list(connection.execute(query).scalars())


def mark_told(connection: sa.Connection, worker_id: str, job_ids: Sequence[str], at: int) -> None:
    """Note when a worker was told to drop these jobs."""
    where = (STOPS.c.worker_id == worker_id, STOPS.c.job_id.in_(job_ids))
    first = sa.func.coalesce(STOPS.c.first_told_at, at)
    connection.execute(STOPS.update().where(*where).values(told_at=at, first_told_at=first))


def count_missed(connection: sa.Connection, worker_id: str, listed: Sequence[str]) -> None:
    """Count a heartbeat that no longer lists a job to be dropped; after two of them it was dropped."""
    gone = (STOPS.c.worker_id == worker_id, STOPS.c.job_id.not_in(listed))
    connection.execute(STOPS.update().where(*gone).values(missed_heartbeats=STOPS.c.missed_heartbeats + 1))
    connection.execute(STOPS.delete().where(STOPS.c.worker_id == worker_id, STOPS.c.missed_heartbeats >= 2))
