"""How is any ACE-Step server driven? Release a task, follow it, cancel it, fetch its songs; over a URL or in process.

Nothing is submitted twice: questions and downloads are repeated when a connection breaks, a submission only where the
server cannot have taken it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import httpx

from acestep_serverless.client.download import Download, DownloadedAudio
from acestep_serverless.client.exchange import (
    PAUSES,
    NotSent,
    ServerBusy,
    ServerError,
    check_status,
    read_json,
    repeated,
    unreachable,
)
from acestep_serverless.client.forms import multipart
from acestep_serverless.client.inventory import Adapters, Model, read_adapters, read_models
from acestep_serverless.client.reports import TaskReport, read_report
from acestep_serverless.client.wire import ROUTE_MISSING, Wire
from acestep_serverless.clock import Clock
from acestep_serverless.contract.acestep import LONGEST_WAIT
from acestep_serverless.errors import PeerError, PeerUnreachable, TaskFailed

DOWNLOAD_SECONDS = 900.0
"""Longest time for one song to come over: 1 GiB in it are 10 Mbit/s."""

GRACE_SECONDS = 2.0
"""How long beyond its deadline `follow` waits for an answer that is under way."""

SLOWEST_POLL = 1.0
"""Longest time in seconds between two questions to a server that does not know `wait`."""

LOST_AFTER_KNOWN = 5
LOST_FROM_START = 10
"""So many answers in a row without a trace of the task mean that it is lost; from the start a server gets more time."""

BUSY_PAUSE = 2.0
"""Seconds between two submissions to a server whose queue is full."""

MODEL_ROUTES = ("/v1/model_inventory", "/v1/models")
"""Where models are listed; the first says more, the second every server has."""

NO_UPLOADS = "it was sent an audio file, and the project's own server of February 2026 takes none: use a newer one"

T = TypeVar("T")


class AceStepClient:
    """A client of one ACE-Step server. `http` brings its address or the transport, `api_key` "" sends no key."""

    def __init__(self, http: httpx.AsyncClient, *, clock: Clock, api_key: str = "") -> None:
        self._wire = Wire(http, api_key)
        self._clock = clock

    async def release(
        self, parameters: Mapping[str, object], files: Mapping[str, Path] | None = None, *, patience: float = 0.0
    ) -> str:
        """Submit a task once and return its id. `files` are uploaded, by the form's field ("src_audio",
        "reference_audio"); without any the body is JSON, which every server reads.

        For `patience` seconds a full queue is asked again, and an answer is waited for beyond the usual time: there are
        servers that answer only when the songs are finished. Raises TaskFailed with the server's sentence (it refused
        the parameters), PeerError (key, full queue, broken answer) or PeerUnreachable; after the last the server may
        have taken the task all the same.
        """
        ends, pauses = self._clock.monotonic() + patience, iter(PAUSES)
        while True:
            left = max(0.0, ends - self._clock.monotonic())
            try:
                return await self._released(parameters, files or {}, left)
            except ServerBusy:
                if left <= BUSY_PAUSE:
                    raise
                await asyncio.sleep(BUSY_PAUSE)
            except NotSent:
                if (pause := next(pauses, None)) is None:
                    raise
                await asyncio.sleep(pause)

    async def _released(self, parameters: Mapping[str, object], files: Mapping[str, Path], held: float) -> str:
        with multipart(parameters, files) if files else nullcontext({"json": dict(parameters)}) as content:
            response = await self._wire.sent("POST", "/release_task", held=held, **content)
        try:
            answer = read_json(response)
        except ServerError as error:
            raise PeerError(f"{error}; {NO_UPLOADS}") if files else error from None
        data = answer.get("data")
        task_id = data.get("task_id") if isinstance(data, dict) else answer.get("task_id")
        if not isinstance(task_id, str) or not task_id:
            raise PeerError("the ACE-Step API took the task but gave no id for it")
        return task_id

    async def query(self, task_id: str, wait: float, *, audio: bool = True) -> TaskReport:
        """Ask about a task; the server may hold its answer for `wait` seconds (0 to 60) until the task is final.
        Without `audio` the task is an analysis, whose success brings no song.

        Raises PeerUnreachable and PeerError after repeated attempts. A single answer cannot tell a lost task from one
        that has just begun (see `TaskReport.known`); `follow` can.
        """
        held = max(0.0, min(wait, LONGEST_WAIT))
        body = {"task_id_list": [task_id], "wait": held}

        async def attempt() -> TaskReport:
            answer = read_json(await self._wire.sent("POST", "/query_result", json=body, held=held))
            try:
                return read_report(task_id, answer, audio=audio)
            except ValueError as error:
                raise PeerError(f"the ACE-Step API's answer about the task cannot be read: {error}") from error

        return await repeated(attempt)

    async def follow(
        self, task_id: str, *, interval: float, deadline: float, audio: bool = True
    ) -> AsyncGenerator[TaskReport, None]:
        """Yield a report at least every `interval` seconds; the final one at once where the server knows `wait`.

        Ends after the final report, or at `deadline` (in the clock's monotonic seconds) after one that is not final,
        GRACE_SECONDS later without one if the server is silent: whoever follows decides what that means. A server
        without `wait` is asked every min(interval, 1) seconds.
        Raises TaskFailed when the server has lost the task, PeerError and PeerUnreachable as `query` does.
        """
        unseen, allowed = 0, LOST_FROM_START
        while True:
            asked = self._clock.monotonic()
            wait = max(0.0, min(interval, deadline - asked, LONGEST_WAIT))
            try:
                asking = self.query(task_id, wait, audio=audio)
                report = await asyncio.wait_for(asking, max(0.0, deadline - asked) + GRACE_SECONDS)
            except TimeoutError:
                return
            yield report
            if report.final or self._clock.monotonic() >= deadline:
                return
            unseen, allowed = (0, LOST_AFTER_KNOWN) if report.known else (unseen + 1, allowed)
            if unseen >= allowed:
                raise TaskFailed("the ACE-Step API has lost the task: it no longer knows its id")
            await self._pace(asked, wait, interval, deadline)

    async def cancel(self, task_id: str) -> bool:
        """End a task on the server; False when the server has no such route. Raises PeerError and PeerUnreachable."""

        async def attempt() -> bool:
            response = await self._wire.sent("POST", "/cancel_task", json={"task_id": task_id})
            if response.status_code in ROUTE_MISSING:
                return False
            check_status(response)
            return True

        return await repeated(attempt)

    async def download(
        self, file: str, sink: Callable[[bytes], None], *, chunk: int = 1 << 20, limit: int
    ) -> DownloadedAudio:
        """Hand the bytes of a song to `sink` in order, `chunk` bytes at a time where the server knows ranges.

        `file` is `SongItem.file`. Raises TooLarge beyond `limit` bytes, PeerError (another server's address; a refused,
        empty or inconsistent file) and PeerUnreachable.
        """
        url = self._wire.own_url(file)
        download = Download(sink, chunk, limit)

        async def attempt() -> None:
            before = download.received
            try:
                async with self._wire.opened(url, download.headers()) as response:
                    await download.take(response)
            except httpx.HTTPError as error:
                if download.received != before:  # part of a stream has been handed on and cannot be taken back
                    raise PeerError("the connection to the ACE-Step API broke during the download") from error
                raise unreachable(error) from error

        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                while not download.complete:
                    await repeated(attempt)
        except TimeoutError:
            raise PeerUnreachable(f"the song did not come over within {DOWNLOAD_SECONDS:g} s") from None
        return download.result()

    async def health(self) -> dict[str, Any]:
        """Give the server's description of itself, {} where it gives none. Raises PeerError and PeerUnreachable."""
        answer = await self._wire.asked("/health") or {}
        data = answer.get("data")
        return data if isinstance(data, dict) else answer

    async def models(self) -> tuple[Model, ...]:
        """List the models that tasks may name, the default one first; () where the server does not say. Raises
        PeerError and PeerUnreachable."""
        for route in MODEL_ROUTES:
            if (answer := await self._wire.asked(route)) is not None:
                return _understood(read_models, answer)
        return ()

    async def adapters(self) -> Adapters | None:
        """Tell which adapters the server wears; None where it has no such route. Raises PeerError, PeerUnreachable."""
        answer = await self._wire.asked("/v1/lora/status")
        return None if answer is None else _understood(read_adapters, answer)

    async def load_model(self, name: str, *, patience: float) -> None:
        """Have a server that has loaded no model yet load this one, within `patience` seconds. Raises TaskFailed with
        the server's reason, PeerError and PeerUnreachable."""
        read_json(await self._wire.sent("POST", "/v1/init", json={"model": name}, held=patience))

    async def _pace(self, asked: float, wait: float, interval: float, deadline: float) -> None:
        """Sleep until the next question is due, unless the server itself has held back its answer."""
        now = self._clock.monotonic()
        if now - asked < 0.9 * wait:
            await asyncio.sleep(max(0.0, min(asked + min(interval, SLOWEST_POLL), deadline) - now))


def _understood(read: Callable[[dict[str, Any]], T], answer: dict[str, Any]) -> T:
    try:
        return read(answer)
    except ValueError as error:
        raise PeerError(f"the ACE-Step API's answer cannot be read: {error}") from error
