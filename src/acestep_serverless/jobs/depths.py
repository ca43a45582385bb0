"""How long are the queues? Jobs waiting and running at every endpoint, and since when the first one waits."""

from dataclasses import dataclass

import sqlalchemy as sa

from acestep_serverless.database.tables import JOBS
from acestep_serverless.jobs.store import IS_HELD, IS_WAITING


@dataclass(frozen=True, slots=True)
class Depth:
    """An endpoint's jobs waiting and running, and when the first in line was submitted (ms; None: none waits)."""

    waiting: int = 0
    waiting_since: int | None = None
    running: int = 0


# The index of waiting jobs answers the first part; only the first in line of each lane is then fetched by its number.
_HEADS = (
    sa.select(JOBS.c.endpoint_id, sa.func.count().label("waiting"), sa.func.min(JOBS.c.number).label("number"))
    .where(IS_WAITING)
    .group_by(JOBS.c.endpoint_id, JOBS.c.lane)
    .subquery()
)
_WAITING = (
    sa.select(
        _HEADS.c.endpoint_id, sa.cast(sa.func.sum(_HEADS.c.waiting), sa.BigInteger), sa.func.min(JOBS.c.submitted_at)
    )
    .join(JOBS, JOBS.c.number == _HEADS.c.number)
    .group_by(_HEADS.c.endpoint_id)
)
# Grouped by the bare column SQLite walks the index of all jobs, which has them in that order, not that of held ones.
_HERE = JOBS.c.endpoint_id.concat(sa.literal_column("''"))
_RUNNING = sa.select(_HERE, sa.func.count()).where(IS_HELD, JOBS.c.worker_id > "").group_by(_HERE)


def depths(connection: sa.Connection) -> dict[str, Depth]:
    """Read every endpoint's depth; one without open jobs is absent."""
    running = {row[0]: row[1] for row in connection.execute(_RUNNING)}
    waiting = {row[0]: (row[1], row[2]) for row in connection.execute(_WAITING)}
    return {name: Depth(*waiting.get(name, (0, None)), running.get(name, 0)) for name in {*running, *waiting}}
