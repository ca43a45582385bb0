"""Does `/openapi.json` name every error that a route answers with, and none that never comes?

Each error is brought about at each route; what is seen and what is described must be the same.
"""

import asyncio
import json

import pytest
from gateway_house import PATIENT, GatewayHouse, open_house

from acestep_serverless.contract import batch as wire
from acestep_serverless.gateway.limits import OPERATIONS
from described_operations import Description, Operation

KEY = "a-client-key"
OPENAI = "/v2/{endpoint_id}/openai/v1/{path}"


async def described(house: GatewayHouse) -> Description:
    return Description((await house.http.get("/openapi.json")).json())


async def ask(house, description, operation: Operation, content=b"{", headers=None, query=None, **names: str) -> str:
    path = operation.place(**{"endpoint_id": "ace-step"} | names)
    sent = {} if operation.method == "get" else {"content": content}
    answer = await house.http.request(operation.method, path, headers=headers, params=query, **sent)
    return description.see(operation, answer)


async def wrong_in_every_way(house, description) -> None:
    """Send each operation a body that is none, one that is too large, queries and names of nothing."""
    for operation in description:
        await ask(house, description, operation)
        await ask(house, description, operation, headers={"Content-Length": "99999999999"})
        await ask(house, description, operation, content=b"{}", endpoint_id="nowhere")
        for name in operation.queries:
            await ask(house, description, operation, content=b'{"input": 1}', query={name: "x"})
        foreign = await ask(house, description, operation, headers={"Host": "example.org"})
        assert foreign == "403", operation.path


async def bad_ranges(house, description) -> None:
    """Ask for a song by headers that are no range, or one outside of it."""
    operation = next(one for one in description if one.path == "/v1/audio")
    worker, job_id = await house.hire("singer"), await house.run()
    await worker.take()
    name = (await worker.put(job_id, "0.mp3", bytes(100))).json()["file"].partition("=")[2]
    for text, code in (("bytes=0-0", "206"), ("bytes=0-0,9-9", "206"), ("bytes=x", "400"), ("bytes=99999999-", "416")):
        said = await ask(house, description, operation, headers={"Range": text}, query={"filename": name})
        assert said == code, text


async def in_the_way(house, description) -> None:
    """Ask for what the state of a job or a batch forbids."""
    operations = {f"{one.method} {one.path.removeprefix('/v2/{endpoint_id}')}": one for one in description}
    job_id = await house.run()
    assert await ask(house, description, operations["post /retry/{job_id}"], job_id=job_id) == "409"
    batch_id = (await house.post("batch", [{"input": 1}])).json()["id"]
    assert await ask(house, description, operations["post /batch/{batch_id}/finalize"], batch_id=batch_id) == "200"
    for what, content in (
        ("post /batch/{batch_id}/finalize", b""),
        ("post /batch/{batch_id}/requests", b'{"requests": [{"input": 1}]}'),
        ("delete /batch/{batch_id}/requests/{request_id}", b""),
    ):
        assert await ask(house, description, operations[what], content=content, batch_id=batch_id) == "409"
    for _ in range(wire.ACTIVE_BATCHES):
        code = await ask(house, description, operations["post /batch"], content=b"[]")
    assert code == "409"


async def too_often(house, description) -> None:
    for operation in description:
        if "429" in operation.errors:
            codes = [
                await ask(house, description, operation, headers={"Authorization": KEY}, query={"wait": "1000"})
                for _ in range(2)
            ]
            assert codes[-1] == "429", operation.path


async def without_the_key(house, description) -> None:
    for operation in description:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert await ask(house, description, operation, headers=headers) == "401", operation.path


async def broken(house, description) -> None:
    """Take the gateway's parts away: what nobody foresees."""
    parts, house.app.state.parts = house.app.state.parts, None
    for operation in description:
        assert await ask(house, description, operation) == "500", operation.path
    house.app.state.parts = parts


async def test_what_is_described_and_what_is_answered_are_the_same(tmp_path):
    limits = dict.fromkeys(OPERATIONS, "1/1 hour")
    async with (
        open_house(tmp_path / "open") as house,
        open_house(tmp_path / "closed", api_keys=KEY, rate_limits=limits) as closed,
    ):
        description = await described(house)
        await wrong_in_every_way(house, description)
        await bad_ranges(house, description)
        await in_the_way(house, description)
        await without_the_key(closed, description)
        await too_often(closed, description)
        await broken(house, description)
    assert description.lacking("503", "4XX", "5XX") == {}, "503: test_outage.py; the ranges: below"
    assert set(description.components["schemas"]) == {"Error", "OpenAIError", "AnyError"}


@pytest.fixture
async def house(tmp_path):
    async with open_house(tmp_path / "data", rules=PATIENT) as house:
        yield house


async def test_what_a_handler_refuses_an_openai_client_falls_under_a_range(house):
    description = await described(house)
    operation = next(one for one in description if one.path == OPENAI)
    worker = await house.hire()
    for code in (418, 507):
        asked = asyncio.create_task(ask(house, description, operation, content=b"{}", path="models"))
        taken = await worker.take()
        await worker.done(taken["id"], json.dumps({"error": str({"message": "no", "code": code})}))
        assert await asked == str(code)
    assert {"4XX", "5XX"} <= description.seen["post" + OPENAI]


async def test_a_wrong_method_is_told_all_that_the_path_has(house):
    known = {"run": {"POST"}, "batch": {"GET", "POST"}, "batch/x": {"GET", "PUT"}, "status/x": {"GET", "POST"}}
    answers = {name: await house.http.options(f"/v2/ace-step/{name}") for name in known}
    assert {answer.status_code for answer in answers.values()} == {405}
    assert {name: set(answer.headers["allow"].split(", ")) for name, answer in answers.items()} == known
    assert answers["batch"].json() == {"error": "this path takes GET, POST, not OPTIONS"}


async def test_a_misspelt_operation_is_told_which_there_are(house):
    told = (await house.post("runn")).json()["error"].partition("there are ")[2].split(", ")
    assert {"run", "runsync", "status/{job_id}", "cancel/{job_id}", "batch", "health"} <= set(told)
    assert len(told) == len({name.partition("/")[0] for name in told})
    elsewhere = await house.http.get("/runn")
    assert (elsewhere.status_code, "/openapi.json" in elsewhere.json()["error"]) == (404, True)
    unnamed = await house.http.get("/v1/audio")
    assert (unnamed.status_code, unnamed.json()["error"].partition(":")[0]) == (400, "filename")
