"""What does the SDK call for each job? The handler with its tools opened, its progress posted, its output kept until
the job is over, and its result delivered twice.

Twice, because the SDK posts a result only once and drops it when the connection fails. Kept, because a worker that is
killed while its gateway is away has made its songs for the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import Clock
from acestep_serverless.contract.music_output import error_output
from acestep_serverless.errors import InputError
from acestep_serverless.logs import redact
from acestep_serverless.worker.delivery import GatewaySink
from acestep_serverless.worker.handler import handle
from acestep_serverless.worker.kept import KeptOutputs
from acestep_serverless.worker.places import Places
from acestep_serverless.worker.sink import ArtifactSink
from acestep_serverless.worker.sources import Sources

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a job needs: a client for the ACE-Step API, the usual place for files, a folder in which they wait for it
    (None: the system's temporary folder), the memory of finished outputs (None: nothing is kept), and whether a job's
    own bucket may be at a private address."""

    acestep: AceStepClient
    artifacts: ArtifactSink
    scratch: Path | None = None
    kept: KeptOutputs | None = None
    private_buckets: bool = False
    sources: Sources = field(default_factory=Sources)
    """Where the audio comes from that a job works on."""


@dataclass(slots=True)
class JobHandler:
    """An `async` callable for the SDK. `open_tools` runs once, before the first job, inside the SDK's own event loop:
    what belongs to a loop (HTTP clients, a scheduler to start) must not be made earlier."""

    open_tools: Callable[[], Awaitable[Tools]]
    post_progress: Callable[[dict[str, Any], Any], None]
    clock: Clock
    _tools: Tools | None = field(default=None, init=False)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def __call__(self, job: dict[str, Any]) -> dict[str, object]:
        """Handle one job; the result, an error too, is at the gateway before this returns.

        Not so where there is no gateway, where it refuses the result or stays away beyond all patience, and where the
        tools could not be opened: then all there is is what the SDK posts.
        """
        tools = None
        try:
            tools = await self._open()
            output = await self._made_once(job, tools)
        except Exception as error:
            # Raised on, the SDK would post the whole traceback, with this machine's paths, to the caller.
            _log.exception("the worker failed unexpectedly", job=job.get("id"))
            output = error_output(f"the worker failed unexpectedly: {type(error).__name__}: {redact(str(error))[:500]}")
        if tools is not None and isinstance(tools.artifacts, GatewaySink):
            final = await tools.artifacts.announce(str(job["id"]), output)
            if final and tools.kept is not None:
                await asyncio.to_thread(tools.kept.forget, str(job["id"]))
        return output

    async def _open(self) -> Tools:
        async with self._opening:
            if self._tools is None:
                self._tools = await self.open_tools()
            return self._tools

    async def _made_once(self, job: dict[str, Any], tools: Tools) -> dict[str, object]:
        """Answer from what was kept for the same job and input, or make it. A failure is never kept: it deserves
        another try."""
        kept, job_id, asked = tools.kept, str(job["id"]), job.get("input")
        if kept is None:
            return await self._handled(job, tools)
        known = await asyncio.to_thread(kept.find, job_id, asked, now_ms=self.clock.now_ms())
        if known is not None:
            _log.info("a job came back whose output was kept: nothing is generated again", job=job_id)
            return known
        output = await self._handled(job, tools)
        if "error" not in output:
            await asyncio.to_thread(kept.keep, job_id, asked, output, now_ms=self.clock.now_ms())
        return output

    async def _handled(self, job: dict[str, Any], tools: Tools) -> dict[str, object]:
        def report(progress: Mapping[str, object]) -> None:
            self.post_progress(job, progress)

        try:
            artifacts = Places(tools.artifacts, private_buckets=tools.private_buckets).for_job(job)
        except InputError as error:
            return error_output(str(error))
        return await handle(
            job,
            acestep=tools.acestep,
            artifacts=artifacts,
            report=report,
            clock=self.clock,
            scratch=tools.scratch,
            sources=tools.sources,
        )


def job_handler(
    sdk: ModuleType, open_tools: Callable[[], Awaitable[Tools]], *, environ: Mapping[str, str], clock: Clock
) -> JobHandler:
    """Build the handler for a loaded SDK. Without a result URL (`--test_input`) progress has nowhere to go and is
    dropped."""
    has_gateway = "RUNPOD_WEBHOOK_POST_OUTPUT" in environ
    return JobHandler(open_tools, sdk.serverless.progress_update if has_gateway else _drop_progress, clock)


def _drop_progress(_job: dict[str, Any], _progress: object) -> None:
    return None
