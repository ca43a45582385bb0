"""How is a file sent to a stranger's URL? By one PUT on a connection whose address was checked, within a set time.

Like `caller`, it connects to the very address that it has checked, follows no redirect and uses no proxy.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpcore

from acestep_serverless.errors import PeerError, PeerUnreachable
from acestep_serverless.outbound.caller import CheckedConnections, Resolve, resolve_with_the_system

ANSWER_BYTES = 4_096
"""So much of an answer is read: an S3 server's reason is in the first few hundred bytes."""

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class UploadAnswer:
    """What the server said: its status, and the beginning of its answer."""

    status: int
    beginning: bytes


class Uploader:
    """Sends files to strangers' URLs, each on a connection of its own."""

    def __init__(self, *, allow_private: bool = False, resolve: Resolve = resolve_with_the_system) -> None:
        self._connections = CheckedConnections(resolve, allow_private=allow_private)

    async def put(
        self, url: str, body: Callable[[], AsyncIterator[bytes]], headers: Mapping[str, str], *, seconds: float
    ) -> UploadAnswer:
        """PUT what `body` yields and return the answer; `headers` name the length. `seconds` bounds all of it.

        Raises PeerUnreachable (no connection, no answer in time) and PeerError (a private address, an impossible URL).
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._put(url, body(), headers)
        except TimeoutError:
            raise PeerUnreachable(f"no answer within {seconds:.3g} s") from None
        except httpcore.TimeoutException as error:
            raise PeerUnreachable(f"no connection ({type(error).__name__})") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, ConnectionError) as error:
            raise PeerUnreachable(f"no connection ({type(error).__name__})") from None
        except (ValueError, TypeError, httpcore.UnsupportedProtocol) as error:
            raise PeerError(f"the URL cannot be called ({type(error).__name__})") from None

    async def _put(self, url: str, body: AsyncIterator[bytes], headers: Mapping[str, str]) -> UploadAnswer:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        within = {"timeout": {"connect": CONNECT_SECONDS}}
        async with (
            httpcore.AsyncConnectionPool(network_backend=self._connections, max_connections=1) as pool,
            pool.stream("PUT", url, headers=given, content=body, extensions=within) as response,
        ):
            beginning = b""
            async for piece in response.aiter_stream():
                beginning += piece
                if len(beginning) >= ANSWER_BYTES:
                    break
            return UploadAnswer(int(response.status), beginning[:ANSWER_BYTES])
