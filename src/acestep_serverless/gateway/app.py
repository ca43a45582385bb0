"""How are the gateway's routes put together? One FastAPI app over the parts that `assembly` hands over."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from acestep_serverless import __version__
from acestep_serverless.access.loopback import LoopbackGuard
from acestep_serverless.gateway import client_plane, enrolment, failures, files, listing, streams, worker_plane
from acestep_serverless.gateway.parts import Parts

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI can hand spans to whatever collector the environment names; the URLs in them hold workers' tokens."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_gateway(parts: Parts, lifespan: Lifespan) -> FastAPI:
    """Build the app. Interactive pages are off: they would load scripts from another host."""
    app = FastAPI(
        title="acestep-serverless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.parts = parts
    failures.install(app)
    if parts.endpoints.is_open:
        app.add_middleware(LoopbackGuard)
    # Fixed worker paths before the client's: none of them overlap, but the order documents which plane is asked more
    # often.
    for room in (worker_plane, client_plane, streams, listing, files, enrolment):
        app.include_router(room.ROUTES)
    return app
