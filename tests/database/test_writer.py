"""Does every write become durable, once, whatever its neighbours and its asker do?"""

import asyncio
import threading
from concurrent.futures import Future, wait

import pytest
import sqlalchemy as sa

from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import open_engine, sqlite_url
from acestep_serverless.database.writer import GROUP_LIMIT, Writer
from acestep_serverless.errors import Unavailable

NOTES = sa.Table("notes", sa.MetaData(), sa.Column("text", sa.Text, primary_key=True))


def note(text):
    return lambda connection: connection.execute(NOTES.insert().values(text=text)).rowcount


class Gate:
    """A piece of work that holds the writer until it is let go, so that what comes after gathers."""

    def __init__(self, writer):
        self.reached, self.open = threading.Event(), threading.Event()
        self.future = writer.submit(self)
        assert self.reached.wait(60)

    def __call__(self, _connection):
        self.reached.set()
        assert self.open.wait(60)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "w.sqlite3"))
    NOTES.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine):
    writer = Writer(engine)
    writer.start()
    yield writer
    writer.stop()


def texts(engine):
    with engine.connect() as connection:
        return set(connection.execute(sa.select(NOTES.c.text)).scalars())


def test_what_queued_up_meanwhile_is_committed_together(engine, writer):
    commits = []
    sa.event.listen(engine, "commit", lambda _connection: commits.append(1))
    gate = Gate(writer)
    futures = [writer.submit(note(f"n{number}")) for number in range(GROUP_LIMIT + 2)]
    gate.open.set()
    assert [future.result(5) for future in futures] == [1] * (GROUP_LIMIT + 2)
    assert len(commits) == 3, "the gate's own, a full group, the rest"


def test_a_piece_that_fails_undoes_itself_and_nothing_else(engine, writer):
    def half_way(connection):
        note("half")(connection)
        raise ValueError("on purpose")

    gate = Gate(writer)
    before, failing, twice, after = [writer.submit(work) for work in (note("a"), half_way, note("a"), note("b"))]
    gate.open.set()
    assert (before.result(5), after.result(5)) == (1, 1)
    with pytest.raises(ValueError, match="on purpose"):
        failing.result(5)
    with pytest.raises(sa.exc.IntegrityError):
        twice.result(5)
    assert texts(engine) == {"a", "b"}


def test_an_answer_comes_only_after_the_commit(engine, writer):
    """Seen from a second connection, as any reader sees it."""
    for number in range(50):
        writer.submit(note(f"n{number}")).result(5)
        assert f"n{number}" in texts(engine)


def test_when_the_commit_fails_everybody_in_it_is_told(engine, writer):
    def refuse(_connection):
        raise OSError("disk full, on purpose")

    gate = Gate(writer)
    futures = [writer.submit(note(text)) for text in "ab"]
    sa.event.listen(engine, "commit", refuse)
    gate.open.set()
    for future in (gate.future, *futures):
        with pytest.raises(OSError, match="disk full"):
            future.result(5)
    sa.event.remove(engine, "commit", refuse)
    assert texts(engine) == set()
    assert writer.submit(note("a")).result(5) == 1, "the writer goes on"


def test_when_the_disk_is_full_nobody_is_told_that_something_is_written_which_is_not(engine, writer):
    """SQLite then rolls the whole transaction back by itself, the pieces before the failing one included."""

    def narrow(connection, *_):
        connection.execute("PRAGMA max_page_count=8")
        connection.execute("PRAGMA cache_size=1")

    writer.submit(note("before")).result(5)
    sa.event.listen(engine, "checkout", narrow)
    gate = Gate(writer)
    pieces = {text: writer.submit(note(text)) for text in ("first", "x" * 100_000, "last")}
    gate.open.set()
    wait(pieces.values(), 5)
    told = {text for text, future in pieces.items() if future.exception(5) is None}
    assert "x" * 100_000 not in told
    with pytest.raises(Unavailable, match="disk"):
        pieces["x" * 100_000].result(5)
    assert told <= texts(engine)
    assert writer.submit(note("after")).result(5) == 1, "the writer goes on"
    assert "before" in texts(engine)


