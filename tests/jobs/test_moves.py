"""Which moves are legal? Every move from every state, against the table; every guard against late and foreign ones."""

import asyncio
import sqlite3
import threading

import pytest
import sqlalchemy as sa
from jobs_house import BROKEN, DONE, ENDPOINT, START, open_office

from acestep_serverless.contract.job import FINAL_STATES, JobState
from acestep_serverless.contract.worker_protocol import JobResult
from acestep_serverless.database.tables import JOB_BODIES, JOBS, STOPS
from acestep_serverless.errors import Conflict, NotFound
from acestep_serverless.jobs import store
from acestep_serverless.jobs.states import MOVES

TABLE = {
    "take": {"IN_QUEUE"},
    "complete": {"IN_PROGRESS"},
    "fail": {"IN_PROGRESS"},
    "cancel": {"IN_QUEUE", "IN_PROGRESS"},
    "purge": {"IN_QUEUE"},
    "give_back": {"IN_PROGRESS"},
    "bury": {"IN_PROGRESS"},
    "give_up": {"IN_PROGRESS"},
    "lose": {"IN_PROGRESS"},
    "lose_for_good": {"IN_PROGRESS"},
    "time_out": {"IN_PROGRESS"},
    "retry": {"FAILED", "TIMED_OUT"},
    "expire": {"IN_QUEUE", "IN_PROGRESS"},
}
"""Said a second time, by hand: the table of moves is what everything else trusts."""


def in_state(state):
    """Columns of a job in a state that satisfy the database's own laws."""
    final, running = state in FINAL_STATES, state is JobState.IN_PROGRESS
    return {
        "state": state.value,
        "finished_at": START if final else None,
        "lease_expires_at": START + 1000 if running else None,
        "worker_id": "w1" if running else None,
        "taken_at": START if running else None,
    }


def test_the_table_of_moves_is_the_one_that_is_meant():
    assert {name: {state.value for state in move.sources} for name, move in MOVES.items()} == TABLE
    leaving = {name for name, move in MOVES.items() if FINAL_STATES & set(move.sources)}
    assert leaving == {"retry"}, "nothing else leads out of a final state"


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("name", MOVES)
async def test_a_move_is_made_from_its_sources_and_from_nowhere_else(office, name, state):
    job_id = await office.submit("j")
    values = in_state(state)
    await office.database.write(lambda connection: connection.execute(JOBS.update().values(**values)))
    before = await office.row(job_id)
    leased = {"lease_expires_at": START + 5, "worker_id": "w1"} if name == "take" else {}
    moved = await office.desk.change(lambda c: store.move(c, name, START + 7, JOBS.c.id == job_id, **leased))
    after = await office.row(job_id)
    if state.value in TABLE[name]:
        assert [job.id for job in moved] == [job_id]
        assert after.state == MOVES[name].target
        assert (after.finished_at is not None) == (MOVES[name].target in FINAL_STATES)
        assert await office.history(job_id) == [name]
    else:
        assert moved == []
        assert after == before
        assert await office.history(job_id) == []


@pytest.mark.parametrize(
    "values", [{"state": "RUNNING"}, {"state": "COMPLETED"}, {"finished_at": 1}, {"worker_id": "w"}]
)
async def test_the_database_itself_refuses_rows_that_contradict_themselves(office, values):
    await office.submit("j")
    statement = JOBS.update().values(**values)
    if values == {"worker_id": "w"}:
        statement = statement.values(state="IN_PROGRESS")  # without a lease
    with pytest.raises(sa.exc.IntegrityError):
        await office.database.write(lambda connection: connection.execute(statement))


@pytest.mark.parametrize("result", [DONE, BROKEN])
async def test_a_result_counts_once_and_only_from_the_lease_holder(office, result):
    await office.hire("w1", "w2")
    job_id = await office.submit("j")
    assert not await office.desk.finish("w1", job_id, result), "before it was taken"
    await office.desk.take(ENDPOINT, "w1")
    assert not await office.desk.finish("w2", job_id, DONE), "of another worker"
    assert await office.desk.finish("w1", job_id, result)
    end = await office.row(job_id)
    for late in (DONE, BROKEN, JobResult('"other"', "other")):
        assert not await office.desk.finish("w1", job_id, late)
    await office.desk.progress("w1", job_id, '"late"')
    assert await office.row(job_id) == end
    assert (await office.desk.view(ENDPOINT, job_id)).output == result.output
    assert await office.history(job_id) == ["take", "fail" if result.error else "complete"]


async def test_the_result_of_a_worker_that_has_lost_its_lease_changes_nothing_for_its_successor(office):
    await office.hire("w1", "w2")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.worker_ended("w1", died=False)
    assert not await office.desk.finish("w1", job_id, DONE), "while it waits again"
    await office.desk.take(ENDPOINT, "w2")
    assert not await office.desk.finish("w1", job_id, BROKEN)
    await office.desk.progress("w1", job_id, '"foreign"')
    assert (await office.row(job_id)).progress is None
    assert await office.desk.finish("w2", job_id, DONE)
    assert await office.state(job_id) == "COMPLETED"


