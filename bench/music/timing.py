"""How long does a song take, and how much memory? Measured in a process of its own, with nothing else in it.

Run by itself (`python -m bench.music.timing SONG`) it prints one JSON line: seconds without encoding (the median of
three songs after a first one) or megabytes at the highest.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

from acestep_serverless.engines.base import GenerationRequest

WORDS = "[Verse]\nevery river finds the sea\nevery road will carry me\n[Chorus]\nstars are falling from the sky"
SONGS: Mapping[str, tuple[GenerationRequest, int]] = MappingProxyType(
    {
        "band": (GenerationRequest("catchy pop song", "", 90.0, (1,)), 3),
        "voice": (GenerationRequest("catchy pop song", WORDS, 90.0, (1,), vocal_language="en"), 3),
        "long": (GenerationRequest("catchy pop song", WORDS, 600.0, (1,), vocal_language="en"), 1),
    }
)
"""What is made, and how often."""
PATIENCE_SECONDS = 600.0


def timed(name: str) -> dict[str, float]:
    """Make one of SONGS in a process of its own; returns `seconds`, `processor_seconds` of all cores
    (which a busy machine stretches less) and `memory_mb`."""
    command = [sys.executable, "-m", "bench.music.timing", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str) -> dict[str, float]:
    """Make the songs here and now."""
    from bench.music.making import song_of

    request, times = SONGS[name]
    song_of(GenerationRequest(request.caption, "", 5.0, (0,)))
    spans, works = [], []
    for _ in range(times):
        began, worked = time.perf_counter(), time.process_time()
        song_of(request)
        spans.append(time.perf_counter() - began)
        works.append(time.process_time() - worked)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return {
        "seconds": statistics.median(spans),
        "processor_seconds": statistics.median(works),
        "memory_mb": highest,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
