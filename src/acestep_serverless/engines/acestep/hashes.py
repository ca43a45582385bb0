"""Is a file what its repository has? Its hash against the one that the download recorded.

Hugging Face's cache names each file by its hash; a download into a folder keeps the hash in
`.cache/huggingface/download/NAME.metadata`, on the second line. Large files have SHA-256, small ones git's own: SHA-1
over `blob SIZE`, a NUL and the content.
"""

import hashlib
import re
from pathlib import Path

RECORDS = Path(".cache/huggingface/download")
PIECE = 8 * 1024 * 1024
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def recorded_hash(file: Path) -> str | None:
    """Give the hash that the download of a file recorded; None when there is no such record."""
    blob = file.resolve()
    if blob.parent.name == "blobs" and _HASH.fullmatch(blob.name):
        return blob.name
    for folder in file.parents:
        record = folder / RECORDS / f"{file.relative_to(folder)}.metadata"
        if record.is_file():
            lines = record.read_text(encoding="utf-8", errors="replace")[:4096].splitlines()
            return lines[1] if len(lines) > 1 and _HASH.fullmatch(lines[1]) else None
        if (folder / RECORDS).is_dir():
            return None
    return None


def hash_of(file: Path, like: str) -> str:
    """Compute a file's hash in the kind of the given one (40 digits: git's SHA-1, 64: SHA-256)."""
    digest = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(like) == 40:
        digest.update(f"blob {file.stat().st_size}\0".encode())
    with file.open("rb") as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def is_whole(file: Path, published: str) -> bool:
    """Tell whether a file has the published hash."""
    return hash_of(file, published) == published
