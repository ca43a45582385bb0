"""Does a real `serve` start workers for jobs and end them afterwards? With the built-in engine: a start takes 2 s."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from house import House, free_port, wait_until

FROM_ZERO = {"workers": "0", "idle_timeout_seconds": "1", "engine": "sketch"}


def workers_of(house: House, endpoint: str) -> int:
    """How many workers of an endpoint the gateway lists."""
    headers = {"Authorization": f"Bearer {house.worker_key}"}
    return len(house.http.get(f"/v2/{endpoint}/workers", headers=headers).json()["workers"])


def test_workers_come_with_a_job_and_go_when_idle_and_a_job_that_races_with_their_end_is_done_once(tmp_path: Path):
    """The second job comes while the first one's worker is being let go, the third one when nobody is left."""
    house = House(tmp_path / "data", **FROM_ZERO, max_workers="2")
    try:
        assert house.children("worker") == []
        jobs = []
        for until in (lambda: "worker is let go" in house.log.read_text(), lambda: not house.children("worker")):
            jobs.append(house.run(caption="soft piano", duration=2))
            assert house.wait(jobs[-1])["status"] == "COMPLETED"
            wait_until(until, what="the end of the idle worker, or its beginning")
        jobs.append(house.run(caption="soft piano", duration=2))
        assert house.wait(jobs[-1])["status"] == "COMPLETED"
        assert len({house.status(job_id)["workerId"] for job_id in jobs}) == 3
        assert house.health()["jobs"] == {"completed": 3, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0}
        wait_until(lambda: workers_of(house, "ace-step") == 0, what="the gateway's note of the last end")
        assert (house.data_dir / "kept" / "ace-step").is_dir(), "it outlives the workers"
    finally:
        house.close()


def test_never_more_workers_than_the_maximum_however_many_jobs_wait(tmp_path: Path):
    house = House(tmp_path / "data", **FROM_ZERO, max_workers="2", scaler="REQUEST_COUNT", scaler_value="1")
    try:
        jobs = [house.run(caption="soft piano", duration=10, seed=seed) for seed in range(5)]
        most = 0

        def all_done() -> bool:
            nonlocal most
            most = max(most, len(house.children("worker")))
            return house.health()["jobs"]["completed"] == len(jobs)

        wait_until(all_done, 180, "the end of all jobs")
        assert most == 2
    finally:
        house.close()


def test_workers_that_keep_dying_are_tried_ever_more_rarely_and_the_job_is_done_when_they_live(tmp_path: Path):
    """A file where their scratch folder should be ends them right after their start."""
    house = House(tmp_path / "data", **FROM_ZERO, max_workers="3", scaler="REQUEST_COUNT", scaler_value="1")
    try:
        (house.data_dir / "scratch").write_text("in the way")
        jobs = [house.run(caption="soft piano", duration=2) for _ in range(3)]
        wait_until(lambda: house.log.read_text().count("worker died") >= 4, 120, "four deaths")
        log = house.log.read_text()
        assert log.count("worker started") < log.count("worker died") + 3, "never three again"
        (house.data_dir / "scratch").unlink()
        for job_id in jobs:
            assert house.wait(job_id, seconds=120)["status"] == "COMPLETED"
        assert house.health()["jobs"]["retried"] == 0, "they died before they took a job"
    finally:
        house.close()


@pytest.fixture
def acestep_server(tmp_path: Path) -> Iterator[str]:
    """An ACE-Step server of its own, as the engine of one endpoint."""
    port = free_port()
    command = [sys.executable, "-m", "acestep_serverless", "acestep-api", "--engine", "sketch", "--port", str(port)]
    with (tmp_path / "acestep.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/health", timeout=1, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, what="the ACE-Step server")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def test_two_endpoints_of_one_serve_have_engines_limits_and_lives_of_their_own(tmp_path: Path, acestep_server: str):
    """The second endpoint drives a server elsewhere and comes from zero; the first keeps its one worker."""
    drafts = {"workers": 0, "max_workers": 1, "idle_timeout_seconds": 1, "acestep_api_url": acestep_server}
    house = House(
        tmp_path / "data",
        workers="1",
        engine="sketch",
        endpoints=json.dumps({"drafts": drafts, "nobody": {"workers": 0}}),
        api_keys="mine,drafts:theirs",
        webhook_secret="whsec_c2VjcmV0",
        gpus="0,1",
    )
    try:
        mine, theirs = {"Authorization": "Bearer mine"}, {"Authorization": "Bearer theirs"}
        body = {"input": {"caption": "soft piano", "duration": 2}}
        jobs = {
            endpoint: house.http.post(f"/v2/{endpoint}/run", json=body, headers=key).json()["id"]
            for endpoint, key in (("ace-step", mine), ("drafts", theirs))
        }

        def status(endpoint: str, key: dict[str, str]) -> str:
            return house.http.get(f"/v2/{endpoint}/status/{jobs[endpoint]}", headers=key).json()["status"]

        wait_until(lambda: status("ace-step", mine) == "COMPLETED", what="the first endpoint's song")
        wait_until(lambda: status("drafts", theirs) == "COMPLETED", what="the second endpoint's song")
        assert (tmp_path / "acestep.log").read_text().count("task ended") == 1, "of the second endpoint"
        wait_until(lambda: workers_of(house, "drafts") == 0, what="the end of the second endpoint's worker")
        assert workers_of(house, "ace-step") == 1
        assert workers_of(house, "nobody") == 0
        (worker,) = house.children("worker")
        assert worker.environ()["CUDA_VISIBLE_DEVICES"] == "0"
        assert re.fullmatch("[0-9a-f]{16}", (house.data_dir / "fleet.id").read_text())
    finally:
        house.close()
