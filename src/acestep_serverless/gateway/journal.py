"""What does an operator hear of requests and jobs? The middleware that sees every answer, and one line a job's end.

Lines name route templates and job ids, never URLs, headers or bodies: those hold keys, tokens and what clients wrote.
"""

import logging
from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from acestep_serverless.contract.job import FINAL_STATES, JobState
from acestep_serverless.contract.worker_protocol import IDENTIFIER
from acestep_serverless.gateway.metrics import Metrics
from acestep_serverless.jobs.store import Moved

LOG = structlog.get_logger(__name__)

ELSEWHERE = "other"
"""The route of a request that no route answered: an unknown path, or one that was refused before."""


class RequestJournal:
    """ASGI middleware: counts every answer, warns of every 5xx with its route, and at level DEBUG names each request.

    It costs 3 us a request. A request that is cut off by the end of this process is not counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._app, self._metrics, self._monotonic = app, metrics, monotonic
        # Asked once: structlog takes 4 us to build a logger that then says nothing.
        self._says_all = LOG.is_enabled_for(logging.DEBUG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, code = self._monotonic(), 500

        async def note_code(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_code)
        except Exception as error:
            self._note(scope, 500, self._monotonic() - started, type(error).__name__)
            raise
        self._note(scope, code, self._monotonic() - started, None)

    def _note(self, scope: Scope, code: int, seconds: float, error: str | None) -> None:
        route: str = getattr(scope.get("route"), "path", ELSEWHERE)
        self._metrics.request(route, scope["method"], code, seconds)
        if code >= 500 or self._says_all:
            say = LOG.warning if code >= 500 else LOG.debug
            job = (scope.get("path_params") or {}).get("job_id", "")
            known = {"job": job} if IDENTIFIER.fullmatch(job) else {}
            failed = {"error": error} if error else {}
            say("request", method=scope["method"], route=route, code=code, ms=round(seconds * 1000), **known, **failed)


def job_journal(metrics: Metrics) -> Callable[[Moved], None]:
    """Give what is to be told of every job that moved, after the commit: it counts, and says one line (42 us) a job's
    end.

    Jobs that were cancelled in the queue are named at level DEBUG only: a purge may end thousands at once.
    """

    def note(job: Moved) -> None:
        state = JobState(job.state)
        executed = None if job.begun_at is None or job.finished_at is None else job.finished_at - job.begun_at
        waited = None if job.begun_at is None else job.begun_at - job.submitted_at
        if state is JobState.IN_PROGRESS and waited is not None:
            metrics.job_taken(job.endpoint_id, waited)
        elif state is JobState.IN_QUEUE and job.worker_id is not None:
            metrics.job_given_back(job.endpoint_id)
            LOG.info("job waits again", job=job.id, endpoint=job.endpoint_id, worker=job.worker_id)
        elif state in FINAL_STATES:
            metrics.job_ended(job.endpoint_id, state, executed)
            say = LOG.debug if state is JobState.CANCELLED and job.taken_at is None else LOG.info
            say(
                "job ended",
                job=job.id,
                endpoint=job.endpoint_id,
                outcome=state.value,
                waited_ms=waited,
                executed_ms=executed,
                worker=job.worker_id,
            )

    return note
