"""How does a generator's output reach a client before its job ends? Workers post chunks, clients poll for them."""

from fastapi import APIRouter, Request, Response

from acestep_serverless.contract import worker_protocol as wire
from acestep_serverless.contract.job import FINAL_STATES, JobState
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.parts import PartsHere
from acestep_serverless.gateway.polls import hold
from acestep_serverless.gateway.worker_plane import WorkerState

ROUTES = APIRouter(prefix="/v2/{endpoint_id}")

Batch = tuple[JobState, list[str]]


@ROUTES.post("/job-stream/{worker_id}/{job_id}", include_in_schema=False)
async def job_stream(
    request: Request, parts: PartsHere, worker_id: str, job_id: str, _state: WorkerState
) -> dict[str, str]:
    """Keep one chunk of the lease holder's. The worker computes its next one only after this answer."""
    chunk = wire.parse_chunk(await read_body(request, wire.CHUNK_BODY_LIMIT))
    if chunk is not None:
        await parts.streams.add(worker_id, job_id, chunk)
    return {}


@ROUTES.post("/stream/{job_id}", include_in_schema=False)
@ROUTES.get("/stream/{job_id}")
async def stream(job_id: str, request: Request, parts: PartsHere, endpoint: EndpointHere) -> Response:
    """Give the chunks that nobody has read yet, waiting a moment for the next one; the state is final with the last.

    A cancelled job's stream ends as FAILED: the Python client's loop knows no CANCELLED and would never end.
    """

    async def look() -> Batch | None:
        state, chunks = await parts.streams.read(endpoint.id, job_id)
        return (state, chunks) if chunks or state in FINAL_STATES else None

    found = await hold(parts, request, f"job:{job_id}", look, parts.rules.stream_hold)
    state, chunks = found or ((await parts.desk.view(endpoint.id, job_id)).state, [])
    shown = JobState.FAILED if state is JobState.CANCELLED else state
    items = ", ".join(f'{{"output": {chunk}}}' for chunk in chunks)
    return Response(f'{{"status": "{shown}", "stream": [{items}]}}', media_type="application/json")
