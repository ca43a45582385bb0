"""Do two gateways on one PostgreSQL act as one? Each test submits at one of them and works at the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from endpoint_postgresql import PostgresqlServer, cut_all_connections, postgresql_server
from endpoint_rows import moves_by_job, states_by_job
from house import House, SdkWorker, wait_until
from minimal_worker import MinimalWorker, insist

KEY = "one-key-for-both"
AT_ONCE = 4.0
"""Seconds, below the 5 after which a gateway looks again without having been told."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


class Two:
    """Two `serve`s on one database, with one folder of audio files."""

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        self.url = url
        settings |= {"database_url": url, "artifacts_dir": str(folder / "artifacts"), "worker_key": KEY}
        self.houses = []
        for name in "ab":
            data_dir = folder / name / "data"
            data_dir.mkdir(parents=True)
            (data_dir / "worker.key").write_text(KEY)  # where `House` looks for it; `serve` has it from its settings
            self.houses.append(House(data_dir, **settings))

    def close(self) -> None:
        for house in self.houses:
            house.close()


@pytest.fixture(scope="module")
def two(server: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two gateways without workers of their own and with a short patience."""
    settings = {"workers": "0", "heartbeat_seconds": "1", "lease_seconds": "10"}
    two = Two(tmp_path_factory.mktemp("two"), server.database("two"), **settings)
    yield two
    two.close()


@pytest.fixture
def here(two: Two) -> House:
    """The gateway that clients ask."""
    return two.houses[0]


@pytest.fixture
def there(two: Two) -> House:
    """The gateway that workers ask."""
    return two.houses[1]


@asynccontextmanager
async def working(house: House, work, count: int = 1) -> AsyncIterator[list[MinimalWorker]]:
    """Have minimal workers at a gateway while the block runs."""
    async with httpx.AsyncClient(base_url=house.url, timeout=60, trust_env=False) as http:
        workers = [MinimalWorker(http, KEY, f"peer-{time.monotonic_ns()}-{number}", work) for number in range(count)]
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield workers
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def echo(job: dict[str, Any], _worker: MinimalWorker) -> dict[str, Any]:
    return {"output": job["input"]}


def client_of(house: House) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{house.url}/v2/ace-step", timeout=60, trust_env=False)


async def test_a_job_is_done_at_the_other_gateway_and_its_caller_hears_of_it_at_once(here: House, there: House):
    """The shortest of three: without notifications from gateway to gateway each would take five seconds."""
    times = []
    async with working(there, echo) as (worker,), client_of(here) as http:
        for number in range(3):
            began = time.monotonic()
            view = (await http.post("/runsync", json={"input": number})).json()
            times.append(time.monotonic() - began)
            assert (view["status"], view["output"], view["workerId"]) == ("COMPLETED", number, worker.id)
    assert min(times) < AT_ONCE, times


async def test_a_stream_is_read_at_the_other_gateway_while_it_is_written(here: House, there: House):
    """A read that nobody tells of a chunk would wait for five seconds and then find them all."""

    async def stream(job: dict[str, Any], worker: MinimalWorker) -> dict[str, Any]:
        for number in range(5):
            await worker.ask("POST", "job-stream", f"/{job['id']}", json={"output": number})
            await asyncio.sleep(0.3)
        return {"output": []}

    async with working(there, stream), client_of(here) as http:
        job_id = (await http.post("/run", json={"input": {}})).json()["id"]
        answers = []
        while not answers or answers[-1]["status"] not in ("COMPLETED", "FAILED"):
            assert len(answers) < 50
            answers.append((await http.get(f"/stream/{job_id}")).json())
    assert [item["output"] for answer in answers for item in answer["stream"]] == [0, 1, 2, 3, 4]
    assert sum(bool(answer["stream"]) for answer in answers) > 1
    assert answers[-1]["status"] == "COMPLETED"


def test_progress_and_a_cancel_pass_between_the_gateways_to_a_worker_of_the_sdk(here: House, there: House):
    worker = SdkWorker(there, f"sdk-{time.monotonic_ns()}", "async")
    try:
        worker.has_polled()
        job_id = here.run(steps=3, sleep=60)
        wait_until(lambda: here.status(job_id).get("output") == {"step": 2}, what="the progress of the other gateway")
        assert here.post(f"cancel/{job_id}")["status"] == "CANCELLED"
        worker.has_logged("Job stopped.")
        view = here.wait(here.run(**{"return": "next"}))
        assert (view["output"], view["workerId"]) == ("next", worker.id)
        assert there.status(job_id)["status"] == "CANCELLED"
    finally:
        worker.close()


async def test_audio_that_one_gateway_took_in_is_handed_out_by_the_other(here: House, there: House):
    sound = bytes(range(256)) * 100

    async def deliver(job: dict[str, Any], worker: MinimalWorker) -> dict[str, Any]:
        filed = await worker.ask("PUT", "artifacts", f"/{job['id']}/0.mp3", content=sound)
        return {"output": filed.json()["file"]}

    async with working(there, deliver), client_of(here) as http:
        file = (await http.post("/runsync", json={"input": {}})).json()["output"]
        for house in (here, there):
            answer = await http.get(f"{house.url}{file}")
            assert (answer.status_code, answer.content) == (200, sound)


async def submit(houses: list[House], count: int) -> dict[str, int]:
    """Submit at both gateways in turn, each request until it is acknowledged; gives the input of each job."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:

        async def one(number: int) -> str:
            url = f"{houses[number % 2].url}/v2/ace-step/run"
            answer = await insist(http, "POST", url, json={"input": number})
            assert answer.status_code == 200, answer.text
            return answer.json()["id"]

        return {await one(number): number for number in range(count)}


async def all_ended(two: Two) -> None:
    async with asyncio.timeout(60):
        while not set(await asyncio.to_thread(lambda: states_by_job(two.url).values())) <= {"COMPLETED", "CANCELLED"}:
            await asyncio.sleep(0.1)


async def slow_echo(job: dict[str, Any], _worker: MinimalWorker) -> dict[str, Any]:
    await asyncio.sleep(0.05)
    return {"output": job["input"]}


async def check_completed_once(two: Two, jobs: dict[str, int]) -> None:
    await all_ended(two)
    moves = moves_by_job(two.url)
    assert {job_id: moves[job_id].count("complete") for job_id in jobs} == dict.fromkeys(jobs, 1)
    async with client_of(two.houses[0]) as http:
        for job_id, number in jobs.items():
            assert (await insist(http, "GET", f"/status/{job_id}")).json()["output"] == number


async def test_the_death_of_either_gateway_loses_no_job_and_no_result(two: Two):
    async with working(two.houses[0], slow_echo, 2), working(two.houses[1], slow_echo, 2):
        submitting = asyncio.create_task(submit(two.houses, 60))
        for house in two.houses:
            await asyncio.sleep(0.2)
            (core,) = house.children("core")
            core.kill()
            await asyncio.to_thread(
                wait_until,
                lambda house=house, dead=core.pid: [child for child in house.children("core") if child.pid != dead],
                what="another core",
            )
        await check_completed_once(two, await submitting)


async def test_cut_database_connections_lose_nothing_and_no_request_fails(two: Two):
    """Every answer is 200, since a gateway tries again behind it."""

    async def run(http: httpx.AsyncClient, number: int) -> tuple[str, int]:
        answer = await http.post("/run", json={"input": number})
        assert answer.status_code == 200, answer.text
        view = await http.get(f"/status/{answer.json()['id']}")
        assert view.status_code == 200, view.text
        return answer.json()["id"], number

    async def cut() -> int:
        total = 0
        for _ in range(5):
            await asyncio.sleep(0.15)
            total += await asyncio.to_thread(cut_all_connections, two.url)
        return total

    async with (
        working(two.houses[0], slow_echo, 2),
        working(two.houses[1], slow_echo, 2),
        client_of(two.houses[0]) as first,
        client_of(two.houses[1]) as second,
    ):
        cutting, jobs = asyncio.create_task(cut()), dict[str, int]()
        while not cutting.done():
            jobs |= dict(await asyncio.gather(*(run(http, len(jobs)) for http in (first, second))))
        assert await cutting >= 10
        await check_completed_once(two, jobs)


def workers_of(two: Two) -> int:
    return sum(len(house.children("worker")) for house in two.houses if house.process.poll() is None)


def test_one_fleet_of_two_acts_and_the_other_takes_over_when_its_machine_is_gone(
    server: PostgresqlServer, tmp_path: Path
):
    """The lease on the endpoint is 15 s, and a worker starts in two."""
    two = Two(
        tmp_path, server.database("fleets"), workers="1", engine="sketch", heartbeat_seconds="1", lease_seconds="5"
    )
    try:
        wait_until(lambda: workers_of(two) == 1, what="the one worker")
        leading, resting = sorted(two.houses, key=lambda house: len(house.children("worker")), reverse=True)
        view = resting.wait(resting.run(caption="soft piano", duration=2))
        assert view["status"] == "COMPLETED", view
        audio = resting.http.get(view["output"]["results"][0]["file"])
        assert len(audio.content) == view["output"]["results"][0]["bytes"]
        assert workers_of(two) == 1

        family = leading.family()
        job_id = leading.run(caption="slow strings", duration=10)
        for process in family[::-1]:
            process.kill()
        leading.process.wait(60)
        psutil.wait_procs(family, timeout=8)
        view = resting.wait(job_id, seconds=60)
        assert view["status"] == "COMPLETED", view
        assert workers_of(two) == 1
    finally:
        two.close()
