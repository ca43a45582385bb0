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


def due(connection: sa.Connection, worker_id: str, now: int, again_ms: int) -> list[str]:
    """List the jobs that a worker is to drop and is told of now: at first, `again_ms` later, and then each time after
    as long as has passed since the first. One that was told in the future, by a clock since set back, is due too."""
    since_first = STOPS.c.told_at - STOPS.c.first_told_at
    pause = sa.case((since_first > again_ms, since_first), else_=again_ms)
    untold = sa.or_(STOPS.c.told_at.is_(None), STOPS.c.told_at + pause <= now, STOPS.c.told_at > now)
    query = sa.select(STOPS.c.job_id).where(STOPS.c.worker_id == worker_id, untold)
    return list(connection.execute(query).scalars())


def mark_told(connection: sa.Connection, worker_id: str, job_ids: Sequence[str], at: int) -> None:
    """Note when a worker was told to drop these jobs."""
    where = (STOPS.c.worker_id == worker_id, STOPS.c.job_id.in_(job_ids))
    first = sa.func.coalesce(STOPS.c.first_told_at, at)
    connection.execute(STOPS.update().where(*where).values(told_at=at, first_told_at=first))


def heard(connection: sa.Connection, worker_id: str, listed: Sequence[str], at: int, lease_ms: int) -> None:
    """Note a heartbeat: a job to be dropped that none has listed for as long as a lease was dropped.

    Two heartbeats are not enough: they go on in a process of their own while a worker that hardly gets a core still
    reads the answer that holds the job, and would then run it to its end.
    """
    mine = STOPS.c.worker_id == worker_id
    left = (mine, STOPS.c.job_id.not_in(listed), STOPS.c.missed_since.is_(None))
    connection.execute(STOPS.update().where(mine, STOPS.c.job_id.in_(listed)).values(missed_since=None))
    connection.execute(STOPS.update().where(*left).values(missed_since=at))
    connection.execute(STOPS.delete().where(mine, STOPS.c.missed_since <= at - lease_ms))
