"""How is a file fetched from a stranger's URL? On checked connections, within bounds of size, time and redirects.

Every hop is looked at as if it were the first: its scheme, its host, the addresses of its name. Nothing of ours is sent
along: no key, no cookie, no proxy's password. Certificates are verified, and the environment is not asked for a proxy.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore
import httpx

from acestep_serverless.errors import PeerError, PeerUnreachable, TooLarge
from acestep_serverless.outbound.addresses import is_public
from acestep_serverless.outbound.caller import CheckedConnections, Resolve, resolve_with_the_system

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3

LARGEST_FILE = 100_000_000
"""Bytes of one file: ten minutes of 48 kHz stereo at 16 bits are 115 MB, as FLAC about 70."""

LONGEST_SECONDS = 120.0
"""Time for all of it, redirects included: 100 MB in it are 7 Mbit/s."""

LONGEST_SILENCE = 20.0
"""Seconds until a connection stands, and between two pieces of an answer."""

_HEADERS = [(b"accept", b"audio/*, */*;q=0.5"), (b"accept-encoding", b"identity"), (b"connection", b"close")]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was handed to the sink: how many bytes, and of which media type the last server says they are."""

    bytes: int
    media_type: str


class Fetcher:
    """Fetches files. `allow_private` also allows plain http and addresses that are not public; `public` tells which
    are, and `context` verifies certificates (None: with the public authorities)."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        limit: int = LARGEST_FILE,
        seconds: float = LONGEST_SECONDS,
        resolve: Resolve = resolve_with_the_system,
        public: Callable[[str], bool] = is_public,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = CheckedConnections(resolve, allow_private=allow_private, public=public)
        self._schemes = ("https", "http") if allow_private else ("https",)
        self._limit, self._seconds, self._context = limit, seconds, context

    async def fetch(self, url: str, sink: Callable[[bytes], None]) -> Fetched:
        """Hand the bytes at a URL to `sink` in order. Raises TooLarge, PeerError (a URL that may not be called, an
        answer that is no file) and PeerUnreachable; the sink may have been handed a part by then."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._followed(url, sink)
        except TimeoutError:
            raise PeerUnreachable(f"the file was not there within {self._seconds:g} s") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.TimeoutException,
            ssl.SSLError,
            OSError,
        ) as error:
            raise PeerUnreachable(f"no connection ({_reason(error)})") from None

    async def _followed(self, url: str, sink: Callable[[bytes], None]) -> Fetched:
        here = _parsed(url)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._answer(here) as response:
                if response.status not in REDIRECTS:
                    return await self._received(response, sink)
                here = _next(here, response)
        raise PeerError(f"the URL was redirected more than {MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, url: httpx.URL) -> AsyncIterator[httpcore.Response]:
        if url.scheme not in self._schemes:
            raise PeerError(f"the URL must begin with {' or '.join(f'{scheme}://' for scheme in self._schemes)}")
        if url.userinfo:
            raise PeerError("the URL must hold no user name and no password")
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        host = url.netloc
        patience = dict.fromkeys(("connect", "read", "write", "pool"), LONGEST_SILENCE)
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._context, network_backend=self._connections, max_connections=1
            ) as pool,
            pool.stream(
                "GET", target, headers=[(b"host", host), *_HEADERS], extensions={"timeout": patience}
            ) as response,
        ):
            yield response

    async def _received(self, response: httpcore.Response, sink: Callable[[bytes], None]) -> Fetched:
        if response.status != 200:
            raise PeerError(f"the server answered with HTTP status {response.status}")
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise PeerError("the server sent the file compressed, though it was asked not to")
        announced = _header(response, b"content-length")
        if announced.isdecimal() and (len(announced) > 15 or int(announced) > self._limit):
            raise self._too_large()
        received = 0
        async for piece in response.aiter_stream():
            received += len(piece)
            if received > self._limit:
                raise self._too_large()
            sink(piece)
        return Fetched(received, _header(response, b"content-type").partition(";")[0].strip().lower())

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the file is larger than the limit of {self._limit:,} bytes")


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
        whole = bool(parsed.host) and parsed.port != 0
    except (httpx.InvalidURL, ValueError, TypeError):
        whole = False
    if not whole:
        raise PeerError("the URL cannot be called")
    return parsed


def _next(here: httpx.URL, response: httpcore.Response) -> httpx.URL:
    place = _header(response, b"location")
    if not place:
        raise PeerError(f"the server answered with HTTP status {response.status} but names no place")
    try:
        return _parsed(str(here.join(place)))
    except (httpx.InvalidURL, ValueError):
        raise PeerError("the URL was redirected to one that cannot be called") from None


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def _reason(error: Exception) -> str:
    """The kind of a failure; of a certificate that was refused also why."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate was refused: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
