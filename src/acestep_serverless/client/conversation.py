"""How is an endpoint spoken to? Submit once, look, follow to the end, cancel, list: the rules of both clients.

Looking and cancelling are repeated with growing pauses while the endpoint does not answer, asks for patience or fails.
A submission is repeated only where nothing can have been queued: no connection was made, or the endpoint said 429.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from acestep_serverless import __version__
from acestep_serverless.client.address import Access
from acestep_serverless.client.answers import ANSWER_SECONDS, Body, is_success, refusal, retry_after, worth_another
from acestep_serverless.client.endings import (
    JobCancelled,
    JobEnded,
    JobFailed,
    JobTimedOut,
    RefusedByEndpoint,
    StillRunning,
    SubmissionUnknown,
)
from acestep_serverless.client.songs import Generation, Job, failure_of, read_generation, read_job
from acestep_serverless.client.steps import Broken, Do, Receiver, Send, Sleep, Steps, Tell
from acestep_serverless.client.wishes import job_body
from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import JobState
from acestep_serverless.errors import AcestepServerlessError, NotFound, PeerError, PeerUnreachable

SUBMIT_SECONDS = 120.0
"""Longest silence after a submission: a body of 10 MiB goes through slow lines, and an answer that comes late is still
better than none."""
ROUTE_MISSING = frozenset({400, 404, 405})

_ENDED: Mapping[str, type[JobEnded]] = {JobState.CANCELLED: JobCancelled, JobState.TIMED_OUT: JobTimedOut}


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long the pauses between are: `first`, then twice as long each time, at most
    `longest` seconds, each shortened by chance by up to a half. A server that has never answered is given up after
    `strange` attempts. An endpoint that asks for more than `asked` seconds of patience does not get it."""

    attempts: int = 8
    strange: int = 4
    first: float = 0.5
    longest: float = 30.0
    asked: float = 120.0

    def pause(self, attempt: int, chance: float) -> float:
        """Give the seconds after attempt number `attempt` (from 0); `chance` is 0.0 to 1.0."""
        return float(min(self.longest, self.first * 2.0 ** min(attempt, 30))) * (1 - chance / 2)


