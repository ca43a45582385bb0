"""What a client can do, by the platform's paths, fields and codes; and what no client can do."""

import asyncio
import json
import re

import pytest
from gateway_house import SOON, open_house

from acestep_serverless.contract.job import JSON_DEPTH_LIMIT, RUN_BODY_LIMIT

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


async def test_run_answers_200_with_the_id_form_of_the_platform_and_the_state(house):
    answer = await house.post("run", {"input": {"caption": "x"}})
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "status"}
    assert re.fullmatch(rf"{UUID4}-u1", answer.json()["id"])
    assert answer.json()["status"] == "IN_QUEUE"


async def test_status_shows_a_job_from_queue_to_end_with_the_fields_of_each_state(house):
    worker = await house.hire()
    job_id = await house.run()
    assert await house.status(job_id) == {"id": job_id, "status": "IN_QUEUE"}
    house.clock.move(2)
    await worker.take()
    house.clock.move(3)
    await worker.done(job_id, '{"status": "IN_PROGRESS", "output": {"fraction": 0.5}}')
    assert await house.status(job_id) == {
        "id": job_id,
        "status": "IN_PROGRESS",
        "delayTime": 2000,
        "executionTime": 3000,
        "workerId": "w1",
        "output": {"fraction": 0.5},
    }
    await worker.done(job_id, '{"output": ["é", 1]}')
    final = await house.status(job_id)
    assert (final["status"], final["output"], final["executionTime"]) == ("COMPLETED", ["é", 1], 3000)
    assert "error" not in final


