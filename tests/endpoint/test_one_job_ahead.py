"""Is the next job there before the last one ends, and does each count its own time? The real engine, a real bucket."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from house import House, wait_until

from bucket_server import ACCESS_ID, ACCESS_SECRET, Storage, storage


@pytest.fixture(scope="module")
def store() -> Iterator[Storage]:
    with storage() as found:
        found.client().create_bucket(Bucket="songs")
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("ahead")
    house = House(folder / "data", "--engine", "sketch", bucket_private="true")
    yield house
    house.close()


def test_a_job_that_waits_at_its_worker_counts_no_time_and_outlives_the_one_before_it(house: House) -> None:
    long = house.run(caption="long strings", duration=600, batch_size=8, seed=1, poll_interval=1)
    house.wait(long, "IN_PROGRESS")
    short = house.run(caption="soft piano", duration=2, poll_interval=1)
    waiting = house.wait(short, "IN_PROGRESS")
    assert waiting["workerId"] == house.status(long)["workerId"]
    wait_until(lambda: house.status(long).get("output"), what="the first progress of the one that is made")
    waiting = house.status(short)
    assert "output" not in waiting
    assert waiting["executionTime"] == 0
    assert house.status(long)["executionTime"] > 0
    house.post(f"cancel/{long}")
    done = house.wait(short)
    assert done["status"] == "COMPLETED"
    assert done["delayTime"] >= waiting["delayTime"]
    assert house.status(long)["status"] == "CANCELLED"


def test_songs_of_a_job_with_a_bucket_of_its_own_are_there_and_not_at_the_gateway(house: House, store: Storage) -> None:
    body = {"input": {"caption": "soft piano", "duration": 2, "seed": 7}, "s3Config": store.s3_config()}
    job = house.post("runsync", body)
    (song,) = job["output"]["results"]
    assert httpx.get(song["url"], trust_env=False).content
    assert house.http.get(song["file"]).status_code == 404
    assert "audio" not in job["output"]
    assert "warnings" not in job["output"]
    for secret in (ACCESS_ID, ACCESS_SECRET):
        assert secret not in house.log.read_text()
    assert ACCESS_SECRET not in repr(job)
