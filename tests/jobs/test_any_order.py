"""Does any order of events lose a job, end one twice, or change an end? Random sequences against a simple model."""

import asyncio
import itertools
from collections import Counter

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from jobs_house import BROKEN, DONE, ENDPOINT, Office, open_office

from acestep_serverless.contract.job import FINAL_STATES
from acestep_serverless.database.engine import sqlite_url
from acestep_serverless.database.tables import JOB_EVENTS, JOBS
from acestep_serverless.errors import Conflict
from acestep_serverless.jobs.states import DEATHS_ALLOWED, LOSSES_ALLOWED, MOVES

WORKERS = ("w1", "w2", "w3")
FINAL = {state.value for state in FINAL_STATES}
workers = st.sampled_from(WORKERS)
numbers = st.integers(0, 30)


COMMON = {"stateful_step_count": 40, "deadline": None, "database": None}


class AnyOrder(RuleBasedStateMachine):
    """Clients, workers, the fleet and time act as they like; the rows must stay true."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.opening = open_office(url)
        self.office: Office = self.do(self.opening.__aenter__())
        self.do(self.office.hire(*WORKERS))
        self.ids: list[str] = []
        self.ends: dict[str, tuple] = {}
        self.delivered: dict[str, int] = {}

    def do(self, work):
        return self.loop.run_until_complete(work)

    def teardown(self):
        self.do(self.opening.__aexit__(None, None, None))
        self.loop.close()

    def state(self, job):
        return self.do(self.office.state(job))

    def row(self, job):
        return self.do(self.office.row(job))

    def one(self, number):
        return self.ids[number % len(self.ids)]

    @rule(ttl=st.sampled_from([10_000, 3600_000]), timeout=st.sampled_from([5_000, 600_000]))
    def submit(self, ttl, timeout):
        self.ids.append(self.do(self.office.submit(f"j{len(self.ids)}", timeout, ttl_ms=ttl)))

    @rule(worker=workers)
    def take(self, worker):
        waiting = [job for job in self.ids if self.state(job) == "IN_QUEUE"]
        taken = self.do(self.office.desk.take(ENDPOINT, worker))
        assert len(taken) == bool(waiting)
        if waiting:
            assert taken[0].startswith(f'{{"id":"{waiting[0]}"'), "the one that has waited longest"

    @precondition(lambda self: self.ids)
    @rule(worker=workers, number=numbers, result=st.sampled_from([DONE, BROKEN]))
    def finish(self, worker, number, result):
        job = self.one(number)
        row = self.row(job)
        held = row.state == "IN_PROGRESS" and row.worker_id == worker
        assert bool(self.do(self.office.desk.finish(worker, job, result))) == held
        self.delivered[job] = self.delivered.get(job, 0) + held

    @precondition(lambda self: self.ids)
    @rule(worker=workers, number=numbers)
    def progress(self, worker, number):
        self.do(self.office.desk.progress(worker, self.one(number), '"on"'))

    @rule(worker=workers, listed=st.sets(numbers, max_size=4))
    def heartbeat(self, worker, listed):
        self.do(self.office.desk.heartbeat(worker, [f"j{number}" for number in sorted(listed)]))

    @precondition(lambda self: self.ids)
    @rule(number=numbers)
    def cancel(self, number):
        assert self.do(self.office.desk.cancel(ENDPOINT, self.one(number))).state in FINAL_STATES

    @precondition(lambda self: self.ids)
    @rule(number=numbers)
    def retry(self, number):
        job = self.one(number)
        ended_badly = self.state(job) in ("FAILED", "TIMED_OUT")
        try:
            self.do(self.office.desk.retry(ENDPOINT, job))
        except Conflict:
            assert not ended_badly
        else:
            assert ended_badly
            del self.ends[job]

    @rule()
    def purge(self):
        waiting = sum(self.state(job) == "IN_QUEUE" for job in self.ids)
        assert self.do(self.office.desk.purge(ENDPOINT)) == waiting

    @rule(worker=workers, died=st.booleans())
    def worker_ends(self, worker, died):
        self.do(self.office.desk.worker_ended(worker, died=died))
        assert self.do(self.office.desk.stops(worker)) == []
        self.do(self.office.revive(worker))

    @rule(worker=workers)
    def stops(self, worker):
        for job in self.do(self.office.desk.stops(worker)):
            row = self.row(job)
            assert (row.state, row.worker_id) != ("IN_PROGRESS", worker), "told to drop a job that it rightly holds"

    @rule(seconds=st.sampled_from([0, 1, 3, 7, 8, 29, 31, 700]))
    def time_passes(self, seconds):
        self.office.now += seconds * 1000
        self.do(self.office.sweeper.run_once())

    @rule()
    def the_core_restarts(self):
        self.office.restart()

    @invariant()
    def rows_and_history_agree_and_ends_are_for_ever(self):
        def read(connection):
            events: dict[str, list[str]] = {}
            for job_id, name in connection.execute(
                sa.select(JOB_EVENTS.c.job_id, JOB_EVENTS.c.move).order_by(JOB_EVENTS.c.number)
            ):
                events.setdefault(job_id, []).append(name)
            return list(connection.execute(sa.select(JOBS).order_by(JOBS.c.number))), events

        rows, events = self.do(self.office.database.read(read))
        assert [row.id for row in rows] == self.ids, "no job is lost"
        for row in rows:
            state = "IN_QUEUE"
            for name in events.get(row.id, []):
                assert state in {source.value for source in MOVES[name].sources}
                state = MOVES[name].target.value
            assert state == row.state
            names = events.get(row.id, [])
            assert row.deliveries == names.count("take")
            attempts = 1 + names.count("retry")
            ended = names.count("complete") + names.count("fail")
            assert self.delivered.get(row.id, 0) == ended <= attempts
            names = names[len(names) - names[::-1].index("retry") :] if attempts > 1 else names
            assert row.deaths == names.count("bury") + names.count("give_up") <= DEATHS_ALLOWED
            assert row.losses == names.count("lose") + names.count("lose_for_good") <= LOSSES_ALLOWED
            if row.state in FINAL:
                assert self.ends.setdefault(row.id, tuple(row)) == tuple(row), "an end has changed"
            if row.state == "IN_QUEUE":
                assert (row.progress, row.taken_at, row.lease_expires_at) == (None, None, None)
        counted = Counter(row.state for row in rows) | Counter(retried=sum(max(0, row.deliveries - 1) for row in rows))
        told = self.do(self.office.desk.counts(ENDPOINT))
        assert {name: n for name, n in told.items() if n} == {name: n for name, n in counted.items() if n}


def test_any_order_on_sqlite(tmp_path):
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: AnyOrder(sqlite_url(tmp_path / f"{next(numbers)}.sqlite3")),
        settings=settings(max_examples=15, **COMMON),
    )


def test_any_order_on_postgresql(postgresql):
    run_state_machine_as_test(lambda: AnyOrder(postgresql.new_database()), settings=settings(max_examples=4, **COMMON))
