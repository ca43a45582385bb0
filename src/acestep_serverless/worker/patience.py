"""What if the gateway is away for a moment? Send again, ever more slowly, for a bounded time.

The Runpod SDK posts a result once and drops it when the connection fails; a finished song deserves better.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import httpx
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.errors import Conflict, PeerError, PeerUnreachable, TooLarge
from acestep_serverless.logs import redact

_REASON_KEPT = 200
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on: `total` seconds from the first failure on, pausing `first` seconds, then doubling up to
    `longest`."""

    total: float = 600.0
    first: float = 0.25
    longest: float = 10.0

    def pauses(self) -> Iterator[float]:
        """Yield the pauses in seconds, without end; the caller watches `total`."""
        pause = self.first
        while True:
            yield pause
            pause = min(pause * 2, self.longest)


async def deliver(
    send: Callable[[], Awaitable[httpx.Response]], *, what: str, patience: Patience, clock: Clock
) -> httpx.Response:
    """Return the gateway's first 2xx answer to `send`, trying again after connection failures, 408, 429 and 5xx.

    Raises Conflict (409: the job is no longer this worker's), TooLarge (413), PeerError (any other 4xx or 3xx) at
    once, and PeerUnreachable when patience ends. No message and no chained exception carries a URL: the token is in
    it.
    """
    failed_at: float | None = None
    for pause in patience.pauses():
        problem = await _attempt(send, what)
        if isinstance(problem, httpx.Response):
            return problem
        now = clock.monotonic()
        failed_at = now if failed_at is None else failed_at
        if now - failed_at + pause > patience.total:
            raise PeerUnreachable(f"the gateway did not take {what} for {patience.total:g} s: {problem}")
        _log.warning("the gateway did not answer, trying again", what=what, problem=problem, pause_seconds=pause)
        await asyncio.sleep(pause)
    raise AssertionError("the pauses have no end")


async def _attempt(send: Callable[[], Awaitable[httpx.Response]], what: str) -> httpx.Response | str:
    """Return the good answer, or a text that says why another attempt makes sense."""
    try:
        response = await send()
    except httpx.TransportError as error:
        return f"no connection ({type(error).__name__})"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PeerError(f"the gateway could not be asked to take {what} ({type(error).__name__})") from None
    if response.is_success:
        return response
    reason = f"HTTP {response.status_code}{_reason(response)}"
    if response.status_code in (408, 429) or response.is_server_error:
        return reason
    if response.status_code == 409:
        raise Conflict(f"the gateway refused {what}, the job is no longer this worker's: {reason}")
    if response.status_code == 413:
        raise TooLarge(f"{what} is larger than the gateway allows: {reason}")
    raise PeerError(f"the gateway refused {what}: {reason}")


def _reason(response: httpx.Response) -> str:
    """Read the sentence in `{"error": ...}` or `{"detail": ...}`, shortened and without secrets; "" when there is
    none."""
    try:
        body = response.json()
    except ValueError:
        return ""
    text = (body.get("error") or body.get("detail")) if isinstance(body, dict) else None
    return f" ({redact(str(text))[:_REASON_KEPT]})" if text else ""
