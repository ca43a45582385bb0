"""How does a worker come and go? It enrols with the worker key and gets its own token; its fleet says when it ends.

Not part of the platform's API: this is how our workers and fleets reach our gateway. Client keys open nothing here.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from acestep_serverless.access.keys import from_authorization, matches_digest
from acestep_serverless.contract.job import load_client_json
from acestep_serverless.contract.worker_protocol import IDENTIFIER
from acestep_serverless.errors import AccessDenied, FieldProblem, InputError
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.parts import PartsHere

ID_RULE = "must be 1 to 128 letters, digits, dots, dashes or underscores, starting with a letter or digit"
FLEET_LEASE_MS = 15_000
"""How long a fleet acts for its endpoint after its last look, in milliseconds; it looks each second, or after 3 s of
silence."""


async def _admitted(request: Request, parts: PartsHere, endpoint_id: str) -> None:
    given = from_authorization(request.headers.get("authorization", ""))
    if not matches_digest(given, parts.worker_key_digest) or not given:  # A gateway without a worker key is closed.
        raise AccessDenied(
            "the worker key is missing or wrong: it is in the file worker.key of the gateway's data folder"
        )
    parts.endpoints.known(endpoint_id)


ROUTES = APIRouter(prefix="/v2/{endpoint_id}/workers", include_in_schema=False, dependencies=[Depends(_admitted)])

Body = dict[str, Any]


async def _body(request: Request) -> Body:
    body = load_client_json(await read_body(request, 64 * 1024))
    if not isinstance(body, dict):
        raise InputError([FieldProblem("body", type(body).__name__, "must be a JSON object")])
    return body


@ROUTES.post("")
async def enrol(parts: PartsHere, endpoint_id: str, body: Annotated[Body, Depends(_body)]) -> dict[str, str | int]:
    """Admit a worker under a fresh id; the answer holds the token for its URLs."""
    worker_id = body.get("worker_id")
    if not isinstance(worker_id, str) or not IDENTIFIER.fullmatch(worker_id):
        raise InputError([FieldProblem("worker_id", str(worker_id)[:40], ID_RULE)])
    fleet_id = body.get("fleet_id")
    if fleet_id is not None:
        _require_fleet_id("fleet_id", fleet_id)
    token = await parts.workers.enrol(endpoint_id, worker_id, fleet_id=fleet_id)
    return {"worker_id": worker_id, "token": token, "heartbeat_ms": parts.desk.rules.heartbeat_ms}


@ROUTES.get("")
async def list_workers(parts: PartsHere, endpoint_id: str, fleet: str | None = None) -> dict[str, Any]:
    """List the endpoint's workers and how many jobs wait: what a fleet decides by.

    `?fleet=` takes or renews that fleet's lease on the endpoint; `leads` says whether it has it.
    """
    leads = True
    if fleet is not None:
        _require_fleet_id("fleet", fleet)
        leads = await parts.workers.leads(endpoint_id, fleet, FLEET_LEASE_MS)
    demand, now = await parts.desk.demand(endpoint_id), parts.clock.now_ms()
    return {
        "workers": [asdict(worker) for worker in await parts.workers.views(endpoint_id)],
        "waiting": demand.waiting,
        "oldest_wait_ms": 0 if demand.waiting_since is None else max(0, now - demand.waiting_since),
        "in_progress": demand.in_progress,
        "leads": leads,
        "now": now,
        "heartbeat_ms": parts.desk.rules.heartbeat_ms,
    }


def _require_fleet_id(name: str, value: object) -> None:
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        raise InputError([FieldProblem(name, str(value)[:40], ID_RULE)])


@ROUTES.post("/{worker_id}/drain")
async def drain(parts: PartsHere, endpoint_id: str, worker_id: str) -> dict[str, str]:
    """Feed a worker no more and answer its open polls, so that it can be told to end without losing a job."""
    await parts.workers.drain(endpoint_id, worker_id)
    return {"worker_id": worker_id, "state": "DRAINING"}


@ROUTES.post("/{worker_id}/ended")
async def ended(
    parts: PartsHere, endpoint_id: str, worker_id: str, body: Annotated[Body, Depends(_body)]
) -> dict[str, str | int]:
    """Note that a worker's process is over; what it held goes back to the queue, counted as a death if it was one."""
    await parts.workers.require(endpoint_id, worker_id)
    given_back = await parts.desk.worker_ended(worker_id, died=body.get("died") is True)
    return {"worker_id": worker_id, "given_back": given_back}
