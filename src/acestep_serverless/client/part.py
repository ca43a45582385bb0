"""How does a file come over a line that breaks? It goes on where it stopped, while the server still has the same file.

`Range` asks for the rest, and `If-Range` with the file's ETag makes another file come whole (RFC 9110, 13.1.5 and 14);
an answer that does not fit what is here already makes it start anew. Weak ETags do not say that bytes are the same.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from acestep_serverless.client.answers import TRANSFER_SECONDS, Body, in_time, is_success
from acestep_serverless.client.songs import StoredFile
from acestep_serverless.client.steps import Broken
from acestep_serverless.clock import Clock
from acestep_serverless.errors import FieldProblem, InputError, PeerError, TooLarge

ERROR_BYTES = 64 << 10
"""What is read of an answer that is no file."""

PARTIAL = 206
OUT_OF_REACH = 416

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_STRONG = re.compile(r'"[^"]*"')


@dataclass(slots=True)
class Part:
    """A file that is being received, in as many answers as it takes, beside its final name; leaving without `keep`
    removes it. `largest` is in bytes."""

    path: Path
    song: StoredFile
    largest: int
    clock: Clock
    answer: Body = field(init=False)
    received: int = 0
    _total: int | None = None
    _tag: str = ""
    _goes_on: bool = False
    _takes: bool = False
    _file: IO[bytes] | None = None
    _digest: Any = field(default_factory=hashlib.sha256)
    _ends: float = 0.0

    def __post_init__(self) -> None:
        self.answer = Body(self.clock, ERROR_BYTES)

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def headers(self) -> Mapping[str, str]:
        """Give what the next request says beside the usual: what is missing, if the server lets it be asked for."""
        return {"Range": f"bytes={self.received}-", "If-Range": self._tag} if self.received and self._tag else {}

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """See the head of the next answer. Raises TooLarge, InputError (folder), and Broken for a part that does not
        fit."""
        self.answer = Body(self.clock, ERROR_BYTES)
        self.answer.begin(status, headers)
        self._ends = self.clock.monotonic() + TRANSFER_SECONDS
        self._takes = is_success(status)
        if status == PARTIAL:
            self._go_on(headers)
        elif self._takes:
            self._start(headers)
        elif status == OUT_OF_REACH:
            raise self._unfit("the file has changed")

    def take(self, piece: bytes) -> None:
        """Write a piece: 64 KiB take 0.1 ms, which an event loop can spare. Raises TooLarge, Broken, InputError."""
        if self._file is None or not self._takes:
            self.answer.take(piece)
            return
        self._require_room(self.received + len(piece))
        in_time(self.clock, self._ends)
        try:
            self._file.write(piece)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None
        self._digest.update(piece)
        self.received += len(piece)

    def is_whole(self) -> bool:
        """Tell whether the last answer was the file, or the end of it. Raises Broken when some of it is missing."""
        if self._takes and self._total is not None and self.received < self._total:
            raise Broken(f"{self.received:,} of {self._total:,} bytes came", sent=True)
        return self._takes

    def keep(self) -> None:
        """Give the file its name. Raises PeerError when it is not the one that the result describes, and Broken when it
        came in several answers and may be another mixture next time."""
        assert self._file is not None
        try:
            _check(self.song, self.received, self._total, self._digest.hexdigest())
        except PeerError as error:
            if self._goes_on:
                raise self._unfit(str(error)) from None
            raise
        try:
            self._file.close()
            Path(self._file.name).replace(self.path)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None
        self._file = None

    def _start(self, headers: Mapping[str, str]) -> None:
        """Begin with the first byte: nothing was here, the server gives no parts, or has another file now."""
        self._forget()
        # Where the bytes are packed, their numbers are not those of the file.
        plain = headers.get("content-encoding", "identity").strip().lower() == "identity"
        length, tag = headers.get("content-length", ""), headers.get("etag", "").strip()
        offers = plain and headers.get("accept-ranges", "bytes").strip().lower() != "none"
        self._tag = tag if offers and _STRONG.fullmatch(tag) else ""
        if plain and length.isascii() and length.isdecimal() and len(length) <= 18:
            self._total = int(length)
            self._require_room(self._total)
        if self._file is None:
            self._open()

    def _go_on(self, headers: Mapping[str, str]) -> None:
        """Take what follows if it is of the same file and begins where it stopped."""
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        same = bool(self._tag) and headers.get("etag", "").strip() == self._tag
        if found is None or not same or int(found[1]) != self.received:
            raise self._unfit("another part came than was asked for")
        if found[3] != "*":
            if self._total not in (None, int(found[3])):
                raise self._unfit("the file has changed")
            self._total = int(found[3])
            self._require_room(self._total)
        self._goes_on = True

    def _unfit(self, reason: str) -> Broken:
        self._forget()
        return Broken(reason, sent=True)

    def _forget(self) -> None:
        self.received, self._total, self._tag, self._goes_on = 0, None, "", False
        self._digest = hashlib.sha256()
        if self._file is not None:
            try:
                self._file.seek(0)
                self._file.truncate()
            except OSError as error:
                raise _unwritable(self.path.parent, error) from None

    def _open(self) -> None:
        """Make the file, and its folder. Raises InputError."""
        unfinished = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = unfinished.open("xb")
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None

    def _require_room(self, size: int) -> None:
        if size > self.largest:
            raise TooLarge(f"{self.path.name} is over the limit of {self.largest:,} bytes")


def _check(song: StoredFile, received: int, total: int | None, sha256: str) -> None:
    if received == 0:
        raise PeerError(f"song {song.index + 1} came without a single byte")
    if total not in (None, received):
        raise PeerError(f"song {song.index + 1} came with {received:,} bytes, its server said {total:,}")
    if song.bytes is not None and received != song.bytes:
        raise PeerError(f"song {song.index + 1} came with {received:,} bytes, announced were {song.bytes:,}")
    if song.sha256 and sha256 != song.sha256:
        raise PeerError(f"song {song.index + 1} came with another SHA-256 than announced: {sha256}")


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        [FieldProblem("folder", str(folder), f"must be a folder that can be written to ({error.strerror})")]
    )
