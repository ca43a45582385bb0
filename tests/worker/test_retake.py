"""Is finished work done once, whoever dies? A real gateway, real worker processes, and a wire that loses results."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from handler_studio import Studio
from house import House, free_port, wait_until
from recording_server import Recorded, RecordingServer, Reply, recording_server

from acestep_serverless.assembly.child import words_for_child
from acestep_serverless.settings import Settings

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding"}


@dataclass
class LossyWire:
    """Hands every request on to the gateway and its answer back. While `lossy`, results are refused with 503 and never
    arrive; songs and progress do."""

    gateway: httpx.AsyncClient
    lossy: bool = True
    shelved: list[tuple[str, str]] = field(default_factory=list)
    """(job id, `file` value) of every song that the gateway took."""

    async def __call__(self, request: Recorded) -> Reply:
        if self.lossy and is_result(request):
            return Reply(503)
        headers = {name: value for name, value in request.headers.items() if name not in HOP_BY_HOP}
        url = f"{request.path}?{request.query}"
        answer = await self.gateway.request(request.method, url, content=request.body, headers=headers)
        body = answer.json() if answer.content else None
        if "/artifacts/" in request.path:
            self.shelved.append((request.path.split("/")[-2], body["file"]))
        return Reply(answer.status_code, body)


def is_result(request: Recorded) -> bool:
    return "/job-done/" in request.path and b'"IN_PROGRESS"' not in request.body


@asynccontextmanager
async def on_a_port(app: FastAPI) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 60)


@dataclass
class Machine:
    """Starts workers as a fleet does, each to be killed. One machine is one folder of kept outputs; where it is not
    named, the one beside the scratch folder."""

    house: House
    wire: RecordingServer
    acestep: str
    folder: Path

    @contextmanager
    def worker(self, worker_id: str, kept: str | None = None) -> Iterator[None]:
        settings = Settings.load(
            gateway=self.wire.url,
            worker_key=self.house.worker_key,
            acestep_api_url=self.acestep,
            heartbeat_seconds=1,
            lease_seconds=3,
        )
        words: dict[str, Any] = {"settings": settings.for_child(), "worker_id": worker_id, "parent": os.getpid()}
        words |= {"fleet_id": "retakers", "scratch": str(self.folder / "scratch")}
        words |= {"kept": str(self.folder / kept)} if kept else {}
        command = [sys.executable, "-m", "acestep_serverless.assembly.worker"]
        with (self.folder / f"{worker_id}.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder)
        assert process.stdin is not None
        try:
            process.stdin.write(words_for_child(words))
            process.stdin.flush()
            yield
        finally:
            process.kill()
            process.wait(60)
            process.stdin.close()
            headers = {"Authorization": f"Bearer {self.house.worker_key}"}
            self.house.http.post(
                f"/v2/ace-step/workers/{worker_id}/ended", json={"died": True}, headers=headers
            ).raise_for_status()

    async def results_of(self, worker_id: str) -> None:
        """Wait until this worker has sent a result: what it made is kept by then, and the wire has it."""
        await self.wire.arrived(lambda request: is_result(request) and f"/{worker_id}/" in request.path, seconds=40)


@pytest.fixture
def gateway_house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "data", "--workers", "0", heartbeat_seconds="1", lease_seconds="3")
    yield house
    house.close()


async def test_what_a_killed_worker_finished_its_machine_delivers_and_another_machine_makes_again(
    gateway_house: House, studio: Studio, tmp_path: Path
) -> None:
    house = gateway_house
    async with (
        httpx.AsyncClient(base_url=house.url, timeout=60, trust_env=False) as through,
        on_a_port(studio.app) as acestep,
        recording_server(wire := LossyWire(through)) as listening,
    ):
        machine = Machine(house, listening, acestep, tmp_path)
        job_id = house.run(caption="a calm tone", duration=1, poll_interval=1)
        with machine.worker("first", "another-machine"):
            await machine.results_of("first")
        assert house.status(job_id)["status"] == "IN_QUEUE"
        assert len(studio.engine.requests) == 1
        assert len(list((tmp_path / "another-machine").iterdir())) == 1

        with machine.worker("elsewhere"):
            await machine.results_of("elsewhere")
        assert len(studio.engine.requests) == 2, "another machine knows nothing of it"
        assert len(list((tmp_path / "kept").iterdir())) == 1
        assert len(wire.shelved) == 2
        assert len(set(wire.shelved)) == 1, "the songs of a job keep their names, whoever makes them"

        wire.lossy = False
        with machine.worker("successor"):
            view = await asyncio.to_thread(house.wait, job_id, "COMPLETED", seconds=40)
            await asyncio.to_thread(wait_until, lambda: not list((tmp_path / "kept").iterdir()), 20, "oblivion")
        assert len(studio.engine.requests) == 2, "what is kept is not generated again"
        assert len(wire.shelved) == 2
        song = view["output"]["results"][0]
        assert (job_id, song["file"]) == wire.shelved[0]
        audio = await asyncio.to_thread(house.http.get, song["file"])
        assert len(audio.content) == song["bytes"]
