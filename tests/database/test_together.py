"""Do askers who share a trip each get their own answer, and is every row of theirs stored, on both databases?"""

import asyncio

import sqlalchemy as sa

from acestep_serverless.contract.job import JobRequest
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOB_BODIES, JOBS
from acestep_serverless.database.together import MOST, Together
from acestep_serverless.errors import Unavailable
from acestep_serverless.jobs import store

ROW = {
    "endpoint_id": "e",
    "submitted_at": 1_800_000_000_000,
    "expires_at": 1_800_000_060_000,
    "execution_timeout_ms": 600_000,
    "low_priority": False,
    "webhook": None,
    "lane": 0,
    "batch_id": None,
    "keep_ms": 60_000,
}


class Trips:
    """A trip that waits at its start until it is let go; it tells what it carried."""

    def __init__(self, fails_with=()):
        self.carried, self.go, self.fails_with = [], asyncio.Event(), fails_with

    async def __call__(self, items):
        self.carried.append(items)
        await self.go.wait()
        for item in items:
            if item in self.fails_with:
                raise self.fails_with[item]
        return [f"answer {item}" for item in items]


async def _asked(trips, items):
    together = Together(trips)
    asking = [asyncio.create_task(together.ask(items[0]))]
    while not trips.carried:
        await asyncio.sleep(0)
    asking += [asyncio.create_task(together.ask(item)) for item in items[1:]]
    await asyncio.sleep(0)
    trips.go.set()
    return await asyncio.gather(*asking, return_exceptions=True)


async def test_what_is_asked_during_a_trip_goes_with_the_next_one():
    trips = Trips()
    assert await _asked(trips, ["a", "b", "c"]) == ["answer a", "answer b", "answer c"]
    assert trips.carried == [["a"], ["b", "c"]]


async def test_a_trip_is_bounded():
    trips = Trips()
    await _asked(trips, list(range(MOST + 3)))
    assert [len(items) for items in trips.carried] == [1, MOST, 2]


async def test_a_bad_item_spoils_no_others():
    bad = ValueError("bad")
    assert await _asked(Trips({"b": bad}), ["a", "b", "c"]) == ["answer a", bad, "answer c"]


async def test_while_the_database_is_away_nobody_is_asked_twice():
    away = Unavailable("away")
    trips = Trips({"b": away})
    assert await _asked(trips, ["a", "b", "c"]) == ["answer a", away, away]
    assert trips.carried == [["a"], ["b", "c"]]


async def test_an_asker_who_leaves_takes_nobody_along():
    trips = Trips()
    together = Together(trips)
    leaving = asyncio.create_task(together.ask("a"))
    while not trips.carried:
        await asyncio.sleep(0)
    staying = asyncio.create_task(together.ask("b"))
    leaving.cancel()
    trips.go.set()
    assert await staying == "answer b"
    assert leaving.cancelled()


async def test_every_row_of_any_number_is_new_once_and_in_its_order(database_url):
    database = Database(database_url)
    database.open()
    try:
        jobs = [
            ({**ROW, "id": f"j{n}", "webhook": "http://h/" if n % 2 else None}, JobRequest({"n": n}))
            for n in range(100)
        ]
        await database.write(lambda connection: store.insert_jobs(connection, jobs[:1]))
        await database.write(lambda connection: store.insert_jobs(connection, jobs))
        again = [(row, JobRequest({"other": True})) for row, _ in jobs]
        await database.write(lambda connection: store.insert_jobs(connection, again))
        query = sa.select(JOBS.c.id, JOBS.c.webhook, JOBS.c.low_priority, JOBS.c.deliveries, JOB_BODIES.c.input)
        query = query.join(JOB_BODIES, JOB_BODIES.c.job_id == JOBS.c.id).order_by(JOBS.c.number)
        rows = await database.read(lambda connection: connection.execute(query).all())
        expected = [(row["id"], row["webhook"], False, 0, f'{{"n":{n}}}') for n, (row, _) in enumerate(jobs)]
        assert [tuple(row) for row in rows] == expected
    finally:
        database.close()