async def test_progress_shows_while_it_runs_and_is_gone_at_the_end_and_when_it_waits_again(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    for end in (office.desk.worker_ended("w1", died=True), office.desk.finish("w1", job_id, BROKEN)):
        await office.revive("w1")
        await office.desk.take(ENDPOINT, "w1")
        await office.desk.progress("w1", job_id, '{"stage":"mix"}')
        assert (await office.desk.view(ENDPOINT, job_id)).output == '{"stage":"mix"}'
        await end
        assert (await office.desk.view(ENDPOINT, job_id)).output is None


async def test_jobs_are_taken_in_the_order_they_came_and_one_that_goes_back_keeps_its_turn(office):
    await office.hire("w1", "w2")
    for number in range(4):
        await office.submit(f"j{number}")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.take(ENDPOINT, "w2")
    await office.desk.worker_ended("w1", died=True)
    assert await office.desk.take(ENDPOINT, "w1") is None, "it has ended"
    taken = [await office.desk.take(ENDPOINT, "w2") for _ in range(4)]
    assert [text[7:9] for texts in taken for text in texts or ()] == ["j0", "j2", "j3"]
    assert taken[3] == []


async def test_endpoints_do_not_mix(office):
    await office.hire("w1")
    await office.submit("j")
    assert await office.desk.take("other", "w1") == []
    with pytest.raises(NotFound):
        await office.desk.cancel("other", "j")
    assert await office.desk.purge("other") == 0
    assert await office.state("j") == "IN_QUEUE"
    assert await office.desk.counts("other") == {"retried": 0, "IN_QUEUE": 0, "IN_PROGRESS": 0}


@pytest.mark.parametrize("state", ["DRAINING", "GONE", "unknown"])
async def test_a_worker_that_is_not_active_gets_nothing_even_when_it_asks(office, state):
    if state != "unknown":
        await office.hire("w1")
        await (
            office.workers.drain(ENDPOINT, "w1") if state == "DRAINING" else office.desk.worker_ended("w1", died=False)
        )
    await office.submit("j")
    assert await office.desk.take(ENDPOINT, "w1") is None
    assert await office.state("j") == "IN_QUEUE"


async def test_forty_takers_share_forty_jobs_and_none_gets_one_twice(office):
    await office.hire(*(f"w{number}" for number in range(40)))
    for number in range(40):
        await office.submit(f"j{number}")
    takes = (office.desk.take(ENDPOINT, f"w{number % 40}") for number in range(80))
    taken = [text for texts in await asyncio.gather(*takes) for text in texts]
    assert len(taken) == len(set(taken)) == 40


async def test_takers_in_two_processes_never_share_a_job(office, database_url):
    """Two openings of one database stand for two gateway processes: each has its own writer."""
    await office.hire("w1", "w2")
    for number in range(60):
        await office.submit(f"j{number}")
    taken = {"w1": [], "w2": []}

    async def take_all(worker_id):
        async with open_office(database_url) as other:
            while texts := await other.desk.take(ENDPOINT, worker_id):
                taken[worker_id] += texts

    threads = [threading.Thread(target=asyncio.run, args=(take_all(name),)) for name in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join, 20)
    assert len(taken["w1"]) + len(taken["w2"]) == 60
    assert not set(taken["w1"]) & set(taken["w2"])


@pytest.mark.parametrize("first", ["cancel", "finish"])
async def test_cancel_and_result_at_the_same_moment_leave_one_end_and_the_first_one_wins(office, first):
    await office.hire("w1")
    for number in range(20):
        job_id = await office.submit(f"j{number}")
        await office.desk.take(ENDPOINT, "w1")
        cancel, finish = office.desk.cancel(ENDPOINT, job_id), office.desk.finish("w1", job_id, DONE)
        await asyncio.gather(*((cancel, finish) if first == "cancel" else (finish, cancel)))
        expected = "CANCELLED" if first == "cancel" else "COMPLETED"
        assert await office.state(job_id) == expected
        assert len(await office.history(job_id)) == 2
        assert ((await office.desk.view(ENDPOINT, job_id)).output is None) == (first == "cancel")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_purge_of_a_queue_longer_than_a_statement_may_have_parameters_empties_it_with_its_secrets(office):
    """SQLite takes 32,766 parameters, or 250,000 where a distribution says so; here 1,000, to spare the time."""

    def narrow(connection, *_):
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1000)

    sa.event.listen(office.database._engine, "checkout", narrow)
    await office.submit("first", passed_on={"s3Config": {"accessSecret": "hush"}})

    def fill(connection):
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) "
            "INSERT INTO jobs (id, endpoint_id, state, low_priority, execution_timeout_ms, expires_at, submitted_at, "
            "missed_heartbeats, deliveries, deaths, losses) "
            "SELECT 'n' || i, endpoint_id, state, 0, execution_timeout_ms, expires_at, submitted_at, 0, 0, 0, 0 "
            "FROM n, jobs WHERE id = 'first'"
        )

    await office.database.write(fill)
    assert await office.desk.purge(ENDPOINT) == 1_101
    query = sa.select(JOB_BODIES.c.passed_on)
    bodies = await office.database.read(lambda connection: connection.execute(query).scalars().all())
    assert set(bodies) == {"{}"}