async def test_a_job_that_waits_again_has_no_execution_time_that_grows(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await house.workers("/w1/ended", {"died": False})
    house.clock.move(60)
    assert "executionTime" not in await house.status(job_id)


async def test_a_failed_job_shows_its_error_as_a_string_even_when_it_was_an_object(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await worker.done(job_id, '{"error": {"code": 7}}')
    final = await house.status(job_id)
    assert final["status"] == "FAILED"
    assert json.loads(final["error"]) == {"code": 7}
    assert "output" not in final


async def test_status_answers_post_too(house):
    job_id = await house.run()
    assert (await house.post(f"status/{job_id}")).json() == await house.status(job_id)


@pytest.mark.parametrize("operation", ["status/nothing", "status/%00", "status/%ff%fe", "status/" + "a" * 5000])
async def test_an_unknown_job_is_404_with_a_sentence(house, operation):
    answer = await house.get(operation)
    assert answer.status_code == 404
    assert "no job" in answer.json()["error"]


async def test_an_unknown_endpoint_is_404_as_json(house):
    answer = await house.http.get("/v2/other/health")
    assert answer.status_code == 404
    assert "other" in answer.json()["error"]


async def test_cancel_is_final_at_once_and_says_the_state_of_a_job_that_has_ended(house):
    worker = await house.hire()
    queued, running, done = [await house.run() for _ in range(3)]
    assert (await house.post(f"cancel/{queued}")).json() == {"id": queued, "status": "CANCELLED"}
    await worker.take()
    assert (await house.post(f"cancel/{running}", {})).json() == {"id": running, "status": "CANCELLED"}
    await worker.take()
    await worker.done(done, '{"output": 1}')
    assert (await house.post(f"cancel/{done}")).json() == {"id": done, "status": "COMPLETED"}
    assert (await house.post("cancel/nothing")).status_code == 404


async def test_purge_removes_what_waits_and_leaves_what_runs(house):
    worker = await house.hire()
    running = await house.run()
    await worker.take()
    for _ in range(3):
        await house.run()
    assert (await house.post("purge-queue")).json() == {"removed": 3, "status": "completed"}
    assert (await house.post("purge-queue", {})).json() == {"removed": 0, "status": "completed"}
    assert (await house.status(running))["status"] == "IN_PROGRESS"


async def test_runsync_without_wait_answers_with_the_end(house):
    worker = await house.hire()
    waiting = asyncio.create_task(house.post("runsync", {"input": {"caption": "x"}}))
    job = None
    for _ in range(50):
        job = job or await worker.take()
        if job:
            break
    assert re.fullmatch(rf"sync-{UUID4}-u1", job["id"])
    await worker.done(job["id"], '{"output": {"made": true}}')
    answer = (await asyncio.wait_for(waiting, SOON)).json()
    assert (answer["id"], answer["status"], answer["output"]) == (job["id"], "COMPLETED", {"made": True})


async def test_runsync_with_wait_answers_when_it_is_over_with_id_and_state_and_the_job_goes_on(house):
    began = asyncio.get_running_loop().time()
    answer = await house.post("runsync?wait=1000", {"input": 1})
    assert 0.9 < asyncio.get_running_loop().time() - began < SOON
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "status"}
    assert (await house.status(answer.json()["id"]))["status"] == "IN_QUEUE"


@pytest.mark.parametrize(
    "wait", ["999", "300001", "-1", "1e4", "", "abc", "1000.0", "9" * 30, "0" * 9 + "2000" + "9" * 7, "0" * 5000]
)
async def test_a_wait_out_of_its_bounds_is_400_and_no_job_is_made(house, wait):
    answer = await asyncio.wait_for(house.http.post(f"/v2/ace-step/runsync?wait={wait}", json={"input": 1}), SOON)
    assert answer.status_code == 400
    assert "wait: must be whole milliseconds from 1000 to 300000" in answer.json()["error"]
    assert (await house.get("health")).json()["jobs"]["inQueue"] == 0


@pytest.mark.parametrize("operation", ["status", "status-sync"])
async def test_ttl_sets_how_long_a_job_lives_from_now_on(house, operation):
    short, long, untouched = [await house.run(n=number) for number in range(3)]
    for job_id, ttl in ((short, 2_000), (long, 3_600_000)):
        answer = await house.get(f"{operation}/{job_id}?ttl={ttl}&wait=1000")
        assert (answer.status_code, answer.json()["status"]) == (200, "IN_QUEUE")
    house.clock.move(3)

    async def is_over():
        return (await house.status(short))["status"] == "TIMED_OUT"

    for _ in range(100):
        if await is_over():
            break
        await asyncio.sleep(0.05)  # A sweep each second ends what has outlived its ttl.
    assert await is_over()
    assert {(await house.status(job_id))["status"] for job_id in (long, untouched)} == {"IN_QUEUE"}


@pytest.mark.parametrize("ttl", ["999", "604800001", "-1", "", "1e6", "soon"])
async def test_a_ttl_out_of_its_bounds_is_400_and_changes_nothing(house, ttl):
    job_id = await house.run()
    answer = await house.get(f"status/{job_id}?ttl={ttl}")
    assert answer.status_code == 400
    assert "ttl: must be whole milliseconds from 1000 to 604800000" in answer.json()["error"]
    assert (await house.status(job_id))["status"] == "IN_QUEUE"


WRONG_BODIES = {
    "nothing": (b"", "must be JSON"),
    "no json": (b"caption=x", "must be JSON"),
    "not utf-8": (b'{"input": "\xff"}', "must be JSON"),
    "a list": (b"[1]", "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "no input": (b"{}", "input: is required"),
    "null input": (b'{"input": null}', "input: is required"),
    "NaN": (b'{"input": NaN}', "no such number"),
    "Infinity": (b'{"input": [-Infinity]}', "no such number"),
    "a float beyond doubles": (b'{"input": {"x": 1e400}}', "no such number"),
    "an integer of 5,000 digits": (b'{"input": ' + b"9" * 5000 + b"}", "at most 4,300 digits"),
    "deep": (b"[" * (JSON_DEPTH_LIMIT + 1) + b"1" + b"]" * (JSON_DEPTH_LIMIT + 1), "nested at most"),
    "absurdly deep": (b"[" * 200_000, "nested at most"),
    "unknown field": (b'{"input": 1, "inptu": 2}', "inptu: is unknown"),
    "half a character as a field": (b'{"input": 1, "\\ud800": 2}', "is unknown"),
    "policy of another kind": (b'{"input": 1, "policy": [1]}', "policy: must be an object"),
    "policy of nothing": (b'{"input": 1, "policy": []}', "policy: must be an object"),
    "priority of nothing": (b'{"input": 1, "policy": {"lowPriority": 0}}', "policy.lowPriority: must be true or false"),
    "unknown policy": (b'{"input": 1, "policy": {"tll": 1}}', "policy.tll: is unknown"),
    "ttl too small": (b'{"input": 1, "policy": {"ttl": 9999}}', "policy.ttl: must be whole milliseconds"),
    "ttl true": (b'{"input": 1, "policy": {"ttl": true}}', "policy.ttl"),
    "ttl float": (b'{"input": 1, "policy": {"ttl": 10000.5}}', "policy.ttl"),
    "ttl huge": (b'{"input": 1, "policy": {"ttl": 1' + b"0" * 400 + b"}}", "policy.ttl"),
    "timeout too large": (b'{"input": 1, "policy": {"executionTimeout": 604800001}}', "policy.executionTimeout"),
    "priority of another kind": (b'{"input": 1, "policy": {"lowPriority": "no"}}', "policy.lowPriority"),
    "webhook": (b'{"input": 1, "webhook": "ftp://x"}', "webhook: must be an http or https URL"),
    "s3Config of another kind": (b'{"input": 1, "s3Config": "secret-word"}', "s3Config: must be an object"),
}


@pytest.mark.parametrize("name", WRONG_BODIES)
async def test_a_wrong_body_is_400_with_a_sentence_that_names_the_field(house, name):
    raw, expected = WRONG_BODIES[name]
    for operation in ("run", "runsync"):
        answer = await asyncio.wait_for(house.http.post(f"/v2/ace-step/{operation}", content=raw), SOON)
        assert answer.status_code == 400, answer.text
        assert expected in answer.json()["error"]
        assert len(answer.text) < 1000
        assert "secret-word" not in answer.text
    assert (await house.get("health")).json()["jobs"]["inQueue"] == 0


async def test_several_problems_are_told_together(house):
    body = {"policy": {"ttl": 1, "executionTimeout": 1}, "more": 1}
    error = (await house.post("run", body)).json()["error"]
    assert all(name in error for name in ("input", "policy.ttl", "policy.executionTimeout", "more"))


async def test_a_body_over_the_limit_is_413_announced_or_not(house):
    large = b'{"input": "' + b"x" * RUN_BODY_LIMIT + b'"}'

    async def in_pieces():
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    announced = await house.http.post("/v2/ace-step/run", content=large)
    unannounced = await house.http.post("/v2/ace-step/run", content=in_pieces())
    assert (announced.status_code, unannounced.status_code) == (413, 413)
    assert str(RUN_BODY_LIMIT) in announced.json()["error"]


TEXTS = [
    "\ud800",
    "a\udfffb",
    "\x00",
    "\u2028\u2029",
    "😀",
    "é" * 1000,
    '"\\/\b',
    10**4000,
    -0.0,
    5e-324,
    [[]],
    {},
    "",
    0,
]


@pytest.mark.parametrize("number", range(len(TEXTS)))
async def test_whatever_json_can_say_reaches_the_worker_and_comes_back_unchanged(house, number):
    worker = await house.hire()
    wish = {"x": TEXTS[number]}
    answer = await house.http.post("/v2/ace-step/run", content=json.dumps({"input": wish}))
    assert answer.status_code == 200, answer.text
    taken = await worker.take()
    assert taken["input"] == wish
    assert (await worker.done(taken["id"], json.dumps({"output": wish}))).status_code == 200
    final = await house.status(taken["id"])
    assert (final["status"], final["output"]) == ("COMPLETED", wish)


async def test_s3_secrets_reach_the_worker_and_never_a_client(house):
    worker = await house.hire()
    body = {"input": {"a": 1}, "s3Config": {"accessSecret": "hush-hush"}, "policy": {"ttl": 60_000}}
    job_id = (await house.post("run", body)).json()["id"]
    assert "hush-hush" not in (await house.get(f"status/{job_id}")).text
    assert (await worker.take())["s3Config"] == {"accessSecret": "hush-hush"}
    assert "hush-hush" not in (await house.get(f"status/{job_id}")).text
    await worker.done(job_id, '{"output": 1}')
    assert "hush-hush" not in (await house.get(f"status/{job_id}")).text


async def test_health_counts_jobs_and_workers(house):
    assert (await house.get("health")).json() == {
        "jobs": {"completed": 0, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0},
        "workers": {"idle": 0, "initializing": 0, "ready": 0, "running": 0, "throttled": 0, "unhealthy": 0},
    }
    busy, idle = await house.hire("busy"), await house.hire("idle")
    await house.hire("starting")
    sick = await house.hire("sick")
    await sick.ping(status="unhealthy", check="gpu", reason="none")
    await idle.take()
    ids = [await house.run() for _ in range(5)]
    for body in ('{"output": 1}', '{"error": "x"}'):
        await busy.done((await busy.take())["id"], body)
    await busy.take()
    await house.workers("/busy/ended", {"died": True})
    again = await house.hire("again")
    await again.take()
    await house.post(f"cancel/{ids[4]}")
    assert (await house.get("health")).json() == {
        "jobs": {"completed": 1, "failed": 1, "inProgress": 1, "inQueue": 1, "retried": 1},
        "workers": {"idle": 1, "initializing": 1, "ready": 2, "running": 1, "throttled": 0, "unhealthy": 1},
    }


async def test_a_worker_that_has_been_silent_for_longer_than_a_lease_is_not_counted_as_idle(house):
    worker = await house.hire()
    await worker.take()
    assert (await house.get("health")).json()["workers"]["idle"] == 1
    house.clock.move(31)
    workers = (await house.get("health")).json()["workers"]
    assert (workers["idle"], workers["ready"], workers["unhealthy"]) == (0, 0, 1)


async def test_the_openapi_document_builds_without_a_warning_and_shows_the_clients_operations(house):
    paths = (await house.http.get("/openapi.json")).json()["paths"]
    operations = {path.removeprefix("/v2/{endpoint_id}") for path in paths}
    assert operations == {
        *("/run", "/runsync", "/status/{job_id}", "/status-sync/{job_id}", "/stream/{job_id}", "/cancel/{job_id}"),
        *("/retry/{job_id}", "/requests", "/purge-queue", "/health", "/v1/audio"),
        *("/batch", "/batch/{batch_id}", "/batch/{batch_id}/requests", "/batch/{batch_id}/requests/{request_id}"),
        *("/batch/{batch_id}/finalize", "/batch/{batch_id}/cancel"),
        *("/openai/v1/{path}", "/v2", "/schema"),
    }


async def test_the_openapi_document_describes_the_job_body_as_it_is_checked(house):
    schema = (await house.http.get("/openapi.json")).json()["paths"]["/v2/{endpoint_id}/run"]["post"]["requestBody"]
    described = schema["content"]["application/json"]["schema"]["properties"]
    assert (
        await house.post("run", {"input": 1, **{name: None for name in described if name != "input"}})
    ).status_code == 200
    for name, rule in described["policy"]["properties"].items():
        bounds = [rule["minimum"], rule["maximum"]] if rule["type"] == "integer" else [True]
        beyond = [rule["minimum"] - 1, rule["maximum"] + 1] if rule["type"] == "integer" else [1]
        codes = [(await house.post("run", {"input": 1, "policy": {name: n}})).status_code for n in (*bounds, *beyond)]
        assert codes == [200] * len(bounds) + [400] * len(beyond), name


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v2/ace-step/run"), ("DELETE", "/v1/audio"), ("GET", "/nothing")]
)
async def test_what_does_not_exist_is_answered_as_json(house, method, path):
    answer = await house.http.request(method, path)
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/json"


async def test_jobs_survive_the_gateway_and_keep_their_order(tmp_path):
    async with open_house(tmp_path / "data") as before:
        ids = [await before.run(number=number) for number in range(5)]
    async with open_house(tmp_path / "data") as after:
        worker = await after.hire()
        assert [(await worker.take())["id"] for _ in range(5)] == ids


@pytest.mark.parametrize(
    "webhook", ["http://h:99999/", "http://h:abc/", "http://[::1/", "http://\u2603.x/", "http://h:0/", 7]
)
async def test_a_webhook_that_nobody_can_call_is_refused_at_once(house, webhook):
    answer = await house.post("run", {"input": {"caption": "x"}, "webhook": webhook})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("webhook: must be")


async def test_a_body_of_many_unknown_members_gets_a_short_answer(house):
    for body in (
        {"input": 1} | {f"n{i}": 1 for i in range(5_000)},
        {"input": 1, "policy": {f"n{i}": 1 for i in range(5_000)}},
    ):
        answer = await house.post("run", body)
        assert answer.status_code == 400
        assert "4984 more" in answer.json()["error"]
        assert len(answer.content) < 5_000


async def test_a_number_of_too_many_digits_is_said_to_be_one(house):
    answer = await house.http.post("/v2/ace-step/run", content=b'{"input": {"duration": ' + b"9" * 5_000 + b"}}")
    assert (answer.status_code, "at most 4,300 digits, got one of 5,000" in answer.text) == (400, True)
