"""Who walks through a conversation? Two drivers over httpx, one that blocks and one for an event loop: the only I/O."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import TypeVar

import httpx

from acestep_serverless.client.address import Address
from acestep_serverless.client.songs import Job
from acestep_serverless.client.steps import Broken, Do, Send, Sleep, Step, Steps, Tell, Walk

T = TypeVar("T")
Told = Callable[[Job], object]
"""Is called with a job whenever it has changed."""

CONNECT_SECONDS = 10.0
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
"""What happens before a request's first byte goes to the server."""


@cache
def _verified() -> ssl.SSLContext:
    """The public authorities, read once: 20 ms, which every client would take again."""
    return httpx.create_ssl_context()


def _timeout(send: Send) -> httpx.Timeout:
    return httpx.Timeout(send.silence, connect=CONNECT_SECONDS)


def _broken(error: httpx.HTTPError) -> Broken:
    return Broken(str(error) or type(error).__name__, sent=not isinstance(error, NOT_SENT))


def _begin(send: Send, response: httpx.Response) -> None:
    send.receiver.begin(response.status_code, {name.lower(): value for name, value in response.headers.items()})


class Driver:
    """Walks in the caller's thread."""

    def __init__(self, address: Address, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(verify=_verified(), trust_env=not address.is_loopback, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, steps: Steps[T], told: Told | None = None) -> T:
        """Walk to the end and give the result."""
        with Walk(steps) as walk:
            for job in self._tellings(walk):
                if told is not None:
                    told(job)
            return walk.result

    def tellings(self, steps: Steps[T]) -> Iterator[Job]:
        """Walk to the end and give each job that is told of."""
        with Walk(steps) as walk:
            yield from self._tellings(walk)

    def _tellings(self, walk: Walk[T]) -> Iterator[Job]:
        while (step := walk.next()) is not None:
            if isinstance(step, Tell):
                yield step.job
                continue
            try:
                walk.outcome = self._done(step)
            except Exception as error:
                walk.error = error

    def _done(self, step: Step) -> object:
        match step:
            case Send():
                self._sent(step)
            case Sleep(seconds):
                time.sleep(seconds)
            case Do(work):
                return work()
        return None

    def _sent(self, send: Send) -> None:
        opened = self._http.stream(
            send.method, send.url, content=send.body, headers=send.headers, timeout=_timeout(send)
        )
        try:
            with opened as response:
                _begin(send, response)
                for piece in response.iter_bytes():
                    send.receiver.take(piece)
        except httpx.HTTPError as error:
            raise _broken(error) from error


class AsyncDriver:
    """Walks in an event loop."""

    def __init__(self, address: Address, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(verify=_verified(), trust_env=not address.is_loopback, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[T], told: Told | None = None) -> T:
        """Walk to the end and give the result."""
        with Walk(steps) as walk:
            async for job in self._tellings(walk):
                if told is not None:
                    told(job)
            return walk.result

    async def tellings(self, steps: Steps[T]) -> AsyncIterator[Job]:
        """Walk to the end and give each job that is told of."""
        with Walk(steps) as walk:
            async for job in self._tellings(walk):
                yield job

    async def _tellings(self, walk: Walk[T]) -> AsyncIterator[Job]:
        while (step := walk.next()) is not None:
            if isinstance(step, Tell):
                yield step.job
                continue
            try:
                walk.outcome = await self._done(step)
            except Exception as error:
                walk.error = error

    async def _done(self, step: Step) -> object:
        match step:
            case Send():
                await self._sent(step)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Do(work):
                return await asyncio.to_thread(work)
        return None

    async def _sent(self, send: Send) -> None:
        opened = self._http.stream(
            send.method, send.url, content=send.body, headers=send.headers, timeout=_timeout(send)
        )
        try:
            async with opened as response:
                _begin(send, response)
                async for piece in response.aiter_bytes():
                    send.receiver.take(piece)
        except httpx.HTTPError as error:
            raise _broken(error) from error
