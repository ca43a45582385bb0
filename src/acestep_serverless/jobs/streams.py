"""What does a job say before it ends? Chunks of a generator, kept in order until a client reads them, then gone.

A job that is handed out again starts its stream anew: chunks that were read already are read again (at least once).
"""

import json

import sqlalchemy as sa

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import STREAM_CHUNKS
from acestep_serverless.jobs import store
from acestep_serverless.jobs.desk import JobDesk

READ_AT_ONCE = 100
"""Chunks in one answer."""
CHUNK_LIMIT = 1_000_000
"""Characters of one chunk: a longer text is split, as on the platform. Other values cannot be, and stay whole."""


_ADD = STREAM_CHUNKS.insert().returning(STREAM_CHUNKS.c.number)


class StreamDesk:
    """Chunks of running jobs: written by the lease holder, read by the client."""

    def __init__(self, desk: JobDesk, database: Database, clock: Clock) -> None:
        self._desk, self._database, self._clock = desk, database, clock

    async def add(self, worker_id: str, job_id: str, chunk: str) -> bool:
        """Keep a chunk (JSON text) of the lease holder; False when it is late or foreign, which changes nothing."""
        until = self._clock.now_ms() + self._desk.rules.lease_ms
        rows = [{"job_id": job_id, "output": piece} for piece in split(chunk)]
        added: list[int] = []  # By a run whose commit seemed to fail: it may have written them all the same.

        def work(connection: sa.Connection) -> bool:
            # The lease first: renewing it locks the job's row, so that no end of the job slips in before the chunk.
            held = store.renew(connection, worker_id, [job_id], until) == 1
            there = sa.select(STREAM_CHUNKS.c.number).where(STREAM_CHUNKS.c.number.in_(added))
            if held and not (added and connection.execute(there).first()):
                added[:] = connection.execute(_ADD, rows).scalars()
            return held

        kept = await self._database.write(work)
        if kept:
            self._database.wakeup.ring(f"job:{job_id}")
        return kept

    async def read(self, endpoint_id: str, job_id: str) -> tuple[JobState, list[str]]:
        """Take the next chunks of a job, in order, and the state to show beside them.

        The state is final only when nothing is left to read after these chunks: the JavaScript and Go clients stop at
        the first final state. Raises NotFound.
        """
        view = await self._desk.view(endpoint_id, job_id)
        waiting = sa.select(STREAM_CHUNKS.c.number).where(STREAM_CHUNKS.c.job_id == job_id)
        waiting = waiting.order_by(STREAM_CHUNKS.c.number)
        if not await self._database.read(lambda connection: connection.execute(waiting.limit(1)).first()):
            return view.state, []
        taken = (
            STREAM_CHUNKS.delete()
            .where(STREAM_CHUNKS.c.number.in_(waiting.limit(READ_AT_ONCE)))
            .returning(STREAM_CHUNKS.c.number, STREAM_CHUNKS.c.output)
        )
        rows: dict[int, str] = {}  # Of a run whose commit seemed to fail, too: it may have taken them all the same.
        await self._database.write(
            lambda connection: rows.update((row.number, row.output) for row in connection.execute(taken))
        )
        view = await self._desk.view(endpoint_id, job_id)
        left = await self._database.read(lambda connection: connection.execute(waiting.limit(1)).first())
        return _shown(view, all_read=left is None), [rows[number] for number in sorted(rows)]


def split(chunk: str) -> list[str]:
    """Split a chunk (JSON text) that is one long string into several; anything else stays as it is."""
    if len(chunk) <= CHUNK_LIMIT or not chunk.startswith('"'):
        return [chunk]
    text = json.loads(chunk)
    return [dump(text[start : start + CHUNK_LIMIT]) for start in range(0, len(text), CHUNK_LIMIT)]


def _shown(view: JobView, *, all_read: bool) -> JobState:
    return view.state if all_read or not JobDesk.is_final(view) else JobState.IN_PROGRESS
