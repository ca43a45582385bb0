"""An OpenAI client's request becomes a job and its end the answer, in shapes that such a client reads."""

import asyncio
import json

import httpx
import pytest
from gateway_house import SOON, open_house

from acestep_serverless.contract import openai as wire
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.errors import InputError

CHAT = "openai/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "é"}]}
STREAMED = ASKED | {"stream": True}


async def taken(worker) -> dict:
    """The job of a request that has just been sent: an enrolled worker's poll may come before it."""
    for _ in range(50):
        if job := await worker.take():
            return job
    raise AssertionError("no job came in 50 polls")


async def chunk(worker, job_id: str, value: object) -> None:
    url = worker.url("job-stream", f"/{job_id}", isStream="false")
    assert (await worker.house.http.post(url, content=json.dumps({"output": value}))).status_code == 200


async def answered(worker, body: object, done: object, *chunks: str) -> httpx.Response:
    """Send a request, let a worker take its job, say chunks and deliver a result."""
    asking = asyncio.create_task(worker.house.post(CHAT, body))
    job = await taken(worker)
    for value in chunks:
        await chunk(worker, job["id"], value)
    await worker.done(job["id"], json.dumps(done))
    return await asyncio.wait_for(asking, SOON)


class Asking:
    """One request sent straight to the app: its body comes piece by piece, and its client can hang up."""

    def __init__(self, house, body: object) -> None:
        self.house, self.body, self.gone, self.sent = house, json.dumps(body).encode(), asyncio.Event(), asyncio.Queue()
        self.task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        arriving = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> dict:
            if arriving:
                return arriving.pop()
            await self.gone.wait()
            return {"type": "http.disconnect"}

        path = f"/v2/{self.house.endpoint_id}/{CHAT}"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        scope |= {"root_path": "", "scheme": "http", "headers": [(b"host", b"127.0.0.1:8000")]}
        await self.house.app(scope, receive, self.sent.put)

    async def next(self) -> dict:
        return await asyncio.wait_for(self.sent.get(), SOON)

    async def hang_up(self, job_id: str) -> None:
        self.gone.set()
        self.house.parts.wakeup.ring(f"job:{job_id}")
        await asyncio.wait_for(self.task, SOON)


async def test_the_job_holds_route_and_body_and_the_only_element_of_its_output_is_the_answer(house):
    worker = await house.hire()
    asking = asyncio.create_task(house.post(f"{CHAT}?api-version=1", ASKED))
    job = await taken(worker)
    assert job["input"] == {"openai_route": "/v1/chat/completions", "openai_input": ASKED}
    await worker.done(job["id"], json.dumps({"output": [{"id": "c-1", "choices": [{"text": "é"}]}]}))
    answer = await asyncio.wait_for(asking, SOON)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"id": "c-1", "choices": [{"text": "é"}]}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_without_a_body_has_null_as_its_input(house, method):
    worker = await house.hire()
    asking = asyncio.create_task(house.http.request(method, f"/v2/{house.endpoint_id}/openai/v1/models/a%20b"))
    job = await taken(worker)
    assert job["input"] == {"openai_route": "/v1/models/a b", "openai_input": None}
    await worker.done(job["id"], '{"output": {"object": "list", "data": []}}')
    assert (await asyncio.wait_for(asking, SOON)).json() == {"object": "list", "data": []}


@pytest.mark.parametrize("output", ["null", "[]", "[1,2]", '[{"a":[1]},{}]', '{"a":1}', '"text"', "[[]]"])
def test_an_output_with_one_element_is_unwrapped_and_any_other_stays(output):
    expected = {"[[]]": []}.get(output, json.loads(output))
    assert json.loads(wire.answer_text(output)) == expected
    assert wire.answer_text(None) == "null"


MODEL_ERROR = {"message": "it's no model", "type": "NotFoundError", "code": 404}


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (MODEL_ERROR, 404, MODEL_ERROR),
        (str(MODEL_ERROR), 404, MODEL_ERROR),
        (json.dumps({"error": MODEL_ERROR | {"param": "model", "trace": "x"}}), 404, MODEL_ERROR | {"param": "model"}),
        ({"message": "m", "code": "429"}, 429, {"message": "m", "type": "invalid_request_error", "code": "429"}),
        ({"message": "m", "code": 200}, 500, {"message": "m", "type": "server_error", "code": 200}),
        ("it broke", 500, {"message": "it broke", "type": "server_error", "code": 500}),
        ("{not json", 500, {"message": "{not json", "type": "server_error", "code": 500}),
        ("{" * 9000, 500, {"message": "{" * 9000, "type": "server_error", "code": 500}),
        ({"error_message": "boom", "error_type": "x"}, 500, {"message": "boom", "type": "server_error", "code": 500}),
    ],
)
async def test_a_workers_error_reaches_the_client_with_its_code_as_status(house, error, status, shown):
    worker = await house.hire()
    for body in (ASKED, STREAMED):
        answer = await answered(worker, body, {"error": error})
        assert (answer.status_code, answer.json()) == (status, {"error": shown})


async def test_the_music_handlers_own_sentence_reaches_an_openai_client(house):
    worker = await house.hire()
    asking = asyncio.create_task(house.post(CHAT, ASKED))
    job = await taken(worker)
    with pytest.raises(InputError) as refused:
        parse_music_input(job["input"])
    await worker.done(job["id"], json.dumps({"error": str(refused.value)}))
    answer = await asyncio.wait_for(asking, SOON)
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, str(refused.value))
    assert "caption" in answer.json()["error"]["message"]


