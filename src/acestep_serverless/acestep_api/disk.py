"""When is a file safe from a power cut? When its bytes are on the disk, and its name in the folder is too."""

import os
import tempfile
from pathlib import Path

UNFINISHED = ".part"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and rename it: whole or not at all, and there after a power cut. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _synchronise(path.parent)
    finally:
        part.unlink(missing_ok=True)


def make_safe(path: Path) -> None:
    """Wait until a file that was written by somebody else, and its name, are on the disk. Raises OSError."""
    _synchronise(path)
    _synchronise(path.parent)


def _synchronise(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return  # Elsewhere a folder cannot be opened, and needs not be.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
