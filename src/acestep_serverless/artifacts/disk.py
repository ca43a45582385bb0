"""When is a file safe from a power cut? When its bytes are on the disk, and its name in the folder is too."""

import os
import tempfile
from pathlib import Path

UNFINISHED = ".part"


def write_whole(path: Path, data: bytes, *, dated_ms: int | None = None) -> None:
    """Write a file beside its place and rename it: whole or not at all, and there after a power cut.

    `dated_ms` is its time of modification in milliseconds since 1970, by default now. Raises OSError, leaving nothing.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if dated_ms is not None:
            os.utime(part, ns=(dated_ms * 1_000_000, dated_ms * 1_000_000))
        part.replace(path)
        synchronise(path.parent)
    finally:
        part.unlink(missing_ok=True)


def make_safe(path: Path) -> None:
    """Wait until a file that was written by somebody else, and its name, are on the disk. Raises OSError."""
    synchronise(path)
    synchronise(path.parent)


def synchronise(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Raises OSError."""
    if os.name != "posix" and path.is_dir():
        return  # Elsewhere a folder cannot be opened, and needs not be.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
