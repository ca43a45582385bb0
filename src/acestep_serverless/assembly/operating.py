"""What can an operator ask and do? Each command as one piece of work in an office; answers are plain data for JSON.

Members are spelled as in the platform's status object; times are milliseconds since 1970, as in the rows.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import sqlalchemy as sa

from acestep_serverless.assembly.office import Office
from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.errors import AcestepServerlessError, FieldProblem, InputError, NotFound
from acestep_serverless.jobs import overview, tallies
from acestep_serverless.jobs.depths import Depth, depths
from acestep_serverless.registry.keys import EVERY_ENDPOINT, KeyView
from acestep_serverless.registry.states import WORKER_STATES, count_workers
from acestep_serverless.registry.workers import WorkerView

Plain = dict[str, Any]

NAME_LIMIT = 100
"""Characters of a key's name."""


async def jobs_page(office: Office, endpoint_id: str | None, state: JobState | None, offset: int, limit: int) -> Plain:
    """List jobs of one endpoint or (None) of all, newest first; `hasMore` tells whether older ones follow."""
    if endpoint_id is not None:
        await require_endpoint(office, endpoint_id)
    found = await office.database.read_aside(
        lambda connection: overview.page(connection, endpoint_id, state, offset, limit + 1)
    )
    now = office.clock.now_ms()
    jobs = [_job(endpoint, view, now) for endpoint, view in found[:limit]]
    return {"jobs": jobs, "offset": offset, "limit": limit, "hasMore": len(found) > limit}


async def job_details(office: Office, job_id: str) -> Plain:
    """Show all of a job: its status object, when it was what, its moves, its files. Raises NotFound."""
    found = await office.database.read_aside(lambda connection: overview.particulars(connection, job_id))
    if found is None:
        raise _no_job(job_id)
    moves = [(found.view.submitted_at, "submit", None), *found.moves]
    return _job(found.endpoint_id, found.view, office.clock.now_ms()) | {
        "keptUntil": found.kept_until,
        "history": [{"at": at, "move": move, "workerId": worker} for at, move, worker in moves],
        "artifacts": [{"name": song.name, "mediaType": song.media_type, "bytes": song.bytes} for song in found.songs],
    }


async def cancel_jobs(office: Office, job_ids: Sequence[str]) -> list[Plain]:
    """Cancel jobs, each for itself: the state that each has now, or why not."""
    return await _for_each(office, job_ids, office.desk.cancel)


async def retry_jobs(office: Office, job_ids: Sequence[str]) -> list[Plain]:
    """Put failed jobs back in their queues, each for itself: the state that each has now, or why not."""
    return await _for_each(office, job_ids, office.desk.retry)


async def waiting_jobs(office: Office, endpoint_id: str) -> int:
    """Count the jobs that a purge would cancel. Raises NotFound for an unknown endpoint."""
    await require_endpoint(office, endpoint_id)
    return (await office.desk.counts(endpoint_id))[JobState.IN_QUEUE]


async def purge_queue(office: Office, endpoint_id: str) -> Plain:
    """Cancel every job that waits at an endpoint. Raises NotFound for an unknown one."""
    await require_endpoint(office, endpoint_id)
    return {"endpoint": endpoint_id, "removed": await office.desk.purge(endpoint_id)}


async def workers_list(office: Office, endpoint_id: str | None) -> list[Plain]:
    """List the workers of one endpoint or (None) of all that have not ended."""
    if endpoint_id is not None:
        await require_endpoint(office, endpoint_id)
    names = await known_endpoints(office) if endpoint_id is None else (endpoint_id,)
    silent_since = office.clock.now_ms() - office.desk.rules.lease_ms
    return [
        _worker(name, view, silent_since)
        for name in names
        for view in sorted(await office.workers.views(name), key=lambda view: (view.enrolled_at, view.id))
    ]


async def drain_worker(office: Office, worker_id: str) -> Plain:
    """Feed a worker no more: it finishes what it has, and its fleet ends it. Raises NotFound."""
    for worker in await workers_list(office, None):
        if worker["id"] == worker_id:
            await office.workers.drain(worker["endpoint"], worker_id)
            return {"id": worker_id, "endpoint": worker["endpoint"], "state": "draining", "jobs": worker["jobs"]}
    raise NotFound(f"there is no worker {worker_id!r} (any more): `workers list` names those there are")


async def endpoints_list(office: Office) -> list[Plain]:
    """List every endpoint with its jobs by state and its workers by theirs, all read at one moment."""
    names = await known_endpoints(office)
    now, lease_ms = office.clock.now_ms(), office.desk.rules.lease_ms

    def look(connection: sa.Connection) -> list[Plain]:
        queues, workers = depths(connection), count_workers(connection, now - lease_ms)
        return [
            _endpoint(name, queues.get(name, Depth()), tallies.read(connection, name), workers.get(name, {}), now)
            for name in names
        ]

    return await office.database.read_aside(look)


