"""How are songs made here and now, with the same calls as at an endpoint? Jobs in this process, over the engine itself.

The engine is loaded for the first job. Jobs and their files live as long as this process; what is to stay is saved.
"""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

from acestep_serverless.assembly.adapters import stock
from acestep_serverless.assembly.api import build_api, client_in_process
from acestep_serverless.assembly.engine import build_engine
from acestep_serverless.client import Generation, Job, MusicFields, StillRunning, generation_of
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.driving import Told
from acestep_serverless.client.makes import LOCAL_JOB
from acestep_serverless.client.saving import LARGEST_SONG, Saving, is_there, planned, write
from acestep_serverless.client.songs import read_job
from acestep_serverless.client.wishes import job_body
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.acestep import AUDIO_ROUTE
from acestep_serverless.contract.job import JobState, load_client_json
from acestep_serverless.errors import NotFound, TooLarge
from acestep_serverless.outbound.fetching import Fetcher
from acestep_serverless.settings import Settings
from acestep_serverless.worker.delivery import FolderSink
from acestep_serverless.worker.handler import handle
from acestep_serverless.worker.sink import AudioFile, Stored
from acestep_serverless.worker.sources import Sources

MOST_JOBS = 1_000
"""Jobs of one process; their files are on this machine's disk until it ends."""
PIECE = 1 << 20


@dataclass(slots=True)
class Kept:
    """The files of this process's jobs by their names; a place of delivery, and a source for later jobs."""

    folder: Path
    paths: dict[str, Path] = field(default_factory=dict)

    def output_limit(self, job_id: str) -> int | None:
        """Return None: nothing bounds an output that stays here."""
        return None

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """Keep a file under an unguessable name, as a gateway does."""
        stored = await FolderSink(self.folder, uuid.uuid4().hex).store(job_id, 0, audio)
        path = Path(stored.file)
        self.paths[path.name] = path
        file = f"{AUDIO_ROUTE}?filename={path.name}"
        return Stored(file, file)

    async def fetch_file(self, name: str, sink: Callable[[bytes], None], *, limit: int) -> None:
        """Hand a file's bytes to `sink`. Raises NotFound and TooLarge."""
        path = self.found(name)
        if path.stat().st_size > limit:
            raise TooLarge(f"{name} is larger than the limit of {limit:,} bytes")
        for piece in _pieces(path):
            sink(piece)

    def found(self, name: str) -> Path:
        """Give the path of a file. Raises NotFound."""
        if name not in self.paths:
            raise NotFound(f"no job of this process made a file of the name {name[:128]}")
        return self.paths[name]


@dataclass(slots=True)
class _Record:
    """One job, the task that makes it, and the bell that rings when it changes."""

    job: Job
    task: "asyncio.Task[None] | None" = None
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def becomes(self, job: Job) -> None:
        if not self.job.final:
            self.job, bell, self.bell = job, self.bell, asyncio.Event()
            bell.set()