async def test_a_stream_is_what_the_worker_says_as_it_says_it(house):
    worker = await house.hire()
    asking = Asking(house, STREAMED)
    job_id = (await taken(worker))["id"]
    await chunk(worker, job_id, 'data: {"é": 1}\n\n')
    start = await asking.next()
    headers = dict(start["headers"])
    assert (start["status"], headers[b"cache-control"]) == (200, b"no-cache")
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert (await asking.next())["body"].decode() == 'data: {"é": 1}\n\n'
    await chunk(worker, job_id, {"n": 2})
    assert (await asking.next())["body"] == b'data: {"n":2}\n\n'
    await chunk(worker, job_id, "\ud800: [DONE]\n\n")
    assert (await asking.next())["body"] == b"?: [DONE]\n\n"
    await worker.done(job_id, '{"output": ["what was said already"]}')
    assert (await asking.next()) == {"type": "http.response.body", "body": b"", "more_body": False}
    assert (await house.status(job_id))["status"] == "COMPLETED"


async def test_a_stream_of_a_handler_that_streams_nothing_is_its_output(house):
    worker = await house.hire()
    answer = await answered(worker, STREAMED, {"output": {"text": "all"}})
    assert (answer.status_code, answer.text) == (200, 'data: {"text":"all"}\n\n')
    answer = await answered(worker, STREAMED, {"output": []})
    assert (answer.status_code, answer.text) == (200, "")


async def test_a_failure_after_the_first_chunk_is_an_event(house):
    answer = await answered(await house.hire(), STREAMED, {"error": str(MODEL_ERROR)}, "data: 1\n\n")
    told = wire.dump({"error": MODEL_ERROR})
    assert (answer.status_code, answer.text) == (200, f"data: 1\n\n\n\ndata: {told}\n\n")


async def test_a_stream_whose_worker_is_lost_ends_with_an_error_instead_of_beginning_anew(house):
    worker, other = await house.hire("w1"), await house.hire("w2")
    reader = Asking(house, STREAMED)
    job_id = (await taken(worker))["id"]
    await chunk(worker, job_id, "data: old\n\n")
    assert [(await reader.next())["type"], (await reader.next())["body"]] == ["http.response.start", b"data: old\n\n"]
    await house.workers("/w1/ended", {"died": True})
    assert b"worker was lost" in (await reader.next())["body"]
    assert (await reader.next())["more_body"] is False
    assert (await house.status(job_id))["status"] == "CANCELLED"
    assert await other.take() is None


@pytest.mark.parametrize("body", [ASKED, STREAMED])
async def test_a_client_that_hangs_up_cancels_its_job(house, body):
    worker = await house.hire()
    asking = Asking(house, body)
    job_id = (await taken(worker))["id"]
    await asking.hang_up(job_id)
    assert (await house.status(job_id))["status"] == "CANCELLED"
    assert await worker.stops() == [job_id]


async def test_a_client_that_hangs_up_within_a_stream_cancels_its_job(house):
    worker = await house.hire()
    asking = Asking(house, STREAMED)
    job_id = (await taken(worker))["id"]
    await chunk(worker, job_id, "data: 1\n\n")
    assert [(await asking.next())["type"] for _ in range(2)] == ["http.response.start", "http.response.body"]
    await asking.hang_up(job_id)
    assert (await house.status(job_id))["status"] == "CANCELLED"


@pytest.mark.parametrize("body", [ASKED, STREAMED])
async def test_a_server_that_ends_answers_503_and_ends_the_job(house, body):
    worker = await house.hire()
    asking = asyncio.create_task(house.post(CHAT, body))
    job_id = (await taken(worker))["id"]
    house.parts.wakeup.close()
    answer = await asyncio.wait_for(asking, SOON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 503)
    assert (await house.status(job_id))["status"] == "CANCELLED"


async def test_a_job_that_somebody_cancels_or_that_takes_too_long_is_answered_410_and_504(house):
    worker = await house.hire()
    asking = asyncio.create_task(house.post(CHAT, ASKED))
    await house.post(f"cancel/{(await taken(worker))['id']}")
    assert (await asyncio.wait_for(asking, SOON)).status_code == 410
    view = wire.JobView("x", wire.JobState.TIMED_OUT, 0, error="it ran longer than 5 s")
    failed = wire.failure_of(view)
    assert failed is not None
    assert (failed.status, failed.error["message"]) == (504, "it ran longer than 5 s")


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"{", 400, "JSON"),
        (b"[1]", 400, "must be a JSON object"),
        (b'{"temperature": NaN}', 400, "no such number"),
        (b" " * (wire.BODY_LIMIT + 1), 413, "larger than the limit"),
    ],
)
async def test_a_wrong_body_is_refused_in_openais_shape(house, content, status, told):
    answer = await house.http.post(f"/v2/{house.endpoint_id}/{CHAT}", content=content)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert told in error["message"]
    assert (error["type"], error["code"]) == ("invalid_request_error", status)


async def test_wrong_keys_unknown_endpoints_and_rate_limits_are_told_in_openais_shape(tmp_path):
    async with open_house(tmp_path / "data", api_keys=["right"], rate_limits={"openai": "1/hour"}) as house:
        wrong = await house.post(CHAT, ASKED, Authorization="Bearer wrong")
        assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "invalid_request_error")
        right = {"Authorization": "Bearer right"}
        nowhere = await house.http.post(f"/v2/nowhere/{CHAT}", json=ASKED, headers=right)
        assert nowhere.status_code in (401, 404)
        assert nowhere.json()["error"]["message"]
        await house.post(CHAT, [], **right)
        often = await house.post(CHAT, ASKED, **right)
        assert (often.status_code, often.json()["error"]["code"]) == (429, 429)
        assert int(often.headers["retry-after"]) > 1
