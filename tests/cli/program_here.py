"""The program in this process, over real rows: what it said, and how the rows came to be."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from acestep_serverless.assembly.office import Office, in_office
from acestep_serverless.contract.job import JobRequest
from acestep_serverless.contract.worker_protocol import JobResult
from acestep_serverless.settings import Settings


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        (line,) = self.out.splitlines()
        return json.loads(line)


Program = Callable[..., Said]


def do(work: Callable[[Office], Awaitable[Any]]) -> Any:
    """Do something to the database of this folder's settings, which is made if need be."""
    return asyncio.run(in_office(Settings.load(), work, may_make=True))


def submit(*job_ids: str, endpoint_id: str = "ace-step") -> None:
    async def work(office: Office) -> None:
        for job_id in job_ids:
            await office.desk.submit(endpoint_id, job_id, JobRequest({"n": 1}), 600_000)

    do(work)


def hire(worker_id: str = "w1", endpoint_id: str = "ace-step", *, polls: bool = True) -> None:
    async def work(office: Office) -> None:
        await office.workers.enrol(endpoint_id, worker_id, fleet_id=None)
        if polls:
            await office.workers.polls(worker_id, 1)

    do(work)


def take(worker_id: str = "w1", endpoint_id: str = "ace-step", result: JobResult | None = None) -> str:
    """Let a worker take the next job and, if a result is given, finish it."""

    async def work(office: Office) -> str:
        texts = await office.desk.take(endpoint_id, worker_id)
        assert texts
        job_id: str = json.loads(texts[0])["id"]
        assert result is None or await office.desk.finish(worker_id, job_id, result)
        return job_id

    return str(do(work))


def ids(listed: Any) -> list[str]:
    return [row["id"] for row in listed]