class LocalEndpoint:
    """Makes songs in this process, for one event loop. `loading` is called as the engine loads, from another thread."""

    def __init__(self, settings: Settings, folder: Path, loading: Callable[[str], object]) -> None:
        self._settings, self._folder, self._loading = settings, folder, loading
        self._kept = Kept(folder / "kept")
        self._records: dict[str, _Record] = {}
        self._opening = asyncio.Lock()
        self._acestep: AceStepClient | None = None
        self._stop: Callable[[], object] = lambda: None

    async def open(self) -> AceStepClient:
        """Load the engine, once. Raises EngineUnavailable."""
        async with self._opening:
            if self._acestep is None:
                engine = build_engine(self._settings)
                await asyncio.to_thread(engine.load, self._told)
                await asyncio.to_thread(stock, engine, self._settings.adapters_dir)
                app = build_api(engine, self._folder / "api")
                self._stop = app.state.tasks.stop
                self._acestep = client_in_process(app)
            return self._acestep

    async def close(self) -> None:
        """End what is being made, and the engine."""
        running = [record.task for record in self._records.values() if record.task and not record.task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(self._stop)

    async def submit(
        self, payload: Mapping[str, Any] | None = None, *, check: bool = True, **fields: Unpack[MusicFields]
    ) -> Job:
        """Queue a job; without `check` it is the handler that refuses. Raises InputError, TooLarge."""
        body = load_client_json(await asyncio.to_thread(job_body, payload, fields, {}, check=check))
        if len(self._records) >= MOST_JOBS:
            raise TooLarge(f"this process has made {MOST_JOBS:,} jobs: start it again")
        job = Job(f"{LOCAL_JOB}{uuid.uuid4()}", JobState.IN_QUEUE)
        record = self._records[job.id] = _Record(job)
        record.task = asyncio.create_task(self._made(record, body["input"]))
        return job

    async def status(self, job: str | Job) -> Job:
        """Look at a job. Raises NotFound."""
        return self._record(job).job

    async def wait(self, job: str | Job, *, timeout: float | None = None, told: Told | None = None) -> Generation:  # noqa: ASYNC109 - as in client/endpoint.py
        """Wait for the output of a job, as a client does."""
        record = self._record(job)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    seen, bell = record.job, record.bell
                    if told is not None:
                        told(seen)
                    if seen.final:
                        return generation_of(seen)
                    await bell.wait()
        except TimeoutError:
            raise StillRunning(record.job, timeout or 0) from None

    async def cancel(self, job: str | Job) -> Job:
        """Cancel a job; one that had ended keeps its state."""
        record = self._record(job)
        record.becomes(replace(record.job, state=JobState.CANCELLED, error="it was cancelled"))
        if record.task is not None:
            record.task.cancel()
        return record.job

    async def save(
        self, what: Generation | Job, folder: str | Path, *, stem: str = "", overwrite: bool = False
    ) -> tuple[Path, ...]:
        """Copy every song, and what lies beside it, into a folder, as a client saves them."""
        generation = what if isinstance(what, Generation) else generation_of(what)
        plan = planned(generation, Saving(Path(folder), stem, overwrite))
        for stored, path in plan:
            if not await asyncio.to_thread(is_there, path, stored, overwrite=overwrite):
                kept = self._kept.found(stored.file.rpartition("=")[2])
                await asyncio.to_thread(write, _pieces(kept), stored, path, LARGEST_SONG, SYSTEM_CLOCK)
        return tuple(path for stored, path in plan if stored in generation.songs)

    async def jobs(self, *, limit: int = 50, offset: int = 0, state: str | None = None) -> tuple[Job, ...]:
        """List jobs, newest first, without their outputs."""
        wanted = [record.job for record in reversed(self._records.values()) if state in (None, record.job.state)]
        return tuple(replace(job, output=None) for job in wanted[offset : offset + limit])

    async def _made(self, record: _Record, wish: Mapping[str, Any]) -> None:
        try:
            output = await self._handled(record, wish)
        except Exception as error:
            output = {"error": str(error) or type(error).__name__}
        said: dict[str, Any] = {"status": "FAILED", "error": output["error"]} if "error" in output else {}
        record.becomes(read_job({"id": record.job.id, "status": "COMPLETED", "output": output, **said}))

    async def _handled(self, record: _Record, wish: Mapping[str, Any]) -> dict[str, Any]:
        acestep = await self.open()

        def report(news: Mapping[str, object]) -> None:
            record.becomes(read_job({"id": record.job.id, "status": "IN_PROGRESS", "output": dict(news)}))

        fetcher = Fetcher(allow_private=self._settings.source_private)
        return await handle(
            {"id": record.job.id, "input": {"poll_interval": 1, **wish}},
            acestep=acestep,
            artifacts=self._kept,
            report=report,
            clock=SYSTEM_CLOCK,
            scratch=self._folder,
            sources=Sources(fetcher, self._kept),
        )

    def _told(self, _: float, stage: str) -> None:
        self._loading(stage)

    def _record(self, job: str | Job) -> _Record:
        name = job.id if isinstance(job, Job) else job
        if name not in self._records:
            raise NotFound(f"this process has no job of the id {name[:128]}")
        return self._records[name]


@asynccontextmanager
async def open_local(
    settings: Settings, loading: Callable[[str], object] = lambda stage: None
) -> AsyncIterator[LocalEndpoint]:
    """Open an endpoint in this process; leaving ends its jobs and removes their files."""
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-") as folder:
        (Path(folder) / "api").mkdir()
        local = LocalEndpoint(settings, Path(folder), loading)
        try:
            yield local
        finally:
            await local.close()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
