"""How does the web page come to the gateway? Its files under strict headers, and what it may know of the engines."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import FastAPI

from acestep_serverless.contract.abilities import NO_MODEL, Abilities
from acestep_serverless.errors import EngineUnavailable
from acestep_serverless.gateway.schemas import EngineKnown, schema_routes
from acestep_serverless.registry.abilities import AbilityBoard
from acestep_serverless.settings import Settings
from acestep_serverless.studio import StudioFiles

_WORDS = frozenset({"text2music"})
SKETCH = Abilities(("sketch",), {NO_MODEL: _WORDS, "sketch": _WORDS}, frozenset(), longest=600.0, largest_batch=8)
"""What the built-in engine states: songs from words and metas. A gateway imports no engine, so it is said here as well,
and a test holds it against the engine."""


def open_studio(app: FastAPI, settings: Settings, board: AbilityBoard) -> None:
    """Put the page at `/`, its files below `/studio`, and its routes beside the gateway's own."""
    app.include_router(schema_routes(board, _engine_of(settings)))
    files = StudioFiles()
    app.add_route("/", files.front_page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/studio", files, name="studio")


def known_engine(settings: Settings) -> EngineKnown:
    """Tell which engine the settings of an endpoint lead to on this machine, for as long as no worker is there to ask.
    Workers elsewhere choose their own, so without workers here nothing is known; what the model does depends on its
    weights, which only a worker reads."""
    from acestep_serverless.assembly.crew import most_workers
    from acestep_serverless.assembly.engine import engine_options
    from acestep_serverless.engines import choose_engine

    if settings.acestep_api_url or not most_workers(settings):
        return EngineKnown()
    try:
        name = choose_engine(settings.engine, engine_options(settings)).name
    except EngineUnavailable:
        return EngineKnown()
    return EngineKnown(name, SKETCH if name == "sketch" else None)


def _engine_of(settings: Settings) -> Callable[[str], Awaitable[EngineKnown]]:
    """Ask once for each endpoint: the first look imports what knows engines (0.2 s), so it is made in a thread."""
    found: dict[str, EngineKnown] = {}

    async def engine_of(endpoint_id: str) -> EngineKnown:
        if endpoint_id not in found:
            found[endpoint_id] = await asyncio.to_thread(known_engine, settings.for_endpoint(endpoint_id))
        return found[endpoint_id]

    return engine_of
