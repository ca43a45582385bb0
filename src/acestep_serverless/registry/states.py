"""In which state are the workers? Counted by endpoint in the words of `/health`, in one statement."""

import sqlalchemy as sa

from acestep_serverless.database.tables import JOBS, WORKERS

WORKER_STATES = ("idle", "running", "initializing", "draining", "unhealthy")
"""`draining` workers hold nothing and are fed no more; `unhealthy` ones said so or have been silent for too long."""


def count_workers(connection: sa.Connection, silent_since: int) -> dict[str, dict[str, int]]:
    """Count the workers that are not gone by endpoint and state; silent since then (ms) is unhealthy."""
    holds = sa.exists().where(JOBS.c.worker_id == WORKERS.c.id, JOBS.c.lease_expires_at.is_not(None))
    never = sa.and_(WORKERS.c.polled_at.is_(None), WORKERS.c.pinged_at.is_(None))
    times = (WORKERS.c.polled_at, WORKERS.c.pinged_at)
    silent = sa.and_(~never, *(sa.func.coalesce(time, 0) < silent_since for time in times))
    state = sa.case(
        (sa.or_(WORKERS.c.unhealthy.is_not(None), silent), "unhealthy"),
        (WORKERS.c.polled_at.is_(None), "initializing"),
        (holds, "running"),
        (WORKERS.c.state == "DRAINING", "draining"),
        else_="idle",
    ).label("seen")
    seen = sa.select(WORKERS.c.endpoint_id, state).where(WORKERS.c.state != "GONE").subquery()
    query = sa.select(seen.c.endpoint_id, seen.c.seen, sa.func.count()).group_by(seen.c.endpoint_id, seen.c.seen)
    counted: dict[str, dict[str, int]] = {}
    for endpoint_id, name, count in connection.execute(query):
        counted.setdefault(endpoint_id, {})[name] = count
    return counted
