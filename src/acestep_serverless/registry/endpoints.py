"""Which endpoints does this gateway have, and which client key opens which? Built once from the settings, then
fixed."""

from collections.abc import Mapping
from dataclasses import dataclass

from acestep_serverless.access.keys import digest, matches_digest
from acestep_serverless.errors import AccessDenied, NotFound


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A named queue: its id in the URL, its keys' digests, its default `executionTimeout` in milliseconds."""

    id: str
    key_digests: frozenset[str]
    execution_timeout_ms: int


class EndpointTable:
    """All endpoints by id. With no key anywhere the gateway is open (and then listens on loopback only)."""

    def __init__(self, keys_by_endpoint: Mapping[str, frozenset[str]], execution_timeout_ms: int) -> None:
        self._endpoints = {
            name: Endpoint(name, frozenset(digest(key) for key in keys), execution_timeout_ms)
            for name, keys in keys_by_endpoint.items()
        }
        self.is_open = not any(endpoint.key_digests for endpoint in self._endpoints.values())

    def known(self, endpoint_id: str) -> Endpoint:
        """Find an endpoint. Raises NotFound."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            raise NotFound(f"there is no endpoint {endpoint_id!r} here")
        return endpoint

    def opened_by(self, key: str) -> frozenset[str]:
        """List the endpoints that a key opens. Raises AccessDenied when it opens none.

        Every stored digest is compared, whichever matches, so the time says nothing about where.
        """
        if self.is_open:
            return frozenset(self._endpoints)
        opened = [
            endpoint.id
            for endpoint in self._endpoints.values()
            for known in endpoint.key_digests
            if matches_digest(key, known)
        ]
        if not opened:
            given = "is not known here" if key else "is missing"
            raise AccessDenied(f"the API key {given}: send it as the header 'Authorization: Bearer <key>'")
        return frozenset(opened)

    def enter(self, endpoint_id: str, key: str) -> Endpoint:
        """Open an endpoint with a client's key. Raises AccessDenied for a wrong key, then NotFound for an unknown
        endpoint."""
        opened = self.opened_by(key)
        if endpoint_id not in self._endpoints:
            raise NotFound(f"there is no endpoint {endpoint_id!r} here; this key opens {', '.join(sorted(opened))}")
        endpoint = self.known(endpoint_id)
        if endpoint.id not in opened:
            raise AccessDenied(f"this API key does not open endpoint {endpoint_id!r}")
        return endpoint
