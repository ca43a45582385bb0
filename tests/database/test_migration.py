"""Does the schema in the file become the one that the program knows?"""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from acestep_serverless.database.engine import NoRoom, open_engine, sqlite_url
from acestep_serverless.database.migrate import KNOWN, SCRIPTS, bring_up_to_date, current_revision
from acestep_serverless.database.tables import JOBS, METADATA
from acestep_serverless.errors import SettingsError
from acestep_serverless.jobs import tallies


@pytest.fixture(params=["sqlite", "postgresql"])
def new_engine(request, tmp_path):
    opened = []

    def new(name):
        if request.param == "sqlite":
            url = sqlite_url(tmp_path / f"{name}.sqlite3")
        else:
            url = request.getfixturevalue("postgresql").empty_database()
        opened.append(open_engine(url))
        return opened[-1]

    yield new
    for engine in opened:
        engine.dispose()


def revision(engine):
    with engine.connect() as connection:
        return current_revision(connection)


def described(engine):
    """Everything that reflection says of every table, as plain values in a fixed order."""
    eyes = sa.inspect(engine)
    tables = sorted(set(eyes.get_table_names()) - {"alembic_version"})

    def partial(index):
        options = index.get("dialect_options", {})
        return str(options.get("sqlite_where")), str(options.get("postgresql_where"))

    def of(table):
        return {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column.get("primary_key"))
                for column in eyes.get_columns(table)
            ],
            "primary key": eyes.get_pk_constraint(table)["constrained_columns"],
            "checks": sorted((check["name"], check["sqltext"]) for check in eyes.get_check_constraints(table)),
            "unique": sorted(sorted(unique["column_names"]) for unique in eyes.get_unique_constraints(table)),
            "foreign": sorted(str(sorted(foreign.items(), key=str)) for foreign in eyes.get_foreign_keys(table)),
            "indexes": sorted(
                (index["name"], index["column_names"], partial(index)) for index in eyes.get_indexes(table)
            ),
        }

    return {table: of(table) for table in tables}


def test_the_migrations_lead_to_exactly_the_tables_of_the_program(new_engine):
    migrated, created = new_engine("migrated"), new_engine("created")
    bring_up_to_date(migrated)
    METADATA.create_all(created)
    assert described(migrated) == described(created)
    assert set(described(migrated)) == set(METADATA.tables)


def test_numbers_of_deleted_rows_are_never_given_again(new_engine):
    """The number is a job's place in the queue."""
    engine = new_engine("d")
    bring_up_to_date(engine)
    if engine.dialect.name == "postgresql":
        return  # A sequence never gives a number again.
    with engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'jobs'").scalar_one()
    assert "AUTOINCREMENT" in text


def test_the_known_revisions_are_the_scripts_in_their_order():
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == KNOWN
    assert scripts.get_heads() == [KNOWN[-1]]


def test_a_second_start_changes_nothing(new_engine):
    engine = new_engine("d")
    assert revision(engine) is None
    bring_up_to_date(engine)
    before = described(engine)
    bring_up_to_date(engine)
    assert revision(engine) == KNOWN[-1]
    assert described(engine) == before


def test_a_newer_schema_is_refused_with_a_sentence_and_left_alone(new_engine):
    engine = new_engine("d")
    bring_up_to_date(engine)
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match=r"newer version \(schema 9999.*--data-dir"):
        bring_up_to_date(engine)
    assert revision(engine) == "9999"


def test_a_migration_that_breaks_half_way_leaves_nothing_behind(new_engine):
    engine = new_engine("d")
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE workers (somebody_elses TEXT)")
    with pytest.raises(sa.exc.DBAPIError, match="already exists"):
        bring_up_to_date(engine)
    assert set(sa.inspect(engine).get_table_names()) == {"workers"}
    assert revision(engine) is None
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("DROP TABLE workers")
    bring_up_to_date(engine)
    assert revision(engine) == KNOWN[-1]


def test_a_full_disk_is_said_in_words_and_leaves_nothing_behind(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "d.sqlite3"))
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=12"))
    with pytest.raises(NoRoom, match=r"cannot be written, its disk is full: free some space, or name another"):
        bring_up_to_date(engine)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_two_programs_that_start_at_the_same_moment_migrate_once(new_engine):
    first = new_engine("d")
    second = open_engine(first.url.render_as_string(hide_password=False))
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(bring_up_to_date, engine) for engine in (first, second)]:
            done.result(60)
    second.dispose()
    assert revision(first) == KNOWN[-1]
    assert set(described(first)) == set(METADATA.tables)


OLD_JOBS = (("done", "COMPLETED", 1_000, 1), ("again", "COMPLETED", 2_000, 3), ("broken", "FAILED", 3_000, 1))


def test_jobs_of_an_older_program_are_counted_and_kept_for_a_week_more(new_engine):
    engine = new_engine("d")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    old = (
        "INSERT INTO jobs (id, endpoint_id, state, low_priority, execution_timeout_ms, expires_at, submitted_at, "
        "missed_heartbeats, deliveries, deaths, losses, finished_at) "
        "VALUES (:id, 'e', :state, false, 1, 1, 1, 0, :deliveries, 0, 0, :finished_at)"
    )
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for name, state, finished_at, deliveries in (*OLD_JOBS, ("waits", "IN_QUEUE", None, 0)):
            row = {"id": name, "state": state, "finished_at": finished_at, "deliveries": deliveries}
            connection.execute(sa.text(old), row)
    bring_up_to_date(engine)
    with engine.connect() as connection:
        kept = {row.id: row.purge_at for row in connection.execute(sa.select(JOBS.c.id, JOBS.c.purge_at))}
        counted = tallies.read(connection, "e")
    week = 7 * 24 * 3600 * 1000
    assert kept == {name: at + week for name, _, at, _ in OLD_JOBS} | {"waits": None}
    assert counted == {"COMPLETED": 2, "FAILED": 1, "retried": 2}
