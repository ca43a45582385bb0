"""Who decides about batches? Their desk: requests gathered as drafts, made into jobs all at once, counted as they end.

A finalized batch's requests are jobs like any other, in a lane of their own behind those of `/run` and `/runsync`.
"""

import itertools
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from acestep_serverless.clock import Clock
from acestep_serverless.contract.batch import BatchState, BatchView, ResultPage
from acestep_serverless.contract.job import JobRequest, batch_id, batch_request_id
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import BATCHES, JOBS
from acestep_serverless.jobs import batch_rows as rows
from acestep_serverless.jobs import store
from acestep_serverless.jobs.desk import JobDesk

SWEEP_EVERY_MS = 60_000
"""How often batches whose time is over are looked for; the look reads a row of every batch."""


class BatchDesk:
    """The verbs of a batch's life. Raises NotFound for ids that an endpoint does not have, and Conflict for what a
    batch's state or a limit does not allow. `new_uuid` makes the ids."""

    def __init__(self, desk: JobDesk, database: Database, clock: Clock, new_uuid: Callable[[], str]) -> None:
        self._desk, self._database, self._clock, self._new_uuid = desk, database, clock, new_uuid
        self._sweep_at = 0

    async def create(self, endpoint_id: str, requests: Sequence[JobRequest]) -> str:
        """Make a draft with its first requests, if any; returns its id."""
        new_id, now = batch_id(self._new_uuid), self._clock.now_ms()
        row = {"id": new_id, "endpoint_id": endpoint_id, "created_at": now}
        row |= {"state": BatchState.DRAFT.value, "total": 0}
        drafts = self._drafts(new_id, requests)
        await self._database.write(lambda connection: rows.create(connection, row, drafts))
        return new_id

    def _drafts(self, of_batch: str, requests: Sequence[JobRequest]) -> list[dict[str, object]]:
        return [rows.draft_row(of_batch, batch_request_id(self._new_uuid), request) for request in requests]

    async def append(self, endpoint_id: str, batch_id: str, requests: Sequence[JobRequest]) -> tuple[list[str], int]:
        """Add requests to a draft; returns their ids and how many it has then."""
        drafts = self._drafts(batch_id, requests)
        total = await self._database.write(lambda connection: rows.append(connection, endpoint_id, batch_id, drafts))
        return [str(draft["id"]) for draft in drafts], total

    async def remove(self, endpoint_id: str, batch_id: str, request_id: str) -> int:
        """Take a request out of a draft; returns how many are left."""
        runs = itertools.count()
        return await self._database.write(
            lambda connection: rows.remove(connection, endpoint_id, batch_id, request_id, again=next(runs) > 0)
        )

    async def rename(self, endpoint_id: str, batch_id: str, name: str) -> BatchState:
        """Name a batch; returns its state."""
        return await self._database.write(lambda connection: rows.rename(connection, endpoint_id, batch_id, name))

    async def finalize(self, endpoint_id: str, batch_id: str, execution_timeout_ms: int) -> None:
        """Put all requests of a draft in the queue, in one transaction. Their own timeouts go before the endpoint's."""
        job = self._desk.new_row(endpoint_id, "", JobRequest(None), execution_timeout_ms)
        runs = itertools.count()
        await self._database.write(lambda connection: rows.finalize(connection, batch_id, job, again=next(runs) > 0))
        self._desk.ring_for_work(endpoint_id)

    async def cancel(self, endpoint_id: str, batch_id: str) -> None:
        """Cancel a batch: what waits is cancelled at once, what runs goes on to its end."""
        now = self._clock.now_ms()

        def work(connection: sa.Connection) -> list[store.Moved]:
            rows.cancel(connection, endpoint_id, batch_id)
            return store.move(connection, "cancel", now, JOBS.c.batch_id == batch_id, store.IS_WAITING)

        await self._desk.change(work)

    async def view(self, endpoint_id: str, batch_id: str) -> BatchView:
        """Show a batch with the counts of its requests."""
        return await self._database.read_aside(lambda connection: rows.view(connection, endpoint_id, batch_id))

    async def page(self, endpoint_id: str, offset: int, limit: int) -> tuple[list[BatchView], int]:
        """List an endpoint's batches, newest first, and count them all."""
        return await self._database.read_aside(lambda connection: rows.page(connection, endpoint_id, offset, limit))

    async def results(self, endpoint_id: str, batch_id: str, offset: int, limit: int) -> ResultPage:
        """List a batch's requests in their order."""
        is_draft = (await self.view(endpoint_id, batch_id)).state is BatchState.DRAFT
        return await self._database.read_aside(
            lambda connection: rows.results(connection, batch_id, offset, limit, is_draft=is_draft)
        )

    async def sweep(self) -> int:
        """Delete batches that were made or finalized longer ago than jobs are kept and that have no jobs (left); once
        a minute. Returns how many."""
        now = self._clock.now_ms()
        if now < self._sweep_at:
            return 0
        self._sweep_at = now + SWEEP_EVERY_MS
        over = rows.outlived(now - self._desk.rules.keep_ms)
        look = sa.select(BATCHES.c.number).where(over).limit(1)
        if await self._database.read_aside(lambda connection: connection.execute(look).first()) is None:
            return 0
        return await self._database.write(lambda connection: connection.execute(BATCHES.delete().where(over)).rowcount)
