"""Who gets the next job, and how many at once? Lanes, takes of several, workers that end meanwhile, ttl, tallies."""

import asyncio

import sqlalchemy as sa
from jobs_house import BROKEN, DONE, ENDPOINT, RULES

from acestep_serverless.contract.job import JobRequest
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.database.tables import JOBS
from acestep_serverless.jobs import store
from acestep_serverless.jobs.streams import CHUNK_LIMIT, StreamDesk, split
from acestep_serverless.registry.workers import NOTED_AHEAD_MS


def ids_of(texts):
    return [text.split('"')[3] for text in texts]


async def test_a_job_of_a_batch_never_goes_before_a_clients_own(office):
    await office.hire("w1")
    request = JobRequest({"n": 1})
    row = office.desk.new_row(ENDPOINT, "of-a-batch", request, 600_000) | {"lane": 1}
    await office.database.write(lambda connection: store.insert_jobs(connection, [(row, request)]))
    await office.submit("own")
    assert ids_of(await office.desk.take(ENDPOINT, "w1", 2)) == ["own", "of-a-batch"]


async def test_a_worker_alone_gets_as_many_as_it_asks_for_and_never_more(office):
    await office.hire("w1")
    for number in range(5):
        await office.submit(f"j{number}")
    assert ids_of(await office.desk.take(ENDPOINT, "w1", 3)) == ["j0", "j1", "j2"]
    assert ids_of(await office.desk.take(ENDPOINT, "w1", 3)) == ["j3", "j4"]


async def test_while_an_idle_worker_asks_each_gets_one_and_a_busy_one_none(office):
    await office.hire("w1", "w2")
    for number in range(4):
        await office.submit(f"j{number}")
    await office.workers.polls("w2", 25_000)
    assert ids_of(await office.desk.take(ENDPOINT, "w1", 3)) == ["j0"]
    assert await office.desk.take(ENDPOINT, "w1", 3) == [], "busy, and an idle one asks"
    office.now += 25_000 + NOTED_AHEAD_MS
    assert ids_of(await office.desk.take(ENDPOINT, "w1", 2)) == ["j1", "j2"], "the other one asks no longer"


async def test_busy_workers_with_room_for_many_take_turns(office):
    """Else the first one to ask would hold what the other could have made meanwhile."""
    await office.hire("w1", "w2")
    for number in range(8):
        await office.submit(f"j{number}")
    held = {"w1": [], "w2": []}
    for worker in held:
        await office.workers.polls(worker, 25_000)
        held[worker] += ids_of(await office.desk.take(ENDPOINT, worker, 1))
    for _ in range(3):
        for worker, jobs in held.items():
            jobs += ids_of(await office.desk.take(ENDPOINT, worker, 5))
    assert held == {"w1": ["j0", "j2", "j4", "j6"], "w2": ["j1", "j3", "j5", "j7"]}


async def test_a_worker_that_is_drained_while_its_take_is_under_way_gets_nothing(office):
    """The take has looked already when the drain is written: the guarded statement looks again."""
    await office.hire("w1")
    await office.submit("j")
    await office.workers.drain(ENDPOINT, "w1")
    until = office.now + RULES.lease_ms
    taken = await office.database.write(lambda connection: store.take(connection, ENDPOINT, "w1", 1, office.now, until))
    assert taken == []
    assert await office.state("j") == "IN_QUEUE"


async def test_a_ttl_given_later_ends_an_open_job_and_deletes_a_final_one(office):
    await office.hire("w1")
    for name in ("final", "open"):
        await office.submit(name)
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", "final", DONE)
    for name in ("final", "open"):
        await office.desk.set_ttl(ENDPOINT, name, 20_000)
    await office.desk.set_ttl("other", "open", 1)
    assert [report.outlived for report in await office.pass_time(20)] == [()] * 20
    assert await office.state("open") == "IN_QUEUE"
    assert (await office.pass_time(1))[0].outlived == ("final",)
    assert (await office.state("final"), await office.state("open")) == ("COMPLETED", "TIMED_OUT")


async def test_tallies_follow_ends_retries_and_deletions(office):
    await office.hire("w1")
    for number in range(4):
        await office.submit(f"j{number}")
    for number, result in enumerate((DONE, BROKEN, BROKEN)):
        await office.desk.take(ENDPOINT, "w1")
        await office.desk.finish("w1", f"j{number}", result)
    await office.desk.retry(ENDPOINT, "j1")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, "j3")
    await office.database.write(lambda connection: store.delete(connection, ["j2"]))
    counts = {name: count for name, count in (await office.desk.counts(ENDPOINT)).items() if count}
    assert counts == {"COMPLETED": 1, "IN_PROGRESS": 1, "CANCELLED": 1, "retried": 1}
    query = sa.select(JOBS.c.state, sa.func.count()).group_by(JOBS.c.state)
    real = await office.database.read(lambda connection: {row[0]: row[1] for row in connection.execute(query)})
    assert {name: count for name, count in counts.items() if name != "retried"} == real


async def test_a_long_text_is_streamed_in_pieces_and_nothing_of_it_is_lost(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    streams = StreamDesk(office.desk, office.database, office.clock)
    text = "ä" * CHUNK_LIMIT + "end"
    assert await streams.add("w1", job_id, dump(text))
    _, chunks = await streams.read(ENDPOINT, job_id)
    assert [len(chunk) - 2 for chunk in chunks] == [CHUNK_LIMIT, 3]
    assert "".join(chunk[1:-1] for chunk in chunks) == text
    assert split("[" + "1," * CHUNK_LIMIT + "1]")[0].startswith("[1,")


async def test_bells_and_writes_outlast_connections_that_are_cut(office, postgresql, database_url):
    """Every acknowledged job is there exactly once, however often the connections are ended."""
    if database_url.startswith("sqlite"):
        return
    await office.hire("w1")
    submits = [asyncio.create_task(office.submit(f"j{number}")) for number in range(150)]
    cut = 0
    for _ in range(3):
        cut += await asyncio.to_thread(postgresql.cut, database_url)
        await asyncio.wait(submits, timeout=0.1)
    assert cut
    ids = await asyncio.wait_for(asyncio.gather(*submits), 40)
    query = sa.select(JOBS.c.id)
    stored = await office.database.read(lambda connection: list(connection.execute(query).scalars()))
    assert sorted(stored) == sorted(ids)
