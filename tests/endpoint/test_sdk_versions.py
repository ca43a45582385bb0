"""Do handlers of every kind run with the SDKs in the wild? Real workers of 1.12, 1.7.9 and 1.6.2 serve one gateway."""

import json
from itertools import chain

import pytest
from house import INSTALLED_SDK, OLD_SDKS, wait_until


@pytest.fixture(params=[INSTALLED_SDK, *OLD_SDKS])
def sdk(request) -> str:
    return request.param


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_handler_does_its_job_and_a_failing_one_says_why_and_in_which_sdk(house, hire, sdk, mode):
    hire(mode, sdk=sdk)
    assert house.wait(house.run(**{"return": {"wörd": [1]}}))["output"] == {"wörd": [1]}
    view = house.wait(house.run(**{"raise": "boom é"}))
    error = json.loads(view["error"])
    assert (view["status"], error["error_message"], error["runpod_version"]) == ("FAILED", "boom é", sdk)
    view = house.wait(house.run(**{"return": {"error": "bad input"}}))
    assert (view["status"], view["error"]) == ("FAILED", "bad input")
    (endpoint,) = house.http.get("/v2").json()["endpoints"]
    assert (endpoint["live_workers"] > 0, endpoint["abilities"]) == (True, None), "it tells nothing of its engine"


def read_stream(house, job_id):
    """What /stream says of a job until its final state, answer by answer."""
    for _ in range(200):
        answer = house.http.get(f"/v2/ace-step/stream/{job_id}").json()
        yield answer
        if answer["status"] not in ("IN_QUEUE", "IN_PROGRESS"):
            return
    raise AssertionError("the stream did not end")


def test_what_a_generator_yields_is_streamed_and_kept_as_output_where_that_is_asked(house, hire, sdk):
    hire("aggregate", sdk=sdk)
    job_id = house.run(chunks=4, pause=0.05)
    answers = list(read_stream(house, job_id))
    expected = [{"n": number, "word": "é"} for number in range(4)]
    assert [chunk["output"] for chunk in chain.from_iterable(answer["stream"] for answer in answers)] == expected
    assert len(answers) > 1, "chunks came before the end"
    view = house.status(job_id)
    assert (view["status"], view["output"]) == ("COMPLETED", expected)


@pytest.mark.parametrize("sdk", [INSTALLED_SDK, "1.6.2"])
def test_a_concurrency_of_three_runs_three_jobs_side_by_side_on_one_worker(house, hire, sdk):
    """Whether they come one by one or in one list; beside odd inputs and odd keys (trap 18), which arrive as sent."""
    worker = hire("gathering", sdk=sdk)
    bodies = [
        {"input": {"ü $ID": {"$RUNPOD_POD_ID": [None]}}, "s3Config": {"bucketName": "b"}},
        {"input": [[], {}, 0.5]},
        {"input": "é\u2028", "policy": {"executionTimeout": 60000}},
    ]
    job_ids = [house.post("run", body)["id"] for body in bodies]
    for job_id, body in zip(job_ids, bodies, strict=True):
        view = house.wait(job_id)
        assert view["output"] == {"together": 3, "job": {"id": job_id, **body}}
        assert view["workerId"] == worker.id


def test_jobs_that_wait_for_a_worker_are_taken_together_and_so_run_together_in_any_sdk(house, hire, sdk):
    job_ids = [house.run(number=number) for number in range(3)]
    hire("gathering", sdk=sdk)
    assert [house.wait(job_id)["output"]["together"] for job_id in job_ids] == [3, 3, 3]


def test_an_sdk_that_begins_no_job_beside_a_running_one_still_does_all_that_it_takes(house, hire):
    """1.7.9 takes jobs while one runs, but starts them only after its end (mended in 1.9.1)."""
    worker = hire("three", sdk="1.7.9")
    job_ids = [house.run(sleep=0.2, number=number) for number in range(4)]
    views = [house.wait(job_id) for job_id in job_ids]
    assert [view["output"]["echo"]["number"] for view in views] == [0, 1, 2, 3]
    assert {view["workerId"] for view in views} == {worker.id}
    assert house.health()["jobs"]["retried"] == 0


def test_a_worker_that_wants_to_be_refreshed_ends_by_itself_after_its_job_and_takes_no_other(house, hire, sdk):
    worker = hire("refresh", sdk=sdk)
    job_id = house.run(**{"return": 7})
    assert house.wait(job_id)["output"] == 7
    next_id = house.run(**{"return": 8})
    assert worker.process.wait(60) == 0
    assert house.status(next_id)["status"] == "IN_QUEUE"
    hire("async", sdk=sdk)
    assert house.wait(next_id)["output"] == 8


def test_a_result_that_asks_for_a_refresh_ends_the_feeding_of_a_worker_that_would_go_on(house, hire, sdk):
    """The SDK only passes the wish on and polls again; to end the worker is its fleet's part."""
    worker = hire("async", sdk=sdk)
    job_id = house.run(**{"return": {"refresh_worker": True, "job_results": [1]}})
    assert house.wait(job_id)["output"] == {"job_results": [1]}
    wait_until(lambda: worker.view()["state"] == "DRAINING", what="the draining of the worker")
    next_id = house.run(**{"return": 8})
    hire("async", sdk=sdk)
    view = house.wait(next_id)
    assert (view["output"], view["workerId"] == worker.id) == (8, False)
    assert worker.process.poll() is None


@pytest.mark.parametrize("old", OLD_SDKS)
def test_an_old_sdk_hears_of_no_cancel_goes_on_and_its_late_result_changes_nothing(house, hire, old):
    """There is no stop channel before 1.10: for the client the job is over at once, for the worker at its own end."""
    worker = hire("async", sdk=old)
    job_id = house.run(sleep=1.5)
    house.wait(job_id, "IN_PROGRESS")
    assert house.post(f"cancel/{job_id}") == {"id": job_id, "status": "CANCELLED"}
    next_id = house.run(**{"return": "next"})
    assert house.wait(next_id)["output"] == "next"
    worker.has_logged("Finished.", times=2)  # The cancelled one ran to its end.
    text = worker.log.read_text()
    assert "Failed to return job results" not in text
    assert "output" not in house.status(job_id)
    assert house.status(job_id)["status"] == "CANCELLED"
