"""How is one ACE-Step task driven to its end? Release, follow and report, and stop it when nobody wants it any more."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.reports import SongItem, TaskReport
from acestep_serverless.clock import Clock
from acestep_serverless.contract.music import MusicInput
from acestep_serverless.errors import AcestepServerlessError, PeerUnreachable, TaskFailed
from acestep_serverless.worker.readiness import make_ready
from acestep_serverless.worker.sink import Report
from acestep_serverless.worker.submission import in_input_fields, release_parameters

LAST_WORDS_SECONDS = 1.0
"""How long a stopped job waits for the ACE-Step API to take note of it."""

FIRST_LOOKS = (0.0, 0.1, 0.2, 0.4)
"""Seconds for which the server may hold its answers at first: a task that waits for no other begins within them."""

LOOK_AGAIN = 0.5
"""Seconds between two looks at a task that waits for others: so late may its clock start."""

LONGEST_QUEUE = 86_400.0
"""Seconds after which a task that has not begun is given up: the longest `timeout_seconds` there is."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that ended well: its id in the ACE-Step API and its songs in order, or what an analysis found."""

    task_id: str
    items: tuple[SongItem, ...]
    finding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Generation:
    """One task, from `/release_task` to its last report. `files` are uploaded with it, by the form's field. Call `run`
    once."""

    request: MusicInput
    acestep: AceStepClient
    report: Report
    clock: Clock
    files: Mapping[str, Path] = field(default_factory=dict)
    _reported_at: float = field(default=float("-inf"), init=False)
    _fraction: float = field(default=0.0, init=False)

    async def run(self) -> Finished:
        """Return what was made. Raises InputError (not with this server), TaskFailed (after `timeout_seconds` too, with
        a text that names the limit) or PeerError; ends the task on cancellation."""
        task_id = await self._release(self._deadline())
        try:
            await self._begin(task_id)
            last = await self._follow(task_id, self._deadline())
        except TaskFailed:
            raise
        except (asyncio.CancelledError, AcestepServerlessError):
            await _last_words(self._stop(task_id))
            raise
        if last is None:
            await _last_words(self._stop(task_id))
            raise self._too_late()
        return Finished(task_id, last.items, last.finding)

    async def _release(self, deadline: float) -> str:
        """Release the task. A cancellation that arrives meanwhile still ends the task that the server may have made."""
        try:
            async with asyncio.timeout(self._left(deadline)):
                await make_ready(self.request, self.acestep, patience=self._left(deadline))
        except TimeoutError:
            raise self._too_late() from None
        parameters = release_parameters(self.request)
        releasing = asyncio.ensure_future(self.acestep.release(parameters, self.files, patience=self._left(deadline)))
        try:
            return await asyncio.shield(releasing)
        except asyncio.CancelledError:
            await _last_words(self._stop_released(releasing))
            raise
        except TaskFailed as error:
            raise TaskFailed(in_input_fields(str(error))) from error
        except PeerUnreachable:
            if self._left(deadline) == 0:  # a server that answers only when the songs are finished
                raise self._too_late() from None
            raise

    def _deadline(self) -> float:
        return self.clock.monotonic() + self.request.timeout_seconds

    async def _begin(self, task_id: str) -> None:
        """Wait until the server works at the task: behind other tasks no time counts and nothing is reported, for the
        first report starts the job's clock at the gateway. Raises TaskFailed when it never begins."""
        audio = not self.request.analysis
        for wait in FIRST_LOOKS:
            report = await self.acestep.query(task_id, wait, audio=audio)
            if has_begun(report):
                return self._say_of(report)
        until = self.clock.monotonic() + LONGEST_QUEUE
        reports = self.acestep.follow(task_id, interval=LOOK_AGAIN, deadline=until, audio=audio)
        async with aclosing(reports):
            async for report in reports:
                if has_begun(report):
                    return self._say_of(report)
        await _last_words(self._stop(task_id))
        raise TaskFailed(f"the ACE-Step API did not begin the task within {LONGEST_QUEUE:,.0f} s")

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - self.clock.monotonic())

    def _too_late(self) -> TaskFailed:
        limit = self.request.timeout_seconds
        return TaskFailed(
            f"timeout_seconds: the generation was not finished within {limit} s and has been ended; "
            "ask for a shorter duration or a larger timeout_seconds"
        )

    async def _stop_released(self, releasing: asyncio.Future[str]) -> None:
        await self._stop(await releasing)

    async def _follow(self, task_id: str, deadline: float) -> TaskReport | None:
        """Report progress until the task has succeeded; None when the deadline came first."""
        task = None
        interval, audio = self.request.poll_interval, not self.request.analysis
        async for task in self.acestep.follow(task_id, interval=interval, deadline=deadline, audio=audio):
            self._say_of(task)
        if task is None or not task.final:
            return None
        if task.state == "failed":
            raise TaskFailed(task.error)
        return task

    def _say_of(self, task: TaskReport) -> None:
        if not task.final:
            self._say(task.progress, task.stage)

    def _say(self, fraction: float, stage: str) -> None:
        """Report progress, at most once every `poll_interval` seconds; the fraction never falls."""
        now = self.clock.monotonic()
        self._fraction = max(self._fraction, min(fraction, 1.0))
        if now - self._reported_at < self.request.poll_interval:
            return
        self._reported_at = now
        self.report({"progress": round(self._fraction, 3), "stage": stage})

    async def _stop(self, task_id: str) -> None:
        try:
            stopped = await self.acestep.cancel(task_id)
        except AcestepServerlessError as error:
            _log.warning("the ACE-Step task could not be stopped", task=task_id, reason=str(error))
            return
        if not stopped:
            _log.warning("the ACE-Step task could not be stopped: its server cannot cancel tasks", task=task_id)


def has_begun(report: TaskReport) -> bool:
    """Tell whether a server works at a task, or has ended it. One that does not tell waiting from working apart is
    taken to work."""
    return report.final or (report.known and report.stage != "queued" and not report.queue_position)


async def _last_words(work: Coroutine[Any, Any, None]) -> None:
    """Let `work` end even though its caller is being cancelled, but wait for it no longer than LAST_WORDS_SECONDS."""
    task = asyncio.ensure_future(work)
    done, pending = await asyncio.wait({task}, timeout=LAST_WORDS_SECONDS)
    for unfinished in pending:
        unfinished.cancel()
        _log.warning("the ACE-Step API did not take note of a stopped task in time", seconds=LAST_WORDS_SECONDS)
    for finished in done:
        if error := finished.exception():
            _log.warning("the ACE-Step task could not be stopped", reason=str(error))
