"""Can any bytes at all make the gateway fail? Random requests to every client route, and random results of a worker."""

import asyncio
import json
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from gateway_house import SOON, Hired, open_house
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

LONG = settings(max_examples=250, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
known = st.sampled_from(["input", "policy", "s3Config", "webhook", "webhookV2", "id", "ttl", "executionTimeout", "x"])
bodies = st.dictionaries(known, values | st.dictionaries(known, values, max_size=3), max_size=5)
raw_bodies = st.binary(max_size=200) | bodies.map(lambda body: json.dumps(body).encode())
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
headers = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"content-length", b"content-type", b"origin", b"range", b"if-range", b"x"]),
        st.binary(max_size=60) | st.sampled_from([b"bytes=0-", b"9" * 30, b"9" * 5000, "٣".encode(), b"chunked"]),
    ),
    max_size=4,
)
queries = st.binary(max_size=60) | st.tuples(
    st.sampled_from(["wait", "ttl", "filename", "token", "job_id"]), words
).map(lambda pair: f"{pair[0]}={quote(pair[1])}".encode())
routes = st.sampled_from(
    [
        *("run", "runsync", "status/{}", "cancel/{}", "purge-queue", "health", "workers", "workers/{}/drain"),
        *("job-done/w1/{}", "audio", "artifacts/w1/{}/0.mp3", "ping/{}", "openai/v1/{}", "{}"),
    ]
)


class Alone:
    """A gateway on a loop of its own, spoken to without a client library that would tidy the bytes up."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.opening = open_house(folder / "data")
        self.house = self.loop.run_until_complete(self.opening.__aenter__())
        self.worker: Hired = self.loop.run_until_complete(self.house.hire())

    def close(self) -> None:
        self.loop.run_until_complete(self.opening.__aexit__(None, None, None))
        self.loop.close()

    def ask(self, method, path, query, extra, body) -> tuple[int, bytes]:
        """Send one request and hang up after it; gives status and body. Whatever escapes the app is raised here."""
        arriving = [{"type": "http.request", "body": body, "more_body": False}]
        sent = []

        async def receive():
            return arriving.pop() if arriving else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {
            **dict.fromkeys(("root_path", "scheme"), ""),
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": query,
            "headers": [(b"host", b"127.0.0.1:8000"), *extra],
        }
        self.loop.run_until_complete(asyncio.wait_for(self.house.app(scope, receive, send), SOON))
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture(scope="module")
def alone():
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        alone = Alone(Path(folder))
        yield alone
        alone.close()


@LONG
@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "X"]), route=routes, word=words, query=queries)
@example(method="POST", route="runsync", word="", query=b"wait=0000000020009999999")
def test_no_path_and_no_query_fails(alone, method, route, word, query):
    path = "/v1/audio" if route == "audio" else "/v2/ace-step/" + route.format(word)
    status, _ = alone.ask(method, path, query, [], b"")
    assert status < 500


@LONG
@given(route=routes, extra=headers, body=raw_bodies)
@example(route="run", extra=[(b"content-length", b"9" * 5000)], body=b"{}")
@example(route="run", extra=[(b"origin", b"http://[")], body=b"{}")
@example(route="run", extra=[], body=b'{"input": {"\\ud800": 1e400}}')
def test_no_header_and_no_body_fails_and_every_answer_is_json(alone, route, extra, body):
    path = "/v1/audio" if route == "audio" else "/v2/ace-step/" + route.format("x")
    status, answer = alone.ask("POST", path, f"token={alone.worker.token}".encode(), extra, body)
    assert status < 500
    if answer:
        json.loads(answer, parse_constant=pytest.fail)


@settings(LONG, max_examples=80)
@given(body=raw_bodies | values.map(lambda value: json.dumps({"output": value, "error": None}).encode()))
def test_whatever_a_worker_sends_ends_its_job_or_is_progress_and_status_stays_strict_json(alone, body):
    house, worker = alone.house, alone.worker

    async def life():
        job_id = await house.run()
        await worker.take()
        assert (await worker.done(job_id, body)).status_code == 200
        text = (await house.get(f"status/{job_id}")).text
        await house.post(f"cancel/{job_id}")
        return json.loads(text, parse_constant=pytest.fail)

    assert alone.loop.run_until_complete(life())["status"] in ("COMPLETED", "FAILED", "IN_PROGRESS")


@settings(LONG, max_examples=80)
@given(wish=values)
def test_every_input_arrives_as_it_was_sent_or_is_refused_with_a_sentence(alone, wish):
    house, worker = alone.house, alone.worker

    async def life():
        answer = await house.http.post("/v2/ace-step/run", content=json.dumps({"input": wish}))
        if answer.status_code == 400:
            return None
        assert answer.status_code == 200
        taken = await worker.take()
        await house.post(f"cancel/{taken['id']}")
        return taken

    taken = alone.loop.run_until_complete(life())
    if taken is not None:
        assert taken["input"] == wish
