"""How are many requests sent as one? The platform's batch operations: gather drafts, finalize, watch, page through
results."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from acestep_serverless.contract import batch as wire
from acestep_serverless.contract.batch import BatchState
from acestep_serverless.contract.job import load_client_json
from acestep_serverless.errors import NotFound
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.described import JOB_BODY, NAME_BODY, json_body
from acestep_serverless.gateway.listing import SliceHere
from acestep_serverless.gateway.parts import Parts, PartsHere

ROUTES = APIRouter(prefix="/v2/{endpoint_id}/batch")


async def _json_of(request: Request) -> Any:
    return load_client_json(await read_body(request, wire.BATCH_BODY_LIMIT))


@ROUTES.post("", openapi_extra=json_body({"type": "array", "items": JOB_BODY}))
async def create(request: Request, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Make a draft of an array of job bodies, which may be empty. Nothing runs before it is finalized."""
    requests = wire.parse_requests(await _json_of(request))
    return {"id": await parts.batches.create(endpoint.id, requests), "status": BatchState.DRAFT.value}


@ROUTES.get("")
async def batches(parts: PartsHere, endpoint: EndpointHere, asked: SliceHere) -> dict[str, Any]:
    """List the endpoint's batches, newest first."""
    views, total = await parts.batches.page(endpoint.id, asked.offset, asked.limit)
    return {"batches": [view.as_dict() for view in views], **asked.of(len(views), total)}


@ROUTES.get("/{batch_id}")
async def show(batch_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, Any]:
    """Show a batch and how many of its requests are where. It is done when completed and failed make the total."""
    return (await parts.batches.view(endpoint.id, batch_id)).as_dict()


@ROUTES.put("/{batch_id}", openapi_extra=json_body(NAME_BODY))
async def rename(batch_id: str, request: Request, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Give a batch a name."""
    name = wire.parse_name(await _json_of(request))
    state = await parts.batches.rename(endpoint.id, batch_id, name)
    return {"id": batch_id, "status": state.value, "name": name}


@ROUTES.post(
    "/{batch_id}/requests",
    openapi_extra=json_body(
        {"type": "object", "required": ["requests"], "properties": {"requests": {"type": "array", "items": JOB_BODY}}}
    ),
)
async def append(batch_id: str, request: Request, parts: PartsHere, endpoint: EndpointHere) -> dict[str, Any]:
    """Add requests to a draft: all of them, or none when one is wrong."""
    requests = wire.parse_more_requests(await _json_of(request))
    ids, total = await parts.batches.append(endpoint.id, batch_id, requests)
    return {"id": batch_id, "status": BatchState.DRAFT.value, "requestIds": ids, "requestTotal": total}


@ROUTES.delete("/{batch_id}/requests/{request_id}")
async def remove(batch_id: str, request_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, Any]:
    """Take a request out of a draft."""
    total = await parts.batches.remove(endpoint.id, batch_id, request_id)
    return {"id": batch_id, "status": BatchState.DRAFT.value, "requestTotal": total}


@ROUTES.post("/{batch_id}/finalize")
async def finalize(batch_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Lock a draft and queue its requests, which keep their ids as jobs. Those of `/run` go first, always."""
    await parts.batches.finalize(endpoint.id, batch_id, endpoint.execution_timeout_ms)
    return {"id": batch_id, "status": BatchState.FINALIZED.value}


@ROUTES.post("/{batch_id}/cancel")
async def cancel(batch_id: str, parts: PartsHere, endpoint: EndpointHere) -> dict[str, str]:
    """Cancel what waits; what runs goes on to its end. A draft's requests are dropped."""
    await parts.batches.cancel(endpoint.id, batch_id)
    return {"id": batch_id, "status": BatchState.CANCELLED.value}


@ROUTES.get("/{batch_id}/requests")
async def results(batch_id: str, parts: PartsHere, endpoint: EndpointHere, asked: SliceHere) -> StreamingResponse:
    """List a batch's requests in their order, with output or error and times."""
    page = await parts.batches.results(endpoint.id, batch_id, asked.offset, asked.limit)
    place = asked.of(len(page.ids), page.total)
    return StreamingResponse(_pieces(parts, endpoint.id, page, place), media_type="application/json")


async def _pieces(parts: Parts, endpoint_id: str, page: wire.ResultPage, place: dict[str, Any]) -> AsyncIterator[str]:
    """Give the page one request at a time, since an output may have 128 MiB."""
    yield '{"requests": ['
    between = ""
    for request_id in page.ids:
        try:
            yield between + await _shown(parts, endpoint_id, request_id, is_draft=page.is_draft)
        except NotFound:
            continue  # Its time was over while this page was under way.
        between = ", "
    yield f"], {json.dumps(place)[1:]}"


async def _shown(parts: Parts, endpoint_id: str, request_id: str, *, is_draft: bool) -> str:
    if is_draft:
        return wire.draft_as_json(request_id)
    return wire.result_as_json(await parts.desk.view(endpoint_id, request_id))
