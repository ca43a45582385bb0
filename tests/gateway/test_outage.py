"""What do clients and workers see while PostgreSQL is stopped, and afterwards? 503, and then everything as it was."""

import asyncio
from collections.abc import Iterator

import pytest
from gateway_house import SOON, GatewayHouse, open_house

from acestep_serverless.access.keys import digest
from acestep_serverless.clock import Clock
from acestep_serverless.database import reader, writer
from acestep_serverless.database.database import Database
from acestep_serverless.errors import Unavailable
from acestep_serverless.registry.keys import KeyRegistry
from described_operations import Description
from postgresql_server import PostgreSQL

CLIENT_KEY = "a-key-of-a-client"


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgreSQL]:
    """A server that only these tests use, since they stop it."""
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture
async def house(own_server, tmp_path):
    async with open_house(tmp_path / "data", database_url=own_server.new_database(), api_keys=CLIENT_KEY) as house:
        house.http.headers["Authorization"] = f"Bearer {CLIENT_KEY}"
        yield house


async def _stop(server: PostgreSQL) -> None:
    await asyncio.to_thread(server.stop)


async def _start(server: PostgreSQL) -> None:
    await asyncio.to_thread(server.start)


async def test_a_stopped_database_is_503_with_retry_after_and_nothing_is_lost(house, own_server, monkeypatch):
    monkeypatch.setattr(writer, "PAUSES", (0.02, 0.05))  # Patience that a test can wait out.
    monkeypatch.setattr(reader, "PAUSES", (0.0, 0.05))
    worker = await house.hire()
    running, waiting = await house.run(n=1), await house.run(n=2)
    taken = await worker.take()
    await _stop(own_server)
    try:
        answers = [
            await house.post("run", {"input": {"n": 3}}),
            await house.post("runsync", {"input": {"n": 4}}),
            await house.get(f"status/{running}"),
            await house.get("health"),
            await house.get("requests"),
            await house.post(f"cancel/{waiting}"),
            await worker.done(running, '{"output": 1}'),
        ]
    finally:
        await _start(own_server)
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert "database" in answer.json()["error"]
    assert taken["id"] == running
    assert (await house.status(running))["status"] == "IN_PROGRESS"
    assert (await worker.done(running, '{"output": 1}')).json() == {"status": "COMPLETED"}
    assert (await worker.take())["id"] == waiting
    listed = (await house.get("requests")).json()
    assert {job["id"] for job in listed["requests"]} == {running, waiting}, "what was answered 503 was not queued"


async def test_every_operation_answers_as_described_while_no_key_can_be_read(house, own_server, monkeypatch):
    monkeypatch.setattr(reader, "PAUSES", (0.0,))
    description = Description((await house.http.get("/openapi.json")).json())
    await _stop(own_server)
    try:
        codes = {
            operation.path: description.see(operation, await house.http.request(operation.method, operation.place()))
            for operation in description
        }
    finally:
        await _start(own_server)
    assert set(codes.values()) == {"503"}, codes


async def test_an_outage_shorter_than_the_writers_patience_is_only_a_wait(house, own_server):
    await house.run(n=0)
    await _stop(own_server)
    asked = asyncio.create_task(house.post("run", {"input": {"n": 1}}))
    try:
        done, _ = await asyncio.wait({asked}, timeout=0.3)
        assert not done, asked.result().text
    finally:
        await _start(own_server)
    answer = await asyncio.wait_for(asked, SOON)
    assert answer.status_code == 200, answer.text
    assert (await house.status(answer.json()["id"]))["status"] == "IN_QUEUE"


async def test_reads_go_on_when_every_connection_was_cut(house: GatewayHouse, own_server):
    job_id = await house.run(n=1)
    for _ in range(5):
        cut = await asyncio.to_thread(own_server.cut, house.settings.database_url.get_secret_value())
        assert cut > 0
        answers = await asyncio.gather(*(house.get(f"status/{job_id}") for _ in range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8


async def test_keys_that_were_read_before_still_hold_while_the_database_is_away(own_server, monkeypatch):
    """Nobody could have revoked one meanwhile either."""
    monkeypatch.setattr(reader, "PAUSES", (0.0,))
    database, now = Database(own_server.new_database()), [0.0]
    database.open()
    try:
        clock = Clock(now_ms=lambda: 0, monotonic=lambda: now[0])
        known = KeyRegistry(database, clock, lambda: "the-secret")
        await known.create("of a table", ["ace-step"])
        before = await known.rows()
        assert before.opened_by(digest("the-secret"), ["ace-step"]) == {"ace-step"}
        await _stop(own_server)
        now[0] = 3600.0
        assert await known.rows() == before
        with pytest.raises(Unavailable):
            await KeyRegistry(database, clock, lambda: "").rows()  # It never knew any: it must not take that for open.
    finally:
        await _start(own_server)
        database.close()
