"""The platform's batch operations: drafts become jobs at once, behind `/run`, and are counted to their end."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from gateway_house import GatewayHouse, open_house

from acestep_serverless.contract import batch as wire
from acestep_serverless.database.tables import METADATA


@pytest.fixture(scope="module")
def batches_database() -> Iterator:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "endpoint"))
        from endpoint_postgresql import postgresql_server

        with postgresql_server() as server:
            yield server.database("batches")


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request, tmp_path) -> AsyncIterator[GatewayHouse]:
    """A gateway on SQLite, then one on PostgreSQL."""
    if request.param == "sqlite":
        async with open_house(tmp_path / "data") as house:
            yield house
        return
    uri = request.getfixturevalue("batches_database")
    async with open_house(tmp_path / "data", database_url=uri) as house:
        yield house
    with psycopg.connect(uri) as connection:  # Emptied and not made anew for each test: that takes a second.
        connection.execute(f"TRUNCATE {', '.join(METADATA.tables)}")


def bodies(count, **more):
    return [{"input": {"caption": f"song {number}"}, **more} for number in range(count)]


async def draft(house, count=0, **more):
    answer = await house.post("batch", bodies(count, **more))
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "DRAFT"
    return answer.json()["id"]


async def queued(house, count, **more):
    batch_id = await draft(house, count, **more)
    answer = await house.post(f"batch/{batch_id}/finalize")
    assert answer.json() == {"id": batch_id, "status": "FINALIZED"}
    return batch_id


async def counted(house, batch_id):
    shown = (await house.get(f"batch/{batch_id}")).json()
    return tuple(shown[f"request{name}"] for name in ("Total", "InProgress", "Completed", "Failed"))


async def ids_of(house, batch_id):
    return [request["id"] for request in (await house.get(f"batch/{batch_id}/requests?limit=100")).json()["requests"]]


async def refused(answer, code, *words):
    sentence = answer.json()["error"]
    assert answer.status_code == code, sentence
    assert all(word in sentence for word in words), sentence


async def test_a_batch_lives_from_an_empty_draft_to_its_last_result(either):
    house, began = either, either.clock.now
    batch_id = await draft(house)
    assert re.fullmatch(r"batch_[0-9a-f-]{36}", batch_id)
    answer = await house.post(f"batch/{batch_id}/requests", {"requests": bodies(3)})
    added = answer.json()
    ids = added["requestIds"]
    assert added == {"id": batch_id, "status": "DRAFT", "requestIds": ids, "requestTotal": 3}
    assert all(re.fullmatch(r"req_[0-9a-f-]{36}", request_id) for request_id in ids)
    more = (await house.post(f"batch/{batch_id}/requests", {"requests": bodies(1)})).json()
    gone = await house.http.delete(f"/v2/ace-step/batch/{batch_id}/requests/{more['requestIds'][0]}")
    assert gone.json() == {"id": batch_id, "status": "DRAFT", "requestTotal": 3}
    named = await house.http.put(f"/v2/ace-step/batch/{batch_id}", json={"name": "évening songs"})
    assert named.json() == {"id": batch_id, "status": "DRAFT", "name": "évening songs"}
    worker = await house.hire()
    assert await worker.take() is None, "a draft is no job"
    assert (await house.get(f"status/{ids[0]}")).status_code == 404

    assert (await house.post(f"batch/{batch_id}/finalize")).json() == {"id": batch_id, "status": "FINALIZED"}
    house.clock.move(1.25)
    assert [(await worker.take())["id"] for _ in range(2)] == ids[:2], "in the order they were given"
    house.clock.move(2)
    await worker.done(ids[0], '{"output": {"songs": 1}}')
    await worker.done(ids[1], '{"error": "no such key"}')
    assert await counted(house, batch_id) == (3, 0, 1, 1)
    await worker.take()
    assert (await house.get(f"batch/{batch_id}")).json() == {
        "id": batch_id,
        "endpointId": "ace-step",
        "status": "FINALIZED",
        "requestTotal": 3,
        "requestInProgress": 1,
        "requestCompleted": 1,
        "requestFailed": 1,
        "createdAt": began,
        "name": "évening songs",
    }
    times = {"startedAt": "2027-01-15T08:00:01.250Z", "completedAt": "2027-01-15T08:00:03.250Z"}
    assert (await house.get(f"batch/{batch_id}/requests")).json() == {
        "requests": [
            {"id": ids[0], "status": "COMPLETED", **times, "output": {"songs": 1}},
            {"id": ids[1], "status": "FAILED", **times, "error": "no such key"},
            {"id": ids[2], "status": "IN_PROGRESS", "startedAt": "2027-01-15T08:00:03.250Z"},
        ],
        "total": 3,
        "offset": 0,
        "limit": 50,
        "hasMore": False,
    }
    await worker.done(ids[2], '{"output": 3}')
    assert await counted(house, batch_id) == (3, 0, 2, 1)


async def test_jobs_of_run_go_before_all_jobs_of_a_batch(either):
    batch_id = await queued(either, 2)
    late = await either.run()
    worker = await either.hire()
    taken = [(await worker.take())["id"] for _ in range(3)]
    assert taken == [late, *await ids_of(either, batch_id)]


async def test_finalizing_twice_at_once_queues_the_requests_once(either):
    batch_id = await draft(either, 20)
    answers = await asyncio.gather(*(either.post(f"batch/{batch_id}/finalize") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert (await either.get("health")).json()["jobs"]["inQueue"] == 20
    assert len(set(await ids_of(either, batch_id))) == 20


async def test_a_piece_of_work_whose_commit_was_lost_is_its_own_and_not_somebody_elses(either, monkeypatch):
    """The writer runs a transaction again when its connection breaks during COMMIT, which may have gone through."""
    database = either.parts.batches._database
    write = database.write

    async def run_twice(work):
        await write(work)
        return await write(work)

    monkeypatch.setattr(database, "write", run_twice)
    batch_id = await draft(either, 2)
    answer = (await either.post(f"batch/{batch_id}/requests", {"requests": bodies(2)})).json()
    assert answer["requestTotal"] == 4
    gone = await either.http.delete(f"/v2/ace-step/batch/{batch_id}/requests/{answer['requestIds'][0]}")
    assert gone.json()["requestTotal"] == 3
    assert (await either.post(f"batch/{batch_id}/finalize")).json()["status"] == "FINALIZED"
    await refused(await either.post(f"batch/{batch_id}/finalize"), 409, "FINALIZED")
    assert await counted(either, batch_id) == (3, 0, 0, 0)
    assert (await either.get("health")).json()["jobs"]["inQueue"] == 3


async def test_cancelling_in_the_middle_lets_what_runs_end_and_nothing_else_begin(either):
    batch_id = await queued(either, 4)
    ids, worker = await ids_of(either, batch_id), await either.hire()
    for _ in range(2):
        await worker.take()
    await worker.done(ids[0], '{"output": 1}')
    for _ in range(2):
        assert (await either.post(f"batch/{batch_id}/cancel")).json() == {"id": batch_id, "status": "CANCELLED"}
    assert await counted(either, batch_id) == (4, 1, 1, 2)
    assert await worker.take() is None
    assert ids[1] not in await worker.stops()
    await worker.done(ids[1], '{"output": 2}')
    assert await counted(either, batch_id) == (4, 0, 2, 2)
    await refused(await either.post(f"batch/{batch_id}/finalize"), 409, "CANCELLED")


async def test_a_cancelled_draft_drops_its_requests(either):
    batch_id = await draft(either, 2)
    await either.post(f"batch/{batch_id}/cancel")
    assert await counted(either, batch_id) == (0, 0, 0, 0)
    assert await ids_of(either, batch_id) == []


async def test_a_request_is_a_job_like_any_other(either):
    batch_id = await queued(either, 2, policy={"executionTimeout": 5_000, "ttl": 60_000})
    first, second = await ids_of(either, batch_id)
    await either.post(f"cancel/{second}")
    worker = await either.hire()
    assert (await worker.take())["policy"] == {"executionTimeout": 5_000, "ttl": 60_000}
    await worker.done(first, '{"error": "busy"}')
    assert (await either.status(first))["error"] == "busy"
    assert await counted(either, batch_id) == (2, 0, 0, 2)
    assert (await either.post(f"retry/{first}")).json()["status"] == "IN_QUEUE"
    assert await counted(either, batch_id) == (2, 0, 0, 1), "it counts anew"
    await worker.take()
    await worker.done(first, '{"output": 1}')
    assert await counted(either, batch_id) == (2, 0, 1, 1)


async def test_requests_are_paged_in_their_order(either):
    batch_id = await draft(either, 5)
    waiting = (await either.get(f"batch/{batch_id}/requests?limit=2&offset=2")).json()
    assert {request["status"] for request in waiting["requests"]} == {"DRAFT"}
    ids = await ids_of(either, batch_id)
    assert [request["id"] for request in waiting["requests"]] == ids[2:4]
    await either.post(f"batch/{batch_id}/finalize")
    pages = [(await either.get(f"batch/{batch_id}/requests?limit=2&offset={offset}")).json() for offset in (0, 2, 4, 6)]
    assert [[request["id"] for request in page["requests"]] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [page["hasMore"] for page in pages] == [True, True, False, False]
    assert {page["total"] for page in pages} == {5}


async def test_batches_are_listed_newest_first(either):
    made = [await draft(either, number) for number in range(3)]
    page = (await either.get("batch?limit=2")).json()
    assert [(batch["id"], batch["requestTotal"]) for batch in page["batches"]] == [(made[2], 2), (made[1], 1)]
    assert {name: page[name] for name in ("total", "offset", "limit", "hasMore")} == {
        "total": 3,
        "offset": 0,
        "limit": 2,
        "hasMore": True,
    }


async def test_a_draft_shows_no_secret_and_its_job_keeps_none(either):
    secret = {"s3Config": {"accessSecret": "hush"}}
    batch_id = await draft(either, 1, **secret)
    shown = [await either.get(path) for path in ("batch", f"batch/{batch_id}", f"batch/{batch_id}/requests")]
    await either.post(f"batch/{batch_id}/finalize")
    worker = await either.hire()
    job = await worker.take()
    assert job["s3Config"] == secret["s3Config"]
    await worker.done(job["id"], '{"output": 1}')
    shown += [await either.get(path) for path in (f"batch/{batch_id}/requests", f"status/{job['id']}")]
    assert not any("hush" in answer.text for answer in shown)
    await either.post(f"batch/{await draft(either, 1, **secret)}/cancel")
    file = either.settings.data_dir / "acestep-serverless.sqlite3"
    if file.exists():
        with closing(sqlite3.connect(file)) as rows:
            assert not any("hush" in line for line in rows.iterdump())


async def test_active_batches_are_limited_and_done_ones_do_not_count(either):
    done = await queued(either, 1)
    batches = [await draft(either) for _ in range(wire.ACTIVE_BATCHES - 1)]
    await refused(await either.post("batch", []), 409, "10 active batches")
    worker = await either.hire()
    job = await worker.take()
    await refused(await either.post("batch", []), 409, "10 active batches")
    await worker.done(job["id"], '{"output": 1}')
    assert await counted(either, done) == (1, 0, 1, 0)
    batches.append(await draft(either))
    await refused(await either.post("batch", []), 409, "10 active batches")
    await either.post(f"batch/{batches[0]}/cancel")
    await either.post(f"batch/{batches[1]}/finalize")
    assert [await draft(either), await draft(either)], "a cancelled one and an empty one are done"
    assert (await either.get("batch")).json()["total"] == 13, "what was refused was not written"


async def test_a_batch_holds_five_thousand_requests_and_the_next_one_is_refused(either):
    batch_id = await draft(either, 4_999)
    await refused(await either.post(f"batch/{batch_id}/requests", {"requests": bodies(2)}), 409, "5,001", "5,000")
    assert await counted(either, batch_id) == (4_999, 0, 0, 0)
    assert (await either.post(f"batch/{batch_id}/requests", {"requests": bodies(1)})).status_code == 200
    await refused(await either.post("batch", bodies(5_001)), 409, "5,000")
    await either.post(f"batch/{batch_id}/finalize")
    assert (await either.get("health")).json()["jobs"]["inQueue"] == 5_000
    await either.post(f"batch/{batch_id}/cancel")
    assert await counted(either, batch_id) == (5_000, 0, 0, 5_000)


async def test_an_endpoints_queue_is_limited_when_a_batch_is_finalized(either, monkeypatch):
    monkeypatch.setattr(wire, "QUEUED_JOBS", 5)
    await either.run()
    await queued(either, 2)
    batch_id = await draft(either, 3)
    await refused(await either.post(f"batch/{batch_id}/finalize"), 409, "3 jobs wait", "at most 5")
    assert await counted(either, batch_id) == (3, 0, 0, 0)
    await either.post("purge-queue")
    assert (await either.post(f"batch/{batch_id}/finalize")).status_code == 200


async def test_only_drafts_change(either):
    batch_id = await queued(either, 1)
    (request_id,) = await ids_of(either, batch_id)
    await refused(await either.post(f"batch/{batch_id}/requests", {"requests": bodies(1)}), 409, "FINALIZED", "DRAFT")
    gone = await either.http.delete(f"/v2/ace-step/batch/{batch_id}/requests/{request_id}")
    await refused(gone, 409, "FINALIZED", "DRAFT")
    named = await either.http.put(f"/v2/ace-step/batch/{batch_id}", json={"displayName": "late"})
    assert named.json() == {"id": batch_id, "status": "FINALIZED", "name": "late"}


async def test_a_batch_is_forgotten_after_its_jobs_and_until_then_counts_those_that_are_gone(either):
    days = 24 * 3600
    forgotten, batch_id, worker = await draft(either, 1), await queued(either, 3), await either.hire()
    ids = await ids_of(either, batch_id)
    for body in ('{"output": 1}', '{"error": "x"}'):
        await worker.done((await worker.take())["id"], body)
    either.clock.move(1)
    long = await either.get(f"status/{ids[2]}?ttl={7 * days * 1000}")
    assert long.status_code == 200
    either.clock.move(7 * days - 1)
    await worker.take()
    either.clock.move(0.5)
    await either.parts.shelf.clear(ids[:2])
    assert await counted(either, batch_id) == (3, 1, 1, 1)
    assert await ids_of(either, batch_id) == ids[2:]
    await either.parts.batches.sweep()  # Unless the gateway's own sweep, each second, was quicker.
    assert (await either.get(f"batch/{forgotten}")).status_code == 404
    await worker.done(ids[2], '{"output": 1}')
    assert await counted(either, batch_id) == (3, 0, 2, 1)
    await either.parts.shelf.clear(ids)
    either.clock.move(61)
    await either.parts.batches.sweep()
    assert (await either.get("batch")).json()["total"] == 0


@pytest.mark.parametrize("unknown", ["batch_x", "%00", "%ff", "x" * 200])
async def test_an_unknown_batch_is_not_found(either, unknown):
    calls = [("GET", ""), ("PUT", ""), ("GET", "/requests"), ("POST", "/requests"), ("POST", "/finalize")]
    for method, rest in [*calls, ("POST", "/cancel"), ("DELETE", "/requests/req_x")]:
        body = {"name": "x"} if method == "PUT" else {"requests": bodies(1)}
        answer = await either.http.request(method, f"/v2/ace-step/batch/{unknown}{rest}", json=body)
        await refused(answer, 404, "no batch")
    gone = await either.http.delete(f"/v2/ace-step/batch/{await draft(either)}/requests/{unknown}")
    await refused(gone, 404, "no request")


async def test_another_endpoints_batch_is_not_found(tmp_path):
    async with open_house(tmp_path / "data", api_keys="ours,other:theirs") as house:
        batch_id = (await house.post("batch", bodies(1), Authorization="ours")).json()["id"]
        theirs = {"Authorization": "theirs"}
        assert (await house.http.get("/v2/other/batch", headers=theirs)).json()["batches"] == []
        for path in (f"batch/{batch_id}/finalize", f"batch/{batch_id}/cancel"):
            answer = await house.http.post(f"/v2/other/{path}", headers=theirs)
            await refused(answer, 404, "no batch")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": {}}, ["requests: must be an array"]),
        ([{"input": {}}, 7], ["requests[1]: must be a JSON object"]),
        ([{"input": {}}, {"input": {}, "policy": {"ttl": 1}}], ["requests[1].policy.ttl: must be whole milliseconds"]),
        ([{"webhook": "ftp://x"}], ["requests[0].input: is required", "requests[0].webhook: must be"]),
        ([{}] * 20, ["requests[15].input", "got 4 more problems"]),
    ],
)
async def test_one_wrong_request_refuses_them_all_and_is_named_by_its_index(house, body, words):
    await refused(await house.post("batch", body), 400, *words)
    assert (await house.get("batch")).json()["total"] == 0
    batch_id = await draft(house)
    if isinstance(body, list):
        await refused(await house.post(f"batch/{batch_id}/requests", {"requests": body}), 400, *words)
        assert await counted(house, batch_id) == (0, 0, 0, 0)


@pytest.mark.parametrize("body", [[], {}, {"requests": {}}, {"requests": [], "more": 1}, None])
async def test_more_requests_come_as_an_object_of_them(house, body):
    await refused(await house.post(f"batch/{await draft(house)}/requests", body), 400, "must be")


@pytest.mark.parametrize(
    "body",
    ["x", {}, {"name": 7}, {"name": ""}, {"name": "a\x00"}, {"name": "\ud800"}, {"name": "x" * 201}, {"title": "x"}],
)
async def test_a_name_is_a_short_printable_text(house, body):
    content = json.dumps(body)
    answer = await house.http.put(f"/v2/ace-step/batch/{await draft(house)}", content=content)
    await refused(answer, 400, "must be")


async def test_a_call_brings_ten_mebibytes_at_most(house):
    batch_id = await draft(house)
    content = b'{"requests": []}'.ljust(wire.BATCH_BODY_LIMIT)
    url = f"/v2/ace-step/batch/{batch_id}/requests"
    assert (await house.http.post(url, content=content)).json()["requestIds"] == []
    assert (await house.http.post(url, content=content + b" ")).status_code == 413
