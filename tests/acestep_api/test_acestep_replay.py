"""Do upstream's recorded exchanges replay against us, but for the differences that the documents name?"""

import asyncio
import json
import re
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_exchanges import DIFFERENCES, EXCHANGES, Exchange
from acestep_parts import Running, SineEngine
from edge_parts import ALL, HEADER, AbleEngine, edge, first_item, tone

from acestep_serverless.engines.base import ANALYSES
from acestep_serverless.errors import EngineError

DOCUMENT = Path(__file__).parents[2] / "docs" / "acestep-api.md"
SOON = 20.0
NOT_THERE = object()


async def release(server: Running, **sent: Any) -> str:
    response = await server.http.post("/release_task", headers=HEADER, **sent)
    assert response.status_code == 200, response.text
    return str(response.json()["data"]["task_id"])


async def finished(server: Running, **sent: Any) -> str:
    task_id = await release(server, **sent)
    await server.query(task_id)
    return task_id


async def prepared(server: Running, name: str, known: dict[str, str]) -> str:
    """Bring about what a placeholder stands for."""
    words = {"prompt": "slow piano", "batch_size": 1}
    if name == "done":
        return await finished(server, json=words)
    if name == "pair":
        return await finished(server, json={**words, "batch_size": 2, "use_random_seed": False, "seed": 1234})
    if name == "heard":
        data = {"full_analysis_only": "true"}
        return await finished(server, data=data, files={"src_audio": ("in.wav", tone())})
    if name == "failed":
        server.engine.failure = EngineError("out of memory")
        return await finished(server, json=words)
    if name in ("held", "waiting"):
        server.engine.go.clear()
        task_id = await release(server, json=words)
        assert await asyncio.to_thread(server.engine.started.wait, SOON)
        return task_id
    if name == "folder":
        return str(server.folder)
    audio_format = "wav" if name == "wave" else "mp3"
    [entry] = await server.query(await finished(server, json={**words, "audio_format": audio_format}))
    file = str(first_item(entry)["file"])
    return file.rpartition("=")[2] if name == "name" else file


async def filled(server: Running, sent: Mapping[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Put what the placeholders stand for in their places."""
    plain = {name: value for name, value in sent.items() if name in ("json", "data")}
    text = json.dumps([plain, path])
    known: dict[str, str] = {}
    for name in dict.fromkeys(re.findall(r"{([a-z]+)}", text)):
        known[name] = await prepared(server, name, known)
        text = text.replace(f"{{{name}}}", known[name])
    plain, path = json.loads(text)
    server.engine.requests.clear()
    return {**sent, **plain}, path


def at(answer: Any, place: str) -> Any:
    """The value at a dotted place, NOT_THERE without one; a `result` is a text with JSON."""

    def step(value: Any, name: str) -> Any:
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name, NOT_THERE)
        else:
            return NOT_THERE
        return json.loads(value) if name == "result" else value

    return reduce(step, place.split("."), answer)


def departures(response: httpx.Response, status: int, shape: tuple[str, ...]) -> list[str]:
    """Where an answer is not of a status and shape."""
    found = [] if response.status_code == status else [f"status {response.status_code}, not {status}"]
    is_json = response.headers.get("content-type") == "application/json"
    answer = response.json() if is_json else dict(response.headers)
    for expected in shape:
        place, sign, value = re.fullmatch(r"([^=~]+)([=~]?)(.*)", expected, re.DOTALL).groups()
        real = at(answer, place) if is_json else answer.get(place, NOT_THERE)
        spelled = json.dumps(real) if is_json and real is not NOT_THERE else str(real)
        if real is NOT_THERE or (sign == "=" and spelled != value) or (sign == "~" and value not in spelled):
            found.append(f"{expected}: {real!r}")
    return found


def reached(engine: SineEngine, effective: Mapping[str, Any]) -> list[str]:
    """Where what reached the engine is not what should have."""
    if not effective:
        return []
    request = engine.requests[0]
    real = {name: reduce(getattr, name.split("."), request) for name in effective}
    return [f"{name}: {real[name]!r}" for name in effective if real[name] != effective[name]]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
async def test_a_recorded_exchange_replays(exchange: Exchange, tmp_path: Path) -> None:
    engine = SineEngine() if exchange.small else AbleEngine(uses=ALL | set(ANALYSES))
    async with edge(tmp_path, engine, **exchange.settings) as server:
        sent, path = await filled(server, exchange.sent, exchange.path)
        response = await server.http.request(exchange.method, path, **sent)
        if response.status_code == 200 and (exchange.effective or exchange.our_effective):
            await server.query(response.json()["data"]["task_id"])
        upstream = [*departures(response, exchange.status, exchange.shape), *reached(engine, exchange.effective)]
        if exchange.agreed:
            assert upstream, f"answers as upstream does: the difference {exchange.agreed} is none"
            ours = departures(response, exchange.our_status or exchange.status, exchange.our_shape)
            assert [*ours, *reached(engine, exchange.our_effective)] == []
        else:
            assert upstream == []
        engine.go.set()


def test_every_difference_is_seen_in_an_exchange_and_none_is_without_a_name() -> None:
    seen = [name for exchange in EXCHANGES for name in exchange.agreed]
    assert set(seen) == DIFFERENCES.keys()
    assert len({exchange.name for exchange in EXCHANGES}) == len(EXCHANGES) == 40


def test_the_documents_show_the_table_of_differences() -> None:
    lines = DOCUMENT.read_text("utf-8").splitlines()
    start = lines.index("| Difference | Upstream (February 2026) | Here | Why |")
    shown = [line for line in lines[start + 2 : start + 2 + len(DIFFERENCES) + 1] if line.startswith("|")]
    assert shown == [f"| {name} | {row.upstream} | {row.ours} | {row.why} |" for name, row in DIFFERENCES.items()]
