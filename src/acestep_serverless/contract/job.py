"""What is a job on the wire? The platform's job body, states, ids and status object (docs/api.md has them in words).

Times are whole milliseconds. Facts: Runpod Serverless documentation and its official SDKs (Python 1.12.0, JavaScript
1.1.2).
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from acestep_serverless.errors import FieldProblem, InputError

RUN_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a `/run` body, as on the platform."""
RUNSYNC_BODY_LIMIT = 20 * 1024 * 1024
"""Bytes of a `/runsync` body, as on the platform."""
DIGITS_LIMIT = 4_300
"""Digits of a whole number in a client's body; Python reads no more, since the time grows with their square."""
JSON_DEPTH_LIMIT = 100
"""Levels of nesting in a client's body; deeper ones are refused (the platform documents no limit)."""


class JobState(StrEnum):
    """The states a client can see. The legal moves between them are the table in `jobs/states.py`."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


FINAL_STATES = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT})


@dataclass(frozen=True, slots=True)
class Bounds:
    """The allowed range of a number of milliseconds, both ends included."""

    minimum: int
    maximum: int


UNKNOWN_TOLD = 16
"""Unknown members that an error names one by one."""
WEBHOOK = re.compile(r"(?=.{1,2048}$)https?://[^\s/?#@\\]{1,253}([/?][!-~]*)?")
WEEK_MS = 7 * 24 * 3600 * 1000
POLICY_BOUNDS = {"executionTimeout": Bounds(5_000, WEEK_MS), "ttl": Bounds(10_000, WEEK_MS)}
"""`policy` members in milliseconds, with the platform's documented ranges."""
WAIT_BOUNDS = Bounds(1_000, 300_000)
"""`?wait` of `/runsync`, in milliseconds."""
STATUS_WAIT_BOUNDS = Bounds(0, 300_000)
"""`?wait` of `/status-sync`, in milliseconds: the JavaScript client sends what is left of its own patience."""
STATUS_TTL_BOUNDS = Bounds(1_000, WEEK_MS)
"""`?ttl` of `/status`, in milliseconds; the platform's own example is 6,000."""
DEFAULT_STATUS_WAIT_MS = 90_000
DEFAULT_TTL_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A checked job body. `input` is opaque here: the handler judges it.

    `passed_on` holds what a worker gets beside id and input (`policy`, `s3Config`); times are milliseconds, `None` =
    the endpoint's default.
    """

    input: Any
    execution_timeout_ms: int | None = None
    ttl_ms: int = DEFAULT_TTL_MS
    low_priority: bool = False
    webhook: str | None = None
    passed_on: Mapping[str, Any] = field(default_factory=dict)


def _policy_number(policy: Mapping[str, Any], name: str, problems: list[FieldProblem]) -> int | None:
    value, bounds = policy.get(name), POLICY_BOUNDS[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not bounds.minimum <= value <= bounds.maximum:
        allowed = f"must be whole milliseconds from {bounds.minimum} to {bounds.maximum}"
        problems.append(FieldProblem(f"policy.{name}", _shortened(value), allowed))
        return None
    return value


def _is_webhook(value: object) -> bool:
    if not isinstance(value, str) or not value.isascii() or not WEBHOOK.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _shortened(value: object) -> str:
    try:
        text = json.dumps(value)
    except (ValueError, RecursionError, TypeError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(prefix: str, given: Mapping[str, Any], known: set[str], allowed: str) -> list[FieldProblem]:
    """Name unknown members, the first few of them: a body of a million must not make an answer of fifty megabytes."""
    names = [name for name in given if name not in known]
    told = [FieldProblem(f"{prefix}{name[:60]}", _shortened(given[name]), allowed) for name in names[:UNKNOWN_TOLD]]
    if len(names) > UNKNOWN_TOLD:
        told.append(FieldProblem(f"{prefix}...", f"{len(names) - UNKNOWN_TOLD} more", "unknown members"))
    return told


def parse_job_body(body: Any) -> JobRequest:
    """Check the body of `/run` or `/runsync`. Raises InputError naming every wrong field."""
    if not isinstance(body, dict):
        raise InputError([FieldProblem("body", _shortened(body), 'must be a JSON object such as {"input": {...}}')])
    problems: list[FieldProblem] = []
    if body.get("input") is None:
        problems.append(FieldProblem("input", "nothing", "is required: the object that the handler gets"))
    policy = {} if body.get("policy") is None else body["policy"]
    if not isinstance(policy, dict):
        problems.append(FieldProblem("policy", _shortened(policy), "must be an object"))
        policy = {}
    allowed = "is unknown; allowed are executionTimeout, ttl, lowPriority"
    problems += _unknown("policy.", policy, {"executionTimeout", "ttl", "lowPriority"}, allowed)
    low_priority = False if policy.get("lowPriority") is None else policy["lowPriority"]
    if not isinstance(low_priority, bool):
        problems.append(FieldProblem("policy.lowPriority", _shortened(low_priority), "must be true or false"))
    webhook = body.get("webhook")
    if webhook is not None and not _is_webhook(webhook):
        allowed = "must be an http or https URL of at most 2,048 characters, without a user name in it"
        problems.append(FieldProblem("webhook", _shortened(webhook), allowed))
    if body.get("webhookV2") is not None:
        problems.append(FieldProblem("webhookV2", "a value", "is not documented by the platform; use webhook"))
    s3_config = body.get("s3Config")
    if s3_config is not None and not isinstance(s3_config, dict):
        problems.append(FieldProblem("s3Config", type(s3_config).__name__, "must be an object"))
    execution_timeout = _policy_number(policy, "executionTimeout", problems)
    ttl = _policy_number(policy, "ttl", problems)
    known = {"input", "policy", "webhook", "webhookV2", "s3Config", "id"}
    problems += _unknown("", body, known, "is unknown; a job body has input, webhook, policy and s3Config")
    if problems:
        raise InputError(problems)
    passed_on = {name: body[name] for name in ("policy", "s3Config") if body.get(name)}
    return JobRequest(body["input"], execution_timeout, ttl or DEFAULT_TTL_MS, low_priority, webhook, passed_on)


def load_client_json(raw: bytes) -> Any:
    """Read a client's JSON body strictly: no NaN or 1e400, at most JSON_DEPTH_LIMIT levels. Raises InputError."""

    def refuse(word: str) -> Any:
        raise InputError([FieldProblem("body", word[:40], "must be JSON, which has no such number")])

    def finite(word: str) -> float:
        number = float(word)
        return number if math.isfinite(number) else refuse(word)

    def whole(word: str) -> int:
        if len(word) > DIGITS_LIMIT:
            problem = f"may hold whole numbers of at most {DIGITS_LIMIT:,} digits"
            raise InputError([FieldProblem("body", f"one of {len(word):,}", problem)])
        return int(word)

    try:
        value = json.loads(raw, parse_constant=refuse, parse_float=finite, parse_int=whole)
    except RecursionError:
        raise InputError([_too_deep()]) from None
    except (ValueError, UnicodeDecodeError) as error:
        allowed = 'must be JSON such as {"input": {"caption": "..."}}'
        raise InputError([FieldProblem("body", f"text that is not ({str(error)[:60]})", allowed)]) from None
    if depth_exceeds(value, JSON_DEPTH_LIMIT):
        raise InputError([_too_deep()])
    return value


