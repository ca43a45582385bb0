"""The ways to lose a job that need a real SDK worker to be believed, where test_traps.py speaks for it by hand."""

import psutil
import pytest
from house import wait_until
from test_traps import history

from acestep_serverless.contract.worker_protocol import DONE_BODY_LIMIT

UNMEETABLE = "RUNPOD_MIN_MEMORY_GB=1000000"
"""One of the SDK's start-up checks, made to fail on any machine as that of the network does without one."""


def test_4_a_result_over_the_limit_fails_its_job_with_a_sentence_and_not_its_worker(house, hire):
    worker = hire("sync")
    view = house.wait(house.run(letters=DONE_BODY_LIMIT))
    assert view["status"] == "FAILED"
    assert str(DONE_BODY_LIMIT) in view["error"]
    assert house.wait(house.run(**{"return": "next"}))["output"] == "next"
    assert "Failed to return job results" not in worker.log.read_text()


def test_6_a_job_that_comes_after_the_death_of_a_polling_worker_is_handed_to_the_next(house, hire):
    gone = hire("async")
    gone.process.kill()
    gone.process.wait(60)
    job_id = house.run(**{"return": 1})
    worker = hire("async")
    view = house.wait(job_id)
    assert (view["output"], view["workerId"]) == (1, worker.id)
    assert history(house, job_id) == ["take", "complete"]


def test_7_progress_that_the_sdk_sends_after_the_result_is_heard_and_changes_nothing(house, hire):
    worker = hire("async")
    job_id = house.run(**{"return": "done", "afterthought": "late words"})
    assert house.wait(job_id)["output"] == "done"
    worker.has_logged("Progress Update Sent: late words")
    view = house.status(job_id)
    assert (view["status"], view["output"]) == ("COMPLETED", "done")
    assert history(house, job_id) == ["take", "complete"]


def test_16_a_worker_takes_jobs_on_a_machine_that_fails_the_start_up_checks(house, hire):
    refusing = hire("async", polls=False, variables=("RUNPOD_SKIP_AUTO_SYSTEM_CHECKS=false", UNMEETABLE))
    assert refusing.process.wait(60) == 1, "left to itself the SDK ends here"
    hire("async", variables=(UNMEETABLE,))
    assert house.wait(house.run(**{"return": 1}))["output"] == 1


@pytest.mark.parametrize(("interval_ms", "beats"), [("999", False), ("1000", True)])
def test_17_the_heartbeat_lives_at_the_smallest_interval_that_we_allow_and_dies_below(house, hire, interval_ms, beats):
    worker = hire("async", variables=(f"RUNPOD_PING_INTERVAL={interval_ms}",))
    parent = psutil.Process(worker.process.pid)

    def living() -> list[psutil.Process]:
        return [child for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE]

    if beats:
        first = wait_until(lambda: worker.view()["pinged_at"], what="a heartbeat")
        wait_until(lambda: worker.view()["pinged_at"] > first, what="a heartbeat after the first")
    else:
        worker.has_logged("ValueError: Attempted to set connect timeout to 0")
        wait_until(lambda: not living(), what="the end of the heartbeat")
    assert bool(living()) is beats
