"""Who pays when a file is made to break its reader? A process of its own, for one file, with little memory and time.

157 KB of an MP4 made FFmpeg fill tables of 2.3 GB, and nobody knows the faults that codecs still have. So the file
lies on standard input, the answer leaves on standard output, and the kernel holds the bounds. It is started as
`python -m acestep_serverless.audio.decoder ORDER`, ORDER being an `Order` in JSON; it sees no environment, no path.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acestep_serverless.audio.guarded_file import GuardedFile
from acestep_serverless.audio.readable import LONGEST_WORK_SECONDS
from acestep_serverless.audio.sounding import Floats, sounding
from acestep_serverless.errors import AudioError

_SPARE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of the file: its facts, or (with a `sample_rate` in Hz) its samples; lengths in seconds."""

    longest_seconds: float
    sample_rate: int | None

    @property
    def memory(self) -> int:
        """How many bytes it may take: the samples held twice while they are joined, one copy more, and FFmpeg."""
        return _SPARE_BYTES + 3 * 8 * round(self.longest_seconds * (self.sample_rate or 0))


def main() -> None:
    """Write one line of JSON, {"facts": ...}, {"samples": number} or {"error": sentence}, and then the samples."""
    order = Order(**json.loads(sys.argv[1]))
    _bound(order.memory)
    answer, samples = _answer(order)
    with os.fdopen(1, "wb") as output:
        output.write(json.dumps(answer).encode("ascii") + b"\n")
        output.write(np.ascontiguousarray(samples).data)


def _answer(order: Order) -> tuple[dict[str, object], Floats]:
    nothing = np.zeros((2, 0), np.float32)
    try:
        file = GuardedFile(os.fdopen(0, "rb", buffering=0), time.monotonic, time.monotonic() + LONGEST_WORK_SECONDS)
        with sounding(file, order.longest_seconds) as sound:
            if order.sample_rate is None:
                return {"facts": sound.facts()}, nothing
            samples = sound.stereo(order.sample_rate)
            return {"samples": samples.shape[1]}, samples
    except AudioError as error:
        return {"error": str(error)}, nothing
    except MemoryError:
        return {"error": "takes too much memory to read"}, nothing


def _bound(memory: int) -> None:
    """Have the kernel refuse memory beyond what is used now, files, and CPU time (Linux; elsewhere time alone)."""
    if sys.platform != "linux":
        return
    import resource  # there is none on Windows

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    for kind, limit in (
        (resource.RLIMIT_AS, pages * resource.getpagesize() + memory),
        (resource.RLIMIT_CPU, round(LONGEST_WORK_SECONDS)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, allowed = resource.getrlimit(kind)
        lowest = limit if allowed == resource.RLIM_INFINITY else min(limit, allowed)
        resource.setrlimit(kind, (lowest, lowest))


if __name__ == "__main__":
    main()
