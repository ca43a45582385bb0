"""What happens on PostgreSQL when connections break, transactions block each other, and bells are out of touch?"""

import asyncio
import threading

import pytest
import sqlalchemy as sa

from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import open_engine
from acestep_serverless.database.wakeup import wait_for_bell
from acestep_serverless.database.writer import Writer

NOTES = sa.Table(
    "notes", sa.MetaData(), sa.Column("text", sa.Text, primary_key=True), sa.Column("count", sa.Integer, default=0)
)


@pytest.fixture
def url(postgresql):
    url = postgresql.new_database()
    engine = open_engine(url)
    NOTES.metadata.create_all(engine)
    engine.dispose()
    yield url
    postgresql.drop(url)


def raised(text):
    return NOTES.update().where(NOTES.c.text == text).values(count=NOTES.c.count + 1)


async def heard(bell, ring):
    """Ring until it is heard: a bell that is rung while its listener connects again may be lost."""
    for _ in range(100):
        ring()
        if await wait_for_bell(bell, 0.1):
            return True
    return False


async def test_a_bell_rings_in_another_process_and_again_after_its_connection_was_cut(url, postgresql):
    here, there = Database(url), Database(url)
    here.open()
    there.open()
    try:
        with there.wakeup.listen("job:1") as bell, there.wakeup.listen("job:2") as other:
            await heard(bell, lambda: here.wakeup.ring("job:1"))
            assert await asyncio.to_thread(postgresql.cut, url) > 0
            assert await heard(bell, lambda: here.wakeup.ring("job:1"))
            # A listener that connected again rings every bell, and it may have to do so more than once.
            for _ in range(100):
                await wait_for_bell(other, 0)
                if await heard(bell, lambda: here.wakeup.ring("job:1")) and not other.is_set():
                    break
            else:
                raise AssertionError("whatever is rung for rings every bell")
    finally:
        here.close()
        there.close()


def test_a_gateway_that_freezes_in_a_transaction_holds_up_no_other_and_goes_on_when_it_wakes(url, monkeypatch):
    monkeypatch.setattr("acestep_serverless.database.engine.IDLE_TIMEOUT_MS", 300)
    engines = [open_engine(url) for _ in range(2)]
    frozen, other = writers = [Writer(engine) for engine in engines]
    for writer in writers:
        writer.start()
    frozen.submit(lambda connection: connection.execute(NOTES.insert(), [{"text": "a", "count": 0}])).result(30)
    inside, awake = threading.Event(), threading.Event()

    def freeze(connection):
        connection.execute(raised("a"))
        inside.set()
        assert awake.wait(60)
        return connection.execute(raised("a")).rowcount

    future = frozen.submit(freeze)
    assert inside.wait(30)
    try:
        assert other.submit(lambda connection: connection.execute(raised("a")).rowcount).result(30) == 1
    finally:
        awake.set()
    assert future.result(30) == 1
    with engines[0].connect() as connection:
        assert connection.execute(sa.select(NOTES.c.count)).scalar() == 3, "its transaction was run again, as a whole"
    for writer, engine in zip(writers, engines, strict=True):
        writer.stop()
        engine.dispose()


def test_transactions_that_block_each_other_are_run_again_and_counted_once(url):
    """Two writers take the same two rows in opposite orders; PostgreSQL ends one of them as a deadlock."""
    engines = [open_engine(url) for _ in range(2)]
    writers = [Writer(engine) for engine in engines]
    for writer in writers:
        writer.start()
    rows = [{"text": "a", "count": 0}, {"text": "b", "count": 0}]
    writers[0].submit(lambda connection: connection.execute(NOTES.insert(), rows)).result(20)
    both, runs = threading.Barrier(2), []

    def work(first, second):
        def piece(connection):
            runs.append(first)
            connection.execute(raised(first))
            if runs.count(first) == 1:
                both.wait(20)
            connection.execute(raised(second))

        return piece

    futures = [writers[0].submit(work("a", "b")), writers[1].submit(work("b", "a"))]
    for future in futures:
        future.result(30)
    with engines[0].connect() as connection:
        assert set(connection.execute(sa.select(NOTES.c.count)).scalars()) == {2}
    assert len(runs) == 3, "one of them was run again"
    for writer, engine in zip(writers, engines, strict=True):
        writer.stop()
        engine.dispose()
