"""kill -9 anywhere, at any moment: no acknowledged job is lost, none is completed twice, no process is left behind."""

import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from house import House, wait_until

TEN = 10


@pytest.fixture
def sketch_house(tmp_path: Path):
    house = House(tmp_path / "data", "--engine", "sketch", heartbeat_seconds="1", lease_seconds="3")
    yield house
    house.close()


def submit_ten(house: House) -> list[str]:
    return [house.run(caption="steady drums", duration=6, seed=index, poll_interval=1) for index in range(TEN)]


def moves(house: House, job_id: str) -> list[str]:
    with closing(sqlite3.connect(house.data_dir / "acestep-serverless.sqlite3")) as database:
        rows = database.execute("SELECT move FROM job_events WHERE job_id = ? ORDER BY number", (job_id,))
        return [move for (move,) in rows]


def wait_for_a_running_one(house: House, job_ids: list[str]) -> str:
    def running() -> str | None:
        return next((job_id for job_id in job_ids if house.status(job_id)["status"] == "IN_PROGRESS"), None)

    return str(wait_until(running, 90, "a running job"))


def test_ten_jobs_outlive_the_death_of_the_worker_then_the_core_then_the_parent(sketch_house: House):
    house = sketch_house
    job_ids = submit_ten(house)

    struck = wait_for_a_running_one(house, job_ids)
    (worker,) = house.children("worker")
    worker.kill()
    house.wait(struck, "COMPLETED")

    wait_for_a_running_one(house, job_ids)
    (core,) = house.children("core")
    core.kill()
    wait_until(lambda: [child for child in house.children("core") if child.pid != core.pid], what="another core")
    house.status(job_ids[0])

    wait_for_a_running_one(house, job_ids)
    family = house.family()
    house.process.kill()
    house.process.wait(60)
    _, left = psutil.wait_procs(family, timeout=8)
    assert not left, f"left behind: {[process.cmdline() for process in left]}"

    house.start()
    for job_id in job_ids:
        view = house.wait(job_id, seconds=60)
        assert view["status"] == "COMPLETED", view
        assert moves(house, job_id).count("complete") == 1
        audio = house.http.get(view["output"]["results"][0]["file"])
        assert audio.status_code == 200
        assert len(audio.content) == view["output"]["results"][0]["bytes"]
    deaths = sum(moves(house, job_id).count("bury") for job_id in job_ids)
    assert deaths <= 1, "only the worker's own death counts; the core's and the parent's do not"


def test_ctrl_c_ends_everything_and_a_new_start_goes_on_where_it_was(sketch_house: House):
    house = sketch_house
    job_ids = [house.run(caption="slow strings", duration=60, seed=1) for _ in range(3)]
    wait_for_a_running_one(house, job_ids)
    began = time.monotonic()
    house.stop()
    assert time.monotonic() - began < 10
    house.start()
    for job_id in job_ids:
        assert house.wait(job_id, seconds=60)["status"] == "COMPLETED"
        assert "bury" not in moves(house, job_id)


def test_a_killed_core_cuts_no_running_song_and_its_worker_stays(sketch_house: House):
    house = sketch_house
    job_id = house.run(caption="long pads", duration=240, seed=1)
    house.wait(job_id, "IN_PROGRESS")
    (worker,) = house.children("worker")
    for _ in range(3):
        (core,) = house.children("core")
        core.kill()
        wait_until(
            lambda dead=core.pid: [child for child in house.children("core") if child.pid != dead], what="another core"
        )
    assert house.wait(job_id, seconds=60)["status"] == "COMPLETED"
    assert moves(house, job_id) == ["take", "complete"]
    assert house.children("worker") == [worker]


def test_an_acknowledged_job_is_on_disk_before_the_answer(tmp_path: Path):
    house = House(tmp_path / "data", "--workers", "0")
    try:
        for index in range(5):
            job_id = house.run(caption=f"number {index}")
            for child in house.children("core"):
                child.kill()
            assert house.status(job_id)["status"] == "IN_QUEUE"
    finally:
        house.close()


def test_a_second_serve_on_the_same_data_folder_is_refused_and_harms_nothing(tmp_path: Path):
    """It would take the first one's workers for dead and give their jobs to its own."""
    house = House(tmp_path / "data", "--workers", "0")
    try:
        command = [sys.executable, "-m", "acestep_serverless", "serve", "--port", "0"]
        done = subprocess.run(
            [*command, "--data-dir", str(house.data_dir)],
            env=house.environ,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert "another serve works with the data folder" in done.stderr
        assert house.status(house.run())["status"] == "IN_QUEUE"
    finally:
        house.close()


@pytest.mark.parametrize("trouble", ["newer version", "free some space, or name another --data-dir"])
def test_a_database_that_cannot_be_used_ends_serve_with_one_sentence(tmp_path: Path, trouble: str):
    folder, longest_file = tmp_path / "data", 40 * 1024
    if trouble == "newer version":
        folder.mkdir()
        with closing(sqlite3.connect(folder / "acestep-serverless.sqlite3")) as database:
            database.execute("CREATE TABLE alembic_version AS SELECT '9999' AS version_num")
            database.commit()
        longest_file = resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-m", "acestep_serverless", "serve", "--port", "0", "--workers", "0", "--data-dir", folder],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (longest_file, longest_file)),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert trouble in done.stdout + done.stderr
    assert "the gateway cannot start; its last line above says why" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_what_clients_sent_is_readable_by_the_servers_user_alone(tmp_path: Path):
    house = House(tmp_path / "data", "--workers", "0")
    try:
        house.run(caption="private")
        assert house.data_dir.stat().st_mode & 0o077 == 0
        assert (house.data_dir / "acestep-serverless.sqlite3").stat().st_mode & 0o077 == 0
    finally:
        house.close()