@pytest.mark.parametrize("end", ["complete", "fail", "cancel", "purge", "give_up", "time_out", "expire"])
async def test_what_is_passed_on_is_emptied_by_every_end(office, end):
    await office.hire("w1")
    job_id = await office.submit("j", passed_on={"s3Config": {"accessSecret": "hush"}})
    if end != "purge":
        assert "hush" in (await office.desk.take(ENDPOINT, "w1"))[0]
    await office.desk.change(lambda connection: store.move(connection, end, START, JOBS.c.id == job_id))
    query = sa.select(JOB_BODIES.c.passed_on)
    assert await office.database.read(lambda connection: connection.execute(query).scalar_one()) == "{}"


async def test_a_cancelled_running_job_is_said_to_its_worker_less_and_less_often(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, job_id)
    for pause in (250, 250, 500, 1000, 2000):
        assert await office.desk.stops("w1") == [job_id]
        office.now += pause - 1
        assert await office.desk.stops("w1") == []
        office.now += 1


async def test_a_stop_is_forgotten_when_no_heartbeat_has_listed_its_job_for_as_long_as_a_lease(office):
    """A worker short of time may list the job late: its heartbeats come from a process of their own."""
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, job_id)
    for listed in ([], [job_id], []):
        for _ in range(7):
            await office.desk.heartbeat("w1", listed)
            office.now += 4_000
        assert await office.desk.stops("w1") == [job_id]
    await office.desk.heartbeat("w1", [])
    office.now += 4_000
    await office.desk.heartbeat("w1", [])
    office.now += 1_000_000
    assert await office.desk.stops("w1") == []


async def test_a_worker_ignores_a_stop_only_while_its_heartbeats_list_the_job(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, job_id)
    await office.desk.stops("w1")
    for listed, ignoring in (([job_id], True), ([], False), ([job_id], True)):
        await office.desk.heartbeat("w1", listed)
        (worker,) = await office.workers.views(ENDPOINT)
        assert (worker.ignoring_stop_since is not None) is ignoring


async def test_a_late_result_of_a_stopped_job_ends_the_asking(office):
    """A sync handler cannot be interrupted: its late result says that it is done with the job."""
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, job_id)
    assert await office.desk.stops("w1") == [job_id]
    await office.desk.finish("w1", job_id, DONE)
    office.now += 300
    assert await office.desk.stops("w1") == []
    assert await office.state(job_id) == "CANCELLED"


async def test_a_job_taken_anew_by_the_same_worker_is_not_stopped_by_an_old_request(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.change(lambda connection: store.move(connection, "lose", START, JOBS.c.id == job_id))
    assert await office.desk.stops("w1") == [job_id]
    await office.desk.take(ENDPOINT, "w1")
    office.now += 300
    assert await office.desk.stops("w1") == []


async def test_deleting_a_job_leaves_nothing_of_it(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.cancel(ENDPOINT, job_id)
    await office.database.write(lambda connection: store.delete(connection, [job_id]))
    for table in ("jobs", "job_bodies", "job_events", STOPS.name):
        count = f"SELECT count(*) FROM {table}"
        assert await office.database.read(lambda c, text=count: c.exec_driver_sql(text).scalar()) == 0, table


async def test_a_failed_job_is_tried_again_under_its_id_with_its_input_and_a_new_ttl(office):
    await office.hire("w1")
    job_id = await office.submit("j", ttl_ms=60_000)
    first = await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", job_id, BROKEN)
    office.now += 50_000
    assert (await office.desk.retry(ENDPOINT, job_id)).state == "IN_QUEUE"
    view = await office.desk.view(ENDPOINT, job_id)
    assert (view.error, view.output, view.worker_id, view.taken_at) == (None, None, None, None)
    office.now += 50_000
    await office.sweeper.run_once()
    assert await office.desk.take(ENDPOINT, "w1") == first
    await office.desk.finish("w1", job_id, DONE)
    assert (await office.desk.view(ENDPOINT, job_id)).output == DONE.output
    assert await office.history(job_id) == ["take", "fail", "retry", "take", "complete"]


async def test_a_job_that_waits_runs_or_went_well_cannot_be_tried_again(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    for step in (office.desk.take(ENDPOINT, "w1"), office.desk.finish("w1", job_id, DONE)):
        with pytest.raises(Conflict, match="only FAILED and TIMED_OUT"):
            await office.desk.retry(ENDPOINT, job_id)
        await step
    with pytest.raises(Conflict, match="COMPLETED"):
        await office.desk.retry(ENDPOINT, job_id)
    with pytest.raises(NotFound):
        await office.desk.retry("other", job_id)
