"""What is a batch on the wire? Its states, its limits, its bodies and what is shown of it and of its requests.

Source: Runpod's documentation of its batch operations (beta), which leaves some shapes open; docs/api.md says which are
ours. Times are whole milliseconds since 1970, but ISO 8601 in results, as on the platform.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from acestep_serverless.contract.job import JobRequest, JobState, JobView, parse_job_body
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.errors import FieldProblem, InputError

BATCH_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of one call that brings requests, as on the platform."""
ACTIVE_BATCHES = 10
"""Batches of an endpoint that are drafts or have unfinished requests, as on the platform."""
REQUESTS_A_BATCH = 5_000
"""As on the platform."""
QUEUED_JOBS = 50_000
"""Jobs that may wait at an endpoint when a batch is finalized, its own included, as on the platform."""
NAME_LIMIT = 200
"""Characters of a batch's name; the platform documents no limit."""
PROBLEMS_TOLD = 16
"""Problems that an error names one by one: five thousand wrong bodies must not make an answer of megabytes."""


class BatchState(StrEnum):
    """The platform's four; FAILED never happens here, since a batch is finalized whole or not at all."""

    DRAFT = "DRAFT"
    FINALIZED = "FINALIZED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


def parse_requests(given: Any) -> list[JobRequest]:
    """Check the array of job bodies of `POST /batch`. Raises InputError naming each wrong field by its index, such as
    requests[3].policy.ttl."""
    if not isinstance(given, list):
        raise InputError(
            [FieldProblem("requests", type(given).__name__, 'must be an array such as [{"input": {...}}]')]
        )
    checked: list[JobRequest] = []
    problems: list[FieldProblem] = []
    for index, body in enumerate(given):
        try:
            checked.append(parse_job_body(body))
        except InputError as error:
            problems += [_placed(index, problem) for problem in error.problems]
    if len(problems) > PROBLEMS_TOLD:
        more = FieldProblem("requests", f"{len(problems) - PROBLEMS_TOLD} more problems", "must all be right")
        problems = [*problems[:PROBLEMS_TOLD], more]
    if problems:
        raise InputError(problems)
    return checked


def _placed(index: int, problem: FieldProblem) -> FieldProblem:
    inner = "" if problem.field == "body" else f".{problem.field}"
    return FieldProblem(f"requests[{index}]{inner}", problem.given, problem.allowed)


def parse_more_requests(body: Any) -> list[JobRequest]:
    """Check {"requests": [...]}. Raises InputError."""
    if not isinstance(body, dict) or set(body) != {"requests"}:
        raise InputError([FieldProblem("body", type(body).__name__, 'must be {"requests": [...]} and nothing else')])
    return parse_requests(body["requests"])


def parse_name(body: Any) -> str:
    """Read the new name of a batch from {"name": ...} or {"displayName": ...}. Raises InputError."""
    if not isinstance(body, dict) or len(body) != 1 or not set(body) <= {"name", "displayName"}:
        raise InputError([FieldProblem("body", type(body).__name__, 'must be {"name": "..."} and nothing else')])
    field, name = next(iter(body.items()))
    # No database and no UTF-8 takes every string that JSON can spell (NUL, half characters); printable ones they do.
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name.strip()) <= len(name) <= NAME_LIMIT:
        allowed = f"must be a text of 1 to {NAME_LIMIT} printable characters"
        raise InputError([FieldProblem(field, type(name).__name__, allowed)])
    return name


@dataclass(frozen=True, slots=True)
class BatchView:
    """What is shown of a batch. `in_progress`, `completed` and `failed` count its requests by their state now; what is
    left of `total` waits. `failed` also counts those that timed out or were cancelled."""

    id: str
    endpoint_id: str
    state: BatchState
    name: str | None
    created_at: int
    total: int
    in_progress: int = 0
    completed: int = 0
    failed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give the platform's batch object, with `name` when it has one."""
        shown: dict[str, Any] = {
            "id": self.id,
            "endpointId": self.endpoint_id,
            "status": self.state.value,
            "requestTotal": self.total,
            "requestInProgress": self.in_progress,
            "requestCompleted": self.completed,
            "requestFailed": self.failed,
            "createdAt": self.created_at,
        }
        return shown if self.name is None else shown | {"name": self.name}


@dataclass(frozen=True, slots=True)
class ResultPage:
    """A page of a batch's requests in their order: ids, and how many there are in all. Of a draft nothing but ids is
    shown: its bodies may hold secrets."""

    ids: Sequence[str]
    total: int
    is_draft: bool


def draft_as_json(request_id: str) -> str:
    """Encode a request whose batch is not finalized."""
    return dump({"id": request_id, "status": BatchState.DRAFT.value})


def result_as_json(view: JobView) -> str:
    """Encode one request of a finalized batch; a COMPLETED one's `output` goes in verbatim."""
    shown: dict[str, Any] = {"id": view.id, "status": view.state.value}
    if view.begun_at is not None:
        shown["startedAt"] = _iso(view.begun_at)
    if view.finished_at is not None:
        shown["completedAt"] = _iso(view.finished_at)
    if view.error is not None:
        shown["error"] = view.error
    text = dump(shown)
    if view.state is not JobState.COMPLETED or view.output is None:
        return text
    return f'{text[:-1]},"output":{view.output}}}'


def _iso(at: int) -> str:
    seconds, milliseconds = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"
