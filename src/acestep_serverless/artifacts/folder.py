"""How does a file come into the house? Received beside its place, measured, checked, then renamed: whole or not at
all."""

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from acestep_serverless.artifacts.disk import synchronise
from acestep_serverless.errors import TooLarge


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived but has no name yet: where it lies, its size in bytes, its SHA-256 in hexadecimal."""

    path: Path
    bytes: int
    sha256: str


class ArtifactFolder:
    """Files by name below one folder, spread over 16 subfolders by the name's first letter (names are hexadecimal).

    Other processes may work in the folder at the same time; a file that has rested for `patience` seconds is nobody's
    work in hand any more.
    """

    def __init__(self, root: Path, *, limit_bytes: int, patience: float = 0.0) -> None:
        self._root, self._limit, self._patience = root, limit_bytes, patience
        self._incoming = root / "incoming"

    def prepare(self, now: float) -> None:
        """Make the folder and clear what a former process had half received. `now` is in seconds since 1970."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir():
            if self._rests(leftover, now):
                leftover.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Say where a file of this name lies; `name` comes from a row, never from a request."""
        return self._root / name[0] / name

    async def receive(self, chunks: AsyncIterator[bytes]) -> Received:
        """Write an upload to disk, synchronised. Raises TooLarge past the limit, leaving nothing."""
        handle, temporary = tempfile.mkstemp(dir=self._incoming)
        path, hasher, size = Path(temporary), hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self._limit:
                        raise TooLarge(f"the file is larger than the limit of {self._limit} bytes for one artifact")
                    hasher.update(chunk)
                    file.write(chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108 - one short system call; the asynchronous form would be cancelled as well
            raise
        return Received(path, size, hasher.hexdigest())

    def keep(self, received: Received, name: str) -> None:
        """Give a received file its name, replacing an earlier one at once; the name outlives a power cut."""
        target = self.path(name)
        target.parent.mkdir(exist_ok=True)
        if received.path.exists() or not target.exists():  # Done already when a transaction is run a second time.
            received.path.replace(target)
        synchronise(target.parent)

    def names(self, now: float) -> list[str]:
        """List the names of all files that have one and that nobody is filing at this moment (seconds since 1970)."""
        folders = [entry for entry in self._root.iterdir() if entry.is_dir() and entry != self._incoming]
        return [file.name for folder in folders for file in folder.iterdir() if self._rests(file, now)]

    def _rests(self, path: Path, now: float) -> bool:
        try:
            found = path.stat()
        except FileNotFoundError:  # Another process was faster.
            return False
        return stat.S_ISREG(found.st_mode) and (not self._patience or found.st_mtime < now - self._patience)

    def remove(self, name: str) -> None:
        """Delete a file; one that is not there is as good as deleted."""
        self.path(name).unlink(missing_ok=True)
