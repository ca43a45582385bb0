"""How much may a codec read, and for how long? A file object that ends a demuxer which reads in circles."""

import os
from collections.abc import Callable, Mapping
from typing import BinaryIO, Literal

from acestep_serverless.errors import AudioError

# Demuxers look at a file's head and end before they read it through: 1.1 times its size at most, measured over all
# containers; small files are read whole for each look.
_READS, _READS_MORE = 3, 16 << 20
_BYTE_ORDERS: Mapping[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"FORM": "big"}
# Programs that write into a pipe cannot go back to the head: they leave the highest number there.
_UNKNOWN_SIZE = 0x7FFFF000


class GuardedFile:
    """An open file to hand to FFmpeg, which so knows no path and can open nothing by itself.

    Reading, seeking and `check` raise AudioError once `monotonic()` has passed `deadline`, or when more than three
    times the file's size has been read.
    """

    name = "audio"
    """What FFmpeg learns of the file's name: suffixes are nothing to trust."""

    def __init__(self, file: BinaryIO, monotonic: Callable[[], float], deadline: float) -> None:
        self._file, self._monotonic, self._deadline = file, monotonic, deadline
        self._size = os.fstat(file.fileno()).st_size
        self._left = self._size * _READS + _READS_MORE

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        self.check()
        piece = self._file.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise AudioError("sends its reader in circles")
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
            raise AudioError(f"is cut: {said} bytes are said, {self._size} are there")

    def check(self) -> None:
        """Raise AudioError when the time for this file is over."""
        if self._monotonic() > self._deadline:
            raise AudioError("takes too long to read")
