"""How is one ACE-Step task driven to its end? Release, follow and report, and stop it when nobody wants it any more."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.reports import SongItem
from acestep_serverless.clock import Clock
from acestep_serverless.contract.music import SEED_MAXIMUM, MusicInput
from acestep_serverless.errors import AcestepServerlessError, TaskFailed
from acestep_serverless.worker.sink import Report

LAST_WORDS_SECONDS = 1.0
"""How long a stopped job waits for the ACE-Step API to take note of it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that ended well: its id in the ACE-Step API and its songs in order."""

    task_id: str
    items: tuple[SongItem, ...]


@dataclass(slots=True)
class Generation:
    """One task, from `/release_task` to its last report. Call `run` once."""

    request: MusicInput
    acestep: AceStepClient
    report: Report
    clock: Clock
    _reported_at: float = field(default=float("-inf"), init=False)
    _fraction: float = field(default=0.0, init=False)

    async def run(self) -> Finished:
        """Return the finished songs. Raises TaskFailed (after `timeout_seconds` too, with a text that names the limit)
        or PeerError; ends the task on cancellation."""
        deadline = self.clock.monotonic() + self.request.timeout_seconds
        self._say(0.0, "starting")
        task_id = await self._release()
        try:
            items = await self._follow(task_id, deadline)
        except TaskFailed:
            raise
        except (asyncio.CancelledError, AcestepServerlessError):
            await _last_words(self._stop(task_id))
            raise
        if items is None:
            await _last_words(self._stop(task_id))
            limit = self.request.timeout_seconds
            raise TaskFailed(
                f"timeout_seconds: the generation was not finished within {limit} s and has been ended; "
                "ask for a shorter duration or a larger timeout_seconds"
            )
        return Finished(task_id, items)

    async def _release(self) -> str:
        """Release the task. A cancellation that arrives meanwhile still ends the task that the server may have made."""
        releasing = asyncio.ensure_future(self.acestep.release(release_parameters(self.request)))
        try:
            return await asyncio.shield(releasing)
        except asyncio.CancelledError:
            await _last_words(self._stop_released(releasing))
            raise

    async def _stop_released(self, releasing: asyncio.Future[str]) -> None:
        await self._stop(await releasing)

    async def _follow(self, task_id: str, deadline: float) -> tuple[SongItem, ...] | None:
        """Report progress until the task ends; None when the deadline came first."""
        task = None
        async for task in self.acestep.follow(task_id, interval=self.request.poll_interval, deadline=deadline):
            if not task.final:
                self._say(task.progress, task.stage)
        if task is None or not task.final:
            return None
        if task.state == "failed":
            raise TaskFailed(task.error)
        return task.items

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


def release_parameters(request: MusicInput) -> dict[str, object]:
    """Return the `/release_task` body, spelled as every version of the server reads it.

    One seed is a number, several are the text "7,8,9" (the upstream server's own form): song n of a batch gets seed +
    n, so a batch can be made again as well. Without a seed the server draws one per song.
    """
    return {
        "prompt": request.caption,
        "lyrics": request.lyrics,
        "audio_duration": request.duration,
        "batch_size": request.batch_size,
        "use_random_seed": request.seed is None,
        "seed": -1 if request.seed is None else _seeds(request.seed, request.batch_size),
        "audio_format": "mp3",
    }


def _seeds(first: int, count: int) -> int | str:
    seeds = [(first + index) % (SEED_MAXIMUM + 1) for index in range(count)]
    return seeds[0] if count == 1 else ",".join(map(str, seeds))


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
