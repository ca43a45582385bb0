"""Which bodies does the ACE-Step API read, and how does it refuse the others? Never with a 500."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_parts import SineEngine, new_app, running
from edge_parts import AbleEngine
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from acestep_serverless.acestep_api.body import LARGEST_BODY
from acestep_serverless.acestep_api.orders import Order, read_order
from acestep_serverless.contract.acestep_parameters import NESTED_METADATA, PARAMETERS
from acestep_serverless.errors import InputError

JSON = {"content-type": "application/json"}


async def released(folder: Path, send: Callable[[Any], Any]) -> Any:
    """Send one release to a server; return the answer and the request that reached the engine, if one did."""
    async with running(folder) as server:
        response = await send(server.http)
        if response.status_code == 200:
            await server.query(response.json()["data"]["task_id"])
        return response, server.engine.requests[0] if server.engine.requests else None


FIELDS = {"caption": "tones", "batch_size": "1", "bpm": "100", "duration": "12.0", "thinking": "0"}


async def test_a_url_encoded_form_is_read(tmp_path: Path) -> None:
    response, request = await released(tmp_path, lambda http: http.post("/release_task", data=FIELDS))
    assert response.status_code == 200, response.text
    assert (request.caption, request.bpm, request.duration) == ("tones", 100, 12.0)


async def test_a_multipart_form_of_texts_is_read(tmp_path: Path) -> None:
    parts = {name: (None, value) for name, value in FIELDS.items()}
    response, request = await released(tmp_path, lambda http: http.post("/release_task", files=parts))
    assert response.status_code == 200, response.text
    assert (request.caption, request.bpm, request.duration) == ("tones", 100, 12.0)


@pytest.mark.parametrize("body", ['{"caption": "tones", "batch_size": 1}', "caption=tones&batch_size=1"])
async def test_a_body_without_a_content_type_is_read_by_its_look(tmp_path: Path, body: str) -> None:
    response, request = await released(tmp_path, lambda http: http.post("/release_task", content=body))
    assert response.status_code == 200, response.text
    assert request.caption == "tones"


async def test_an_empty_object_makes_songs(tmp_path: Path) -> None:
    response, request = await released(tmp_path, lambda http: http.post("/release_task", json={}))
    assert response.status_code == 200
    assert (request.caption, len(request.seeds), request.duration) == ("", 2, 90.0)


DEEP = "[" * 100_000 + "]" * 100_000
BOUNDARY = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "detail"),
    [
        ('{"prompt": ', "application/json", 400, "Malformed JSON payload"),
        ('{"prompt": \udcff}'.encode("utf-8", "surrogateescape"), "application/json", 400, "Malformed JSON payload"),
        (f'{{"a": {DEEP}}}', "application/json", 400, "Malformed JSON payload"),
        ('{"bpm": ' + "9" * 5000 + "}", "application/json", 400, "Malformed JSON payload"),
        ("[1]", "application/json", 400, "JSON payload must be an object"),
        ("{x", "text/plain", 400, "Invalid JSON body (hint: set 'Content-Type: application/json')"),
        ("hello", "text/plain", 415, "Unsupported Content-Type: text/plain; use application/json, application/x-www-"),
        ("", "", 415, "Unsupported Content-Type: (missing); use"),
        ("a=%ff", "application/x-www-form-urlencoded", 400, "Malformed form"),
        ("&".join(["a=1"] * 1001), "application/x-www-form-urlencoded", 400, "Malformed form"),
        ("--b\r\nnonsense", "multipart/form-data", 400, "Malformed multipart body"),
        ("nonsense", BOUNDARY, 400, "Malformed multipart body"),
        (
            '--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n--b--\r\n',
            BOUNDARY + "; charset=undefined",
            400,
            "Malformed multipart body",
        ),
    ],
)
async def test_a_malformed_body_is_refused_with_a_sentence(
    tmp_path: Path, body: str | bytes, content_type: str, status: int, detail: str
) -> None:
    response, request = await released(
        tmp_path, lambda http: http.post("/release_task", content=body, headers={"content-type": content_type})
    )
    assert (response.status_code, response.json()["detail"][: len(detail)]) == (status, detail)
    assert response.json()["error"] == response.json()["detail"]
    assert request is None


@pytest.mark.parametrize("route", ["/release_task", "/query_result", "/cancel_task"])
async def test_a_body_over_the_limit_is_refused_while_it_arrives(tmp_path: Path, route: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range((LARGEST_BODY >> 16) + 16):
            sent += 1 << 16
            yield b"x" * (1 << 16)

    response, _ = await released(tmp_path, lambda http: http.post(route, content=endless()))
    assert (response.status_code, response.json()["error"]) == (
        413,
        f"the body is over its limit of {LARGEST_BODY:,} bytes",
    )
    assert sent <= LARGEST_BODY + (1 << 16)


async def test_a_megabyte_of_lyrics_reaches_the_engine(tmp_path: Path) -> None:
    body = json.dumps({"lyrics": "x" * 1_000_000, "batch_size": 1})
    response, request = await released(tmp_path, lambda http: http.post("/release_task", content=body, headers=JSON))
    assert response.status_code == 200
    assert len(request.lyrics) == 1_000_000


async def test_a_half_character_in_an_id_is_echoed_readably(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        content = r'{"task_id_list": ["\ud800"], "task_id": "\ud800"}'
        query = await server.http.post("/query_result", content=content, headers=JSON)
        cancel = await server.http.post("/cancel_task", content=content, headers=JSON)
    assert query.json()["data"][0]["task_id"] == r"\ud800"
    assert cancel.json()["data"]["task_id"] == r"\ud800"


NAMES = [name for row in PARAMETERS for name in (row.name, *row.aliases)] + [*NESTED_METADATA, "param_obj", "x"]
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["1,2", "mp3", "120.0", "A minor", "4/4", "1e999", "nan", "1" * 5000, 10**400, "en"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=6))
@settings(max_examples=100, deadline=None)
def test_every_object_is_either_an_order_within_the_limits_or_refused_by_field(body: dict[str, object]) -> None:
    engine = SineEngine()
    try:
        order = read_order(body, engine, lambda: 5)
    except InputError as error:
        sentence = str(error)
    else:
        sentence = ""
        check_limits(order)
    assert len(sentence.encode()) < 30_000


def check_limits(order: Order) -> None:
    assert 1 <= order.request.duration <= 600
    assert 1 <= len(order.request.seeds) <= 8
    assert all(0 <= seed < 2**32 for seed in order.request.seeds)
    assert order.request.bpm is None or 30 <= order.request.bpm <= 300
    assert f"{order.request}{order.warnings}".encode()


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """An app that is not started: what is released only waits."""
    return new_app(tmp_path_factory.mktemp("waiting"), AbleEngine(), queue_maximum=1_000)


POSTS = [
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
]
FIELDS_OF_ROUTES = ["query", "temperature", "model", "slot", "scale", "adapter_name", "lora_path", "use_lora", "wait"]


@given(
    body=st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(NAMES + FIELDS_OF_ROUTES), JSON_VALUES, max_size=3).map(json.dumps),
    content_type=st.sampled_from(
        [
            "application/json",
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            BOUNDARY,
            "multipart/form-data",
            "é",
        ]
    ),
    route=st.sampled_from(POSTS),
)
@settings(max_examples=100, deadline=None)
async def test_no_body_brings_the_server_down(waiting: FastAPI, body: bytes, content_type: str, route: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(waiting), base_url="http://acestep") as http:
        response = await http.post(route, content=body, headers={"content-type": content_type.encode()})
    assert response.status_code in (200, 400, 413, 415, 429)
    assert response.status_code == 200 or response.json()["detail"] == response.json()["error"]
