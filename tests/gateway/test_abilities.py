"""What can the workers of an endpoint do? Told by each with its own token, kept while it lives, shown as one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_house import GatewayHouse, Hired, open_house

from acestep_serverless.database.tables import WORKERS

TURBO = {
    "engines": ["acestep"],
    "task_types": {
        "": ["text2music", "cover", "repaint"],
        "turbo": ["text2music", "cover", "repaint"],
        "base": ["text2music", "repaint", "lego"],
    },
    "uses": ["thinking", "repaint_mode", "reference_audio_path"],
    "longest": 240.0,
    "largest_batch": 4,
}
SHORT = {
    "engines": ["sketch"],
    "task_types": {"": ["text2music"], "sketch": ["text2music"]},
    "uses": [],
    "longest": 600,
    "largest_batch": 2,
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[GatewayHouse]:
    async with open_house(tmp_path / "data", workers=0) as house:
        yield house


async def tell(hired: Hired, told: object) -> httpx.Response:
    return await hired.house.http.put(hired.url("abilities"), json=told)


async def hire(house: GatewayHouse, worker_id: str, told: object) -> Hired:
    hired = await house.hire(worker_id)
    answer = await tell(hired, told)
    assert answer.status_code == 200, answer.text
    return hired


async def listed(house: GatewayHouse) -> dict[str, Any]:
    (endpoint,) = (await house.http.get("/v2")).json()["endpoints"]
    return endpoint


async def schema(house: GatewayHouse) -> dict[str, Any]:
    return (await house.get("schema")).json()


async def test_what_a_worker_tells_is_shown_and_narrows_the_schema(house: GatewayHouse):
    assert await listed(house) == {"id": "ace-step", "live_workers": 0, "abilities": None}
    await hire(house, "w1", TURBO)
    assert await listed(house) == {
        "id": "ace-step",
        "live_workers": 1,
        "abilities": {
            "engines": ["acestep"],
            "models": ["turbo", "base"],
            "task_types": TURBO["task_types"],
            "longest_seconds": 240.0,
            "largest_batch": 4,
            "plans": True,
            "reference_audio": True,
            "source_audio": True,
        },
    }
    found = await schema(house)
    fields = found["properties"]
    assert fields["task_type"]["enum"] == ["text2music", "cover", "repaint", "lego", None]
    assert fields["task_type"]["x-allowed"] == "one of text2music, cover, repaint, lego"
    assert fields["task_type"]["x-refused"] == ["cover-nofsq", "extract", "complete"]
    assert (fields["duration"]["maximum"], fields["batch_size"]["maximum"]) == (240, 4)
    assert fields["duration"]["x-allowed"] == "a whole number from 1 to 240"
    assert fields["model"]["examples"] == ["turbo", "base"]
    used = {name: fields[name]["x-used"] for name in ("src_audio", "reference_audio", "thinking", "shift", "lora")}
    assert used == {"src_audio": True, "reference_audio": True, "thinking": True, "shift": False, "lora": False}
    assert found["x-engine"]["task_types_by_model"] == TURBO["task_types"]


async def test_workers_that_differ_can_do_what_one_of_them_can(house: GatewayHouse):
    await hire(house, "w1", TURBO)
    house.clock.move(1)
    await hire(house, "w2", SHORT)
    both = await listed(house)
    assert both["live_workers"] == 2
    assert both["abilities"]["engines"] == ["acestep", "sketch"]
    assert both["abilities"]["models"] == ["turbo", "base", "sketch"]
    assert (both["abilities"]["longest_seconds"], both["abilities"]["largest_batch"]) == (600.0, 4)
    assert (await schema(house))["x-engine"]["name"] == "acestep and sketch"


async def test_a_worker_that_tells_nothing_may_do_everything_once_it_asks_for_work(house: GatewayHouse):
    await hire(house, "w1", SHORT)
    other = await house.hire("w2")
    assert (await listed(house))["live_workers"] == 1
    await other.ping()
    assert await listed(house) == {"id": "ace-step", "live_workers": 2, "abilities": None}
    assert "lego" in (await schema(house))["properties"]["task_type"]["enum"]
    assert (await schema(house))["x-engine"]["task_types"] is None


async def test_a_worker_that_is_gone_is_forgotten(house: GatewayHouse):
    for number, going in enumerate(("drain", "ended", "unhealthy", "silent")):
        hired = await hire(house, f"w{number}", SHORT)
        assert (await listed(house))["live_workers"] == 1
        if going == "silent":
            await hired.ping()
            house.clock.move(31)
        elif going == "unhealthy":
            await hired.ping(status="unhealthy")
        else:
            await house.workers(f"/{hired.id}/{going}", {})
        assert await listed(house) == {"id": "ace-step", "live_workers": 0, "abilities": None}, going


async def test_a_heartbeat_keeps_a_worker_alive_and_a_new_core_still_knows_it(tmp_path: Path):
    async with open_house(tmp_path / "data", workers=0) as house:
        hired = await hire(house, "w1", SHORT)
        house.clock.move(20)
        await hired.ping()
        house.clock.move(20)
        before = await listed(house)
    async with open_house(tmp_path / "data", workers=0, first_start=False) as successor:
        successor.clock.move(40)
        assert await listed(successor) == before
        assert before["abilities"]["engines"] == ["sketch"]


async def test_only_the_worker_itself_tells(house: GatewayHouse):
    hired = await hire(house, "w1", SHORT)
    other = await house.hire("w2")
    for token in ("", "wrong", other.token):
        refused = await house.http.put("/v2/ace-step/abilities/w1", params={"token": token}, json=TURBO)
        assert refused.status_code == 401
    assert (await listed(house))["abilities"]["engines"] == ["sketch"]
    assert hired.token not in (await house.http.get("/v2")).text


WRONG = {
    "abilities": [],
    "engines": SHORT | {"engines": ["a/b"]},
    "task_types": SHORT | {"task_types": {"": ["dance"]}},
    "task_types ": SHORT | {"task_types": {"sketch": ["text2music"]}},
    "task_types  ": SHORT | {"task_types": {"": [], "../x": ["cover"]}},
    "uses": SHORT | {"uses": ["no_such_parameter"]},
    "longest": SHORT | {"longest": True},
    "largest_batch": {name: value for name, value in SHORT.items() if name != "largest_batch"},
    '"speed"': SHORT | {"speed": 1},
}


async def test_a_statement_that_is_not_understood_is_refused_by_field_and_changes_nothing(house: GatewayHouse):
    hired = await hire(house, "w1", SHORT)
    for field, wrong in WRONG.items():
        answer = await tell(hired, wrong)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(f"{field.strip()}: must be "), answer.text
    large = await house.http.put(hired.url("abilities"), content=b"[" + b" " * 70_000 + b"]")
    assert large.status_code == 413
    assert (await listed(house))["abilities"]["engines"] == ["sketch"]


async def test_what_a_gateway_of_another_version_has_kept_is_taken_for_nothing(house: GatewayHouse):
    await hire(house, "w1", SHORT)
    newer = WORKERS.update().values(abilities='{"engines": ["sketch"], "more": 1}')
    await house.parts.desk._database.write(lambda connection: connection.execute(newer))
    assert await listed(house) == {"id": "ace-step", "live_workers": 1, "abilities": None}
