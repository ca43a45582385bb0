"""Which workers exist? Each enrols once, gets a random token of its own, and is ACTIVE, DRAINING (not fed) or GONE."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from acestep_serverless.access.keys import digest, matches_digest
from acestep_serverless.clock import Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import FLEETS, JOBS, STOPS, WORKERS
from acestep_serverless.database.upsert import insert_once, upsert
from acestep_serverless.errors import AccessDenied, Conflict, NotFound

NOTED_AHEAD_MS = 4_000
"""Together with a worker's longest wait less than the lease by which its silence is judged (25 s and 30 s)."""
MOST_NOTED = 10_000
"""Workers whose notes are remembered; beyond that all are written again."""

_IS_HELD = JOBS.c.lease_expires_at.is_not(None)
_CHECK = sa.select(WORKERS.c.token_digest, WORKERS.c.state).where(
    WORKERS.c.id == sa.bindparam("worker"), WORKERS.c.endpoint_id == sa.bindparam("endpoint")
)


def _present(endpoint_id: str, worker_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return WORKERS.c.id == worker_id, WORKERS.c.endpoint_id == endpoint_id, WORKERS.c.state != "GONE"


def _unknown(endpoint_id: str, worker_id: str) -> NotFound:
    return NotFound(f"endpoint {endpoint_id} has no worker {worker_id!r} (any more)")


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as the fleet and `/health` see it. Times in milliseconds; `ignoring_stop_since`: told then, still at
    it."""

    id: str
    state: str
    jobs: int
    enrolled_at: int
    polled_at: int | None
    pinged_at: int | None
    unhealthy: str | None
    ignoring_stop_since: int | None
    fed_at: int | None
    fleet_id: str | None

    def is_silent(self, since: int) -> bool:
        """Tell whether a worker that has polled or pinged before has done neither since then (ms)."""
        last = max(self.polled_at or 0, self.pinged_at or 0)
        return 0 < last < since


class WorkerRegistry:
    """Rows of workers; `new_token` makes 256 random bits as text."""

    def __init__(self, database: Database, clock: Clock, new_token: Callable[[], str]) -> None:
        self._database, self._clock, self._new_token = database, clock, new_token
        self._noted_until: dict[str, int] = {}

    async def enrol(self, endpoint_id: str, worker_id: str, *, fleet_id: str | None) -> str:
        """Admit a worker under a fresh id and return its token, kept here as a digest only. A used id raises
        Conflict."""
        token = self._new_token()
        row = {
            "id": worker_id,
            "endpoint_id": endpoint_id,
            "token_digest": digest(token),
            "state": "ACTIVE",
            "fleet_id": fleet_id,
            "enrolled_at": self._clock.now_ms(),
        }
        if not await self._database.write(lambda connection: insert_once(connection, WORKERS, [row], "id")):
            raise Conflict(f"a worker {worker_id!r} has enrolled before: every start of a worker takes a fresh id")
        return token

    async def check(self, endpoint_id: str, worker_id: str, token: str) -> str:
        """Check a worker's token and return its state. Raises AccessDenied, for an unknown worker too."""
        known = {"worker": worker_id, "endpoint": endpoint_id}
        row = await self._database.read(lambda connection: connection.execute(_CHECK, known).first())
        expected = row.token_digest if row is not None else digest("")
        if not matches_digest(token, expected) or row is None or not token:
            raise AccessDenied("the worker's token is missing or wrong: a worker enrols first, then uses its own URLs")
        return str(row.state)

    async def polls(self, worker_id: str, for_ms: int | None) -> None:
        """Note that a worker asks for work and will wait `for_ms`, or (None) that it asks no longer.

        The note goes NOTED_AHEAD_MS beyond, and is not written again while it still covers a wait: between two jobs
        that come one after the other it would cost a commit. Nobody else shortens it but those who take the worker off.
        """
        now = self._clock.now_ms()
        if for_ms is None:
            self._noted_until.pop(worker_id, None)
            await self._note(worker_id, {"polls_until": None})
        elif self._noted_until.get(worker_id, 0) < now + for_ms:
            until = now + for_ms + NOTED_AHEAD_MS
            await self._note(worker_id, {"polled_at": now, "polls_until": until})
            if len(self._noted_until) >= MOST_NOTED:
                self._noted_until.clear()
            self._noted_until[worker_id] = until

    async def pinged(self, worker_id: str, unhealthy: str | None) -> None:
        """Note a heartbeat. A worker that was declared gone stays gone: its fleet saw its end."""
        await self._note(worker_id, {"pinged_at": self._clock.now_ms(), "unhealthy": unhealthy})

    async def _note(self, worker_id: str, values: dict[str, Any]) -> None:
        statement = WORKERS.update().where(WORKERS.c.id == worker_id).values(**values)
        await self._database.write(lambda connection: connection.execute(statement))

    async def require(self, endpoint_id: str, worker_id: str) -> None:
        """Raise NotFound for a worker that this endpoint does not have (any more)."""
        known = sa.select(WORKERS.c.id).where(*_present(endpoint_id, worker_id))
        if await self._database.read(lambda connection: connection.execute(known).first()) is None:
            raise _unknown(endpoint_id, worker_id)

    async def drain(self, endpoint_id: str, worker_id: str) -> None:
        """Feed a worker no more and wake its polls. Raises NotFound."""
        statement = WORKERS.update().where(*_present(endpoint_id, worker_id)).values(state="DRAINING", polls_until=None)
        if not await self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise _unknown(endpoint_id, worker_id)
        self._database.wakeup.ring(f"queue:{endpoint_id}", f"stop:{worker_id}")

    async def views(self, endpoint_id: str) -> list[WorkerView]:
        """List an endpoint's workers that are not gone."""
        holding = sa.select(sa.func.count()).where(JOBS.c.worker_id == WORKERS.c.id, _IS_HELD)
        ignoring = sa.select(sa.func.min(STOPS.c.first_told_at)).where(
            STOPS.c.worker_id == WORKERS.c.id, STOPS.c.missed_since.is_(None)
        )
        query = sa.select(
            WORKERS.c.id,
            WORKERS.c.state,
            holding.scalar_subquery(),
            WORKERS.c.enrolled_at,
            WORKERS.c.polled_at,
            WORKERS.c.pinged_at,
            WORKERS.c.unhealthy,
            ignoring.scalar_subquery(),
            WORKERS.c.fed_at,
            WORKERS.c.fleet_id,
        ).where(WORKERS.c.endpoint_id == endpoint_id, WORKERS.c.state != "GONE")
        return await self._database.read(
            lambda connection: [WorkerView(*tuple(row)) for row in connection.execute(query)]
        )

    async def left_by(self, fleet_id: str) -> list[str]:
        """List every worker that this fleet started and nobody has declared gone."""
        query = sa.select(WORKERS.c.id).where(WORKERS.c.fleet_id == fleet_id, WORKERS.c.state != "GONE")
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def leads(self, endpoint_id: str, fleet_id: str, lease_ms: int) -> bool:
        """Take or renew an endpoint's fleet lease for `lease_ms`; False while another fleet has it."""
        now = self._clock.now_ms()
        row = {"endpoint_id": endpoint_id, "fleet_id": fleet_id, "expires_at": now + lease_ms}
        mine = (FLEETS.c.fleet_id == fleet_id) | (FLEETS.c.expires_at < now)
        changed = {"fleet_id": fleet_id, "expires_at": now + lease_ms}
        return await self._database.write(
            lambda connection: upsert(connection, FLEETS, row, ("endpoint_id",), changed, mine)
        )

    async def forget(self, *, silent_since: int) -> int:
        """Delete rows of workers that have been silent since then (ms) and hold no job; returns how many."""
        times = (WORKERS.c.pinged_at, WORKERS.c.polled_at, WORKERS.c.enrolled_at)
        silent = [sa.func.coalesce(time, 0) < silent_since for time in times]
        holding = sa.exists().where(JOBS.c.worker_id == WORKERS.c.id, _IS_HELD)
        statement = WORKERS.delete().where(*silent, ~holding)
        look = sa.select(WORKERS.c.id).where(*silent, ~holding).limit(1)
        if await self._database.read(lambda connection: connection.execute(look).first()) is None:
            return 0
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)
