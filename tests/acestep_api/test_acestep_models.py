"""Does the server say truly what it is, what is loaded and how busy it is? And is it described without doubles?"""

import warnings
from pathlib import Path
from typing import Any

import pytest
from acestep_parts import SineEngine
from edge_parts import HEADER, KEY, AbleEngine, edge

from acestep_serverless.contract.music_tasks import TASKS

PROTECTED = {
    "get": [
        "/openapi.json",
        "/v1/models",
        "/v1/model_inventory",
        "/v1/stats",
        "/v1/lora/status",
        "/v1/audio?path=song-a.mp3",
    ],
    "post": [
        "/release_task",
        "/query_result",
        "/cancel_task",
        "/create_random_sample",
        "/format_input",
        "/v1/create_sample",
        "/v1/init",
        "/v1/lora/load",
        "/v1/lora/unload",
        "/v1/lora/toggle",
        "/v1/lora/scale",
        "/v1/chat/completions",
    ],
}


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, paths in PROTECTED.items() for path in paths])
async def test_nothing_but_health_is_open_when_a_key_is_set(method: str, path: str, tmp_path: Path) -> None:
    async with edge(tmp_path, api_key=KEY) as server:
        body = {"json": {"messages": [{"role": "user", "content": "x"}]}} if method == "post" else {}
        without = await server.http.request(method, path, **body)
        wrong = await server.http.request(method, path, headers={"Authorization": "Bearer bad"}, **body)
        right = await server.http.request(method, path, headers=HEADER, **body)
        health = await server.http.get("/health")
    assert (without.status_code, wrong.status_code, health.status_code) == (401, 401, 200)
    assert without.json()["detail"].startswith("Missing ")
    assert right.status_code != 401


def test_the_list_of_protected_routes_is_whole(tmp_path: Path) -> None:
    paths = {path.partition("?")[0] for paths in PROTECTED.values() for path in paths}
    assert paths - {"/openapi.json"} | {"/health"} == set(described(tmp_path, AbleEngine())["paths"])


def described(folder: Path, engine: SineEngine) -> dict[str, Any]:
    from acestep_parts import new_app

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        description: dict[str, Any] = new_app(folder, engine).openapi()
    return description


