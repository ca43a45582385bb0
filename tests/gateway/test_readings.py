"""Do the gauges tell what the rows say? Queues and workers of several endpoints in a real database."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from acestep_serverless.database.engine import open_engine, sqlite_url
from acestep_serverless.database.migrate import bring_up_to_date
from acestep_serverless.database.tables import JOBS, WORKERS
from acestep_serverless.gateway.metrics import EndpointReading
from acestep_serverless.gateway.readings import readings
from acestep_serverless.jobs import depths

NOW, LEASE = 1_800_000_000_000, 30_000


@pytest.fixture
def connection(tmp_path) -> Iterator[sa.Connection]:
    engine = open_engine(sqlite_url(tmp_path / "rows.sqlite3"))
    bring_up_to_date(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def job(connection: sa.Connection, name: str, endpoint: str, state: str, ago: int, worker: str | None = None, lane=0):
    held, final = state == "IN_PROGRESS", state not in ("IN_QUEUE", "IN_PROGRESS")
    row = {
        "id": name, "endpoint_id": endpoint, "state": state, "submitted_at": NOW - ago, "expires_at": NOW + 1,
        "execution_timeout_ms": 1, "worker_id": worker, "lane": lane, "lease_expires_at": NOW if held else None,
        "finished_at": NOW if final else None,
    }  # fmt: skip
    connection.execute(JOBS.insert(), row)


def worker(connection: sa.Connection, name: str, endpoint: str, state: str = "ACTIVE", **more: object) -> None:
    known = {"id": name, "endpoint_id": endpoint, "token_digest": "", "state": state, "enrolled_at": NOW - 99_000}
    connection.execute(WORKERS.insert(), {**known, **more})


def read(connection: sa.Connection, *endpoints: str) -> list[EndpointReading]:
    return readings(endpoints, lambda: NOW, LEASE)(connection)


def test_queues_are_read_by_endpoint_and_the_first_in_any_lane_is_the_oldest(connection):
    job(connection, "batch-1", "a", "IN_QUEUE", 9_000, lane=1)
    job(connection, "batch-2", "a", "IN_QUEUE", 8_000, lane=1)
    job(connection, "a-1", "a", "IN_QUEUE", 2_000)
    job(connection, "a-2", "a", "IN_PROGRESS", 50_000, "w")
    job(connection, "a-3", "a", "COMPLETED", 90_000)
    job(connection, "b-1", "b", "IN_PROGRESS", 50_000, "v")
    job(connection, "gone-1", "gone", "IN_QUEUE", 50_000)
    assert read(connection, "a", "b", "c") == [
        EndpointReading("a", 3, 9_000, 1, {}),
        EndpointReading("b", 0, 0, 1, {}),
        EndpointReading("c", 0, 0, 0, {}),
    ]


def test_a_clock_that_went_back_makes_no_negative_wait(connection):
    job(connection, "a-1", "a", "IN_QUEUE", -5_000)
    assert read(connection, "a")[0].oldest_wait_ms == 0


def test_workers_are_counted_in_the_words_of_health(connection):
    seen = {"polled_at": NOW - 1_000, "pinged_at": NOW - 1_000}
    worker(connection, "new", "a")
    worker(connection, "loading", "a", pinged_at=NOW - 1_000)
    worker(connection, "idle", "a", **seen)
    worker(connection, "quiet-poll", "a", polled_at=NOW - LEASE - 1, pinged_at=NOW)
    worker(connection, "busy", "a", **seen)
    worker(connection, "busy-ending", "a", "DRAINING", **seen)
    worker(connection, "ending", "a", "DRAINING", **seen)
    worker(connection, "ill", "a", unhealthy="disk: full", **seen)
    worker(connection, "silent", "a", polled_at=NOW - LEASE - 1)
    worker(connection, "silent-loading", "a", pinged_at=NOW - LEASE - 1)
    worker(connection, "gone", "a", "GONE", **seen)
    worker(connection, "elsewhere", "b", **seen)
    for number, name in enumerate(("busy", "busy", "busy-ending")):
        job(connection, f"j{number}", "a", "IN_PROGRESS", 1, name)
    here, there = read(connection, "a", "b")
    assert here.workers == {"initializing": 2, "idle": 2, "running": 2, "draining": 1, "unhealthy": 3}
    assert there.workers == {"idle": 1}


@pytest.mark.parametrize(("statement", "index"), [(depths._WAITING, "jobs_waiting"), (depths._RUNNING, "jobs_held")])
def test_only_open_jobs_are_looked_at_however_many_are_kept(connection, statement, index):
    """The plan is the proof, and nothing public shows it."""
    text = str(statement.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    walked = [
        step for step in plan if step.startswith(("SCAN jobs", "SEARCH jobs")) and "INTEGER PRIMARY KEY" not in step
    ]
    assert len(walked) == 1, plan
    assert index in walked[0]
