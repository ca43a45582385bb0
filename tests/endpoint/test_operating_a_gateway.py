"""Do the operator's commands reach a gateway that runs? Keys close it, a cancel stops a worker, bells ring."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from endpoint_postgresql import postgresql_server
from house import House, wait_until

from acestep_serverless.assembly.office import Office, in_office
from acestep_serverless.assembly.operating import cancel_jobs
from acestep_serverless.contract.job import JobRequest
from acestep_serverless.database.broadcast import CHANNEL, Broadcast
from acestep_serverless.database.engine import open_engine
from acestep_serverless.settings import Settings

SONG = bytes(range(256)) * 8


def command(house: House, *words: str) -> str:
    """Run a command beside the gateway, with its settings; gives what it printed on standard output."""
    line = [sys.executable, "-m", "acestep_serverless", *words, "--data-dir", str(house.data_dir)]
    folder = house.data_dir.parent
    done = subprocess.run(line, cwd=folder, env=house.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def code(house: House, path: str, key: str = "") -> int:
    """Ask for something and give the answer's code."""
    return house.http.get(path, headers={"Authorization": f"Bearer {key}"} if key else {}).status_code


class Peer:
    """A worker made of plain requests, so that each of them is at hand."""

    def __init__(self, house: House, worker_id: str) -> None:
        self.house, self.id = house, worker_id
        headers = {"Authorization": f"Bearer {house.worker_key}"}
        answer = house.http.post("/v2/ace-step/workers", json={"worker_id": worker_id}, headers=headers)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]

    def ask(self, method: str, channel: str, rest: str = "", **content: Any) -> httpx.Response:
        url = f"/v2/ace-step/{channel}/{self.id}{rest}"
        return self.house.http.request(method, url, params={"token": self.token}, **content)


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[House]:
    """A gateway without keys and with two endpoints."""
    house = House(tmp_path / "data", "--workers", "0", endpoints='{"drafts": {"workers": 0}}')
    yield house
    house.close()


def test_a_key_closes_a_running_gateway_opens_its_own_endpoint_only_and_leaves_it_closed_when_it_ends(
    open_gateway: House,
) -> None:
    house, here, there = open_gateway, "/v2/ace-step/health", "/v2/drafts/health"
    job_id = house.run(caption="x")
    peer = Peer(house, "w1")
    assert peer.ask("GET", "job-take").json()["id"] == job_id
    song = peer.ask("PUT", "artifacts", f"/{job_id}/0.mp3", content=SONG).json()["file"]
    assert (code(house, here), code(house, song)) == (200, 200)
    ours = json.loads(command(house, "keys", "create", "--name", "us", "--endpoint", "ace-step", "--json"))
    theirs = command(house, "keys", "create", "--name", "them", "--endpoint", "drafts").strip()
    wait_until(lambda: code(house, here) == 401, what="the gateway to be closed")
    wait_until(lambda: code(house, there, theirs) == 200, what="the second key")
    assert (code(house, song), code(house, there)) == (401, 401)
    assert (code(house, here, ours["key"]), code(house, song, ours["key"])) == (200, 200)
    assert (code(house, here, theirs), code(house, song, theirs)) == (401, 404)
    assert code(house, there, ours["key"]) == 401
    command(house, "keys", "revoke", ours["id"])
    wait_until(lambda: code(house, here, ours["key"]) == 401, what="the end of the key")
    assert (code(house, song, ours["key"]), code(house, here), code(house, song)) == (401, 401, 401)
    assert code(house, there, theirs) == 200
    other = next(key["id"] for key in json.loads(command(house, "keys", "list", "--json")) if key["name"] == "them")
    command(house, "keys", "revoke", other)
    wait_until(lambda: code(house, there, theirs) == 401, what="the end of the last key")
    assert (code(house, there), code(house, here), code(house, song)) == (401, 401, 401)


def test_a_gateway_that_others_can_reach_starts_once_a_key_was_made(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "acestep_serverless", "serve", "--host", "0.0.0.0", "--port", "0"]
    refused = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "'acestep-serverless keys create'" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    line = [sys.executable, "-m", "acestep_serverless", "keys", "create", "--name", "the first"]
    made = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    house = House(tmp_path / "data", "--host", "0.0.0.0", "--workers", "0", max_workers="2")
    try:
        health = "/v2/ace-step/health"
        assert (code(house, health), code(house, health, made.stdout.strip())) == (401, 200)
        wait_until(lambda: "Try:" in house.log.read_text(), what="the announcement")
        said = house.log.read_text()
        assert "(clients need a key)" in said
        assert "0 to 2 workers" in said
        assert "Bearer <your key>" in said
    finally:
        house.close()


def test_a_cancel_reaches_a_worker_that_waits_on_its_stop_channel_and_a_drain_ends_its_poll(
    open_gateway: House,
) -> None:
    house = open_gateway
    peer = Peer(house, "w1")
    job_id = house.run(caption="x")
    assert peer.ask("GET", "job-take").json()["id"] == job_id
    command(house, "jobs", "cancel", job_id)
    assert peer.ask("GET", "job-stop").json() == {"jobsToStop": [job_id]}
    assert house.status(job_id)["status"] == "CANCELLED"
    command(house, "workers", "drain", "w1")
    waiting = house.run(caption="y")
    assert peer.ask("GET", "job-take").status_code == 204
    assert house.status(waiting)["status"] == "IN_QUEUE"
    (worker,) = json.loads(command(house, "workers", "list", "--json"))
    assert (worker["id"], worker["state"]) == ("w1", "draining")


def heard(ear: psycopg.Connection, topic: str) -> bool:
    """Tell whether this bell is rung by anybody, soon."""
    notices = ear.notifies(timeout=20)
    found = any(topic in json.loads(notice.payload) for notice in notices)
    notices.close()
    return found


def test_on_postgresql_a_command_rings_the_bells_of_gateways_before_it_ends(tmp_path: Path) -> None:
    with postgresql_server() as server:
        uri = server.database("office")
        settings = Settings.load(data_dir=tmp_path / "data", database_url=uri)
        asyncio.run(in_office(settings, submit, may_make=True))
        with psycopg.connect(uri, autocommit=True) as ear:
            ear.execute(f"LISTEN {CHANNEL}")
            (outcome,) = asyncio.run(in_office(settings, lambda office: cancel_jobs(office, ["j1"])))
            assert outcome["status"] == "CANCELLED"
            assert heard(ear, "job:j1")
            engine = open_engine(uri)
            at_once = Broadcast(engine, "somebody", lambda _topics: None)
            at_once.send(["the last word"])
            at_once.start()
            at_once.stop()
            engine.dispose()
            assert heard(ear, "the last word")
    assert not (tmp_path / "data").exists()


async def submit(office: Office) -> None:
    await office.desk.submit("ace-step", "j1", JobRequest({"n": 1}), 600_000)
