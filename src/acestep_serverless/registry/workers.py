"""Which workers exist? Each enrols once, gets a random token of its own, and is ACTIVE, DRAINING (not fed) or GONE."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from acestep_serverless.access.keys import digest, matches_digest
from acestep_serverless.clock import Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS, STOPS, WORKERS
from acestep_serverless.errors import AccessDenied, Conflict, NotFound


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

    def is_silent(self, since: int) -> bool:
        """Tell whether a worker that has polled or pinged before has done neither since then (ms)."""
        last = max(self.polled_at or 0, self.pinged_at or 0)
        return 0 < last < since


class WorkerRegistry:
    """Rows of workers; `new_token` makes 256 random bits as text."""

    def __init__(self, database: Database, clock: Clock, new_token: Callable[[], str]) -> None:
        self._database, self._clock, self._new_token = database, clock, new_token

    async def enrol(self, endpoint_id: str, worker_id: str, *, from_fleet: bool) -> str:
        """Admit a worker under a fresh id and return its token, kept here as a digest only. A used id raises
        Conflict."""
        token = self._new_token()
        row = {
            "id": worker_id,
            "endpoint_id": endpoint_id,
            "token_digest": digest(token),
            "state": "ACTIVE",
            "from_fleet": from_fleet,
            "enrolled_at": self._clock.now_ms(),
        }
        statement = insert(WORKERS).values(**row).on_conflict_do_nothing()
        if not await self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise Conflict(f"a worker {worker_id!r} has enrolled before: every start of a worker takes a fresh id")
        return token

    def check(self, endpoint_id: str, worker_id: str, token: str) -> str:
        """Check a worker's token and return its state. Raises AccessDenied, for an unknown worker too."""
        query = sa.select(WORKERS).where(WORKERS.c.id == worker_id, WORKERS.c.endpoint_id == endpoint_id)
        row = self._database.read(lambda connection: connection.execute(query).first())
        expected = row.token_digest if row is not None else digest("")
        if not matches_digest(token, expected) or row is None or not token:
            raise AccessDenied("the worker's token is missing or wrong: a worker enrols first, then uses its own URLs")
        return str(row.state)

    async def seen(self, worker_id: str, *, polled: bool = False, unhealthy: str | None = None) -> None:
        """Note that a worker polled or pinged. One that was declared gone stays gone: its fleet saw its end."""
        now = self._clock.now_ms()
        values = {"polled_at": now} if polled else {"pinged_at": now, "unhealthy": unhealthy}
        statement = WORKERS.update().where(WORKERS.c.id == worker_id).values(**values)
        await self._database.write(lambda connection: connection.execute(statement))

    async def change(self, endpoint_id: str, worker_id: str, state: str) -> None:
        """Set a worker DRAINING or GONE and wake its polls. Raises NotFound."""
        where = (WORKERS.c.id == worker_id, WORKERS.c.endpoint_id == endpoint_id, WORKERS.c.state != "GONE")
        statement = WORKERS.update().where(*where).values(state=state)
        changed = await self._database.write(lambda connection: connection.execute(statement).rowcount)
        if not changed:
            raise NotFound(f"endpoint {endpoint_id} has no worker {worker_id!r} (any more)")
        self._database.wakeup.ring(f"queue:{endpoint_id}", f"stop:{worker_id}")

    def views(self, endpoint_id: str) -> list[WorkerView]:
        """List an endpoint's workers that are not gone."""
        holding = sa.select(sa.func.count()).where(JOBS.c.worker_id == WORKERS.c.id, JOBS.c.state == "IN_PROGRESS")
        ignoring = sa.select(sa.func.min(STOPS.c.first_told_at)).where(STOPS.c.worker_id == WORKERS.c.id)
        query = sa.select(
            WORKERS.c.id,
            WORKERS.c.state,
            holding.scalar_subquery(),
            WORKERS.c.enrolled_at,
            WORKERS.c.polled_at,
            WORKERS.c.pinged_at,
            WORKERS.c.unhealthy,
            ignoring.scalar_subquery(),
        ).where(WORKERS.c.endpoint_id == endpoint_id, WORKERS.c.state != "GONE")
        return self._database.read(lambda connection: [WorkerView(*row) for row in connection.execute(query)])

    def left_by_a_former_fleet(self) -> list[tuple[str, str]]:
        """List (endpoint, worker) of every worker that a fleet started and nobody has declared gone."""
        query = sa.select(WORKERS.c.endpoint_id, WORKERS.c.id).where(WORKERS.c.from_fleet, WORKERS.c.state != "GONE")
        return self._database.read(lambda connection: [(row[0], row[1]) for row in connection.execute(query)])

    async def forget(self, *, silent_since: int) -> int:
        """Delete rows of workers that have been silent since then (ms) and hold no job; returns how many."""
        silent = (
            sa.func.coalesce(time, 0) < silent_since
            for time in (WORKERS.c.pinged_at, WORKERS.c.polled_at, WORKERS.c.enrolled_at)
        )
        holding = sa.exists().where(JOBS.c.worker_id == WORKERS.c.id, JOBS.c.state == "IN_PROGRESS")
        statement = WORKERS.delete().where(*silent, ~holding)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)
