"""How do the bytes of a song come over, whole and bounded? Range requests of one chunk each, that must fit together.

Ranges because an in-process transport buffers a whole answer in memory; a server that ignores them (status 200) is read
as a stream instead. Nothing is handed on before its chunk is complete, so a broken chunk can be asked for again.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from acestep_serverless.client.exchange import check_status
from acestep_serverless.errors import PeerError, TooLarge

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")

CHANGED = "the song's file changed on the ACE-Step API while it was downloaded"
PARTIAL = 206
WHOLE = 200
RANGE_BEYOND_END = 416


@dataclass(frozen=True, slots=True)
class DownloadedAudio:
    """What was handed to the sink: how many bytes, of which media type (without parameters), their SHA-256 in hex."""

    bytes: int
    media_type: str
    sha256: str


@dataclass(slots=True)
class Download:
    """The state of one download between its requests. `total` is None until the server has named it."""

    sink: Callable[[bytes], None]
    chunk: int
    limit: int
    received: int = 0
    total: int | None = None
    complete: bool = False
    media_type: str = ""
    tag: str = ""
    digest: Any = field(default_factory=hashlib.sha256)

    def headers(self) -> dict[str, str]:
        """Give the headers of the next request; `If-Range` makes a file that has changed in between come whole."""
        headers = {
            "Range": f"bytes={self.received}-{self.received + self.chunk - 1}",
            "Accept-Encoding": "identity",
        }
        return {**headers, "If-Range": self.tag} if self.received and self.tag else headers

    async def take(self, response: httpx.Response) -> None:
        """Take one open answer. Raises PeerError (refused, empty, inconsistent), TooLarge, httpx.TransportError."""
        if response.status_code == PARTIAL:
            await self._take_part(response)
        elif response.status_code == WHOLE and self.received == 0:
            await self._take_whole(response)
        elif response.status_code == RANGE_BEYOND_END and self.received == 0:
            raise PeerError("the ACE-Step API delivered an empty audio file")
        elif response.status_code == RANGE_BEYOND_END and self.total is None:
            self.complete = True  # the total was hidden, and the last chunk happened to be a full one
        elif response.status_code == WHOLE:
            raise PeerError(CHANGED)
        else:
            await response.aread()
            check_status(response)
            raise PeerError(
                f"the ACE-Step API answered to the request for a song with HTTP status {response.status_code}"
            )

    def result(self) -> DownloadedAudio:
        """Say what was downloaded."""
        return DownloadedAudio(self.received, self.media_type, self.digest.hexdigest())

    async def _take_part(self, response: httpx.Response) -> None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
        if match is None:
            raise PeerError("the ACE-Step API answered with a part of the audio, but does not say which")
        first, last, total = int(match[1]), int(match[2]), match[3]
        if first != self.received or not first <= last < self.received + self.chunk:
            raise PeerError(f"the ACE-Step API answered with bytes {first}-{last}, not with those asked for")
        self._see_total(total)
        body = await _read(response, last - first + 1)
        self._note(response)
        self._deliver(body)
        # A server that hides the total has ended with the first chunk that is not full.
        self.complete = self.received == self.total if self.total is not None else len(body) < self.chunk

    async def _take_whole(self, response: httpx.Response) -> None:
        length = response.headers.get("content-length", "")
        if length.isdecimal():
            self._see_total(length)
        self._note(response)
        async for piece in response.aiter_bytes():
            if self.received + len(piece) > self.limit:
                raise self._too_large(self.received + len(piece))
            self._deliver(piece)
        if self.received == 0 or (self.total is not None and self.received != self.total):
            raise PeerError(
                f"the ACE-Step API delivered {self.received:,} bytes of audio, {self.total or 'some'} expected"
            )
        self.complete = True

    def _see_total(self, given: str) -> None:
        if given == "*":
            return
        total = int(given)
        if self.total is not None and total != self.total:
            raise PeerError(CHANGED)
        if total > self.limit:
            raise self._too_large(total)
        self.total = total

    def _too_large(self, size: int) -> TooLarge:
        return TooLarge(f"the audio file has at least {size:,} bytes; the limit is {self.limit:,}")

    def _note(self, response: httpx.Response) -> None:
        self.media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        tag = response.headers.get("etag", "")
        self.tag = "" if tag.startswith("W/") else tag  # If-Range takes strong tags only (RFC 9110, 13.1.5)

    def _deliver(self, body: bytes) -> None:
        if self.received + len(body) > self.limit:
            raise self._too_large(self.received + len(body))
        self.sink(body)
        self.digest.update(body)
        self.received += len(body)


async def _read(response: httpx.Response, size: int) -> bytes:
    """Read exactly `size` bytes, never holding more than one network chunk beyond them."""
    pieces = []
    read = 0
    async for piece in response.aiter_bytes():
        pieces.append(piece)
        read += len(piece)
        if read > size:
            break
    if read != size:
        raise PeerError(f"the ACE-Step API announced {size:,} bytes of audio and sent {read:,}")
    return b"".join(pieces)
