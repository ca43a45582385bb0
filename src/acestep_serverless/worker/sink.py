"""Where may the handler leave a finished file? The one thing every place of delivery can do, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from acestep_serverless.contract.media import MEDIA_TYPES

Report = Callable[[Mapping[str, object]], None]
"""Called with a job's progress, `{"progress": 0.0 to 1.0, "stage": "composing"}`; returns at once."""

CHUNK = 1 << 18
"""Bytes of a file that are read and sent at a time."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One song, or a file beside it, on this machine's disk until its job ends: `suffix` such as ".mp3", `sha256`
    hexadecimal, size in bytes."""

    path: Path
    suffix: str
    media_type: str
    bytes: int
    sha256: str

    def called(self, index: int) -> str:
        """Name the file of song `index` in a sentence: "song 1", or "the .mid file of song 1"."""
        song = f"song {index + 1}"
        return song if self.suffix.removeprefix(".") in MEDIA_TYPES else f"the {self.suffix} file of {song}"


async def chunks_of(path: Path) -> AsyncIterator[bytes]:
    """Yield a file's content, CHUNK bytes at a time."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a file is now. `file` is the guide's value; `url` is where it can be fetched: an address, or a path at the
    gateway that the job was sent to (None: no URL leads to it). `kept` is False where nothing but the output can carry
    the audio; `warning` is what the caller must know of it. `place` took it where the place that was asked did not."""

    file: str
    url: str | None = None
    kept: bool = True
    warning: str = ""
    place: "ArtifactSink | None" = field(default=None, compare=False)


class ArtifactSink(Protocol):
    """A place of delivery: a bucket, the gateway, a folder, or nowhere but the output itself."""

    def output_limit(self, job_id: str) -> int | None:
        """Return how many bytes of JSON the output of this job may have; None is no limit."""
        ...

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """Keep song `index` of a job, or what lies beside it, and say where it is. Raises Conflict once the job is
        another worker's, TooLarge or PeerError when it cannot be kept."""
        ...
