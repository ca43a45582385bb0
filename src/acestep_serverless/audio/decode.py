"""How does a file from outside become a clip? Each is read by a process of its own (decoder.py), within bounds.

Both functions take 0.2 s for the process and up to seconds for the work, so call them in a thread.
"""

import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.audio.decoder import Order
from acestep_serverless.audio.readable import ALLOWED, LARGEST_BYTES, LONGEST_SECONDS, LONGEST_WORK_SECONDS
from acestep_serverless.audio.together import THREADS
from acestep_serverless.errors import AudioError

# -P: nothing is imported from the folder that the process happens to stand in.
_COMMAND = [sys.executable, "-P", "-m", "acestep_serverless.audio.decoder"]
_ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
# Ten minutes of samples are 230 MB here and up to 0.7 GB there: so many files at once, and the others wait.
_AT_ONCE = threading.BoundedSemaphore(THREADS)
_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file holds: its length in seconds within 0.1 s, rate in Hz, channels, and the words of readable.py."""

    seconds: float
    sample_rate: int
    channels: int
    container: str
    codec: str


def probe(path: Path, *, longest_seconds: float = LONGEST_SECONDS) -> AudioFacts:
    """Say what the file holds: its packets are counted, and only the first is decoded.

    Raises AudioError as `decode` does; a file that passes can still hold packets that cannot be decoded.
    """
    with _decoder(path, Order(longest_seconds, None)) as output:
        return AudioFacts(**_answer(path, output)["facts"])


def decode(path: Path, *, longest_seconds: float = LONGEST_SECONDS, sample_rate: int = SAMPLE_RATE) -> Clip:
    """Read the file as stereo at `sample_rate`, float32 `[2, samples]`; one channel becomes two, more are mixed down.

    Mixing is FFmpeg's (its weights add up to more than one: loud surround sound can pass full scale), resampling is
    soxr's at high quality. Raises AudioError, before more than `longest_seconds` and a codec's padding are decoded,
    for files of another kind, broken, cut, endless, or with samples that are no sound.
    """
    with _decoder(path, Order(longest_seconds, sample_rate)) as output:
        samples = np.empty((2, _answer(path, output)["samples"]), np.float32)
        if output.readinto(samples.data.cast("B")) != samples.nbytes:
            _refuse(path)
    return Clip(samples, sample_rate)


@contextmanager
def _decoder(path: Path, order: Order) -> Iterator[io.BufferedReader]:
    """Start a decoder on the file and yield its output; it is gone afterwards, and when its time is over."""
    with _AT_ONCE, _opened(path) as file:
        command = [*_COMMAND, json.dumps(asdict(order))]
        process = subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_ENVIRONMENT
        )
        pipe = cast(io.BufferedReader, process.stdout)
        timer = threading.Timer(LONGEST_WORK_SECONDS, process.kill)
        timer.start()
        try:
            with pipe:
                yield pipe
        finally:
            timer.cancel()
            process.kill()
            process.wait()


def _answer(path: Path, output: io.BufferedReader) -> dict[str, Any]:
    """Return what the decoder says. Raises AudioError with its sentence, or when it ended without one."""
    line = output.readline(_LINE_BYTES)
    if not line.endswith(b"\n"):
        _refuse(path)
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise AudioError(f"{path.name} {answer['error']}")
    return answer


def _refuse(path: Path) -> NoReturn:
    raise AudioError(
        f"{path.name} cannot be read as sound, or only with too much memory or time; allowed are {ALLOWED}"
    )


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open without waiting, so that a pipe cannot hold a thread, and refuse what is no regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise AudioError(f"cannot read {path.name}: {error.strerror}") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise AudioError(f"{path.name} is not a file")
        if not 0 < facts.st_size <= LARGEST_BYTES:
            raise AudioError(f"{path.name}: a sound file has 1 to {LARGEST_BYTES} bytes, got {facts.st_size}")
        yield descriptor
    finally:
        os.close(descriptor)
