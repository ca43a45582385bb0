"""What can a Runpod worker do? Take, done, progress, ping, stop: the protocol of the unmodified `runpod` package.

The answers here follow what that package does with them, not what HTTP would suggest: a 4xx on a result loses it, an
empty
stop list costs a second, an answer without a pause makes a hot loop. docs/architecture.md, "Eighteen ways to lose a
job".
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from acestep_serverless.contract import worker_protocol as wire
from acestep_serverless.contract.worker_protocol import JobResult, ProgressReport
from acestep_serverless.errors import AccessDenied, TooLarge
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.parts import Parts, PartsHere
from acestep_serverless.gateway.polls import hold

ROUTES = APIRouter(prefix="/v2/{endpoint_id}", include_in_schema=False)


async def _checked(parts: PartsHere, endpoint_id: str, worker_id: str, token: str = "") -> str:
    try:
        return parts.workers.check(endpoint_id, worker_id, token)
    except AccessDenied:
        await asyncio.sleep(parts.rules.refusal)  # The SDK asks again at once, thousands of times a second.
        raise


WorkerState = Annotated[str, Depends(_checked)]
"""A route's parameter: the state of the worker whose id is in the path, after its token was checked."""


async def _take(parts: Parts, request: Request, endpoint_id: str, worker_id: str, state: str) -> str | None:
    await parts.workers.seen(worker_id, polled=True)
    if state != "ACTIVE":
        # Not fed any more, but held: a poll answered at once would be repeated at once.
        await asyncio.sleep(parts.rules.drain_hold)
        return None
    token = request.query_params.get("token", "")

    async def look() -> str | None:
        if parts.workers.check(endpoint_id, worker_id, token) != "ACTIVE":
            return ""
        return await parts.desk.take(endpoint_id, worker_id)

    return await hold(parts, request, f"queue:{endpoint_id}", look, parts.rules.hold) or None


@ROUTES.get("/job-take/{worker_id}")
async def job_take(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState
) -> Response:
    """Hand out one job, waiting for it; 204 when none came."""
    job = await _take(parts, request, endpoint_id, worker_id, state)
    return Response(status_code=204) if job is None else Response(job, media_type="application/json")


@ROUTES.get("/job-take-batch/{worker_id}")
async def job_take_batch(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState
) -> Response:
    """Hand out one job in a list: never more than was asked, and the others stay for idle workers."""
    job = await _take(parts, request, endpoint_id, worker_id, state)
    return Response(status_code=204) if job is None else Response(f"[{job}]", media_type="application/json")


@ROUTES.post("/job-done/{worker_id}/{job_id}")
async def job_done(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, job_id: str, state: WorkerState
) -> dict[str, str]:
    """Take a result or a progress report. Always 200: what is late, foreign or repeated changes nothing."""
    try:
        report = wire.parse_done(await read_body(request, wire.DONE_BODY_LIMIT))
    except TooLarge:
        report = JobResult(None, f"the output is larger than the limit of {wire.DONE_BODY_LIMIT} bytes")
    if isinstance(report, ProgressReport):
        await parts.desk.progress(worker_id, job_id, report.payload)
    else:
        await parts.desk.finish(worker_id, job_id, report)
        if report.stop_worker and state == "ACTIVE":
            await parts.workers.change(endpoint_id, worker_id, "DRAINING")
    return {}


@ROUTES.get("/ping/{worker_id}")
async def ping(
    request: Request, parts: PartsHere, worker_id: str, _state: WorkerState, job_id: str | None = None
) -> dict[str, str]:
    """Note a heartbeat and the jobs it lists."""
    unhealthy = request.query_params.get("status") == "unhealthy"
    reason = f"{request.query_params.get('check', '')}: {request.query_params.get('reason', '')}"[:300]
    await parts.workers.seen(worker_id, unhealthy=reason if unhealthy else None)
    await parts.desk.heartbeat(worker_id, sorted(wire.parse_heartbeat_ids(job_id)))
    return {}


@ROUTES.get("/job-stop/{worker_id}")
async def job_stop(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState
) -> dict[str, list[str]]:
    """Tell a worker which jobs to drop, waiting for one; an expired hold names a job that does not exist."""

    token = request.query_params.get("token", "")

    async def look() -> list[str] | None:
        drained = state == "ACTIVE" and parts.workers.check(endpoint_id, worker_id, token) != "ACTIVE"
        return await parts.desk.stops(worker_id) or ([wire.NO_SUCH_JOB] if drained else None)

    seconds = parts.rules.hold if state == "ACTIVE" else parts.rules.drain_hold
    due = await hold(parts, request, f"stop:{worker_id}", look, seconds, parts.desk.rules.stop_again_ms / 1000)
    return {"jobsToStop": due or [wire.NO_SUCH_JOB]}
