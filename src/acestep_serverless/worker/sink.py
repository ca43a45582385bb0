"""Where may the handler leave a finished file? The one thing every place of delivery can do, whatever it is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Report = Callable[[Mapping[str, object]], None]
"""Called with a job's progress, `{"progress": 0.0 to 1.0, "stage": "composing"}`; returns at once."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One song on this machine's disk until its job ends: `suffix` such as ".mp3", `sha256` hexadecimal, size in
    bytes."""

    path: Path
    suffix: str
    media_type: str
    bytes: int
    sha256: str


class ArtifactSink(Protocol):
    """A place of delivery: the gateway, a folder, or nowhere but the output itself."""

    def output_limit(self, job_id: str) -> int | None:
        """Return how many bytes of JSON the output of this job may have; None is no limit."""
        ...

    def warning(self, *, embedded: bool) -> str | None:
        """Return what a caller must know about `file` values; `embedded`: the audio is in the output too."""
        ...

    async def store(self, job_id: str, index: int, audio: AudioFile) -> str:
        """Keep song `index` of a job; return its `file` value. Raises Conflict once the job is another worker's,
        TooLarge or PeerError when it cannot be kept."""
        ...