def _too_deep() -> FieldProblem:
    return FieldProblem("body", "deeper nesting", f"may be nested at most {JSON_DEPTH_LIMIT} levels deep")


def depth_exceeds(value: Any, limit: int) -> bool:
    """Tell whether lists and objects are nested deeper than `limit` levels, without recursion."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def run_id(new_uuid: Callable[[], str]) -> str:
    """Make the id of a `/run` job: `<uuid4>-u1`, the platform's form with a region suffix."""
    return f"{new_uuid()}-u1"


def runsync_id(new_uuid: Callable[[], str]) -> str:
    """Make the id of a `/runsync` job: `sync-<uuid4>-u1`."""
    return f"sync-{new_uuid()}-u1"


def is_sync(job_id: str) -> bool:
    """Tell whether a job came through `/runsync`, whose results the platform keeps for a shorter time."""
    return job_id.startswith("sync-")


def batch_id(new_uuid: Callable[[], str]) -> str:
    """Make the id of a batch: `batch_<uuid4>`."""
    return f"batch_{new_uuid()}"


def batch_request_id(new_uuid: Callable[[], str]) -> str:
    """Make the id of one request of a batch, later its job's: `req_<uuid4>`."""
    return f"req_{new_uuid()}"


@dataclass(frozen=True, slots=True)
class JobView:
    """What `/status` shows of a job. Times in milliseconds since 1970; `output` is already-encoded JSON text."""

    id: str
    state: JobState
    submitted_at: int
    taken_at: int | None = None
    finished_at: int | None = None
    worker_id: str | None = None
    output: str | None = None
    error: str | None = None
    started_at: int | None = None

    @property
    def begun_at(self) -> int | None:
        """When work on it began. A job that its worker holds beside another begins with its first progress; of one
        that ended without any, no more is known than its take."""
        if self.started_at is None and self.state in FINAL_STATES:
            return self.taken_at
        return self.started_at

    def as_json(self, now_ms: int) -> str:
        """Encode the platform's status object; `output` goes in verbatim, so a large one is never parsed again."""
        head: dict[str, Any] = {"id": self.id, "status": self.state.value}
        if self.taken_at is not None:
            begun = now_ms if self.begun_at is None else self.begun_at
            head["delayTime"] = max(0, begun - self.submitted_at)
            head["executionTime"] = max(0, (self.finished_at or now_ms) - begun)
        if self.worker_id is not None:
            head["workerId"] = self.worker_id
        if self.error is not None:
            head["error"] = self.error
        text = json.dumps(head)
        return text if self.output is None else f'{text[:-1]}, "output": {self.output}}}'
