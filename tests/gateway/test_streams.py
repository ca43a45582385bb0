"""What a generator yields reaches its client in order, once, and the last state comes with the last chunk."""

import asyncio
import json

import httpx
import psycopg
from gateway_house import SOON


async def send(worker, job_id, body: bytes | str) -> httpx.Response:
    return await worker.house.http.post(worker.url("job-stream", f"/{job_id}", isStream="false"), content=body)


async def read(house, job_id) -> dict:
    answer = await house.get(f"stream/{job_id}")
    assert answer.status_code == 200
    return answer.json()


async def test_chunks_are_read_in_order_and_once_and_the_end_comes_with_the_last(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for number in range(3):
        assert (await send(worker, job_id, json.dumps({"output": {"n": number, "é": "ü"}}))).status_code == 200
    first = await read(house, job_id)
    assert first == {"status": "IN_PROGRESS", "stream": [{"output": {"n": n, "é": "ü"}} for n in range(3)]}
    await send(worker, job_id, '{"output": "last"}')
    await worker.done(job_id, '{"output": []}')
    assert await read(house, job_id) == {"status": "COMPLETED", "stream": [{"output": "last"}]}
    assert await read(house, job_id) == {"status": "COMPLETED", "stream": []}
    assert (await house.post(f"stream/{job_id}")).json() == {"status": "COMPLETED", "stream": []}, "Go polls with POST"


async def test_a_reader_waits_for_the_next_chunk_and_is_woken_by_it(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    waiting = asyncio.create_task(read(house, job_id))
    await asyncio.sleep(0)
    await send(worker, job_id, '{"output": 1}')
    assert await asyncio.wait_for(waiting, SOON) == {"status": "IN_PROGRESS", "stream": [{"output": 1}]}


async def test_more_chunks_than_one_answer_holds_come_before_the_end_is_told(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for number in range(130):
        await send(worker, job_id, json.dumps({"output": number}))
    await worker.done(job_id, '{"output": null}')
    first, second = await read(house, job_id), await read(house, job_id)
    assert (first["status"], second["status"]) == ("IN_PROGRESS", "COMPLETED")
    assert [item["output"] for item in first["stream"] + second["stream"]] == list(range(130))


async def test_the_stream_of_a_cancelled_job_ends_as_failed_since_the_python_client_knows_no_other_end(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await send(worker, job_id, '{"output": 1}')
    await house.post(f"cancel/{job_id}")
    assert await read(house, job_id) == {"status": "FAILED", "stream": [{"output": 1}]}
    assert (await house.status(job_id))["status"] == "CANCELLED"


async def test_late_foreign_and_unreadable_chunks_change_nothing_and_are_answered_200(house):
    worker, other = await house.hire("w1"), await house.hire("w2")
    job_id = await house.run()
    await worker.take()
    assert (await send(other, job_id, '{"output": "foreign"}')).status_code == 200
    assert (await send(worker, job_id, b"\xff not json")).status_code == 200
    await worker.done(job_id, '{"output": 1}')
    assert (await send(worker, job_id, '{"output": "late"}')).status_code == 200
    assert await read(house, job_id) == {"status": "COMPLETED", "stream": []}


async def test_a_job_that_is_handed_out_again_starts_its_stream_anew(house):
    worker, other = await house.hire("w1"), await house.hire("w2")
    job_id = await house.run()
    await worker.take()
    await send(worker, job_id, '{"output": "old"}')
    await house.workers("/w1/ended", {"died": True})
    await other.take()
    await send(other, job_id, '{"output": "new"}')
    assert (await read(house, job_id))["stream"] == [{"output": "new"}]


async def test_status_sync_answers_at_the_end_or_after_its_wait(house):
    worker = await house.hire()
    job_id = await house.run()
    early = (await house.get(f"status-sync/{job_id}?wait=10")).json()
    assert (early["id"], early["status"]) == (job_id, "IN_QUEUE")
    await worker.take()
    waiting = asyncio.create_task(house.post(f"status-sync/{job_id}?wait=90000"))
    await asyncio.sleep(0)
    await worker.done(job_id, '{"output": 7}')
    assert (await asyncio.wait_for(waiting, SOON)).json()["output"] == 7
    assert (await house.get(f"status-sync/{job_id}?wait=-1")).status_code == 400


async def test_retry_answers_as_the_platform_does_and_409_for_a_job_that_went_well(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    await worker.done(job_id, '{"error": "no"}')
    answer = await house.post(f"retry/{job_id}")
    assert (answer.status_code, answer.json()) == (200, {"id": job_id, "status": "IN_QUEUE"})
    await worker.take()
    await worker.done(job_id, '{"output": "well"}')
    assert (await house.status(job_id))["output"] == "well"
    refused = await house.post(f"retry/{job_id}")
    assert refused.status_code == 409
    assert "COMPLETED" in refused.json()["error"]


async def test_a_commit_that_went_through_though_its_connection_broke_loses_and_doubles_no_chunk(house, monkeypatch):
    """PostgreSQL only: the same piece of work is run again, and meets what its first run did."""
    engine = house.parts.desk._database._engine
    if engine.dialect.name == "sqlite":
        return
    worker, broken = await house.hire(), []
    job_id = await house.run()
    await worker.take()

    def break_after_commit(connection):
        connection.commit()
        if not broken:
            broken.append(True)
            raise psycopg.OperationalError("server closed the connection unexpectedly, on purpose")

    monkeypatch.setattr(engine.dialect, "do_commit", break_after_commit)
    await send(worker, job_id, '{"output": 1}')
    await send(worker, job_id, '{"output": 2}')
    broken.clear()
    assert [item["output"] for item in (await read(house, job_id))["stream"]] == [1, 2]
    assert broken
