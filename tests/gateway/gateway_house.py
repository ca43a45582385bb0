"""A gateway in this process: the real app over a real database, without sockets, with a clock that can be moved."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from acestep_serverless.assembly.core import build
from acestep_serverless.clock import Clock
from acestep_serverless.gateway.parts import GatewayRules, Parts
from acestep_serverless.settings import Settings

WORKER_KEY = "the-worker-key"
QUICK = GatewayRules(hold=0.2, drain_hold=0.02, refusal=0.0, stream_hold=60, look_again=60)
PATIENT = replace(QUICK, hold=60)
"""Nobody looks without a bell: what is answered within `SOON` was woken."""
SOON = 30.0
"""Seconds: what a busy machine may take for an answer that needs no waiting."""
"""Rules under which a hold without news is over soon."""


class MovedClock:
    """Wall time that stands still until `move` is called; the monotonic one is real, so that holds end."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self.clock = Clock(now_ms=lambda: self.now, monotonic=time.monotonic)

    def move(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class Hired:
    """A worker that has enrolled: its URLs, token included."""

    def __init__(self, house: "GatewayHouse", worker_id: str, token: str) -> None:
        self.house, self.id, self.token = house, worker_id, token

    def url(self, channel: str, rest: str = "", **query: object) -> httpx.URL:
        path = f"/v2/{self.house.endpoint_id}/{channel}/{self.id}{rest}"
        return httpx.URL(path, params={"token": self.token, **query})

    async def take(self) -> dict[str, Any] | None:
        answer = await self.house.http.get(self.url("job-take", job_in_progress=0))
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else None

    async def done(self, job_id: str, body: bytes | str) -> httpx.Response:
        url = self.url("job-done", f"/{job_id}", isStream="false")
        content = body.encode() if isinstance(body, str) else body
        return await self.house.http.post(url, content=content)

    async def ping(self, *job_ids: str, **query: str) -> httpx.Response:
        listed = {"job_id": ",".join(job_ids)} if job_ids else {}
        return await self.house.http.get(self.url("ping", **listed, **query))

    async def stops(self) -> list[str]:
        answer = await self.house.http.get(self.url("job-stop"))
        assert answer.status_code == 200
        return answer.json()["jobsToStop"]

    async def put(self, job_id: str, name: str, content: bytes, **headers: str) -> httpx.Response:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.house.http.put(self.url("artifacts", f"/{job_id}/{name}"), content=content, headers=named)


class GatewayHouse:
    """The app, its parts, an HTTP client to it."""

    def __init__(self, app: FastAPI, http: httpx.AsyncClient, clock: MovedClock, settings: Settings) -> None:
        self.app, self.http, self.clock, self.settings = app, http, clock, settings
        self.endpoint_id = settings.endpoint_id

    @property
    def parts(self) -> Parts:
        return self.app.state.parts

    async def post(self, operation: str, body: object = None, **headers: str) -> httpx.Response:
        return await self.http.post(f"/v2/{self.endpoint_id}/{operation}", json=body, headers=headers)

    async def get(self, operation: str, **headers: str) -> httpx.Response:
        return await self.http.get(f"/v2/{self.endpoint_id}/{operation}", headers=headers)

    async def run(self, **wish: object) -> str:
        answer = await self.post("run", {"input": wish or {"caption": "x"}})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    async def status(self, job_id: str) -> dict[str, Any]:
        return (await self.get(f"status/{job_id}")).json()

    async def workers(self, path: str = "", body: object = None, method: str = "POST") -> httpx.Response:
        headers = {"Authorization": f"Bearer {WORKER_KEY}"}
        return await self.http.request(method, f"/v2/{self.endpoint_id}/workers{path}", json=body, headers=headers)

    async def hire(self, worker_id: str = "w1", **body: object) -> Hired:
        answer = await self.workers(body={"worker_id": worker_id, **body})
        assert answer.status_code == 200, answer.text
        return Hired(self, worker_id, answer.json()["token"])


@contextlib.asynccontextmanager
async def open_house(
    data_dir: Path, *, rules: GatewayRules = QUICK, first_start: bool = True, **settings: object
) -> AsyncIterator[GatewayHouse]:
    """Open a gateway over a data folder; leaving closes it in good order."""
    clock = MovedClock()
    known = {"data_dir": data_dir, "worker_key": WORKER_KEY, "heartbeat_seconds": 4, "lease_seconds": 30} | settings
    checked = Settings.load(**known)
    app = build(checked, first_start=first_start, clock=clock.clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=30) as http,
    ):
        app.state.parts = replace(app.state.parts, rules=rules)
        yield GatewayHouse(app, http, clock, checked)
