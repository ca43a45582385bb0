"""How are the gateway's routes put together? One FastAPI app over the parts that `assembly` hands over."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from acestep_serverless import __version__
from acestep_serverless.access.loopback import LoopbackGuard
from acestep_serverless.access.telemetry import NO_TELEMETRY
from acestep_serverless.gateway import (
    answered,
    batches,
    client_plane,
    enrolment,
    failures,
    files,
    listing,
    openai,
    streams,
    worker_plane,
)
from acestep_serverless.gateway.journal import RequestJournal
from acestep_serverless.gateway.metrics import Metrics
from acestep_serverless.gateway.parts import Parts
from acestep_serverless.gateway.plain import PlainUrls
from acestep_serverless.gateway.probes import metrics_routes, probe_routes

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What keeps a gateway in order: its metrics, and a question to its database."""

    metrics: Metrics
    ask_database: Callable[[], Awaitable[object]]


class Gateway(FastAPI):
    """The app, whose description says what its routes answer when they refuse."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes in OpenAPI 3.1."""
        return answered.described(super().openapi())


def create_gateway(parts: Parts, lifespan: Lifespan, upkeep: Upkeep) -> FastAPI:
    """Build the app. Interactive pages are off: they would load scripts from another host."""
    app = Gateway(
        title="acestep-serverless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.parts = parts
    failures.install(app)
    app.add_middleware(LoopbackGuard, is_open=parts.endpoints.is_open)
    # Fixed worker paths before the client's: none of them overlap, but the order documents which plane is asked more
    # often.
    for room in (worker_plane, client_plane, streams, listing, batches, openai, files, enrolment):
        app.include_router(room.ROUTES)
    _keep_up(app, parts, upkeep)
    return app


def _keep_up(app: FastAPI, parts: Parts, upkeep: Upkeep) -> None:
    async def admit(key: str) -> None:
        await parts.endpoints.opened_by(key)

    app.include_router(probe_routes(upkeep.ask_database, lambda: parts.wakeup.closed))
    app.include_router(metrics_routes(upkeep.metrics, admit))
    app.add_middleware(PlainUrls)
    # Added last, so it stands before every other middleware and counts their refusals too.
    app.add_middleware(RequestJournal, metrics=upkeep.metrics, monotonic=parts.clock.monotonic)
