"""Who decides about jobs? The desk: single owner of the rules, between the gateway's routes and the rows.

It holds no state of its own: rows do. After each commit it rings the bells of those who wait: "queue:ENDPOINT"
(workers asking for work), "stop:WORKER" (their stop channel) and "job:ID" (clients waiting for an end).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import FINAL_STATES, JobRequest, JobState, JobView
from acestep_serverless.contract.worker_protocol import JobResult, job_for_worker
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS, OUTBOX
from acestep_serverless.errors import Conflict, NotFound
from acestep_serverless.jobs import store
from acestep_serverless.jobs.states import DEATHS_ALLOWED, LOSSES_ALLOWED

LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeskRules:
    """Times in milliseconds: between two heartbeats of a worker, how long a silent worker keeps its lease, and when a
    stop is said again: the SDK ignores one for a job that it has taken but not yet started."""

    heartbeat_ms: int = 4_000
    lease_ms: int = 30_000
    stop_again_ms: int = 250


class JobDesk:
    """The verbs of a job's life. Raises NotFound for ids that an endpoint does not have."""

    def __init__(self, database: Database, clock: Clock, rules: DeskRules) -> None:
        self._database, self._clock, self.rules = database, clock, rules

    async def submit(self, endpoint_id: str, job_id: str, request: JobRequest, execution_timeout_ms: int) -> None:
        """Put a job in the queue; durable when this returns. The request's own timeout goes before the endpoint's."""
        now = self._clock.now_ms()
        row = {
            "id": job_id,
            "endpoint_id": endpoint_id,
            "submitted_at": now,
            "expires_at": now + request.ttl_ms,
            "execution_timeout_ms": request.execution_timeout_ms or execution_timeout_ms,
            "low_priority": request.low_priority,
            "webhook": request.webhook,
        }
        await self._database.write(lambda connection: store.insert(connection, row, request))
        self._database.wakeup.ring(f"queue:{endpoint_id}")

    def view(self, endpoint_id: str, job_id: str) -> JobView:
        """Show a job of this endpoint."""
        found = self._database.read(lambda connection: store.view(connection, endpoint_id, job_id))
        if found is None:
            raise NotFound(f"endpoint {endpoint_id} has no job {job_id!r}; finished jobs are kept for a limited time")
        return found

    def page(self, endpoint_id: str, state: JobState | None, offset: int, limit: int) -> tuple[list[JobView], int]:
        """List an endpoint's jobs, newest first and without outputs, and count them all."""
        return self._database.read(lambda connection: store.page(connection, endpoint_id, state, offset, limit))

    async def take(self, endpoint_id: str, worker_id: str) -> str | None:
        """Hand the job that has waited longest to a worker, as its JSON text; None when nothing waits."""
        if not self._database.read(lambda connection: store.any_waiting(connection, endpoint_id)):
            return None
        now = self._clock.now_ms()
        return await self._database.write(lambda connection: self._take(connection, endpoint_id, worker_id, now))

    def _take(self, connection: sa.Connection, endpoint_id: str, worker_id: str, now: int) -> str | None:
        moved = store.move(
            connection,
            "take",
            now,
            store.next_in_line(endpoint_id),
            store.worker_may_take(worker_id),
            worker_id=worker_id,
            taken_at=now,
            lease_expires_at=now + self.rules.lease_ms,
            missed_heartbeats=0,
            deliveries=JOBS.c.deliveries + 1,
        )
        if not moved:
            return None
        store.forget_stops(connection, worker_id, moved[0].id)
        store.forget_chunks(connection, moved[0].id)
        input_text, passed_on = store.body_for_worker(connection, moved[0].id)
        return job_for_worker(moved[0].id, input_text, json.loads(passed_on))

    async def progress(self, worker_id: str, job_id: str, payload: str) -> None:
        """Note a progress report of the lease holder; anyone else's, or a late one, changes nothing."""
        until = self._clock.now_ms() + self.rules.lease_ms
        await self._database.write(
            lambda connection: store.renew(connection, worker_id, [job_id], until, progress=payload)
        )

    async def finish(self, worker_id: str, job_id: str, result: JobResult) -> bool:
        """Take the lease holder's result; False when it is late, foreign or repeated, which changes nothing."""
        now, name = self._clock.now_ms(), "complete" if result.error is None else "fail"

        def work(connection: sa.Connection) -> list[store.Moved]:
            holder = (JOBS.c.id == job_id, store.held_by(worker_id))
            moved = store.move(connection, name, now, *holder, error=result.error, progress=None)
            if moved:
                store.set_output(connection, job_id, result.output)
            store.forget_stops(connection, worker_id, job_id)  # Whoever sends a result has stopped working at it.
            return moved

        return bool(self._announce(await self._database.write(work)))

    async def heartbeat(self, worker_id: str, listed: Sequence[str]) -> None:
        """Renew the leases of the jobs a worker lists; one it holds but leaves out twice in a row was lost on the
        way."""
        now, heartbeat = self._clock.now_ms(), self.rules.heartbeat_ms

        def work(connection: sa.Connection) -> list[store.Moved]:
            store.renew(connection, worker_id, listed, now + self.rules.lease_ms)
            store.count_missed(connection, worker_id, listed, taken_before=now - heartbeat)
            missing = (store.held_by(worker_id), JOBS.c.missed_heartbeats >= 2)
            text = (
                f"the worker finished this job {LOSSES_ALLOWED} times without delivering a result that can be encoded"
            )
            for_good = (*missing, JOBS.c.losses + 1 >= LOSSES_ALLOWED)
            losses = JOBS.c.losses + 1
            ended = store.move(connection, "lose_for_good", now, *for_good, error=text, losses=losses)
            return ended + store.move(connection, "lose", now, *missing, losses=losses)

        self._announce(await self._database.write(work))

    async def stops(self, worker_id: str) -> list[str]:
        """List the jobs a worker is to drop now; each is repeated until it leaves the heartbeats."""
        now = self._clock.now_ms()
        before = now - self.rules.stop_again_ms
        due = self._database.read(lambda connection: store.stops_due(connection, worker_id, before))
        if due:
            await self._database.write(lambda connection: store.mark_told(connection, worker_id, due, now))
        return due

    async def cancel(self, endpoint_id: str, job_id: str) -> JobView:
        """End a job for its client, at once and for good. One that is final already stays as it is: look at `state`."""
        now = self._clock.now_ms()
        where = (JOBS.c.id == job_id, JOBS.c.endpoint_id == endpoint_id)
        self._announce(await self._database.write(lambda connection: store.move(connection, "cancel", now, *where)))
        return self.view(endpoint_id, job_id)

    async def retry(self, endpoint_id: str, job_id: str) -> JobView:
        """Put a job that failed or timed out back in the queue, with its id, its input and a new ttl of the same
        length. Raises Conflict for any other job."""
        now = self._clock.now_ms()
        where = (JOBS.c.id == job_id, JOBS.c.endpoint_id == endpoint_id)
        ttl = JOBS.c.expires_at - JOBS.c.submitted_at
        fresh = {"submitted_at": now, "expires_at": now + ttl, "error": None, "worker_id": None}

        def work(connection: sa.Connection) -> list[store.Moved]:
            moved = store.move(connection, "retry", now, *where, **fresh, deaths=0, losses=0)
            if moved:
                store.set_output(connection, job_id, None)
                connection.execute(OUTBOX.delete().where(OUTBOX.c.job_id == job_id))
            return moved

        moved = self._announce(await self._database.write(work))
        view = self.view(endpoint_id, job_id)
        if not moved:
            raise Conflict(f"job {job_id} is {view.state}: only FAILED and TIMED_OUT jobs can be retried")
        return view

    async def purge(self, endpoint_id: str) -> int:
        """Cancel every job that still waits in an endpoint's queue; returns how many."""
        now, where = self._clock.now_ms(), JOBS.c.endpoint_id == endpoint_id
        moved = await self._database.write(lambda connection: store.move(connection, "purge", now, where))
        return len(self._announce(moved))

    async def worker_ended(self, worker_id: str, *, died: bool) -> int:
        """Give back what an ended worker held; a death is counted, an end that we made is not. Returns how many."""
        now = self._clock.now_ms()

        def work(connection: sa.Connection) -> list[store.Moved]:
            moved = self.give_back(connection, now, JOBS.c.worker_id == worker_id, died=died)
            store.forget_stops(connection, worker_id)
            return moved

        return len(self._announce(await self._database.write(work)))

    def give_back(
        self, connection: sa.Connection, now: int, where: store.Condition, *, died: bool
    ) -> list[store.Moved]:
        """Move running jobs back to their place in the queue, or fail those that have seen too many deaths."""
        if not died:
            return store.move(connection, "give_back", now, where)
        text = f"the worker died {DEATHS_ALLOWED} times while it ran this job, so it is not tried again"
        deaths = JOBS.c.deaths + 1
        last = (where, deaths >= DEATHS_ALLOWED)
        ended = store.move(connection, "give_up", now, *last, error=text, deaths=deaths)
        return ended + store.move(connection, "bury", now, where, deaths=deaths)

    async def change(self, work: Callable[[sa.Connection], list[store.Moved]]) -> list[store.Moved]:
        """Run a sweep's moves in one transaction and ring for them."""
        return self._announce(await self._database.write(work))

    def counts(self, endpoint_id: str) -> dict[str, int]:
        """Count an endpoint's jobs by state (and "retried")."""
        return self._database.read(lambda connection: store.counts(connection, endpoint_id))

    def _announce(self, moved: list[store.Moved]) -> list[store.Moved]:
        for job in moved:
            topics = [f"job:{job.id}", f"queue:{job.endpoint_id}"]
            self._database.wakeup.ring(*topics, *([f"stop:{job.worker_id}"] if job.worker_id else []))
        if moved:
            LOG.debug("jobs moved", count=len(moved))
        return moved

    @staticmethod
    def is_final(view: JobView) -> bool:
        """Tell whether a job has ended."""
        return view.state in FINAL_STATES
