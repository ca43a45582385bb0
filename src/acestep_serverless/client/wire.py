"""How does one request go to an ACE-Step server, and its answer come back? Within bounds of silence, time and size."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from acestep_serverless.client.exchange import read_json, received, repeated, unreachable
from acestep_serverless.errors import PeerError, PeerUnreachable

ANSWER_SECONDS = 30.0
"""Longest silence of a server, beyond the wait that was asked of it."""

TRANSFER_SECONDS = 300.0
"""Longest time for a question and its answer to come over, beyond the waiting: a server may be silent only for
ANSWER_SECONDS, but one byte at a time is no silence. Uploads of 200 MB need 5 Mbit/s."""

ROUTE_MISSING = frozenset({404, 405})


class Wire:
    """The way to one server. `http` brings its address or the transport, `api_key` "" sends no key."""

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def sent(self, method: str, url: str, *, held: float = 0.0, **content: Any) -> httpx.Response:
        """Send one request and read its answer; `held` is how many seconds the server may hold it back, `content` what
        `httpx` calls `json`, or `data` and `files`. Raises PeerUnreachable, and PeerError for too large an answer."""
        longest = TRANSFER_SECONDS + ANSWER_SECONDS + held
        try:
            async with (
                asyncio.timeout(longest),
                self._http.stream(method, url, headers=self._headers, timeout=_timeout(held), **content) as response,
            ):
                return await received(response)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        except TimeoutError:
            raise PeerUnreachable(f"the ACE-Step API has not answered within {longest:g} s") from None

    async def asked(self, route: str) -> dict[str, Any] | None:
        """Ask a question without a body, again when it fails; None where the server has no such route."""

        async def attempt() -> dict[str, Any] | None:
            response = await self.sent("GET", route)
            return None if response.status_code in ROUTE_MISSING else read_json(response)

        return await repeated(attempt)

    @asynccontextmanager
    async def opened(self, url: httpx.URL, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """Ask for a file and give the answer before its body is read. Raises httpx.HTTPError."""
        sent = {**self._headers, **headers}
        async with self._http.stream("GET", url, headers=sent, timeout=_timeout(0.0)) as response:
            yield response

    def own_url(self, file: str) -> httpx.URL:
        """Give the address of a file on this server. Raises PeerError: another server's would be sent our key."""
        try:
            url, base = httpx.URL(file), self._http.base_url
        except httpx.InvalidURL as error:
            raise PeerError("the ACE-Step API gave an address of a song that is none") from error
        if url.host and (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise PeerError(f"the ACE-Step API gave an address on another server for a song ({url.host})")
        return url


def _timeout(held: float) -> httpx.Timeout:
    return httpx.Timeout(ANSWER_SECONDS, read=ANSWER_SECONDS + held)