def test_when_a_transaction_is_lost_on_the_way_everybody_in_it_is_told(engine, writer):
    def lose(connection):
        connection.exec_driver_sql("ROLLBACK")  # what SQLite does by itself at errors of the disk

    gate = Gate(writer)
    futures = {name: writer.submit(work) for name, work in (("a", note("a")), ("", lose), ("b", note("b")))}
    gate.open.set()
    wait(futures.values(), 5)
    for future in futures.values():
        assert isinstance(future.exception(5), Unavailable)
    assert texts(engine) == set()
    assert writer.submit(note("c")).result(5) == 1


def test_when_another_program_holds_the_lock_for_too_long_everybody_is_told_to_come_again(engine, writer):
    sa.event.listen(engine, "checkout", lambda connection, *_: connection.execute("PRAGMA busy_timeout=20"))
    other = open_engine(str(engine.url)).execution_options(writes=True)
    with other.begin() as holding:
        note("holder")(holding)
        with pytest.raises(Unavailable, match="another program has locked it; send this again later"):
            writer.submit(note("later")).result(30)
    assert writer.submit(note("later")).result(30) == 1
    other.dispose()


async def test_the_work_of_an_asker_who_left_is_committed_all_the_same(tmp_path):
    database = Database(sqlite_url(tmp_path / "d.sqlite3"))
    database.open()
    await database.write(NOTES.metadata.create_all)
    gate = Gate(database._writer)
    asker = asyncio.create_task(database.write(note("left")))
    await asyncio.sleep(0)
    asker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker
    gate.open.set()
    await database.write(note("stayed"))
    query = sa.select(NOTES.c.text)
    assert set(await database.read(lambda connection: connection.execute(query).scalars().all())) == {"left", "stayed"}
    database.close()


def test_stop_finishes_what_is_queued(engine):
    writer = Writer(engine)
    writer.start()
    gate = Gate(writer)
    futures = [writer.submit(note(f"n{number}")) for number in range(3 * GROUP_LIMIT)]
    threading.Timer(0.05, gate.open.set).start()
    writer.stop()
    assert all(future.done() and future.result() == 1 for future in futures)
    assert len(texts(engine)) == 3 * GROUP_LIMIT


def test_what_comes_after_stop_is_refused_instead_of_waiting_for_ever(engine):
    writer = Writer(engine)
    writer.start()
    writer.stop()
    late = writer.submit(note("late"))
    with pytest.raises(Unavailable, match="ending"):
        late.result(1)


def test_many_threads_write_at_once_and_nothing_is_lost(engine, writer):
    futures: list[Future] = []

    def write_many(name):
        futures.extend(writer.submit(note(f"{name}-{number}")) for number in range(50))

    threads = [threading.Thread(target=write_many, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [future.result(10) for future in futures] == [1] * 400
    assert len(texts(engine)) == 400


def test_every_connection_is_durable_and_enforces_the_tables_laws(engine):
    connections = [engine.connect() for _ in range(8)]
    for connection in connections:
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert said == ["wal", 2]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 5000
    for connection in connections:
        connection.close()


def test_a_writer_waits_for_another_processs_lock_instead_of_failing(engine, writer):
    other = open_engine(str(engine.url)).execution_options(writes=True)
    with other.begin() as holding:
        future = writer.submit(note("patient"))
        note("holder")(holding)
        assert not wait([future], 0.2).done
    assert future.result(5) == 1
    assert texts(engine) == {"patient", "holder"}
    other.dispose()


def test_a_reader_is_not_held_up_by_a_writer_and_sees_only_what_is_committed(engine):
    with engine.execution_options(writes=True).begin() as writing:
        note("unseen")(writing)
        assert texts(engine) == set()
    assert texts(engine) == {"unseen"}
