"""What can a client do? The platform's operations on an endpoint, with its paths, fields and codes.

`/status` accepts POST too, since the Go SDK polls with it. Every answer of success is 200: other 2xx codes are
failures to SDKs.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from acestep_serverless.access.keys import from_authorization
from acestep_serverless.contract import job as wire
from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.errors import FieldProblem, InputError
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.described import TAKES_A_JOB
from acestep_serverless.gateway.parts import Parts, PartsHere
from acestep_serverless.gateway.polls import hold
from acestep_serverless.registry.endpoints import Endpoint

ROUTES = APIRouter(prefix="/v2/{endpoint_id}")


async def _entered(request: Request, parts: PartsHere, endpoint_id: str) -> Endpoint:
    key = from_authorization(request.headers.get("authorization", ""))
    endpoint = await parts.endpoints.enter(endpoint_id, key)
    if not await parts.endpoints.is_open():
        parts.limits.admit(endpoint.id, request.url.path, key)
    return endpoint


EndpointHere = Annotated[Endpoint, Depends(_entered)]


def _wait_seconds(text: str | None, bounds: wire.Bounds = wire.WAIT_BOUNDS, default: float = math.inf) -> float:
    """Read `?wait` (milliseconds); without it a caller of `/runsync` waits for the end, as the guide says."""
    return default if text is None else _milliseconds("wait", text, bounds) / 1000


def _milliseconds(name: str, text: str, bounds: wire.Bounds) -> int:
    if len(text) > 12 or not text.isdecimal() or not bounds.minimum <= int(text) <= bounds.maximum:
        allowed = f"must be whole milliseconds from {bounds.minimum} to {bounds.maximum}"
        raise InputError([FieldProblem(name, text[:40], allowed)])
    return int(text)


def _show(view: JobView, parts: PartsHere) -> Response:
    return Response(view.as_json(parts.clock.now_ms()), media_type="application/json")


@ROUTES.post("/run", openapi_extra=TAKES_A_JOB)
async def run(request: Request, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Queue a job; it is durable when this answers."""
    body = wire.parse_job_body(wire.load_client_json(await read_body(request, wire.RUN_BODY_LIMIT)))
    job_id = wire.run_id(parts.new_uuid)
    await parts.desk.submit(endpoint.id, job_id, body, endpoint.execution_timeout_ms)
    return {"id": job_id, "status": JobState.IN_QUEUE.value}


@ROUTES.post("/runsync", openapi_extra=TAKES_A_JOB)
async def runsync(request: Request, parts: PartsHere, endpoint: EndpointHere, wait: str | None = None) -> Response:
    """Queue a job and answer with its end, or after `?wait` milliseconds with its id and state. It goes on if you
    leave."""
    seconds = _wait_seconds(wait)
    body = wire.parse_job_body(wire.load_client_json(await read_body(request, wire.RUNSYNC_BODY_LIMIT)))
    job_id = wire.runsync_id(parts.new_uuid)

    async def begin() -> None:
        await parts.desk.submit(endpoint.id, job_id, body, endpoint.execution_timeout_ms)

    final = await _end_of(job_id, request, parts, endpoint, seconds, begin)
    if final is not None:
        return _show(final, parts)
    view = await parts.desk.view(endpoint.id, job_id)
    return Response(f'{{"id": "{view.id}", "status": "{view.state}"}}', media_type="application/json")


@ROUTES.post("/status/{job_id}", include_in_schema=False)
@ROUTES.get("/status/{job_id}")
async def status(job_id: str, parts: PartsHere, endpoint: EndpointHere, ttl: str | None = None) -> Response:
    """Show a job: its state, times and worker, its progress while it runs, its output or error at the end.

    `?ttl=` (milliseconds) sets how long it lives from now on.
    """
    await _set_ttl(job_id, parts, endpoint, ttl)
    return _show(await parts.desk.view(endpoint.id, job_id), parts)


async def _set_ttl(job_id: str, parts: Parts, endpoint: Endpoint, text: str | None) -> None:
    if text is not None:
        await parts.desk.set_ttl(endpoint.id, job_id, _milliseconds("ttl", text, wire.STATUS_TTL_BOUNDS))


async def _end_of(
    job_id: str,
    request: Request,
    parts: Parts,
    endpoint: Endpoint,
    seconds: float,
    begin: Callable[[], Awaitable[object]] | None = None,
) -> JobView | None:
    async def look() -> JobView | None:
        now = await parts.desk.view(endpoint.id, job_id)
        return now if parts.desk.is_final(now) else None

    return await hold(parts, request, f"job:{job_id}", look, seconds, begin=begin)


@ROUTES.post("/status-sync/{job_id}", include_in_schema=False)
@ROUTES.get("/status-sync/{job_id}")
async def status_sync(
    job_id: str,
    request: Request,
    parts: PartsHere,
    endpoint: EndpointHere,
    wait: str | None = None,
    ttl: str | None = None,
) -> Response:
    """Show a job once it is final, or as it is after `?wait` milliseconds: the JavaScript and Go clients ask here
    without a pause."""
    await _set_ttl(job_id, parts, endpoint, ttl)
    seconds = _wait_seconds(wait, wire.STATUS_WAIT_BOUNDS, wire.DEFAULT_STATUS_WAIT_MS / 1000)
    final = await _end_of(job_id, request, parts, endpoint, seconds)
    return _show(final or await parts.desk.view(endpoint.id, job_id), parts)


@ROUTES.post("/retry/{job_id}")
async def retry(job_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Queue a FAILED or TIMED_OUT job again, under its id and with its input; its old output is dropped."""
    view = await parts.desk.retry(endpoint.id, job_id)
    return {"id": view.id, "status": view.state.value}


@ROUTES.post("/cancel/{job_id}")
async def cancel(job_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Cancel a job, waiting or running. A job that has ended stays as it is, and its state is the answer."""
    view = await parts.desk.cancel(endpoint.id, job_id)
    return {"id": view.id, "status": view.state.value}


@ROUTES.post("/purge-queue")
async def purge_queue(parts: PartsHere, endpoint: EndpointHere) -> dict[str, int | str]:
    """Cancel every job that no worker has taken yet."""
    return {"removed": await parts.desk.purge(endpoint.id), "status": "completed"}


@ROUTES.get("/health")
async def health(parts: PartsHere, endpoint: EndpointHere) -> dict[str, dict[str, int]]:
    """Count the endpoint's jobs and workers, in the platform's words."""
    counts = await parts.desk.counts(endpoint.id)
    workers = await parts.workers.views(endpoint.id)
    silent_since = parts.clock.now_ms() - parts.desk.rules.lease_ms
    unwell = {worker.id for worker in workers if worker.unhealthy or worker.is_silent(silent_since)}
    polled = [worker for worker in workers if worker.polled_at is not None and worker.id not in unwell]
    running = sum(1 for worker in polled if worker.jobs)
    idle = sum(1 for worker in polled if not worker.jobs and worker.state == "ACTIVE")
    return {
        "jobs": {
            "completed": counts.get(JobState.COMPLETED, 0),
            "failed": counts.get(JobState.FAILED, 0) + counts.get(JobState.TIMED_OUT, 0),
            "inProgress": counts.get(JobState.IN_PROGRESS, 0),
            "inQueue": counts.get(JobState.IN_QUEUE, 0),
            "retried": counts["retried"],
        },
        "workers": {
            "idle": idle,
            "initializing": sum(1 for worker in workers if worker.polled_at is None and not worker.unhealthy),
            "ready": idle + running,
            "running": running,
            "throttled": 0,
            "unhealthy": len(unwell),
        },
    }
