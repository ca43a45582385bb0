"""What does a job say before it ends? Chunks of a generator, kept in order until a client reads them, then gone.

A job that is handed out again starts its stream anew: chunks that were read already are read again (at least once).
"""

import sqlalchemy as sa

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS, STREAM_CHUNKS
from acestep_serverless.jobs import store
from acestep_serverless.jobs.desk import JobDesk

READ_AT_ONCE = 100
"""Chunks in one answer; the platform's own are a megabyte at most, ours may have twenty."""


class StreamDesk:
    """Chunks of running jobs: written by the lease holder, read by the client."""

    def __init__(self, desk: JobDesk, database: Database, clock: Clock) -> None:
        self._desk, self._database, self._clock = desk, database, clock

    async def add(self, worker_id: str, job_id: str, chunk: str) -> bool:
        """Keep a chunk (JSON text) of the lease holder; False when it is late or foreign, which changes nothing."""
        until = self._clock.now_ms() + self._desk.rules.lease_ms
        holding = sa.select(sa.literal(job_id), sa.literal(chunk)).where(
            sa.exists().where(JOBS.c.id == job_id, store.held_by(worker_id))
        )
        statement = STREAM_CHUNKS.insert().from_select(["job_id", "output"], holding)

        def work(connection: sa.Connection) -> bool:
            kept = connection.execute(statement).rowcount == 1
            if kept:
                store.renew(connection, worker_id, [job_id], until)
            return kept

        kept = await self._database.write(work)
        if kept:
            self._database.wakeup.ring(f"job:{job_id}")
        return kept

    async def read(self, endpoint_id: str, job_id: str) -> tuple[JobState, list[str]]:
        """Take the next chunks of a job, in order, and the state to show beside them.

        The state is final only when nothing is left to read after these chunks: the JavaScript and Go clients stop at
        the first final state. Raises NotFound.
        """
        view = self._desk.view(endpoint_id, job_id)
        waiting = sa.select(STREAM_CHUNKS.c.number).where(STREAM_CHUNKS.c.job_id == job_id)
        waiting = waiting.order_by(STREAM_CHUNKS.c.number)
        if not self._database.read(lambda connection: connection.execute(waiting.limit(1)).first()):
            return view.state, []
        taken = (
            STREAM_CHUNKS.delete()
            .where(STREAM_CHUNKS.c.number.in_(waiting.limit(READ_AT_ONCE)))
            .returning(STREAM_CHUNKS.c.number, STREAM_CHUNKS.c.output)
        )
        rows = await self._database.write(lambda connection: sorted(tuple(row) for row in connection.execute(taken)))
        view = self._desk.view(endpoint_id, job_id)
        left = self._database.read(lambda connection: connection.execute(waiting.limit(1)).first())
        return _shown(view, all_read=left is None), [output for _, output in rows]


def _shown(view: JobView, *, all_read: bool) -> JobState:
    return view.state if all_read or not JobDesk.is_final(view) else JobState.IN_PROGRESS
