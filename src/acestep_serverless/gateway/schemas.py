"""What may be asked of this gateway? The endpoints that a key opens, what their workers can do, and the JSON Schema of
an endpoint's input.

Not part of the platform's API; made for forms such as the page at `/`, and for whoever generates a client. What the
workers can do is what workers of ours tell here, with their own tokens; the official SDK knows of no such request, and
of its workers nothing is known.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from acestep_serverless.access.keys import from_authorization
from acestep_serverless.contract.abilities import Abilities, read_statement, summary
from acestep_serverless.contract.job import load_client_json
from acestep_serverless.contract.music_schema import input_schema
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.parts import PartsHere
from acestep_serverless.gateway.worker_plane import WorkerState
from acestep_serverless.registry.abilities import AbilityBoard, LiveWorkers

STATEMENT_BYTES = 64 * 1024
"""Of a worker's statement; that of a model with a planner has 1,500."""


@dataclass(frozen=True, slots=True)
class EngineKnown:
    """What is known of an endpoint's engine without asking a worker: its name, and all that it can do; None is what is
    not known."""

    name: str | None = None
    abilities: Abilities | None = None


def schema_routes(board: AbilityBoard, engine_of: Callable[[str], Awaitable[EngineKnown]]) -> APIRouter:
    """Give the routes over what live workers tell; while an endpoint has none, `engine_of` says what is known."""
    routes = APIRouter(prefix="/v2")

    async def known(endpoint_id: str, live: LiveWorkers) -> EngineKnown:
        if not live.count:
            return await engine_of(endpoint_id)
        abilities = live.abilities
        return EngineKnown(None if abilities is None else " and ".join(abilities.engines), abilities)

    async def entry(endpoint_id: str) -> dict[str, Any]:
        live = await board.live(endpoint_id)
        abilities = (await known(endpoint_id, live)).abilities
        told = None if abilities is None else summary(abilities)
        return {"id": endpoint_id, "live_workers": live.count, "abilities": told}

    @routes.get("")
    async def endpoints(request: Request, parts: PartsHere) -> dict[str, list[dict[str, Any]]]:
        """List the endpoints that the key opens, with what their live workers can do."""
        opened = await parts.endpoints.opened_by(from_authorization(request.headers.get("authorization", "")))
        return {"endpoints": [await entry(name) for name in parts.endpoints.ids if name in opened]}

    @routes.get("/{endpoint_id}/schema")
    async def schema(endpoint: EndpointHere) -> dict[str, Any]:
        """Describe the endpoint's input as JSON Schema, with the words of the errors and what its engine uses."""
        found = await known(endpoint.id, await board.live(endpoint.id))
        return input_schema(found.abilities, engine=found.name)

    @routes.put("/{endpoint_id}/abilities/{worker_id}", include_in_schema=False)
    async def tell(request: Request, worker_id: str, _state: WorkerState) -> dict[str, str]:
        """Take what a worker tells of its engine, with the token of its other URLs."""
        told = read_statement(load_client_json(await read_body(request, STATEMENT_BYTES)))
        await board.tell(worker_id, told)
        return {"worker_id": worker_id}

    return routes
