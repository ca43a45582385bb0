"""How much may a codec read, and for how long? A file object that ends a demuxer which reads in circles."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal

from acestep_serverless.audio.readable import LARGEST_BYTES
from acestep_serverless.errors import AudioError

# Demuxers look at a file's head and end before they read it through: 1.1 times its size at most, measured over all
# containers; small files are read whole for each look.
_READS, _READS_MORE = 3, 16 << 20
_BYTE_ORDERS: Mapping[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
# Programs that write into a pipe cannot go back to the head: they leave the highest number there.
_UNKNOWN_SIZE = 0x7FFFF000


class GuardedFile:
    """A regular file, open for reading; `check` raises AudioError once the work on it has lasted too long.

    FFmpeg reads through this object, so it knows no path and can open nothing by itself. Raises AudioError for
    anything but a regular file of 1 byte to 1 GiB, and when more than three times its size has been read.
    """

    name = "audio"
    """What FFmpeg learns of the file's name: suffixes are nothing to trust."""

    def __init__(self, path: Path, monotonic: Callable[[], float], longest_work_seconds: float) -> None:
        self._label, self._monotonic = path.name, monotonic
        self._deadline = monotonic() + longest_work_seconds
        self._file = _open_regular(path)
        self._size = os.fstat(self._file.fileno()).st_size
        self._left = self._size * _READS + _READS_MORE

    def __enter__(self) -> "GuardedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        self.check()
        piece = self._file.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise AudioError(f"{self._label} sends its reader in circles")
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as files do and return the new place."""
        self.check()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in bytes from the start."""
        return self._file.tell()

    def refuse_if_cut(self) -> None:
        """Raise AudioError when a RIFF or IFF head (WAV, AIFF) says clearly more bytes than there are."""
        head = self._file.read(8)
        self._file.seek(0)
        if len(head) < 8 or head[:4] not in _BYTE_ORDERS:
            return
        said = int.from_bytes(head[4:], _BYTE_ORDERS[head[:4]]) + 8
        if said < _UNKNOWN_SIZE and said - self._size > max(64, self._size // 100):
            raise AudioError(f"{self._label} is cut: {said} bytes are said, {self._size} are there")

    def check(self) -> None:
        """Raise AudioError when the time for this file is over."""
        if self._monotonic() > self._deadline:
            raise AudioError(f"{self._label} takes too long to decode")


def _open_regular(path: Path) -> BinaryIO:
    """Open without waiting, so that a pipe cannot hold a thread, and refuse what is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise AudioError(f"cannot read {path.name}: {error.strerror}") from error
    file = os.fdopen(descriptor, "rb", buffering=0)
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and 0 < facts.st_size <= LARGEST_BYTES:
        return file
    file.close()
    if not stat.S_ISREG(facts.st_mode):
        raise AudioError(f"{path.name} is not a file")
    raise AudioError(f"{path.name}: a sound file has 1 to {LARGEST_BYTES} bytes, got {facts.st_size}")
