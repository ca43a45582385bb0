"""How does one finished output lie on this disk? Whole or not at all, with the digests that say what it answers.

A file is one JSON line (`KeptHead`), then the output as JSON. Its name is the digest of the job's id: an id comes
from outside and never becomes part of a path.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from acestep_serverless.contract.music_output import strict

FORMAT = 1
"""The number in every head; a file with another one was written by another program."""

SUFFIX = ".kept"
_HEAD_LIMIT = 4_096
_NAME_LENGTH = hashlib.sha256().digest_size * 2 + len(SUFFIX)


@dataclass(frozen=True, slots=True)
class KeptHead:
    """The first line of a file: its format, and the SHA-256 of the job's id, of its input and of the output's bytes."""

    format: int
    job: str
    input: str
    output: str


def file_name(job_id: str) -> str:
    """Return the name under which the output of this job lies: 64 hexadecimal digits and SUFFIX."""
    return f"{digest_of_id(job_id)}{SUFFIX}"


def is_file_name(name: str) -> bool:
    """Tell whether `file_name` can have made this name."""
    return len(name) == _NAME_LENGTH and name.endswith(SUFFIX)


def digest_of_id(job_id: str) -> str:
    """Return the SHA-256 of a job's id, in hexadecimal; lone surrogates are read as "?"."""
    return _digest(job_id.encode("utf-8", "replace"))


def digest_of_input(asked: object) -> str:
    """Digest any JSON by its meaning: the order of an object's members and its spacing play no part."""
    return _digest(json.dumps(asked, sort_keys=True).encode())


def encode(job_id: str, asked: object, output: Mapping[str, object]) -> bytes:
    """Return the content of the file that keeps `output` for a job with the input `asked`."""
    body = json.dumps(strict(output)).encode()
    head = KeptHead(FORMAT, digest_of_id(job_id), digest_of_input(asked), _digest(body))
    return json.dumps(asdict(head)).encode() + b"\n" + body


def read(path: Path) -> tuple[KeptHead, dict[str, object]]:
    """Read a file's head and output. Raises OSError, or ValueError when it is not as `encode` made it."""
    with path.open("rb") as file:
        line, body = file.readline(_HEAD_LIMIT), file.read()
    try:
        head = KeptHead(**json.loads(line))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"no head of a kept output ({type(error).__name__})") from None
    if head.format != FORMAT or head.output != _digest(body):
        raise ValueError("another format or another checksum than its head says")
    output: dict[str, object] = json.loads(body)
    return head, output


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