def test_every_operation_is_described_and_has_an_id_of_its_own(tmp_path: Path) -> None:
    paths = described(tmp_path, SineEngine())["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids)) == 18
    assert all(operation["summary"] and operation["description"] and operation["tags"] for operation in operations)
    posts = [methods["post"] for methods in paths.values() if "post" in methods]
    assert all(post["requestBody"]["content"].keys() >= {"application/json"} for post in posts)
    assert {"400", "401", "413"} <= posts[0]["responses"].keys()


def test_the_description_names_every_parameter_and_file(tmp_path: Path) -> None:
    content = described(tmp_path, SineEngine())["paths"]["/release_task"]["post"]["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]["properties"]
    assert {"prompt", "audio_duration", "metas", "ai_token", "src_audio", "reference_audio"} <= form.keys()
    assert "duration" in form["audio_duration"]["description"]
    assert "src_audio" not in content["application/json"]["schema"]["properties"]


async def test_models_are_listed_in_openrouters_shape_and_in_upstreams(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        listed = (await server.http.get("/v1/models")).json()
        inventory = (await server.http.get("/v1/model_inventory")).json()["data"]
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["acestep/sine-1", "acestep/sine-2"]
    first = listed["data"][0]
    assert (first["input_modalities"], first["output_modalities"]) == (["text", "audio"], ["audio", "text"])
    assert (first["name"], first["max_output_length"], first["architecture"]) == ("ACE-Step sine-1", 600, None)
    assert first["created"] > 1_700_000_000
    assert [(model["name"], model["is_default"], model["is_loaded"]) for model in inventory["models"]] == [
        ("sine-1", True, True),
        ("sine-2", False, False),
    ]
    assert inventory["models"][0]["supported_task_types"] == list(TASKS)
    assert (inventory["default_model"], inventory["loaded_lm_model"]) == ("sine-1", "scribe-1")
    assert (inventory["lm_models"], inventory["llm_initialized"]) == ([{"name": "scribe-1", "is_loaded": True}], True)


async def test_a_small_engine_claims_no_more_than_it_has(tmp_path: Path) -> None:
    async with edge(tmp_path, SineEngine()) as server:
        health = (await server.http.get("/health")).json()["data"]
        inventory = (await server.http.get("/v1/model_inventory")).json()["data"]
        models = (await server.http.get("/v1/models")).json()["data"]
    assert (health["models_initialized"], health["llm_initialized"], health["loaded_lm_model"]) == (True, False, None)
    assert (inventory["lm_models"], inventory["llm_initialized"], inventory["loaded_lm_model"]) == ([], False, None)
    assert inventory["models"][0]["supported_task_types"] == ["text2music"]
    assert models[0]["input_modalities"] == ["text"]


async def test_statistics_count_what_was_done(tmp_path: Path) -> None:
    async with edge(tmp_path, queue_maximum=7) as server:
        before = (await server.http.get("/v1/stats")).json()["data"]
        await server.query(await server.release())
        after = (await server.http.get("/v1/stats")).json()["data"]
    assert {"total", "queued", "running", "succeeded", "failed"} <= before["jobs"].keys()
    assert (before["jobs"]["total"], before["queue_size"], before["queue_maxsize"]) == (0, 0, 7)
    assert before["avg_job_seconds"] == 5.0
    assert (after["jobs"]["total"], after["jobs"]["succeeded"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "model", "slot"),
    [
        ({}, "sine-1", 1),
        ({"model": "sine-2"}, "sine-2", 2),
        ({"slot": 2}, "sine-2", 2),
        ({"model": "acestep/sine-1", "init_llm": True, "lm_model_path": "scribe-1"}, "sine-1", 1),
    ],
)
async def test_a_model_that_is_here_is_confirmed(body: dict[str, Any], model: str, slot: int, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        answer = (await server.http.post("/v1/init", json=body)).json()
    assert answer["code"] == 200
    assert (answer["data"]["loaded_model"], answer["data"]["slot"]) == (model, slot)
    assert answer["data"].keys() >= {"message", "models", "lm_models", "llm_initialized", "loaded_lm_model"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "acestep-v15-base"}, "model: must be one of sine-1, got"),
        ({"slot": 2}, "slot: must be at most 1"),
        ({"init_llm": True}, "init_llm: must be false, the sine engine has no language model"),
        ({"lm_model_path": "/etc/passwd"}, "lm_model_path: must be absent"),
    ],
)
async def test_a_model_that_is_not_here_is_refused_softly(body: dict[str, Any], said: str, tmp_path: Path) -> None:
    async with edge(tmp_path, SineEngine()) as server:
        response = await server.http.post("/v1/init", json=body)
    assert (response.status_code, response.json()["code"], response.json()["data"]) == (200, 400, None)
    assert response.json()["error"].startswith(said)


@pytest.mark.parametrize("body", [{"slot": 0}, {"slot": "x"}, {"slot": 4}, {"init_llm": "maybe"}])
async def test_what_cannot_be_read_is_refused(body: dict[str, Any], tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        assert (await server.http.post("/v1/init", json=body)).status_code == 400


async def test_an_error_that_nobody_expected_says_nothing_of_itself(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        server.app.state.tasks.stats = lambda: 1 / 0
        with pytest.raises(ZeroDivisionError):  # the transport raises it as well, after the answer
            await server.http.get("/v1/stats")
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {"type": "http", "method": "GET", "path": "/v1/stats", "headers": [], "query_string": b""}
        with pytest.raises(ZeroDivisionError):
            await server.app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, send)
    assert sent[0]["status"] == 500
    assert b"division" not in sent[1]["body"]
    assert sent[1]["body"].startswith(b'{"detail":"the server could not')
