"""How does a worker get the file of an earlier job? From its own gateway, with its own token, of its own endpoint."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from acestep_serverless.errors import NotFound, PeerError, PeerUnreachable, TooLarge
from acestep_serverless.worker.delivery import gateway_client
from acestep_serverless.worker.link import GatewayLink

PAUSES = (0.3, 1.0, 3.0)
"""Seconds before the second, third and fourth attempt: a gateway's core that has died is back after about one."""

LONGEST_SECONDS = 120.0

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class GatewayFiles:
    """The files that a gateway keeps. `connect` makes the client for one fetch."""

    link: GatewayLink
    connect: Callable[[], httpx.AsyncClient] = gateway_client

    async def fetch_file(self, name: str, sink: Sink, *, limit: int) -> None:
        """Hand the bytes of a file to `sink`. Raises NotFound, TooLarge (over `limit` bytes), PeerError and
        PeerUnreachable; the sink may have been handed a part by then."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._repeated(name, sink, limit)
        except TimeoutError:
            raise PeerUnreachable(f"the gateway did not send it within {LONGEST_SECONDS:g} s") from None

    async def _repeated(self, name: str, sink: Sink, limit: int) -> None:
        """Fetch, again while the gateway is away and nothing has been handed on: that cannot be taken back."""
        handed_on = False

        def noting(piece: bytes) -> None:
            nonlocal handed_on
            handed_on = True
            sink(piece)

        for pause in (*PAUSES, None):
            try:
                async with self.connect() as http:
                    await self._received(http, name, noting, limit)
            except httpx.TransportError as error:
                if handed_on or pause is None:
                    raise PeerUnreachable(f"the gateway does not answer ({type(error).__name__})") from None
                await asyncio.sleep(pause)
            else:
                return

    async def _received(self, http: httpx.AsyncClient, name: str, sink: Sink, limit: int) -> None:
        async with http.stream("GET", self.link.stored_url(name)) as response:
            if response.status_code == 404:
                raise NotFound("there is no such file of this endpoint; files are deleted together with their job")
            if response.status_code != 200:
                raise PeerError(f"the gateway answered with HTTP status {response.status_code}")
            received = 0
            async for piece in response.aiter_raw():
                received += len(piece)
                if received > limit:
                    raise TooLarge(f"the file is larger than the limit of {limit:,} bytes")
                sink(piece)
