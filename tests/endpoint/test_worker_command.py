"""`worker` on another machine: enrolled with the worker key, drained before it ends, revived when it dies."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
from house import House, wait_until


def test_workers_from_elsewhere_do_jobs_come_back_after_a_death_and_leave_without_a_loss(tmp_path: Path):
    house = House(tmp_path / "data", "--workers", "0", heartbeat_seconds="1", lease_seconds="3")
    command = [sys.executable, "-m", "acestep_serverless", "worker", "--gateway", house.url, "--engine", "sketch"]
    environ = {**house.environ, "ACESTEP_SERVERLESS_WORKER_KEY": house.worker_key}
    with (tmp_path / "worker.log").open("wb") as log:
        crew = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=tmp_path)
    try:
        job_id = house.run(caption="far away", duration=2)
        assert house.wait(job_id)["status"] == "COMPLETED"

        long_id = house.run(caption="slow strings", duration=600, seed=1)
        first = house.wait(long_id, "IN_PROGRESS")["workerId"]
        (worker,) = psutil.Process(crew.pid).children()
        worker.kill()
        wait_until(lambda: house.status(long_id).get("workerId") != first, 90, "another worker")
        house.wait(long_id, "IN_PROGRESS", "COMPLETED")

        family = psutil.Process(crew.pid).children(recursive=True)
        crew.send_signal(signal.SIGTERM)
        assert crew.wait(60) == 0
        _, left = psutil.wait_procs(family, timeout=5)
        assert not left
        assert house.status(long_id)["status"] in ("IN_QUEUE", "COMPLETED")
    finally:
        if crew.poll() is None:
            crew.kill()
        house.close()
    assert house.worker_key not in (tmp_path / "worker.log").read_text()


def test_a_worker_with_a_wrong_key_no_key_or_a_wrong_endpoint_says_so_and_ends(tmp_path: Path):
    house = House(tmp_path / "data", "--workers", "0")
    command = [sys.executable, "-m", "acestep_serverless", "worker", "--gateway", house.url]
    try:
        for flags, words in (
            (["--key", "wrong"], "worker key is missing or wrong"),
            ([], "the worker key is missing"),
            (["--key", house.worker_key, "--endpoint-id", "nope"], "there is no endpoint 'nope' here"),
        ):
            done = subprocess.run(
                [*command, *flags], env=house.environ, capture_output=True, text=True, timeout=20, cwd=tmp_path
            )
            assert done.returncode == 1
            assert words in done.stderr
    finally:
        house.close()


def test_a_worker_gives_signs_of_life_as_often_as_its_gateway_wants_them(tmp_path: Path):
    """With its own default of 4 s it would be silent for longer than this gateway's lease."""
    house = House(tmp_path / "data", "--workers", "0", heartbeat_seconds="1", lease_seconds="3")
    environ = {name: value for name, value in house.environ.items() if "HEARTBEAT" not in name and "LEASE" not in name}
    command = [sys.executable, "-m", "acestep_serverless", "worker", "--gateway", house.url, "--engine", "sketch"]
    crew = subprocess.Popen(command, env={**environ, "ACESTEP_SERVERLESS_WORKER_KEY": house.worker_key}, cwd=tmp_path)
    try:
        job_id = house.run(caption="slow strings", duration=240, seed=1, poll_interval=30)
        assert house.wait(job_id, seconds=90)["status"] == "COMPLETED"
        assert house.health()["jobs"]["retried"] == 0
    finally:
        crew.terminate()
        crew.wait(60)
        house.close()
