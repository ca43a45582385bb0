"""What does the gateway cost without its jobs? The real app with two routes more, which check all and store nothing.

`python -m bench.bare DATA_DIR DATABASE_URL PORT` serves the gateway until it is ended; "-" as URL means SQLite. The
bare routes stand in the same app behind the same middleware, ask for the same key and read the same body, then answer a
constant: `POST /v2/ENDPOINT/bare` beside `/run`, `GET /v2/ENDPOINT/bare/{id}` beside `/status/{id}`.
"""

import socket
import sys
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response

from acestep_serverless.assembly.core import SWITCH_INTERVAL, build, serve_on
from acestep_serverless.contract import job as wire
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.limits import OFF, OPERATIONS
from acestep_serverless.gateway.parts import PartsHere
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import Settings

CLIENT_KEY, WORKER_KEY = "a-client-key-of-the-benchmark", "a-worker-key-of-the-benchmark"
SQLITE = "-"
ROUTES = APIRouter(prefix="/v2/{endpoint_id}")
A_JOB = "00000000-0000-0000-0000-000000000000-u1"


@ROUTES.post("/bare")
async def bare_run(request: Request, _parts: PartsHere, _endpoint: EndpointHere) -> dict[str, str]:
    """Check all that `/run` checks and answer as it does."""
    wire.parse_job_body(wire.load_client_json(await read_body(request, wire.RUN_BODY_LIMIT)))
    return {"id": A_JOB, "status": "IN_QUEUE"}


@ROUTES.get("/bare/{job_id}")
async def bare_status(job_id: str, _parts: PartsHere, _endpoint: EndpointHere, ttl: str | None = None) -> Response:
    """Check all that `/status` checks and answer as it does of a job that waits."""
    return Response(f'{{"id": "{A_JOB}", "status": "IN_QUEUE"}}', media_type="application/json")


def app_over(data_dir: Path, database_url: str) -> FastAPI:
    """Build the gateway as its core does, with one key and without rate limits, and add the bare routes."""
    known = {"database_url": database_url} if database_url != SQLITE else {}
    limits = dict.fromkeys(OPERATIONS, OFF)
    settings = Settings.load(
        data_dir=data_dir, api_keys=CLIENT_KEY, worker_key=WORKER_KEY, rate_limits=limits, log_level="WARNING", **known
    )
    configure_logs(settings.log_level, json_lines=False)
    app = build(settings, first_start=True)
    app.include_router(ROUTES)
    return app


def main(data_dir: str, database_url: str, port: str) -> None:
    """Serve on a port of loopback."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    app = app_over(Path(data_dir), database_url)
    with socket.create_server(("127.0.0.1", int(port)), backlog=2048) as listening:
        serve_on(app, listening)


if __name__ == "__main__":
    main(*sys.argv[1:])
