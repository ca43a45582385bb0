"""What can the live workers of an endpoint do? Kept as each of them told it, and put together when somebody asks."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from acestep_serverless.contract.abilities import Abilities, read_statement, statement, union
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import WORKERS
from acestep_serverless.errors import InputError


@dataclass(frozen=True, slots=True)
class LiveWorkers:
    """The live workers of an endpoint: how many there are, and what at least one of them can do; None while there is
    none, or where one of them has told nothing (a worker of somebody else's making): it may do everything."""

    count: int = 0
    abilities: Abilities | None = None


class AbilityBoard:
    """The only one who writes and reads what workers tell of their engines: a column of their rows, so that every
    gateway of a database and every successor of a core knows it, and it goes with the worker.

    A worker is live while it is fed (ACTIVE), healthy, and gave a sign of life less than `lease_ms` ago. One that has
    told nothing counts from its first poll or heartbeat on: ours tell before that.
    """

    def __init__(self, database: Database, now_ms: Callable[[], int], lease_ms: int) -> None:
        self._database, self._now_ms, self._lease_ms = database, now_ms, lease_ms

    async def tell(self, worker_id: str, abilities: Abilities) -> None:
        """Keep what a worker tells of its engine, in the place of what it told before."""
        told = json.dumps(statement(abilities))
        change = WORKERS.update().where(WORKERS.c.id == worker_id).values(abilities=told)
        await self._database.write(lambda connection: connection.execute(change))

    async def live(self, endpoint_id: str) -> LiveWorkers:
        """Look at an endpoint's live workers."""
        since = self._now_ms() - self._lease_ms
        signs = (WORKERS.c.polled_at, WORKERS.c.pinged_at)
        fresh = sa.or_(
            *(sign >= since for sign in signs),
            sa.and_(WORKERS.c.abilities.is_not(None), WORKERS.c.enrolled_at >= since),
        )
        query = (
            sa.select(WORKERS.c.abilities)
            .where(
                WORKERS.c.endpoint_id == endpoint_id,
                WORKERS.c.state == "ACTIVE",
                WORKERS.c.unhealthy.is_(None),
                fresh,
            )
            .order_by(WORKERS.c.enrolled_at, WORKERS.c.id)
        )
        told = await self._database.read(lambda connection: list(connection.execute(query).scalars()))
        read = [_read(text) for text in dict.fromkeys(told)]
        known = [one for one in read if one is not None]
        return LiveWorkers(len(told), union(known) if len(known) == len(read) else None)


def _read(told: str | None) -> Abilities | None:
    """Read what a row has; None for nothing, and for what a gateway of another version has written."""
    try:
        return None if told is None else read_statement(json.loads(told))
    except InputError:
        return None
