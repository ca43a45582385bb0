"""How is a stranger's URL called without being led astray? The address is checked at the moment of connecting.

A name that resolves to a public address when it is checked and to 127.0.0.1 when it is used (DNS rebinding) gains
nothing: the
connection goes to the very address that was checked. Redirects are answers like any other and never followed.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

import httpcore

from acestep_serverless.errors import PeerError, PeerUnreachable
from acestep_serverless.outbound.addresses import is_public

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Gives the IP addresses of a host name."""


async def resolve_with_the_system(host: str, port: int) -> list[str]:
    """Resolve a name as every program of this machine does. Raises PeerUnreachable for an unknown one.

    Each in a thread of its own, which nobody waits for at the end: an event loop has four to share, and four names
    whose server is silent would hold up all others for the 20 s that the system goes on asking.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str]) -> None:
        if not answered.done():
            answered.set_result(found)

    def look_up() -> None:
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError):
            found = []
        with suppress(RuntimeError):  # The loop has ended, and with it whoever asked.
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    found = await answered
    if not found:
        raise PeerUnreachable(f"the name {host} is not known")
    return found


class CheckedConnections(httpcore.AsyncNetworkBackend):
    """Connects only where every address of the name is public (or anywhere, when private ones are allowed). `public`
    tells which addresses are."""

    def __init__(self, resolve: Resolve, *, allow_private: bool, public: Callable[[str], bool] = is_public) -> None:
        self._resolve, self._allow_private, self._public = resolve, allow_private, public
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, and connect to the checked address. Raises PeerError for a private one."""
        addresses = await self._resolve(host, port)
        if not addresses or not (self._allow_private or all(self._public(address) for address in addresses)):
            raise PeerError(f"{host} is not on the public internet: only a setting of this server may allow that")
        return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait, for httpcore's own use."""
        await self._backend.sleep(seconds)


class Caller:
    """Posts to strangers' URLs, each on a connection of its own. `timeout` bounds a whole call, in seconds."""

    def __init__(
        self, *, allow_private: bool = False, timeout: float = 10.0, resolve: Resolve = resolve_with_the_system
    ) -> None:
        self._connections = CheckedConnections(resolve, allow_private=allow_private)
        self._timeout = timeout

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body and return the status code; the answer's own body is not read. Raises PeerError,
        PeerUnreachable."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(url, body, headers)
        except TimeoutError:
            raise PeerUnreachable(f"no answer within {self._timeout:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise PeerUnreachable(f"no connection ({type(error).__name__})") from None
        except (ValueError, TypeError, httpcore.UnsupportedProtocol) as error:
            raise PeerError(f"the URL cannot be called ({type(error).__name__})") from None

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        async with (
            httpcore.AsyncConnectionPool(network_backend=self._connections, max_connections=1) as pool,
            pool.stream("POST", url, headers=given, content=body) as response,
        ):
            return int(response.status)
