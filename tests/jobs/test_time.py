"""What the passing of time does to jobs: leases, heartbeats, deaths, limits, restarts, retention."""

import asyncio

import pytest
import sqlalchemy as sa
from jobs_house import BROKEN, DONE, ENDPOINT, START, WEEK_MS


async def test_a_silent_worker_loses_its_job_after_its_lease_and_not_before(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.pass_time(10)
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(30)
    assert await office.state(job_id) == "IN_PROGRESS"
    await office.pass_time(1)
    assert await office.state(job_id) == "IN_QUEUE"
    assert await office.history(job_id) == ["take", "bury"]
    assert (await office.row(job_id)).deaths == 1


async def test_heartbeats_and_progress_keep_a_lease(office):
    await office.hire("w1", "w2")
    beating, reporting = await office.submit("j1"), await office.submit("j2")
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.take(ENDPOINT, "w2")
    for _ in range(10):
        await office.pass_time(8, {"w1": [beating]})
        await office.desk.progress("w2", reporting, "1")
    assert (await office.state(beating), await office.state(reporting)) == ("IN_PROGRESS", "IN_PROGRESS")


async def test_another_workers_heartbeat_keeps_nothing(office):
    await office.hire("w1", "w2")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(32, {"w2": [job_id]})
    assert (await office.history(job_id))[-1] == "bury"


async def test_a_worker_that_comes_back_before_the_sweep_keeps_its_job(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    office.now += 40_000
    await office.desk.heartbeat("w1", [job_id])
    await office.pass_time(20)
    assert await office.state(job_id) == "IN_PROGRESS"


async def test_a_job_left_out_of_two_heartbeats_waits_again_and_after_three_losses_fails(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    for loss in range(1, 4):
        await office.desk.take(ENDPOINT, "w1")
        await office.pass_time(8, {"w1": []})
        assert await office.state(job_id) == "IN_PROGRESS", "one heartbeat is too young to count, one is missed"
        await office.pass_time(4, {"w1": []})
        assert (await office.row(job_id)).losses == loss
    assert await office.state(job_id) == "FAILED"
    assert "3 times without delivering a result" in (await office.row(job_id)).error
    assert await office.history(job_id) == [*["take", "lose"] * 2, "take", "lose_for_good"]


async def test_a_heartbeat_missed_once_is_forgiven_by_the_next_that_lists_the_job(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(8, {"w1": [job_id]})
    for _ in range(5):
        await office.pass_time(4, {"w1": []})
        await office.pass_time(4, {"w1": [job_id]})
    assert await office.state(job_id) == "IN_PROGRESS"
    assert (await office.row(job_id)).losses == 0


async def test_heartbeats_that_set_out_before_a_take_do_not_count_against_it(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    for _ in range(5):
        await office.desk.heartbeat("w1", [])
    assert await office.state(job_id) == "IN_PROGRESS"


async def test_three_deaths_fail_a_job_with_a_reason_and_ends_that_we_made_do_not_count(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    for died in (False, True, False, False, True, False, True):
        assert await office.state(job_id) == "IN_QUEUE"
        await office.revive("w1")
        await office.desk.take(ENDPOINT, "w1")
        assert await office.desk.worker_ended("w1", died=died) == 1
    assert await office.state(job_id) == "FAILED"
    assert "died 3 times" in (await office.row(job_id)).error
    assert (await office.row(job_id)).deaths == 3
    assert (await office.history(job_id))[-1] == "give_up"


async def test_an_end_told_twice_counts_once(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    assert [await office.desk.worker_ended("w1", died=True) for _ in range(3)] == [1, 0, 0]
    assert (await office.row(job_id)).deaths == 1


async def test_a_job_that_runs_too_long_is_timed_out_and_its_worker_told(office):
    await office.hire("w1")
    job_id = await office.submit("j", timeout_ms=60_000)
    await office.pass_time(100)
    assert await office.state(job_id) == "IN_QUEUE", "waiting is not running"
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(60, {"w1": [job_id]})
    assert await office.state(job_id) == "IN_PROGRESS"
    await office.pass_time(1)
    view = await office.desk.view(ENDPOINT, job_id)
    assert (view.state, view.error) == ("TIMED_OUT", "the job ran longer than its executionTimeout of 60000 ms")
    assert await office.desk.stops("w1") == [job_id]
    assert not await office.desk.finish("w1", job_id, DONE)


async def test_the_execution_timeout_begins_anew_with_every_delivery(office):
    await office.hire("w1")
    job_id = await office.submit("j", timeout_ms=60_000)
    for _ in range(3):
        await office.revive("w1")
        await office.desk.take(ENDPOINT, "w1")
        await office.pass_time(50, {"w1": [job_id]})
        await office.desk.worker_ended("w1", died=False)
    assert await office.state(job_id) == "IN_QUEUE"


@pytest.mark.parametrize("taken", [False, True])
async def test_the_ttl_ends_a_job_waiting_or_running(office, taken):
    await office.hire("w1")
    job_id = await office.submit("j", ttl_ms=20_000)
    if taken:
        await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(20)
    assert await office.state(job_id) == ("IN_PROGRESS" if taken else "IN_QUEUE")
    await office.pass_time(1)
    assert await office.state(job_id) == "TIMED_OUT"
    assert ("before it ended" if taken else "before a worker took it") in (await office.row(job_id)).error


async def test_after_a_restart_of_the_core_silence_is_forgiven_for_two_heartbeats(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    office.now += 200_000
    office.restart()
    await office.pass_time(7)
    assert await office.state(job_id) == "IN_PROGRESS", "its worker had no chance to speak"
    await office.pass_time(2)
    assert await office.history(job_id) == ["take", "bury"]


async def test_after_the_machine_has_slept_nobody_is_buried_before_he_could_speak(office):
    """A suspended machine's clock leaps: the sweep comes before the first heartbeat, and no worker has died."""
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    await office.pass_time(8, {"w1": [job_id]})
    office.now += 300_000
    await office.sweeper.run_once()
    await office.pass_time(20, {"w1": [job_id]})
    assert await office.history(job_id) == ["take"]


async def test_a_sleeping_machine_does_not_excuse_a_dead_worker_for_ever(office):
    await office.hire("w1")
    job_id = await office.submit("j")
    await office.desk.take(ENDPOINT, "w1")
    office.now += 300_000
    await office.pass_time(10)
    assert (await office.history(job_id))[-1] == "bury"


async def test_final_jobs_are_named_when_their_retention_is_over_and_only_they(office):
    await office.hire("w1")
    for name in ("old", "young", "waiting"):
        await office.submit(name, ttl_ms=WEEK_MS * 3)
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", "old", BROKEN)
    office.now += WEEK_MS - 10_000
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", "young", DONE)
    assert [report.outlived for report in await office.pass_time(10)] == [()] * 10
    assert (await office.pass_time(1))[0].outlived == ("old",)


async def test_what_the_sweeper_moves_wakes_those_who_wait(office):
    await office.hire("w1")
    job_id = await office.submit("j", timeout_ms=5_000)
    await office.desk.take(ENDPOINT, "w1")
    with (
        office.database.wakeup.listen(f"job:{job_id}") as for_client,
        office.database.wakeup.listen("stop:w1") as for_worker,
    ):
        await office.pass_time(9)
        await asyncio.wait_for(asyncio.gather(for_client.wait(), for_worker.wait()), 30)


async def steps_of(office, work):
    """Count how many thousands of SQLite's virtual machine steps a piece of work takes, on whatever connection."""
    counted = [0]

    def count():
        counted[0] += 1

    def watch(connection, *_):
        connection.set_progress_handler(count, 1000)

    office.database._reader._own.close()  # Its kept connection was checked out before anybody watched.
    sa.event.listen(office.database._engine, "checkout", watch)
    await work()
    sa.event.remove(office.database._engine, "checkout", watch)
    return counted[0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_sweep_a_take_and_a_look_at_the_health_cost_no_more_when_there_are_many_finished_jobs(office):
    """Counted in SQLite's own steps, so that a slow machine changes nothing. A scan of 20,000 rows takes 100,000."""
    await office.hire("w1")
    await office.submit("first")
    await office.desk.cancel(ENDPOINT, "first")

    def fill(connection):
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
            "INSERT INTO jobs (id, endpoint_id, state, low_priority, execution_timeout_ms, expires_at, submitted_at, "
            "taken_at, finished_at, worker_id, missed_heartbeats, deliveries, deaths, losses) "
            "SELECT 'n' || i, endpoint_id, 'COMPLETED', 0, execution_timeout_ms, expires_at, submitted_at, "
            "submitted_at, submitted_at, 'w' || (i % 7), 0, 1, 0, 0 FROM n, jobs WHERE id = 'first'"
        )

    await office.database.write(fill)
    await office.submit("waiting")

    async def take_and_finish():
        await office.desk.take(ENDPOINT, "w1")
        await office.desk.heartbeat("w1", ["waiting"])
        await office.desk.finish("w1", "waiting", DONE)

    async def look_at_workers():
        await office.workers.views(ENDPOINT)
        await office.workers.forget(silent_since=START - 1)

    for work in (office.sweeper.run_once, take_and_finish, look_at_workers):
        assert await steps_of(office, work) < 20, work.__name__
    assert await steps_of(office, lambda: office.desk.counts(ENDPOINT)) < 20
    assert await steps_of(office, lambda: office.desk.demand(ENDPOINT)) < 20


async def test_after_a_sleep_of_the_machine_silence_means_nothing_for_two_heartbeats(office):
    """Else a worker whose lid was closed for longer than the retention would lose its token to the first sweep."""
    await office.hire("w1")
    assert (await office.pass_time(20))[-1].settled
    office.now += 2 * WEEK_MS
    reports = await office.pass_time(9)
    assert [report.settled for report in reports] == [False] * 8 + [True]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_that_is_set_back_keeps_no_hung_job_and_no_dead_worker_alive(office, restarted):
    await office.hire("hung", "dead", "forgetful")
    for name in ("runs", "orphaned", "lost"):
        await office.submit(name, timeout_ms=60_000 if name == "runs" else 600_000)
    for worker_id in ("hung", "dead", "forgetful"):
        await office.desk.take(ENDPOINT, worker_id)
    await office.pass_time(20, {"hung": ["runs"], "dead": ["orphaned"], "forgetful": ["lost"]})
    office.now -= 3_600_000
    if restarted:
        office.restart()
    beats = {"hung": ["runs"], "forgetful": []}
    await office.pass_time(24, beats)
    assert await office.history("lost") == ["take", "lose"], "its id is missing from the heartbeats"
    await office.pass_time(16, beats)
    assert await office.history("orphaned") == ["take", "bury"], "its lease is over"
    assert await office.state("runs") == "IN_PROGRESS"
    await office.pass_time(30, beats)
    assert await office.state("runs") == "TIMED_OUT"
    assert await office.desk.stops("hung") == ["runs"]
    office.now -= 3_600_000
    assert await office.desk.stops("hung") == ["runs"], "a stop is said again"
