"""Does the schema in the file become the one that the program knows?"""

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from acestep_serverless.database.engine import open_engine, sqlite_url
from acestep_serverless.database.migrate import KNOWN, SCRIPTS, bring_up_to_date, current_revision
from acestep_serverless.database.tables import METADATA
from acestep_serverless.errors import SettingsError


@pytest.fixture
def new_engine(tmp_path):
    opened = []

    def new(name):
        opened.append(open_engine(sqlite_url(tmp_path / f"{name}.sqlite3")))
        return opened[-1]

    yield new
    for engine in opened:
        engine.dispose()


def described(engine):
    """Everything that reflection says of every table, as plain values in a fixed order."""
    eyes = sa.inspect(engine)
    tables = sorted(set(eyes.get_table_names()) - {"alembic_version"})

    def of(table):
        return {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["primary_key"])
                for column in eyes.get_columns(table)
            ],
            "primary key": eyes.get_pk_constraint(table)["constrained_columns"],
            "checks": sorted((check["name"], check["sqltext"]) for check in eyes.get_check_constraints(table)),
            "unique": sorted(sorted(unique["column_names"]) for unique in eyes.get_unique_constraints(table)),
            "foreign": sorted(str(sorted(foreign.items(), key=str)) for foreign in eyes.get_foreign_keys(table)),
            "indexes": sorted(
                (index["name"], index["column_names"], str(index.get("dialect_options", {}).get("sqlite_where")))
                for index in eyes.get_indexes(table)
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
    assert current_revision(engine) is None
    bring_up_to_date(engine)
    before = described(engine)
    bring_up_to_date(engine)
    assert current_revision(engine) == KNOWN[-1]
    assert described(engine) == before


def test_a_newer_schema_is_refused_with_a_sentence_and_left_alone(new_engine):
    engine = new_engine("d")
    bring_up_to_date(engine)
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match=r"newer version \(schema 9999.*--data-dir"):
        bring_up_to_date(engine)
    assert current_revision(engine) == "9999"


def test_a_migration_that_breaks_half_way_leaves_nothing_behind(new_engine):
    engine = new_engine("d")
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE workers (somebody_elses TEXT)")
    with pytest.raises(sa.exc.OperationalError, match="workers already exists"):
        bring_up_to_date(engine)
    assert set(described(engine)) == {"workers"}
    assert current_revision(engine) is None
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("DROP TABLE workers")
    bring_up_to_date(engine)
    assert current_revision(engine) == KNOWN[-1]
