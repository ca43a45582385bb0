"""How do machines look after this process? Liveness, readiness, and the page that Prometheus reads."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from acestep_serverless.access.keys import from_authorization
from acestep_serverless.errors import Unavailable
from acestep_serverless.gateway.metrics import Metrics

ANSWER_LIMIT = 2.0
"""Seconds in which the database has to answer a readiness probe."""


def probe_routes(answers: Callable[[], Awaitable[object]], is_closing: Callable[[], bool]) -> APIRouter:
    """Give /livez and /readyz, open to whoever may connect: a probe holds no key, and learns nothing but this.

    `answers` asks the database for something small and returns when it has answered.
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def livez() -> dict[str, str]:
        """Say that this process answers; it asks nobody else."""
        return {"status": "ok"}

    @routes.get("/readyz")
    async def readyz() -> dict[str, str]:
        """Say whether requests would be served now: 200, or 503 with the reason."""
        if is_closing():
            raise Unavailable("the gateway is ending")
        try:
            await asyncio.wait_for(answers(), ANSWER_LIMIT)
        except Exception:
            raise Unavailable(f"the database does not answer within {ANSWER_LIMIT:g} s") from None
        return {"status": "ok"}

    return routes


def metrics_routes(metrics: Metrics, admit: Callable[[str], Awaitable[object]]) -> APIRouter:
    """Give /metrics. `admit` is handed the request's key and raises AccessDenied for one that opens nothing here."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def read_metrics(request: Request) -> Response:
        """Show every metric in Prometheus' text format."""
        await admit(from_authorization(request.headers.get("authorization", "")))
        return Response(await metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return routes
