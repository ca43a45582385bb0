"""Which endpoints does this gateway have, and which client key opens which? The endpoints come from the settings, keys
from the settings and from the rows that the `keys` command writes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from acestep_serverless.access.keys import digest, matches_digest
from acestep_serverless.errors import AccessDenied, NotFound
from acestep_serverless.registry.keys import KeyRows


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A named queue: its id in the URL, its keys' digests in the settings, its default `executionTimeout` (ms)."""

    id: str
    key_digests: frozenset[str]
    execution_timeout_ms: int


async def no_rows() -> KeyRows:
    """Give no keys: for a gateway that has those of its settings only."""
    return KeyRows()


class EndpointTable:
    """All endpoints by id. With no key anywhere, now or ever, the gateway is open (and then listens on loopback only).

    `timeouts_ms` has every endpoint's default `executionTimeout`; `rows` gives the database's keys as they are now.
    """

    def __init__(
        self,
        keys_by_endpoint: Mapping[str, frozenset[str]],
        timeouts_ms: Mapping[str, int],
        rows: Callable[[], Awaitable[KeyRows]] = no_rows,
    ) -> None:
        self._endpoints = {
            name: Endpoint(name, frozenset(digest(key) for key in keys), timeouts_ms[name])
            for name, keys in keys_by_endpoint.items()
        }
        self._rows = rows
        self._has_own_keys = any(endpoint.key_digests for endpoint in self._endpoints.values())

    @property
    def ids(self) -> tuple[str, ...]:
        """Name every endpoint."""
        return tuple(self._endpoints)

    async def is_open(self) -> bool:
        """Tell whether there is no key at all. One that was revoked counts: the gateway stays closed without it."""
        return not self._has_own_keys and not (await self._rows()).any_ever

    def known(self, endpoint_id: str) -> Endpoint:
        """Find an endpoint. Raises NotFound."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            raise NotFound(f"there is no endpoint {endpoint_id!r} here")
        return endpoint

    async def opened_by(self, key: str) -> frozenset[str]:
        """List the endpoints that a key opens. Raises AccessDenied when it opens none.

        Every stored digest is compared, whichever matches, so the time says nothing about where.
        """
        rows = await self._rows()
        if not self._has_own_keys and not rows.any_ever:
            return frozenset(self._endpoints)
        given = digest(key)
        opened = {
            endpoint.id
            for endpoint in self._endpoints.values()
            for known in endpoint.key_digests
            if matches_digest(key, known)
        }
        opened |= rows.opened_by(given, self._endpoints)
        if not opened:
            problem = "is not known here" if key else "is missing"
            raise AccessDenied(f"the API key {problem}: send it as the header 'Authorization: Bearer <key>'")
        return frozenset(opened)

    async def enter(self, endpoint_id: str, key: str) -> Endpoint:
        """Open an endpoint with a client's key. Raises AccessDenied for a wrong key, then NotFound for an unknown
        endpoint."""
        opened = await self.opened_by(key)
        if endpoint_id not in self._endpoints:
            raise NotFound(f"there is no endpoint {endpoint_id!r} here; this key opens {', '.join(sorted(opened))}")
        endpoint = self.known(endpoint_id)
        if endpoint.id not in opened:
            raise AccessDenied(f"this API key does not open endpoint {endpoint_id!r}")
        return endpoint
