"""What can go wrong between us and an ACE-Step server, and what is worth a second attempt? One place for both.

Error bodies come in three shapes: `{"detail": ...}` with an HTTP status, an envelope whose `code` is not 200 under HTTP
200, and the bare text "Internal Server Error", after which upstream closes the connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx

from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import PeerError, PeerUnreachable, TaskFailed

PAUSES = (0.1, 0.3, 1.0)
"""Seconds before the second, third and fourth attempt: a restart of a small server takes about as long."""

WRONG_REQUEST = frozenset({400, 413, 415, 422})
KEY_REFUSED = frozenset({401, 403})
BUSY = 429
FIRST_SERVER_ERROR = 500
LONGEST_SENTENCE = 2000
LARGEST_ANSWER = 64 << 20
"""Bytes of one answer but for audio; a batch of eight songs with the longest lyrics has under 40 million."""
TRACEBACK = "Traceback (most recent call last)"

T = TypeVar("T")


class ServerError(PeerError):
    """The server answered with an error of its own (HTTP 5xx); another attempt may succeed."""


class ServerBusy(PeerError):
    """The server has taken nothing, for its queue is full (HTTP 429); another attempt submits nothing twice."""


class NotSent(PeerUnreachable):
    """No connection was made, so nothing has been sent: another attempt submits nothing twice."""


async def repeated(attempt: Callable[[], Awaitable[T]]) -> T:
    """Make an attempt that changes nothing on the server, up to four times while it is unreachable or broke."""
    for pause in PAUSES:
        try:
            return await attempt()
        except (PeerUnreachable, ServerError):
            await asyncio.sleep(pause)
    return await attempt()


async def received(response: httpx.Response) -> httpx.Response:
    """Read an open answer whole. Raises PeerError beyond LARGEST_ANSWER bytes, httpx.TransportError."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise PeerError(f"the ACE-Step API's answer is over the limit of {LARGEST_ANSWER:,} bytes")
    kind = {"content-type": response.headers.get("content-type", "")}
    return httpx.Response(response.status_code, headers=kind, content=bytes(body))


def unreachable(error: httpx.HTTPError) -> PeerUnreachable:
    """Give the error for a connection that was refused, reset or timed out."""
    said = str(error) or type(error).__name__
    kind = NotSent if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else PeerUnreachable
    return kind(f"the ACE-Step API cannot be reached: {said}")


def check_status(response: httpx.Response) -> None:
    """Pass an answer with a 2xx status. Raises TaskFailed (our request was wrong), ServerError or PeerError."""
    status = response.status_code
    if response.is_success:
        return
    sentence = _sentence(response) or f"HTTP status {status}"
    if status in WRONG_REQUEST:
        raise TaskFailed(sentence)
    if status in KEY_REFUSED:
        raise PeerError(f"the ACE-Step API refused the key: {sentence}")
    if status == BUSY:
        raise ServerBusy(f"the ACE-Step API refused the request: {sentence}")
    if status >= FIRST_SERVER_ERROR:
        raise ServerError(f"the ACE-Step API failed: {sentence}")
    raise PeerError(f"the ACE-Step API refused the request: {sentence}")


def read_json(response: httpx.Response) -> dict[str, Any]:
    """Read the object in an answer. Raises TaskFailed if its envelope holds an error, PeerError if it is unreadable."""
    check_status(response)
    answer = _object(response)
    if answer is None:
        raise PeerError("the ACE-Step API's answer is not a JSON object")
    code = answer.get("code", 200)
    if code != 200:
        raise TaskFailed(_said(answer) or f"the ACE-Step API answered with code {shown(code)}, but not why")
    return answer


def _sentence(response: httpx.Response) -> str:
    answer = _object(response)
    if answer is None:
        return response.text.strip()[:LONGEST_SENTENCE]
    return _said(answer)


def _said(answer: Mapping[str, Any]) -> str:
    given = answer.get("detail") or answer.get("error") or ""
    if isinstance(given, list):  # the framework's own validation: one object a problem
        given = "; ".join(str(problem.get("msg", problem)) if isinstance(problem, dict) else "" for problem in given)
    return _last_line(str(given))[:LONGEST_SENTENCE]


def _last_line(text: str) -> str:
    """Of a traceback only its last line, which holds the message; the rest names files of the server's machine."""
    return text.strip().splitlines()[-1].strip() if TRACEBACK in text else text


def _object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
