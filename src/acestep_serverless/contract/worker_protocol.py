"""What do a Runpod worker and its gateway say to each other? Take, done, progress, ping, stop: bodies and ids.

Source: the official `runpod` package (1.12.0, 1.7.9, 1.6.2), recorded on the wire. A worker labels its JSON as a
form, sends NaN bare and repeats itself, so reading here is lenient; what we store and show again is strict JSON.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DONE_BODY_LIMIT = 128 * 1024 * 1024
"""Bytes of one `job-done` body that are read; a larger one fails its job with a sentence (4xx would lose it unseen)."""
CHUNK_BODY_LIMIT = 20 * 1024 * 1024
"""Bytes of one `job-stream` body."""
NO_SUCH_JOB = "-"
"""Names no job. Ends an expired stop hold: after an empty list or 204 the SDK would sleep 1 s, after this it polls at
once."""
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""A lone surrogate, which JSON can spell (`"\\ud800"`) but UTF-8, and so a database or a response, cannot."""
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no text column takes: a lone surrogate, and NUL, which PostgreSQL refuses. JSON text has them escaped."""
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The job still runs; `payload` is JSON text, shown as `output` while it does."""

    payload: str


@dataclass(frozen=True, slots=True)
class JobResult:
    """The job ended. `output` is JSON text or None; `error` is set when it failed."""

    output: str | None
    error: str | None
    stop_worker: bool = False


def dump(value: Any) -> str:
    """Encode strict, compact JSON that UTF-8 can carry. NaN and infinities must be gone already (see `parse_done`)."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if text.isascii() or not HALF_CHARACTER.search(text):
        return text
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def parse_done(raw: bytes) -> ProgressReport | JobResult:
    """Read a `job-done` body, whatever its content type says. Never raises: what cannot be read is a failed job.

    NaN and infinities become null. An `error` of any true value fails the job; objects in it are shown as JSON text,
    since clients (Go's) decode strings only.
    """
    try:
        body = json.loads(raw, parse_constant=lambda _: None, parse_float=_finite)
        if not isinstance(body, dict):
            raise ValueError("not an object")
        if body.get("status") == "IN_PROGRESS":
            return ProgressReport(dump(body.get("output")))
        error = body.get("error")
        output = dump(body["output"]) if "output" in body else None
    except (ValueError, RecursionError, UnicodeDecodeError) as problem:
        return JobResult(None, f"the worker's result is not JSON that can be read ({str(problem)[:80]})")
    text = None if not error else error if isinstance(error, str) else dump(error)
    text = text and UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return JobResult(output, text, body.get("stopPod") is True)


def parse_chunk(raw: bytes) -> str | None:
    """Read a `job-stream` body as the JSON text of its `output`; None when it cannot be read."""
    try:
        body = json.loads(raw, parse_constant=lambda _: None, parse_float=_finite)
        return dump(body.get("output")) if isinstance(body, dict) else None
    except (ValueError, RecursionError, UnicodeDecodeError):
        return None


def _finite(text: str) -> float | None:
    """Read a number; one like 1e400, which no double holds, is as little a number as NaN."""
    number = float(text)
    return number if math.isfinite(number) else None


def parse_heartbeat_ids(job_id: str | None) -> frozenset[str]:
    """Read `job_id=a,b` of a ping; absent means that the worker holds nothing."""
    return frozenset(part for part in (job_id or "").split(",") if part)


def job_for_worker(job_id: str, input_text: str, passed_on: Mapping[str, Any]) -> str:
    """Encode a job as a worker takes it; the client's input goes in verbatim."""
    head = dump({"id": job_id, **passed_on})
    return f'{head[:-1]},"input":{input_text}}}'
