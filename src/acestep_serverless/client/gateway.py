"""How does a worker or a fleet speak to its gateway about workers? Enrol, list, drain, ended: plain blocking calls.

Not on the way of any job, so it is synchronous and patient: a gateway that is just starting is waited for.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from acestep_serverless.errors import AccessDenied, NotFound, PeerError, PeerUnreachable

OVERVIEW = ("workers", "waiting", "oldest_wait_ms", "in_progress", "leads", "now", "heartbeat_ms")
"""What a gateway tells a fleet: `waiting` jobs without lowPriority (counted up to 1,000) and the age of the oldest."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a worker gets for its worker key: its token and the time between two heartbeats in milliseconds."""

    worker_id: str
    token: str = field(repr=False)
    heartbeat_ms: int = 4_000


class GatewayClient:
    """The worker side's view of one endpoint of a gateway. Raises AccessDenied for a wrong worker key, NotFound for an
    unknown endpoint or worker, PeerError otherwise."""

    def __init__(self, gateway_url: str, endpoint_id: str, worker_key: str, *, timeout: float = 10.0) -> None:
        self._http = httpx.Client(
            base_url=f"{gateway_url.rstrip('/')}/v2/{endpoint_id}",
            headers={"Authorization": f"Bearer {worker_key}"},
            timeout=timeout,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def enrol(
        self,
        worker_id: str,
        *,
        fleet_id: str | None = None,
        patience_seconds: float = 60.0,
        told: Callable[[str], object] = lambda sentence: None,
    ) -> Enrolment:
        """Enrol under a fresh id, waiting up to `patience_seconds` for a gateway that is not up yet.

        `fleet_id` names the fleet of a `serve` that the worker belongs to and ends with. `told` gets one sentence, at
        the first attempt that fails and is not the last.
        """
        deadline = time.monotonic() + patience_seconds
        body = {"worker_id": worker_id, "fleet_id": fleet_id}
        waiting = False
        while True:
            try:
                answer = self._ask("POST", "", body)
            except PeerUnreachable as error:
                if time.monotonic() > deadline:
                    raise
                if not waiting:
                    told(f"{error}; trying again for {patience_seconds:g} s")
                waiting = True
                time.sleep(0.5)
            else:
                return Enrolment(answer["worker_id"], answer["token"], answer["heartbeat_ms"])

    def overview(self, fleet_id: str | None = None) -> Mapping[str, Any]:
        """List the endpoint's workers, count its waiting and running jobs, and tell whether a fleet `leads` it.

        With `fleet_id` the question takes or renews that fleet's lease on the endpoint; without one `leads` is true.
        Times are milliseconds since 1970 by the gateway's clock. Raises PeerError for a gateway that does not say all
        that a fleet decides by.
        """
        overview = self._ask("GET", "" if fleet_id is None else f"?fleet={fleet_id}", None)
        if missing := [name for name in OVERVIEW if name not in overview]:
            raise PeerError(f"the gateway is of another version than this program: it does not tell {missing[0]}")
        return overview

    def drain(self, worker_id: str) -> None:
        """Ask the gateway to feed a worker no more."""
        self._ask("POST", f"/{worker_id}/drain", {})

    def ended(self, worker_id: str, *, died: bool) -> None:
        """Tell that a worker's process is over; `died` when nobody wanted that."""
        self._ask("POST", f"/{worker_id}/ended", {"died": died})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            response = self._http.request(method, f"/workers{path}", json=body)
        except httpx.TransportError as error:
            place = f"{self._http.base_url.host}:{self._http.base_url.port}"
            raise PeerUnreachable(f"the gateway at {place} does not answer ({type(error).__name__})") from None
        if response.status_code == 401:
            raise AccessDenied(_reason(response))
        if response.status_code == 404:
            raise NotFound(f"the gateway answered 404: {_reason(response)}")
        if not response.is_success:
            kind = PeerUnreachable if response.is_server_error else PeerError
            raise kind(f"the gateway answered {response.status_code}: {_reason(response)}")
        try:
            return dict(response.json())
        except (ValueError, TypeError):
            place = f"{self._http.base_url.host}:{self._http.base_url.port}"
            raise PeerError(f"what answers at {place} is not this gateway: its answer is not a JSON object") from None


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    return str(body.get("error", body))[:300] if isinstance(body, dict) else str(body)[:300]
