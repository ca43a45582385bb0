"""How are the songs of a list made? So many at once, each to its end, and gone on with where an earlier run stopped."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acestep_serverless.assembly.ledger import Entry, Ledger, doubtful, keys_of
from acestep_serverless.client import Generation, Job, JobEnded, SubmissionUnknown
from acestep_serverless.client.makes import MakesSongs
from acestep_serverless.errors import AcestepServerlessError, Conflict, NotFound

STEM_LETTERS = 8


@dataclass(frozen=True, slots=True)
class Made:
    """What became of wish number `index` (from 0): its songs in `files`, or `error`. `kept` when an earlier run made
    them; `generation` is None then."""

    index: int
    files: tuple[Path, ...] = ()
    generation: Generation | None = None
    error: AcestepServerlessError | None = None
    job_id: str = ""
    kept: bool = False


Watch = Callable[[int, Job], object]
"""Is called with a wish's index and its job whenever that has changed."""


@dataclass(slots=True)
class Run:
    """One run over a list. `endpoint_name` tells one endpoint's jobs from another's; "" for this process, whose jobs
    end with it. `resend` sends what was in doubt again. `at_once` wishes are worked at together;
    without `check` they go out as they are."""

    endpoint: MakesSongs
    endpoint_name: str
    ledger: Ledger
    watch: Watch = lambda index, job: None
    at_once: int = 1
    resend: bool = False
    check: bool = True
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.at_once)

    async def make(self, wishes: Sequence[Mapping[str, Any]], tell: Callable[[Made], object]) -> list[Made]:
        """Make what is not made yet; `tell` is called with each as it ends. One that fails leaves the others be."""

        async def one(index: int, key: str, wish: Mapping[str, Any]) -> Made:
            async with self._slots:
                made = await self._one(index, key, wish)
            tell(made)
            return made

        keys = keys_of(wishes)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(index, key, wish))
                for index, (key, wish) in enumerate(zip(keys, wishes, strict=True))
            ]
        return [task.result() for task in tasks]

    async def _one(self, index: int, key: str, wish: Mapping[str, Any]) -> Made:
        known = self.ledger.of(key)
        if known is not None and known.step == "done":
            return Made(index, tuple(self.ledger.folder / name for name in known.files), job_id=known.job, kept=True)
        job_id = ""
        try:
            job_id = await self._job_of(key, wish, known)
            generation = await self.endpoint.wait(job_id, told=lambda job: self.watch(index, job))
            stem = f"song-{key[:STEM_LETTERS]}{key[12:]}"
            files = await self.endpoint.save(generation, self.ledger.folder, stem=stem, overwrite=True)
        except AcestepServerlessError as error:
            if isinstance(error, JobEnded | NotFound):
                self.ledger.note(Entry(key, "failed", self.endpoint_name, job_id, error=str(error)))
            return Made(index, error=error, job_id=job_id)
        names = tuple(path.name for path in files)
        self.ledger.note(Entry(key, "done", self.endpoint_name, job_id, names))
        return Made(index, files, generation, job_id=job_id)

    async def _job_of(self, key: str, wish: Mapping[str, Any], known: Entry | None) -> str:
        """Find the job that an earlier run queued, or queue one, once."""
        here = known is not None and bool(self.endpoint_name) and known.endpoint == self.endpoint_name
        if known is not None and here and known.step == "queued":
            return known.job
        if known is not None and known.endpoint and known.step == "sending" and not self.resend:
            raise Conflict(doubtful(known))
        self.ledger.note(Entry(key, "sending", self.endpoint_name))
        try:
            job = await self.endpoint.submit(wish, check=self.check)
        except SubmissionUnknown:
            raise
        except AcestepServerlessError as error:
            self.ledger.note(Entry(key, "failed", self.endpoint_name, error=str(error)))
            raise
        self.ledger.note(Entry(key, "queued", self.endpoint_name, job.id))
        return job.id
