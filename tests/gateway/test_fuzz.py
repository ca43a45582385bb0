"""Does any request that our own OpenAPI description allows make the gateway answer 5xx, or what is not described?

A real server on loopback, with a worker that finishes or fails every job, so that requests find jobs of every kind.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import requests
import schemathesis
import uvicorn
from gateway_house import QUICK, WORKER_KEY
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from acestep_serverless.assembly.core import build
from acestep_serverless.settings import Settings

KEY = "a-client-key"
AS_DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 14
"""Requests for each operation. What is described is wide enough for those that are refused: any text, any JSON."""
NUMBERS = st.sampled_from(["0", "1", "999", "1000", "1001", "300001", "-1", "1e3", "\u0663", "", "9" * 30])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=3), max_leaves=8
)
MILLISECONDS = st.sampled_from([0, 5_000, 10_000, 2**63, -1, 1.5]) | JSON
POLICY = st.fixed_dictionaries(
    {}, optional={"executionTimeout": MILLISECONDS, "ttl": MILLISECONDS, "lowPriority": JSON}
)
# Never an address where somebody could listen.
WEBHOOKS = ("http://[", "ftp://x", "", None, 1, "https://[::1]:9/", "http://127.0.0.1:9/")
JOB = st.fixed_dictionaries(
    {"input": JSON}, optional={"webhook": st.sampled_from(WEBHOOKS), "policy": POLICY | JSON, "s3Config": JSON}
)
JOBS = st.lists(JOB, max_size=3)
NAMED = st.fixed_dictionaries({"name": st.text() | st.just("a name")})
BODIES = JOB | JOBS | st.fixed_dictionaries({"requests": JOBS}) | NAMED | JSON


class Served:
    """The gateway's app behind a real socket, in a thread, with one worker in another."""

    def __init__(self, data_dir: Path, **more: object) -> None:
        known = {"data_dir": data_dir, "worker_key": WORKER_KEY, "heartbeat_seconds": 1, "lease_seconds": 30}
        self.app = build(Settings.load(**known, **more), first_start=True)
        self.app.state.parts = replace(self.app.state.parts, rules=QUICK)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False))
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._serve), threading.Thread(target=self._work)]
        for thread in self.threads:
            thread.start()

    def _serve(self) -> None:
        self.server.run(sockets=[self.listening])

    def _work(self) -> None:
        with httpx.Client(base_url=f"{self.url}/v2/ace-step", timeout=30, trust_env=False) as http:
            admitted = {"Authorization": f"Bearer {WORKER_KEY}"}
            token = http.post("/workers", json={"worker_id": "w"}, headers=admitted).json()["token"]
            count = 0
            while not self.ending.is_set():
                answer = http.get("/job-take/w", params={"token": token, "job_in_progress": "0"})
                if answer.status_code == 200:
                    count += 1
                    given = answer.json()["input"]
                    fails = count % 3 == 0 and not (isinstance(given, dict) and "openai_route" in given)  # OpenAI's 500
                    result = {"error": "on purpose"} if fails else {"output": given}
                    http.post(f"/job-done/w/{answer.json()['id']}", params={"token": token}, json=result)

    def close(self) -> None:
        self.ending.set()
        self.threads[1].join(10)
        self.server.should_exit = True
        self.threads[0].join(10)
        self.listening.close()
        assert not any(thread.is_alive() for thread in self.threads)


@contextmanager
def served(data_dir: Path, **more: object) -> Iterator[Served]:
    house = Served(data_dir, **more)
    try:
        yield house
    finally:
        house.close()


def known_names(house: Served, headers: dict[str, str]) -> dict[str, st.SearchStrategy[str]]:
    """Make jobs and a batch, and give what leads to them, by the name of the parameter."""
    with httpx.Client(base_url=f"{house.url}/v2/ace-step", timeout=30, trust_env=False, headers=headers) as http:
        jobs = [http.post("/runsync", json={"input": number}).json().get("id", "-") for number in range(3)]
        batch = http.post("/batch", json=[{"input": 1}]).json().get("id", "-")
    paths = st.sampled_from(["models", "chat/completions", "completions", "responses"])
    times = {"wait": NUMBERS, "ttl": NUMBERS, "limit": NUMBERS, "offset": NUMBERS}
    return {"job_id": st.sampled_from(jobs), "batch_id": st.just(batch), "path": paths, **times}


def send_all(house: Served, headers: dict[str, str], examples: int) -> dict[int, int]:
    """Send every operation its examples; gives how often each code was the answer."""
    known = known_names(house, headers)
    document = httpx.get(f"{house.url}/openapi.json", trust_env=False).json()
    codes: dict[int, int] = {}
    with requests.Session() as session:
        session.trust_env = False
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            send(found.ok(), known, house, session, headers, examples, codes)
    return codes


def send(operation, known, house: Served, session, headers: dict[str, str], examples: int, codes) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), data=st.data())
    def never_5xx(case: schemathesis.Case, data: st.DataObject) -> None:
        make_real(case, known, data)
        answer = case.call(base_url=house.url, session=session, headers=headers, timeout=30)
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, f"{case.as_curl_command(headers)}\n{answer.status_code} {answer.text}"
        case.validate_response(answer, checks=AS_DESCRIBED)

    never_5xx()


def make_real(case: schemathesis.Case, known, data: st.DataObject) -> None:
    """Have most requests name what exists and carry a body that may be one: any text is all that is described."""
    if "endpoint_id" in case.path_parameters and data.draw(st.integers(0, 9)):
        case.path_parameters["endpoint_id"] = "ace-step"
    for place in (case.path_parameters, case.query):
        for name in [name for name in place if name in known]:
            if data.draw(st.integers(0, 3)):
                place[name] = data.draw(known[name])
    if case.method != "GET" and data.draw(st.integers(0, 3)):
        case.body, case.media_type = data.draw(BODIES), "application/json"
    case.body = without_strangers(case.body)


def without_strangers(body):
    """Take out of a body what was made up as the address of a webhook: nobody elsewhere is to hear of this test."""
    if isinstance(body, list):
        return [without_strangers(item) for item in body]
    if isinstance(body, dict):
        harmless = {name: without_strangers(value) for name, value in body.items() if name != "webhook"}
        kept = body.get("webhook") if body.get("webhook") in WEBHOOKS else WEBHOOKS[-1]
        return harmless | {"webhook": kept} if "webhook" in body else harmless
    return body


@pytest.mark.parametrize("key", ["", KEY], ids=["an open gateway", "a gateway with a key"])
def test_no_request_of_any_operation_makes_a_5xx_or_what_is_not_described(tmp_path: Path, key: str):
    with served(tmp_path / "data", **({"api_keys": key} if key else {})) as house:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        codes = send_all(house, headers, EXAMPLES)
    assert codes[200] > 50, codes
    assert codes[400] > 40, codes


def test_without_its_key_a_gateway_shows_nothing_whatever_is_asked(tmp_path: Path):
    with served(tmp_path / "data", api_keys=KEY) as house:
        codes = send_all(house, {}, 3)
    print(codes)
    assert codes[401] > 20, codes
