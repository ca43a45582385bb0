"""The smallest peer of the worker protocol, over httpx: enrol, take, heartbeat, stop poll, done. One job at a time.

It costs a few milliseconds where a worker of the official SDK takes two seconds to start and one between two jobs, so
hundreds of jobs and dozens of deaths fit into a test. It lives in the caller's event loop; to cancel its `run` is to
kill it: its connections break off, nothing is said any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

PATIENCE = 30.0
"""Seconds for which a request is sent again when the gateway breaks it off or answers 5xx."""

Work = Callable[[dict[str, Any], "MinimalWorker"], Awaitable[dict[str, Any]]]


class Died(Exception):
    """What the worker's work raises to end the worker with it."""


async def insist(http: httpx.AsyncClient, method: str, url: str, **more: Any) -> httpx.Response:
    """Send a request until something below 500 answers it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        try:
            answer = await http.request(method, url, **more)
            if answer.status_code < 500:
                return answer
            problem = f"{answer.status_code} {answer.text[:200]}"
        except httpx.TransportError as error:
            problem = repr(error)
        assert loop.time() < deadline, f"{method} {url}: {problem}"
        await asyncio.sleep(0.02)


async def tell_ended(http: httpx.AsyncClient, key: str, worker_id: str, *, died: bool) -> None:
    """Tell the gateway of a worker's end, as its fleet does; one that had not enrolled yet is not known there."""
    headers = {"Authorization": f"Bearer {key}"}
    body = {"died": died}
    answer = await insist(http, "POST", f"/v2/ace-step/workers/{worker_id}/ended", json=body, headers=headers)
    assert answer.status_code in (200, 404), answer.text


class MinimalWorker:
    """A worker under a fresh id; `work` makes the body of each job's result, such as {"output": ...}."""

    def __init__(self, http: httpx.AsyncClient, key: str, worker_id: str, work: Work) -> None:
        self.http, self.id, self._key, self._work = http, worker_id, key, work
        self._token, self._job_id = "", ""
        self._job: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work until cancelled, told to go, or Died."""
        try:
            async with asyncio.TaskGroup() as loops:
                heartbeat = await self._enrol()
                others = [loops.create_task(self._ping(heartbeat)), loops.create_task(self._stop())]
                await self._take()
                for other in others:
                    other.cancel()
        except* Died:
            pass
        finally:
            if self._job is not None:
                self._job.cancel()

    async def _enrol(self) -> float:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = await insist(self.http, "POST", "/v2/ace-step/workers", json={"worker_id": self.id}, headers=headers)
        if (
            answer.status_code == 409
        ):  # The first answer was lost on its way: an id without a token is good for nothing.
            raise Died
        assert answer.status_code == 200, answer.text
        self._token = answer.json()["token"]
        return answer.json()["heartbeat_ms"] / 1000

    async def ask(self, method: str, channel: str, rest: str = "", *, query: dict[str, str] | None = None, **more: Any):
        """Send a request to one of this worker's own URLs."""
        params = {"token": self._token, **(query or {})}
        url = f"/v2/ace-step/{channel}/{self.id}{rest}"
        return await insist(self.http, method, url, params=params, **more)

    async def _take(self) -> None:
        while True:
            answer = await self.ask("GET", "job-take", query={"job_in_progress": "0"})
            if answer.status_code == 401:
                return
            if answer.status_code == 200:
                job = answer.json()
                self._job_id, self._job = job["id"], asyncio.create_task(self._do(job))
                await asyncio.wait([self._job])
                if not self._job.cancelled():
                    self._job.result()
                self._job_id, self._job = "", None

    async def _do(self, job: dict[str, Any]) -> None:
        result = await self._work(job, self)
        await self.post(job, result)

    async def post(self, job: dict[str, Any], body: dict[str, Any]) -> None:
        """Send a result, or progress as {"status": "IN_PROGRESS", "output": ...}."""
        answer = await self.ask("POST", "job-done", f"/{job['id']}", query={"isStream": "false"}, json=body)
        assert answer.status_code in (200, 401), answer.text

    async def _ping(self, seconds: float) -> None:
        while True:
            await self.ask("GET", "ping", query={"job_id": self._job_id} if self._job_id else None)
            await asyncio.sleep(seconds)

    async def _stop(self) -> None:
        while True:
            answer = await self.ask("GET", "job-stop")
            if answer.status_code == 401:
                return
            if self._job is not None and self._job_id in answer.json()["jobsToStop"]:
                self._job.cancel()