@dataclass(slots=True)
class Conversation:
    """What is said to one endpoint. `interval` is the longest time in seconds between two looks at a job; `chance`
    gives numbers from 0 to 1."""

    access: Access
    clock: Clock
    chance: Callable[[], float]
    patience: Patience = field(default_factory=Patience)
    interval: float = 2.0
    _heard: bool = False
    _holds: bool = True

    def submit(
        self, payload: Mapping[str, Any] | None, fields: Mapping[str, Any], beside: Mapping[str, Any], *, check: bool
    ) -> Steps[Job]:
        """Queue a job, once. Raises InputError before anything is sent, SubmissionUnknown when a job may exist."""
        body = yield from self._done(lambda: job_body(payload, fields, beside, check=check))
        answer = yield from self._answered("POST", f"{self.access.address.base}/run", body=body, repeatable=False)
        try:
            return read_job(answer.json())
        except ValueError as error:
            raise self._unknown(f"its answer to the submission cannot be read ({error})") from None

    def status(self, job_id: str) -> Steps[Job]:
        """Look at a job. Raises NotFound for one that is not kept, or never was."""
        return (yield from self._looked(self.access.address.of_job("status", job_id)))

    def follow(self, job_id: str, timeout: float | None = None) -> Steps[Job]:
        """Tell of a job whenever it has changed, until it is final. Raises StillRunning after `timeout` seconds."""
        began = self.clock.monotonic()
        job = yield from self.status(job_id)
        yield Tell(job)
        while not job.final:
            asked = self.clock.monotonic()
            left = self.interval if timeout is None else began + timeout - asked
            if left <= 0 and timeout is not None:
                raise StillRunning(job, timeout)
            wait = min(self.interval, left)
            fresh = yield from self._held_look(job_id, wait)
            if fresh.seen != job.seen:
                yield Tell(fresh)
            job = fresh
            early = asked + wait - self.clock.monotonic()
            if not job.final and early > wait / 10:
                yield Sleep(early)  # The endpoint does not hold its answers back, so the time passes here.
        return job

    def wait(self, job_id: str, timeout: float | None = None) -> Steps[Generation]:
        """Follow a job to its output. Raises JobFailed, JobCancelled, JobTimedOut and StillRunning."""
        return generation_of((yield from self.follow(job_id, timeout)))

    def generate(
        self,
        payload: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
        beside: Mapping[str, Any],
        *,
        check: bool,
        timeout: float | None,
    ) -> Steps[Generation]:
        """Submit and wait."""
        job = yield from self.submit(payload, fields, beside, check=check)
        yield Tell(job)
        return (yield from self.wait(job.id, timeout))

    def cancel(self, job_id: str) -> Steps[Job]:
        """Cancel a job; one that had ended keeps its state, which is the answer."""
        return (yield from self._looked(self.access.address.of_job("cancel", job_id), "POST"))

    def jobs(self, limit: int, offset: int, state: str | None) -> Steps[tuple[Job, ...]]:
        """List the endpoint's jobs, newest first, without outputs. Raises PeerError where the endpoint lists none."""
        query = f"limit={limit:d}&offset={offset:d}{f'&status={JobState(state)}' if state else ''}"
        answer = yield from self._answered("GET", f"{self.access.address.base}/requests?{query}")
        try:
            return tuple(read_job(item) for item in answer.json()["requests"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise PeerError("the endpoint's list of jobs cannot be read: Runpod publishes no shape of it") from None

    def health(self) -> Steps[dict[str, Any]]:
        """Count the endpoint's jobs and workers, in the platform's words."""
        answer = yield from self._answered("GET", f"{self.access.address.base}/health")
        return _object(answer)

    def exchanged(
        self,
        method: str,
        url: str,
        receiver: Receiver,
        *,
        body: bytes | None = None,
        silence: float = ANSWER_SECONDS,
        with_key: bool = True,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Steps[None]:
        """Send one request, once; `more` are further headers. Raises Broken."""
        headers = {
            "Accept": "application/json, audio/*;q=0.9, */*;q=0.5",
            "Accept-Encoding": "identity",
            "User-Agent": f"acestep-serverless/{__version__}",
            **more,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.access.key and with_key:
            headers["Authorization"] = f"Bearer {self.access.key}"
        yield Send(method, url, headers, body, silence, receiver)
        self._heard = True

    def pause(self, attempt: int, error: AcestepServerlessError, asked: float | None = None) -> Steps[None]:
        """Let the time until the next attempt pass; raise the error if there is none. `attempt` counts from 0."""
        if attempt + 1 >= (self.patience.attempts if self._heard else self.patience.strange):
            raise error
        if asked is not None and asked > self.patience.asked:
            raise error
        yield Sleep(max(self.patience.pause(attempt, self.chance()), asked or 0.0))

    def unreachable(self, broken: Broken) -> PeerUnreachable:
        """Give the error for an endpoint that does not answer."""
        return PeerUnreachable(f"the endpoint at {self.access.address.base} does not answer: {broken}")

    def _answered(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        repeatable: bool = True,
        held: float = 0.0,
    ) -> Steps[Body]:
        """Send until there is an answer of success. Raises what `refusal` gives, PeerUnreachable, SubmissionUnknown."""
        silence = (ANSWER_SECONDS if repeatable else SUBMIT_SECONDS) + held
        attempt = 0
        while True:
            answer = Body(self.clock)
            try:
                yield from self.exchanged(method, url, answer, body=body, silence=silence)
            except Broken as broken:
                if broken.sent and not repeatable:
                    raise self._unknown(str(broken)) from None
                yield from self.pause(attempt, self.unreachable(broken))
            else:
                if is_success(answer.status):
                    return answer
                error = refusal(answer, self.clock)
                if answer.status >= 500 and not repeatable:
                    raise self._unknown(str(error))
                if not worth_another(answer.status, repeatable=repeatable):
                    raise error
                yield from self.pause(attempt, error, retry_after(answer.headers, self.clock))
            attempt += 1

    def _looked(self, url: str, method: str = "GET", held: float = 0.0) -> Steps[Job]:
        answer = yield from self._answered(method, url, held=held)
        try:
            return read_job(answer.json())
        except ValueError as error:
            raise PeerError(f"the endpoint's answer cannot be read: {error}") from None

    def _held_look(self, job_id: str, wait: float) -> Steps[Job]:
        """Look at a job; the endpoint holds its answer until the end or for `wait` seconds, if it knows how to."""
        holds = self._holds
        if holds:
            url = f"{self.access.address.of_job('status-sync', job_id)}?wait={int(wait * 1000)}"
            try:
                return (yield from self._looked(url, held=wait))
            except NotFound:
                holds = False
            except RefusedByEndpoint as error:
                if error.status not in ROUTE_MISSING:
                    raise
                holds = False
        job = yield from self.status(job_id)
        self._holds = holds  # The job is there, so it was the route that is not.
        return job

    def _unknown(self, reason: str) -> SubmissionUnknown:
        address = self.access.address
        return SubmissionUnknown(reason, address.base, listed=not address.is_runpod)

    @staticmethod
    def _done(work: Callable[[], bytes]) -> Steps[bytes]:
        outcome: bytes = yield Do(work)
        return outcome


def generation_of(job: Job) -> Generation:
    """Give the output of a final job. Raises JobFailed, JobCancelled or JobTimedOut for one that has none, StillRunning
    for one that is not final."""
    if not job.final:
        raise StillRunning(job, 0)
    reason = failure_of(job)
    if reason:
        raise _ENDED.get(job.state, JobFailed)(job, f"job {job.id} ended {job.state}: {reason}")
    return read_generation(job)


def _object(answer: Body) -> dict[str, Any]:
    try:
        return answer.json()
    except ValueError as error:
        raise PeerError(f"the endpoint's answer cannot be read: {error}") from None
