"""What a worker of the platform's SDK gets for each of its calls; tests/endpoint has the SDK itself."""

import asyncio
import json
from dataclasses import replace

import pytest
from gateway_house import PATIENT, SOON, open_house

from acestep_serverless.contract import worker_protocol
from acestep_serverless.gateway.parts import GatewayRules

TOO_FINE = [
    "",
    " ",
    "a/b",
    "../x",
    ".hidden",
    "-x",
    "ü",
    "a b",
    "x" * 129,
    7,
    None,
    True,
    ["w"],
    "a\n",
    "\ud800",
    "a?b",
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_enrolling_gives_a_token_that_is_kept_only_as_its_digest(house):
    worker = await house.hire()
    assert len(worker.token) >= 43, "256 bits"
    file = house.settings.data_dir / "acestep-serverless.sqlite3"
    stored = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    assert b"w1" in stored
    assert worker.token.encode() not in stored
    assert worker.token != (await house.hire("w2")).token


async def test_an_id_enrols_once_even_after_its_worker_is_gone(house):
    await house.hire()
    for _ in range(2):
        again = await house.workers(body={"worker_id": "w1"})
        assert again.status_code == 409
        assert "token" not in again.json()
        await house.workers("/w1/ended", {"died": False})


@pytest.mark.parametrize("number", range(len(TOO_FINE)))
async def test_a_worker_id_that_would_not_fit_into_a_url_is_refused(house, number):
    content = json.dumps({"worker_id": TOO_FINE[number]})
    headers = {"Authorization": "Bearer the-worker-key"}
    answer = await house.http.post("/v2/ace-step/workers", content=content, headers=headers)
    assert answer.status_code == 400
    assert "worker_id" in answer.json()["error"]


async def test_a_take_without_work_is_held_and_then_204(tmp_path):
    async with open_house(tmp_path / "data", rules=GatewayRules(hold=0.5)) as house:
        worker = await house.hire()
        began = asyncio.get_running_loop().time()
        answer = await house.http.get(worker.url("job-take"))
        assert (answer.status_code, answer.content) == (204, b"")
        assert asyncio.get_running_loop().time() - began > 0.4


async def test_a_held_take_is_answered_as_soon_as_a_job_comes(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        worker = await house.hire()
        for _ in range(20):
            taking = asyncio.create_task(worker.take())
            await asyncio.sleep(0)
            job_id = await house.run()
            assert (await asyncio.wait_for(taking, SOON))["id"] == job_id


async def test_ten_held_workers_share_ten_jobs_and_each_gets_its_own(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        workers = [await house.hire(f"w{number}") for number in range(10)]
        taking = [asyncio.create_task(worker.take()) for worker in workers]
        await asyncio.sleep(0.05)
        ids = await asyncio.gather(*(house.run() for _ in range(10)))
        taken = await asyncio.wait_for(asyncio.gather(*taking), SOON)
        assert sorted(job["id"] for job in taken) == sorted(ids)


async def test_a_job_that_comes_back_wakes_a_held_take(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        first, second = await house.hire("w1"), await house.hire("w2")
        job_id = await house.run()
        await first.take()
        taking = asyncio.create_task(second.take())
        await asyncio.sleep(0.05)
        await house.workers("/w1/ended", {"died": True})
        assert (await asyncio.wait_for(taking, SOON))["id"] == job_id


async def test_a_batch_take_gives_up_to_what_was_asked_in_order_while_nobody_idle_asks(house):
    worker = await house.hire()
    assert (await house.http.get(worker.url("job-take-batch", batch_size=4))).status_code == 204
    ids = [await house.run() for _ in range(5)]
    for expected in (ids[:4], ids[4:]):
        answer = await house.http.get(worker.url("job-take-batch", batch_size=4, job_in_progress=0))
        assert [job["id"] for job in answer.json()] == expected


@pytest.mark.parametrize("size", ["0", "-1", "x", "9" * 5000, ""])
async def test_an_odd_batch_size_harms_nobody(house, size):
    worker = await house.hire()
    await house.run()
    answer = await house.http.get(worker.url("job-take-batch", batch_size=size, job_in_progress=size))
    assert answer.status_code == 200


@pytest.mark.parametrize("state", ["drain", "ended"])
async def test_a_worker_that_is_drained_or_gone_is_not_fed_but_answered(house, state):
    worker = await house.hire()
    job_id = await house.run()
    await house.workers(f"/w1/{state}", {})
    assert await worker.take() is None
    assert await worker.stops() == ["-"]
    assert (await worker.ping()).status_code == 200
    assert (await house.status(job_id))["status"] == "IN_QUEUE"


async def test_draining_answers_the_polls_that_are_open(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        worker = await house.hire()
        taking, stopping = asyncio.create_task(worker.take()), asyncio.create_task(worker.stops())
        await asyncio.sleep(0.05)
        await house.workers("/w1/drain", {})
        assert await asyncio.wait_for(taking, SOON) is None
        assert await asyncio.wait_for(stopping, SOON) == ["-"]


async def test_a_drained_worker_delivers_what_it_holds(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await house.workers("/w1/drain", {})
    assert (await worker.put(job_id, "0.mp3", b"song")).status_code == 200
    await worker.done(job_id, '{"output": 1}')
    assert (await house.status(job_id))["status"] == "COMPLETED"


async def test_an_expired_stop_hold_names_no_job(house):
    assert await (await house.hire()).stops() == ["-"]


async def test_a_cancel_answers_the_open_stop_poll_at_once_and_is_repeated(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        worker = await house.hire()
        house.parts.desk.rules = replace(house.parts.desk.rules, stop_again_ms=60_000)
        job_id = await house.run()
        await worker.take()
        stopping = asyncio.create_task(worker.stops())
        await asyncio.sleep(0.05)
        await house.post(f"cancel/{job_id}")
        assert await asyncio.wait_for(stopping, SOON) == [job_id]
        house.clock.move(61)
        assert await asyncio.wait_for(worker.stops(), SOON) == [job_id]


BODIES = {
    "no json": b"not json",
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"5",
    "not utf-8": b'{"output": "\xff"}',
    "deep": b'{"output": ' + b"[" * 100_000 + b"}",
    "huge integer": b'{"output": ' + b"9" * 5000 + b"}",
    "a form": b"output=1&error=2",
    "cut off": b'{"output": "abc',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_result_that_cannot_be_read_fails_its_job_and_the_worker_hears_200(house, name):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    assert (await worker.done(job_id, BODIES[name])).status_code == 200
    final = await house.status(job_id)
    assert final["status"] == "FAILED"
    assert "not JSON that can be read" in final["error"]


@pytest.mark.parametrize("job", ["none", "../x", "%00", "%FF", "a" * 5000, "of another"])
@pytest.mark.parametrize("body", [b'{"output": 1}', b'{"status": "IN_PROGRESS"}', b"x", b'{"stopPod": true}'])
async def test_a_result_for_a_job_that_is_not_its_own_is_200_and_changes_nothing(house, job, body):
    worker, other = await house.hire("w1"), await house.hire("w2")
    job_id = await house.run()
    await other.take()
    before = await house.status(job_id)
    path = f"/v2/ace-step/job-done/w1/{job_id if job == 'of another' else job}?token={worker.token}"
    answer = await house.http.post(path, content=body)
    assert answer.status_code == 200 or "/../" in path, answer.text
    assert await house.status(job_id) == before


async def test_an_output_over_the_limit_fails_its_job_and_the_worker_hears_200(house, monkeypatch):
    monkeypatch.setattr(worker_protocol, "DONE_BODY_LIMIT", 1000)
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    assert (await worker.done(job_id, b'{"output": "' + b"x" * 1000 + b'"}')).status_code == 200
    final = await house.status(job_id)
    assert final["status"] == "FAILED"
    assert "larger than the limit of 1000 bytes" in final["error"]


async def test_the_content_type_of_a_result_does_not_matter(house):
    worker = await house.hire()
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "", "\xff"):
        job_id = await house.run()
        await worker.take()
        headers = {"Content-Type": kind.encode("latin-1")}
        await house.http.post(worker.url("job-done", f"/{job_id}"), content='{"output": "é&="}', headers=headers)
        assert (await house.status(job_id))["output"] == "é&="


@pytest.mark.parametrize(
    ("body", "status", "output", "error"),
    [
        ('{"output": null}', "COMPLETED", None, None),
        ("{}", "COMPLETED", None, None),
        ('{"output": {"a": NaN, "b": [Infinity, -Infinity, 1e999]}}', "COMPLETED", {"a": None, "b": [None] * 3}, None),
        ('{"error": ""}', "COMPLETED", None, None),
        ('{"error": 0, "output": 1}', "COMPLETED", 1, None),
        ('{"error": "x", "output": {"extra": 1}}', "FAILED", {"extra": 1}, "x"),
        ('{"error": ["x"]}', "FAILED", None, '["x"]'),
        ('{"error": true}', "FAILED", None, "true"),
        ('{"error": "a\\u0000b\\ud800"}', "FAILED", None, "a\ufffdb\ufffd"),
        ('{"error": {"x": NaN}}', "FAILED", None, '{"x":null}'),
        ('{"status": "COMPLETED", "output": 1}', "COMPLETED", 1, None),
    ],
)
async def test_results_of_every_kind(house, body, status, output, error):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await worker.done(job_id, body)
    final = await house.status(job_id)
    assert (final["status"], final.get("output"), final.get("error")) == (status, output, error)


async def test_a_worker_that_asks_to_be_renewed_is_fed_no_more(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for _ in range(2):
        assert (await worker.done(job_id, '{"output": 1, "stopPod": true}')).status_code == 200
    listed = (await house.workers(method="GET")).json()["workers"]
    assert [(worker["id"], worker["state"]) for worker in listed] == [("w1", "DRAINING")]


async def test_heartbeats_renew_and_odd_ones_harm_nobody(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for _ in range(10):
        house.clock.move(20)
        assert (await worker.ping(job_id, "other", "", "ü")).status_code == 200
    for listed in (",,,", "a" * 5000, ",".join(f"j{number}" for number in range(5000)), "%00", "\ud7ff"):
        assert (await house.http.get(worker.url("ping", job_id=f"{job_id},{listed}"))).status_code == 200
    assert (await house.status(job_id))["status"] == "IN_PROGRESS"


async def test_an_unfit_worker_is_shown_with_its_reason_until_it_is_well(house):
    worker = await house.hire()
    await worker.ping(status="unhealthy", check="memory", reason="r" * 5000)
    (view,) = (await house.workers(method="GET")).json()["workers"]
    assert view["unhealthy"].startswith("memory: rrr")
    assert len(view["unhealthy"]) == 300
    await worker.ping()
    assert (await house.workers(method="GET")).json()["workers"][0]["unhealthy"] is None


async def test_the_fleet_is_told_what_it_needs_to_judge_a_worker(house):
    worker = await house.hire()
    await house.run()
    job_id = (await worker.take())["id"]
    overview = (await house.workers(method="GET")).json()
    assert (overview["waiting"], overview["in_progress"], overview["heartbeat_ms"]) == (0, 1, 4000)
    assert overview["workers"][0]["jobs"] == 1
    await house.post(f"cancel/{job_id}")
    await worker.stops()
    assert (await house.workers(method="GET")).json()["workers"][0]["ignoring_stop_since"] == house.clock.now


@pytest.mark.parametrize("path", ["/nobody/drain", "/nobody/ended", "/w1/nothing"])
async def test_news_of_an_unknown_worker_is_404(house, path):
    assert (await house.workers(path, {})).status_code == 404


@pytest.mark.parametrize("retention", [1, 168])
async def test_a_live_worker_is_never_forgotten_however_long_its_gateway_was_away(tmp_path, retention):
    async with open_house(tmp_path / "data", retention_hours=retention) as house:
        worker = await house.hire()
        await house.run()
        await worker.ping()
        await worker.take()
        house.clock.move(retention * 3600 + 60)
        await house.parts.workers.forget(silent_since=house.clock.now - retention * 3_600_000)
        assert (await worker.ping()).status_code == 200, "it holds a job and could not speak"


async def test_a_worker_that_only_polls_is_alive(house):
    worker = await house.hire()
    await worker.ping()
    house.clock.move(7200)
    await worker.take()
    await house.parts.workers.forget(silent_since=house.clock.now - 3_600_000)
    assert (await worker.ping()).status_code == 200


async def test_silent_workers_are_forgotten_in_the_end(house):
    worker = await house.hire()
    await worker.take()
    house.clock.move(7200)
    assert await house.parts.workers.forget(silent_since=house.clock.now - 3_600_000) == 1
    assert (await worker.ping()).status_code == 401


async def test_the_next_serve_gives_back_what_the_workers_of_the_former_one_held_and_counts_no_death(tmp_path):
    async with open_house(tmp_path / "data") as house:
        ours, foreign = await house.hire("ours", fleet_id="no-fleet"), await house.hire("foreign")
        ids = [await house.run() for _ in range(2)]
        await ours.take()
        await foreign.take()
    async with open_house(tmp_path / "data", first_start=False) as house:
        assert [(await house.status(job_id))["status"] for job_id in ids] == ["IN_PROGRESS"] * 2, "only the core died"
    async with open_house(tmp_path / "data") as house:
        assert [(await house.status(job_id))["status"] for job_id in ids] == ["IN_QUEUE", "IN_PROGRESS"]
        foreign.house = house
        await foreign.done(ids[1], '{"output": 1}')
        assert (await house.status(ids[1]))["status"] == "COMPLETED"


async def test_a_closing_gateway_lets_go_of_whoever_is_held(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        worker = await house.hire()
        held = [
            asyncio.create_task(work)
            for work in (worker.take(), worker.stops(), house.post("runsync", {"input": 1}), house.post("runsync", {}))
        ]
        held[0].cancel()
        await asyncio.sleep(0.05)
        house.parts.wakeup.close()
        done, _ = await asyncio.wait(held, timeout=SOON)
        assert len(done) == 4
        assert held[2].result().json()["status"] == "IN_QUEUE"
