"""What the database itself says about jobs, past every gateway."""

from collections import defaultdict
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from acestep_serverless.database.engine import open_engine
from acestep_serverless.database.tables import JOB_EVENTS, JOBS


def read_rows(url: str, query: sa.Select[Any]) -> list[Any]:
    """Read rows over a connection of our own, again when a test that cuts connections has cut this one too."""
    engine = open_engine(url)
    try:
        for _ in range(20):
            with suppress(sa.exc.OperationalError), engine.connect() as connection:
                return list(connection.execute(query))
    finally:
        engine.dispose()
    raise AssertionError("the database cannot be read")


def moves_by_job(url: str) -> dict[str, list[str]]:
    """Give the moves of every job, in their order."""
    query = sa.select(JOB_EVENTS.c.job_id, JOB_EVENTS.c.move).order_by(JOB_EVENTS.c.number)
    moves: defaultdict[str, list[str]] = defaultdict(list)
    for job_id, move in read_rows(url, query):
        moves[job_id].append(move)
    return dict(moves)


def states_by_job(url: str) -> dict[str, str]:
    """Give the state of every job."""
    return dict(map(tuple, read_rows(url, sa.select(JOBS.c.id, JOBS.c.state))))


def jobs_held_by(url: str, worker_id: str) -> dict[str, int]:
    """Give the jobs that this worker holds, with the deaths they have seen."""
    query = sa.select(JOBS.c.id, JOBS.c.deaths).where(JOBS.c.worker_id == worker_id, JOBS.c.lease_expires_at > 0)
    return dict(map(tuple, read_rows(url, query)))
