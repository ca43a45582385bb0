"""From when does a job's time count? From its take by an idle worker, else from its first progress."""

import json

import pytest
from jobs_house import DONE, ENDPOINT, START


async def shown(office, job_id):
    view = await office.desk.view(ENDPOINT, job_id)
    return json.loads(view.as_json(office.now))


async def times(office, job_id):
    view = await shown(office, job_id)
    return view["delayTime"], view["executionTime"]


async def hold_two(office, *, at_once=False):
    """Let one worker hold "first", which it works at, and "second", which waits for it; five seconds apart."""
    await office.hire("w1")
    if not at_once:
        await office.submit("first", timeout_ms=60_000)
        await office.desk.take(ENDPOINT, "w1", 2)
    await office.pass_time(5, {"w1": ["first"]})
    if at_once:
        await office.submit("first", timeout_ms=60_000)
    await office.submit("second", timeout_ms=60_000)
    await office.desk.take(ENDPOINT, "w1", 2)
    assert (await office.row("second")).worker_id == "w1"


async def test_the_job_of_an_idle_worker_counts_from_its_take(office):
    await office.hire("w1")
    await office.submit("j")
    await office.pass_time(3)
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(4, {"w1": ["j"]})
    await office.desk.progress("w1", "j", "1")
    await office.pass_time(2, {"w1": ["j"]})
    assert await times(office, "j") == (3_000, 6_000)
    await office.desk.finish("w1", "j", DONE)
    office.now += 99_000
    assert await times(office, "j") == (3_000, 6_000)


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_job_beside_another_counts_from_its_first_progress(office, at_once):
    await hold_two(office, at_once=at_once)
    both = {"w1": ["first", "second"]}
    await office.desk.progress("w1", "first", "1")
    await office.pass_time(50, both)
    assert await times(office, "second") == (50_000, 0), "it waits, though not in the queue"
    await office.desk.progress("w1", "second", '{"progress": 0.1}')
    await office.pass_time(7, both)
    await office.desk.progress("w1", "second", '{"progress": 0.2}')
    assert await times(office, "second") == (50_000, 7_000)
    await office.desk.finish("w1", "second", DONE)
    assert await times(office, "second") == (50_000, 7_000)


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_execution_timeout_of_a_job_beside_another_counts_from_its_first_progress(office, at_once):
    await hold_two(office, at_once=at_once)
    both = {"w1": ["first", "second"]}
    await office.pass_time(50, both)
    await office.desk.progress("w1", "second", "1")
    await office.pass_time(12, both)
    assert await office.state("first") == "TIMED_OUT"
    assert await office.state("second") == "IN_PROGRESS"
    await office.pass_time(48, both)
    assert await office.state("second") == "IN_PROGRESS"
    await office.pass_time(1, both)
    assert await office.state("second") == "TIMED_OUT"
    assert "executionTimeout of 60000 ms" in (await office.row("second")).error


async def test_a_job_of_which_nothing_is_heard_counts_once_it_must_be_the_one_that_is_worked_at(office):
    """A worker that reports no progress is bounded all the same, and what is shown of its job is what is known."""
    await hold_two(office)
    both = {"w1": ["first", "second"]}
    await office.pass_time(20, both)
    await office.desk.finish("w1", "first", DONE)
    await office.pass_time(60, both)
    assert await office.state("second") == "IN_PROGRESS"
    await office.pass_time(2, both)
    assert await office.state("second") == "TIMED_OUT"
    assert await times(office, "second") == (0, 82_000)


async def test_of_several_silent_jobs_one_after_the_other_counts_in_the_order_of_their_take(office):
    await office.hire("w1")
    names = ["a", "b", "c"]
    for name in names:
        await office.submit(name, timeout_ms=60_000)
    await office.desk.take(ENDPOINT, "w1", 3)

    async def counting():
        return [name for name in names if (await office.row(name)).overdue_at is not None]

    assert await counting() == ["a"]
    await office.pass_time(8, {"w1": names})
    assert await counting() == ["a"]
    await office.desk.finish("w1", "a", DONE)
    await office.pass_time(1, {"w1": names})
    assert await counting() == ["b"]
    await office.desk.progress("w1", "c", "1")
    assert await counting() == ["b", "c"]
    assert (await office.row("c")).overdue_at == office.now + 60_000


async def test_another_workers_job_holds_no_clock_back(office):
    await hold_two(office)
    await office.hire("w2")
    await office.submit("third")
    await office.desk.take(ENDPOINT, "w2", 2)
    assert (await office.row("third")).started_at == office.now
    assert (await office.row("second")).started_at is None


@pytest.mark.parametrize("way", ["died", "lost"])
async def test_a_job_that_goes_back_has_no_clock_until_it_is_taken_again(office, way):
    await hold_two(office)
    await office.desk.progress("w1", "second", "1")
    if way == "died":
        await office.desk.worker_ended("w1", died=True)
    else:
        await office.pass_time(12, {"w1": ["first"]})
    row = await office.row("second")
    assert (row.state, row.started_at, row.overdue_at) == ("IN_QUEUE", None, None)
    assert "executionTime" not in await shown(office, "second")


async def test_progress_that_comes_late_or_from_another_worker_starts_no_clock(office):
    await hold_two(office)
    await office.hire("w2")
    await office.desk.progress("w2", "second", "1")
    assert (await office.row("second")).started_at is None
    await office.desk.finish("w1", "second", DONE)
    await office.desk.progress("w1", "second", "1")
    assert (await office.row("second")).started_at is None
    assert await times(office, "second") == (0, 0)


async def test_jobs_of_a_batch_wait_behind_those_of_the_queue_and_the_first_in_line_starts(office):
    """The first in line is not the first by number: the lane goes before it."""
    await office.hire("w1")
    await office.submit("of-a-batch")
    await office.submit("of-the-queue")
    await office.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE jobs SET lane = 1 WHERE id = 'of-a-batch'")
    )
    await office.desk.take(ENDPOINT, "w1", 2)
    assert (await office.row("of-the-queue")).started_at == START
    assert (await office.row("of-a-batch")).started_at is None


async def test_a_job_that_only_waited_at_a_worker_is_not_blamed_for_its_death(office):
    """Else one job that kills every worker would take those that waited behind it along, after three times."""
    await hold_two(office)
    await office.desk.worker_ended("w1", died=True)
    assert await office.history("first") == ["take", "bury"]
    assert await office.history("second") == ["take", "give_back"]
    assert (await office.row("second")).deaths == 0


async def test_a_job_that_only_waited_at_a_worker_that_fell_silent_is_not_blamed_either(office):
    await hold_two(office)
    await office.desk.heartbeat("w1", ["first", "second"])
    await office.pass_time(31)
    assert await office.history("first") == ["take", "bury"]
    assert await office.history("second") == ["take", "give_back"]


async def test_of_silent_jobs_the_one_that_was_taken_earlier_counts_first_whatever_their_numbers(office):
    await office.hire("w1")
    for name in ("of-a-batch", "x", "y"):
        await office.submit(name)
    await office.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE jobs SET lane = 1 WHERE id = 'of-a-batch'")
    )
    await office.desk.take(ENDPOINT, "w1", 2)
    office.now += 1000
    await office.desk.take(ENDPOINT, "w1", 1)
    await office.desk.finish("w1", "x", DONE)
    await office.pass_time(9, {"w1": ["of-a-batch", "y"]})
    assert (await office.row("y")).overdue_at is not None
    assert (await office.row("of-a-batch")).overdue_at is None
