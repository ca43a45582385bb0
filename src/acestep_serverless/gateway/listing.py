"""Which jobs does an endpoint have? `/requests`: the platform names it in its limits but publishes no shape; this one
is ours."""

import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from acestep_serverless.contract.job import Bounds, JobState
from acestep_serverless.errors import FieldProblem, InputError
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.parts import PartsHere

ROUTES = APIRouter(prefix="/v2/{endpoint_id}")

LIMIT_BOUNDS, DEFAULT_LIMIT = Bounds(1, 100), 50
OFFSET_BOUNDS = Bounds(0, 1_000_000)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list was asked for."""

    offset: int
    limit: int

    def of(self, shown: int, total: int) -> dict[str, int | bool]:
        """Say of a page that shows so many where it is in the whole."""
        return {"total": total, "offset": self.offset, "limit": self.limit, "hasMore": self.offset + shown < total}


def _number(name: str, text: str | None, bounds: Bounds, default: int) -> int:
    if text is None:
        return default
    if len(text) > 9 or not (text.isascii() and text.isdecimal()) or not bounds.minimum <= int(text) <= bounds.maximum:
        allowed = f"must be a whole number from {bounds.minimum} to {bounds.maximum}"
        raise InputError([FieldProblem(name, text[:40], allowed)])
    return int(text)


async def _slice(limit: str | None = None, offset: str | None = None) -> Slice:
    size = _number("limit", limit, LIMIT_BOUNDS, DEFAULT_LIMIT)
    return Slice(_number("offset", offset, OFFSET_BOUNDS, 0), size)


SliceHere = Annotated[Slice, Depends(_slice)]
"""A route's parameters `?limit=` and `?offset=`, checked."""


def _state(text: str | None) -> JobState | None:
    if text is None:
        return None
    if text not in JobState.__members__:
        raise InputError([FieldProblem("status", text[:40], f"must be one of {', '.join(JobState.__members__)}")])
    return JobState(text)


@ROUTES.get("/requests")
async def requests(parts: PartsHere, endpoint: EndpointHere, asked: SliceHere, status: str | None = None) -> Response:
    """List the endpoint's jobs, newest first, as status objects without their outputs; `?status=` filters them."""
    views, total = await parts.desk.page(endpoint.id, _state(status), asked.offset, asked.limit)
    items = ", ".join(view.as_json(parts.clock.now_ms()) for view in views)
    place = json.dumps(asked.of(len(views), total))[1:]
    return Response(f'{{"requests": [{items}], {place}', media_type="application/json")
