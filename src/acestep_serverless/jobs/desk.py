"""Who decides about jobs? The desk: single owner of the rules, between the gateway's routes and the rows.

It holds no state of its own: rows do. After each commit it rings the bells of those who wait: "queue:ENDPOINT"
(workers asking for work), "stop:WORKER" (their stop channel) and "job:ID" (clients waiting for an end).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import FINAL_STATES, JobRequest, JobState, JobView, is_sync
from acestep_serverless.contract.worker_protocol import JobResult, job_for_worker
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOBS, OUTBOX, WORKERS
from acestep_serverless.database.together import Together
from acestep_serverless.errors import Conflict, NotFound
from acestep_serverless.jobs import looks, stops, store
from acestep_serverless.jobs.states import DEATHS_ALLOWED, LOSSES_ALLOWED

WEEK_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class DeskRules:
    """Times in milliseconds: between two heartbeats of a worker, how long a silent worker keeps its lease, when a stop
    is said again (the SDK ignores one for a job that it has taken but not yet started), and how long final jobs are
    kept, those of `/runsync` by themselves."""

    heartbeat_ms: int = 4_000
    lease_ms: int = 30_000
    stop_again_ms: int = 250
    keep_ms: int = WEEK_MS
    keep_sync_ms: int = WEEK_MS


def watch_nothing(_job: store.Moved) -> None:
    """Take no notice of moves."""


class JobDesk:
    """The verbs of a job's life. Raises NotFound for ids that an endpoint does not have. `watch` hears of every move,
    after its commit."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: DeskRules,
        watch: Callable[[store.Moved], None] = watch_nothing,
    ) -> None:
        self._database, self._clock, self.rules, self._watch = database, clock, rules, watch
        self._arrivals = Together(self._insert)
        self._views = Together(self._look)

    def new_row(self, endpoint_id: str, job_id: str, request: JobRequest, execution_timeout_ms: int) -> dict[str, Any]:
        """Give the row of a job that is submitted now. The request's own timeout goes before the endpoint's."""
        now = self._clock.now_ms()
        return {
            "id": job_id,
            "endpoint_id": endpoint_id,
            "submitted_at": now,
            "expires_at": now + request.ttl_ms,
            "execution_timeout_ms": request.execution_timeout_ms or execution_timeout_ms,
            "low_priority": request.low_priority,
            "webhook": request.webhook,
            "lane": 0,
            "batch_id": None,
            "keep_ms": self.rules.keep_sync_ms if is_sync(job_id) else self.rules.keep_ms,
        }

    async def submit(self, endpoint_id: str, job_id: str, request: JobRequest, execution_timeout_ms: int) -> None:
        """Put a job in the queue; durable when this returns."""
        row = self.new_row(endpoint_id, job_id, request, execution_timeout_ms)
        await self._arrivals.ask((row, request))
        self.ring_for_work(endpoint_id)

    async def _insert(self, jobs: Sequence[tuple[dict[str, Any], JobRequest]]) -> list[None]:
        await self._database.write(lambda connection: store.insert_jobs(connection, jobs))
        return [None] * len(jobs)

    def ring_for_work(self, endpoint_id: str) -> None:
        """Wake the workers that ask an endpoint for work."""
        self._database.wakeup.ring(f"queue:{endpoint_id}")

    async def view(self, endpoint_id: str, job_id: str) -> JobView:
        """Show a job of this endpoint."""
        found, is_whole = await self._views.ask((endpoint_id, job_id))
        if found is None:
            raise NotFound(f"endpoint {endpoint_id} has no job {job_id!r}; finished jobs are kept for a limited time")
        if is_whole or not self.is_final(found):
            return found
        return replace(found, output=await self._database.read(lambda connection: looks.output(connection, job_id)))

    async def _look(self, asked: Sequence[tuple[str, str]]) -> list[tuple[JobView | None, bool]]:
        """Look at several jobs at once; at a single one with its output."""
        if len(asked) == 1:
            return [(await self._database.read(lambda connection: looks.view(connection, *asked[0])), True)]
        found = await self._database.read(lambda connection: looks.views(connection, asked))
        return [(view, False) for view in found]

    async def page(
        self, endpoint_id: str, state: JobState | None, offset: int, limit: int
    ) -> tuple[list[JobView], int]:
        """List an endpoint's jobs, newest first and without outputs, and count them all."""
        return await self._database.read_aside(
            lambda connection: looks.page(connection, endpoint_id, state, offset, limit)
        )

    async def take(self, endpoint_id: str, worker_id: str, asked: int = 1) -> list[str] | None:
        """Hand up to `asked` of the jobs that have waited longest to a worker, as JSON texts; [] when nothing waits
        that is for it, None when it is not fed (any more)."""
        now = self._clock.now_ms()
        offer = await self._database.read(lambda connection: looks.offer(connection, endpoint_id, worker_id, now))
        share = offer.share(asked)
        if not share:
            return [] if offer.is_fed else None
        moved, texts = await self._database.write(
            lambda connection: self._take(connection, endpoint_id, worker_id, share, now, busy=offer.busy)
        )
        self._tell(moved)
        if moved:
            self.ring_for_work(endpoint_id)  # One idle worker fewer: those that have a job already may get a second.
        return texts

    def _take(
        self, connection: sa.Connection, endpoint_id: str, worker_id: str, limit: int, now: int, *, busy: bool
    ) -> tuple[list[store.Moved], list[str]]:
        moved = store.take(connection, endpoint_id, worker_id, limit, now, now + self.rules.lease_ms, busy=busy)
        bodies = store.bodies_for_worker(connection, [job.id for job in moved]) if moved else {}
        return moved, [job_for_worker(job.id, bodies[job.id][0], json.loads(bodies[job.id][1])) for job in moved]

    async def progress(self, worker_id: str, job_id: str, payload: str) -> None:
        """Note a progress report of the lease holder; anyone else's, or a late one, changes nothing."""
        now = self._clock.now_ms()
        until = now + self.rules.lease_ms
        await self._database.write(
            lambda connection: store.note_progress(connection, worker_id, job_id, now, until, payload)
        )

    async def finish(self, worker_id: str, job_id: str, result: JobResult) -> str | None:
        """Take the lease holder's result and give the job's state; None when it is late, foreign or repeated, which
        changes nothing."""
        now = self._clock.now_ms()

        def work(connection: sa.Connection) -> list[store.Moved]:
            moved = store.finish(connection, worker_id, job_id, now, result.output, result.error)
            if not moved:
                stops.forget(connection, worker_id, job_id)  # Whoever sends a result has stopped working at it.
            return moved

        moved = self._announce(await self._database.write(work))
        return moved[0].state if moved else None

    async def heartbeat(self, worker_id: str, listed: Sequence[str]) -> None:
        """Renew the leases of the jobs a worker lists; one it holds but leaves out twice in a row was lost on the
        way."""
        now, heartbeat = self._clock.now_ms(), self.rules.heartbeat_ms

        def work(connection: sa.Connection) -> list[store.Moved]:
            store.renew(connection, worker_id, listed, now + self.rules.lease_ms)
            store.count_missed(connection, worker_id, listed, now, heartbeat // 2)
            stops.heard(connection, worker_id, listed, now, self.rules.lease_ms)
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
        now, again = self._clock.now_ms(), self.rules.stop_again_ms
        due = await self._database.read(lambda connection: stops.due(connection, worker_id, now, again))
        if due:
            await self._database.write(lambda connection: stops.mark_told(connection, worker_id, due, now))
        return due

    async def cancel(self, endpoint_id: str, job_id: str) -> JobView:
        """End a job for its client, at once and for good. One that is final already stays as it is: look at `state`."""
        now = self._clock.now_ms()
        where = (JOBS.c.id == job_id, JOBS.c.endpoint_id == endpoint_id)
        self._announce(await self._database.write(lambda connection: store.move(connection, "cancel", now, *where)))
        return await self.view(endpoint_id, job_id)

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
        view = await self.view(endpoint_id, job_id)
        if not moved:
            raise Conflict(f"job {job_id} is {view.state}: only FAILED and TIMED_OUT jobs can be retried")
        return view

    async def set_ttl(self, endpoint_id: str, job_id: str, ttl_ms: int) -> None:
        """Let a job live for `ttl_ms` from now: until it ends TIMED_OUT, or, if it is final, until it is deleted."""
        until = self._clock.now_ms() + ttl_ms
        statement = JOBS.update().where(JOBS.c.id == job_id, JOBS.c.endpoint_id == endpoint_id)
        lives = sa.case((store.IS_OPEN, until), else_=JOBS.c.expires_at)
        kept = sa.case((store.IS_OPEN, JOBS.c.purge_at), else_=until)
        await self._database.write(
            lambda connection: connection.execute(statement.values(expires_at=lives, purge_at=kept))
        )

    async def purge(self, endpoint_id: str) -> int:
        """Cancel every job that still waits in an endpoint's queue; returns how many."""
        now, where = self._clock.now_ms(), JOBS.c.endpoint_id == endpoint_id
        moved = await self._database.write(lambda connection: store.move(connection, "purge", now, where))
        return len(self._announce(moved))

    async def worker_ended(self, worker_id: str, *, died: bool) -> int:
        """Strike a worker off and give back what it held; a death is counted, an end that we made is not. Returns how
        many jobs it held."""
        now = self._clock.now_ms()

        def work(connection: sa.Connection) -> list[store.Moved]:
            # The worker's row first: a take that is under way ends before this goes on.
            connection.execute(WORKERS.update().where(WORKERS.c.id == worker_id).values(state="GONE", polls_until=None))
            stops.forget(connection, worker_id)
            moved = self.give_back(connection, now, store.held_by(worker_id), died=died)
            stops.forget(connection, worker_id)
            return moved

        return len(self._announce(await self._database.write(work)))

    def give_back(
        self, connection: sa.Connection, now: int, where: store.Condition, *, died: bool
    ) -> list[store.Moved]:
        """Move running jobs back to their place in the queue, or fail those that have seen too many deaths. A job that
        its worker had not begun is not blamed for the worker's death."""
        if not died:
            return store.move(connection, "give_back", now, where)
        spared = store.move(connection, "give_back", now, where, JOBS.c.overdue_at.is_(None))
        text = f"the worker died {DEATHS_ALLOWED} times while it ran this job, so it is not tried again"
        deaths = JOBS.c.deaths + 1
        last = (where, deaths >= DEATHS_ALLOWED)
        ended = store.move(connection, "give_up", now, *last, error=text, deaths=deaths)
        return spared + ended + store.move(connection, "bury", now, where, deaths=deaths)

    async def change(self, work: Callable[[sa.Connection], list[store.Moved]]) -> list[store.Moved]:
        """Run a sweep's moves in one transaction and ring for them."""
        return self._announce(await self._database.write(work))

    async def counts(self, endpoint_id: str) -> dict[str, int]:
        """Count an endpoint's jobs by state (and "retried")."""
        return await self._database.read(lambda connection: looks.counts(connection, endpoint_id))

    async def demand(self, endpoint_id: str) -> looks.Demand:
        """Tell what an endpoint's fleet decides by."""
        return await self._database.read(lambda connection: looks.demand(connection, endpoint_id))

    def _announce(self, moved: list[store.Moved]) -> list[store.Moved]:
        topics = dict.fromkeys(topic for job in moved for topic in _topics(job))
        if topics:
            self._database.wakeup.ring(*topics)
        self._tell(moved)
        return moved

    def _tell(self, moved: list[store.Moved]) -> None:
        for job in moved:
            self._watch(job)

    @staticmethod
    def is_final(view: JobView) -> bool:
        """Tell whether a job has ended."""
        return view.state in FINAL_STATES


def _topics(job: store.Moved) -> list[str]:
    topics = [f"job:{job.id}", f"queue:{job.endpoint_id}"]
    return [*topics, f"stop:{job.worker_id}"] if job.worker_id else topics
