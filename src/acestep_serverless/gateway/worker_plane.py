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
from acestep_serverless.errors import AccessDenied, NotFound, TooLarge
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.parts import Parts, PartsHere
from acestep_serverless.gateway.polls import hold

ROUTES = APIRouter(prefix="/v2/{endpoint_id}", include_in_schema=False)

MOST_AT_ONCE = 100
"""Jobs in one batch, whatever is asked for."""


async def _checked(parts: PartsHere, endpoint_id: str, worker_id: str, token: str = "") -> str:
    try:
        return await parts.workers.check(endpoint_id, worker_id, token)
    except AccessDenied:
        await asyncio.sleep(parts.rules.refusal)  # The SDK asks again at once, thousands of times a second.
        raise


WorkerState = Annotated[str, Depends(_checked)]
"""A route's parameter: the state of the worker whose id is in the path, after its token was checked."""


async def _take(parts: Parts, request: Request, endpoint_id: str, worker_id: str, state: str, asked: int) -> list[str]:
    if state != "ACTIVE":
        # Not fed any more, but held: a poll answered at once would be repeated at once.
        await parts.workers.polls(worker_id, 0)
        await asyncio.sleep(parts.rules.drain_hold)
        return []
    jobs = await parts.desk.take(endpoint_id, worker_id, asked)
    if jobs:
        return jobs
    await parts.workers.polls(worker_id, int(parts.rules.hold * 1000))

    async def look() -> list[str] | None:
        found = await parts.desk.take(endpoint_id, worker_id, asked)
        return [] if found is None else found or None  # Fed no more: an answer now. Nothing for it yet: wait on.

    jobs = await hold(parts, request, f"queue:{endpoint_id}", look, parts.rules.hold)
    if not jobs:
        await parts.workers.polls(worker_id, None)
    return jobs or []


@ROUTES.get("/job-take/{worker_id}")
async def job_take(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState
) -> Response:
    """Hand out one job, waiting for it; 204 when none came."""
    jobs = await _take(parts, request, endpoint_id, worker_id, state, 1)
    return Response(jobs[0], media_type="application/json") if jobs else Response(status_code=204)


@ROUTES.get("/job-take-batch/{worker_id}")
async def job_take_batch(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState, batch_size: str = "1"
) -> Response:
    """Hand out jobs in a list, never more than were asked for, and more than one only if no idle worker is asking."""
    asked = int(batch_size) if batch_size.isdecimal() and len(batch_size) < 4 else 1
    jobs = await _take(parts, request, endpoint_id, worker_id, state, min(max(asked, 1), MOST_AT_ONCE))
    return Response(f"[{','.join(jobs)}]", media_type="application/json") if jobs else Response(status_code=204)


@ROUTES.post("/job-done/{worker_id}/{job_id}")
async def job_done(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, job_id: str, state: WorkerState
) -> dict[str, str]:
    """Take a result or a progress report. Always 200: what is late, foreign or repeated changes nothing. The answer
    tells the job's state, by which our own handler knows that it may forget the output; the SDK reads none."""
    try:
        report = wire.parse_done(await read_body(request, wire.DONE_BODY_LIMIT))
    except TooLarge:
        report = JobResult(None, f"the output is larger than the limit of {wire.DONE_BODY_LIMIT} bytes")
    ended = None
    if isinstance(report, ProgressReport):
        await parts.desk.progress(worker_id, job_id, report.payload)
    else:
        ended = await parts.desk.finish(worker_id, job_id, report)
        if report.stop_worker and state == "ACTIVE":
            await parts.workers.drain(endpoint_id, worker_id)
    return {"status": ended or await _state_of(parts, endpoint_id, job_id)}


async def _state_of(parts: Parts, endpoint_id: str, job_id: str) -> str:
    try:
        return (await parts.desk.view(endpoint_id, job_id)).state.value
    except NotFound:
        return "UNKNOWN"


@ROUTES.get("/ping/{worker_id}")
async def ping(
    request: Request, parts: PartsHere, worker_id: str, _state: WorkerState, job_id: str | None = None
) -> dict[str, str]:
    """Note a heartbeat and the jobs it lists."""
    unhealthy = request.query_params.get("status") == "unhealthy"
    reason = f"{request.query_params.get('check', '')}: {request.query_params.get('reason', '')}"[:300]
    await parts.workers.pinged(worker_id, reason if unhealthy else None)
    await parts.desk.heartbeat(worker_id, sorted(wire.parse_heartbeat_ids(job_id)))
    return {}


@ROUTES.get("/job-stop/{worker_id}")
async def job_stop(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, state: WorkerState
) -> dict[str, list[str]]:
    """Tell a worker which jobs to drop, waiting for one; an expired hold names a job that does not exist."""

    token = request.query_params.get("token", "")

    async def look() -> list[str] | None:
        drained = state == "ACTIVE" and await parts.workers.check(endpoint_id, worker_id, token) != "ACTIVE"
        return await parts.desk.stops(worker_id) or ([wire.NO_SUCH_JOB] if drained else None)

    seconds = parts.rules.hold if state == "ACTIVE" else parts.rules.drain_hold
    due = await hold(parts, request, f"stop:{worker_id}", look, seconds, parts.desk.rules.stop_again_ms / 1000)
    return {"jobsToStop": due or [wire.NO_SUCH_JOB]}
