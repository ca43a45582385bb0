"""Does an OpenAI client get what a real SDK worker's generator yields, while it still runs?"""

import json

import httpx
import pytest
from house import wait_until

CHAT = "/v2/ace-step/openai/v1/chat/completions"


def ask(gate, **more) -> dict:
    return {"json": {"model": "m", "stream": True, "gate": str(gate), **more}, "timeout": 30}


def jobs(house) -> list[dict]:
    return house.http.get("/v2/ace-step/requests").json()["requests"]


def test_events_arrive_while_the_worker_runs_and_errors_and_plain_answers_come_through(house, hire, tmp_path):
    hire("openai")
    gate = tmp_path / "gate"
    with house.http.stream("POST", CHAT, **ask(gate)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = answer.iter_text()
        assert next(events) == 'data: {"n": 1}\n\n'
        gate.touch()  # only now does the worker go on: the first event was here before the second was yielded
        assert "".join(events) == 'data: {"n": 2}\n\ndata: [DONE]\n\n'

    refused = {"message": "it's too long", "type": "BadRequestError", "code": 400}
    late = house.http.post(CHAT, **ask(gate, error=refused))
    assert late.status_code == 200
    assert json.loads(late.text.split("data: ")[-1]) == {"error": refused}
    early = house.http.post(CHAT, json={"error": refused})
    assert (early.status_code, early.json()) == (400, {"error": refused})

    models = house.http.get("/v2/ace-step/openai/v1/models")
    assert models.json() == {"openai_route": "/v1/models", "openai_input": None}


def test_a_client_that_hangs_up_in_the_middle_cancels_its_job(house, hire, tmp_path):
    hire("openai")
    with httpx.Client(base_url=house.url, trust_env=False) as client:
        with client.stream("POST", CHAT, **ask(tmp_path / "never")) as answer:
            assert next(answer.iter_text()) == 'data: {"n": 1}\n\n'
            job_id = jobs(house)[0]["id"]
        assert house.wait(job_id, "CANCELLED", seconds=90)
        waiting = ask(tmp_path / "never") | {"timeout": 0.5}
        with pytest.raises(httpx.ReadTimeout):
            client.post(CHAT, **waiting)
    second = jobs(house)[0]["id"]
    assert second != job_id
    wait_until(lambda: house.status(second)["status"] == "CANCELLED", 30, "the end of a job whose client has gone")