async def create_key(office: Office, name: str, endpoints: Sequence[str]) -> Plain:
    """Make a client key for these endpoints (none: for all there are and will be). `key` is the secret: it is given
    here and never again. Raises InputError for a name that cannot be shown, NotFound for an unknown endpoint."""
    if not name.isprintable() or not 1 <= len(name.strip()) <= NAME_LIMIT:
        problem = f"must be 1 to {NAME_LIMIT} characters that can be printed"
        raise InputError([FieldProblem("--name", ascii(name)[:60], problem)])
    for endpoint_id in endpoints:
        await require_endpoint(office, endpoint_id)
    scope = tuple(dict.fromkeys(endpoints)) or (EVERY_ENDPOINT,)
    view, secret = await office.keys.create(name.strip(), scope)
    return _key(view) | {"key": secret}


async def keys_list(office: Office) -> list[Plain]:
    """List every key that was ever made, oldest first, without its secret."""
    return [_key(view) for view in await office.keys.views()]


async def revoke_key(office: Office, key_id: str) -> Plain:
    """End a key for good. Raises NotFound."""
    await office.keys.revoke(key_id)
    return next(_key(view) for view in await office.keys.views() if view.id == key_id)


async def known_endpoints(office: Office) -> tuple[str, ...]:
    """Name the endpoints of the settings, then others that have jobs or workers."""
    seen = await office.database.read_aside(overview.endpoints_seen)
    staffed = await office.database.read_aside(lambda connection: count_workers(connection, 0))
    return tuple(dict.fromkeys([*office.settings.endpoint_ids(), *sorted(seen | set(staffed))]))


async def require_endpoint(office: Office, endpoint_id: str) -> None:
    """Raise NotFound, which names those there are, for an endpoint that neither settings nor rows know."""
    known = await known_endpoints(office)
    if endpoint_id not in known:
        raise NotFound(f"there is no endpoint {endpoint_id!r} here; known are {', '.join(known)}")


async def _for_each(
    office: Office, job_ids: Sequence[str], act: Callable[[str, str], Awaitable[JobView]]
) -> list[Plain]:
    at = await office.database.read_aside(lambda connection: overview.endpoints_of(connection, job_ids))
    outcomes: list[Plain] = []
    for job_id in dict.fromkeys(job_ids):
        try:
            if job_id not in at:
                raise _no_job(job_id)
            view = await act(at[job_id], job_id)
            outcomes.append({"id": job_id, "endpoint": at[job_id], "status": view.state.value})
        except AcestepServerlessError as error:
            outcomes.append({"id": job_id, "error": str(error)})
    return outcomes


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id!r}: `jobs list` names them; finished jobs are kept for a limited time")


def _job(endpoint_id: str, view: JobView, now: int) -> Plain:
    times = {"submittedAt": view.submitted_at, "takenAt": view.taken_at, "startedAt": view.begun_at}
    times |= {"finishedAt": view.finished_at}
    return {"endpoint": endpoint_id, **json.loads(view.as_json(now)), **times}


def _worker(endpoint_id: str, view: WorkerView, silent_since: int) -> Plain:
    return {
        "id": view.id,
        "endpoint": endpoint_id,
        "state": _worker_state(view, silent_since),
        "jobs": view.jobs,
        "enrolledAt": view.enrolled_at,
        "seenAt": max((time for time in (view.polled_at, view.pinged_at) if time is not None), default=None),
        "unhealthy": view.unhealthy,
        "fleetId": view.fleet_id,
    }


def _worker_state(view: WorkerView, silent_since: int) -> str:
    """Name a worker's state in the words and the order of `registry/states.py`."""
    idle, running, initializing, draining, unhealthy = WORKER_STATES
    if view.unhealthy is not None or view.is_silent(silent_since):
        return unhealthy
    if view.polled_at is None:
        return initializing
    if view.jobs:
        return running
    return draining if view.state == "DRAINING" else idle


def _endpoint(name: str, depth: Depth, ended: dict[str, int], workers: dict[str, int], now: int) -> Plain:
    return {
        "id": name,
        "inQueue": depth.waiting,
        "oldestWaitMs": 0 if depth.waiting_since is None else max(0, now - depth.waiting_since),
        "inProgress": depth.running,
        "completed": ended.get(JobState.COMPLETED, 0),
        "failed": ended.get(JobState.FAILED, 0),
        "cancelled": ended.get(JobState.CANCELLED, 0),
        "timedOut": ended.get(JobState.TIMED_OUT, 0),
        "retried": ended.get(tallies.RETRIED, 0),
        "workers": {state: workers.get(state, 0) for state in WORKER_STATES},
    }


def _key(view: KeyView) -> Plain:
    times = {"createdAt": view.created_at, "revokedAt": view.revoked_at}
    return {"id": view.id, "name": view.name, "endpoints": list(view.endpoints), **times}
