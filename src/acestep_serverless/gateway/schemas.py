"""What may be asked of this gateway? The endpoints that a key opens, and the JSON Schema of an endpoint's input.

Not part of the platform's API; made for forms such as the page at `/`, and for whoever generates a client.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request

from acestep_serverless.access.keys import from_authorization
from acestep_serverless.contract.music_schema import input_schema
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.parts import PartsHere


@dataclass(frozen=True, slots=True)
class EngineKnown:
    """What is known of an endpoint's engine without asking a worker: its name, and with `task_types` and `uses` all
    that it does; None is what is not known."""

    name: str | None = None
    task_types: frozenset[str] | None = None
    uses: frozenset[str] | None = None


def schema_routes(engine_of: Callable[[str], Awaitable[EngineKnown]]) -> APIRouter:
    """Give both routes; `engine_of` tells what is known of the engine of an endpoint."""
    routes = APIRouter(prefix="/v2")

    @routes.get("")
    async def endpoints(request: Request, parts: PartsHere) -> dict[str, list[dict[str, str]]]:
        """List the endpoints that the key opens."""
        opened = await parts.endpoints.opened_by(from_authorization(request.headers.get("authorization", "")))
        return {"endpoints": [{"id": name} for name in parts.endpoints.ids if name in opened]}

    @routes.get("/{endpoint_id}/schema")
    async def schema(endpoint: EndpointHere) -> dict[str, Any]:
        """Describe the endpoint's input as JSON Schema, with the words of the errors and what its engine uses."""
        known = await engine_of(endpoint.id)
        return input_schema(task_types=known.task_types, uses=known.uses, engine=known.name)

    return routes
