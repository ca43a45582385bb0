"""Is the schema the one this program knows? Alembic migrations, applied at start when they are needed.

Alembic itself is imported only when there is something to apply: it costs 0.2 s of a start that should take under 2 s.
"""

from pathlib import Path

import sqlalchemy as sa

from acestep_serverless.database.engine import no_room
from acestep_serverless.errors import SettingsError, Unavailable

KNOWN = ("0001", "0002", "0003", "0004", "0005")
"""Every revision in order; the last is this program's schema (a test compares it with the scripts)."""
SCRIPTS = Path(__file__).parent / "migrations"
MIGRATING = 6_402_219
"""The advisory lock under which PostgreSQL's schema is changed: two gateways may start at the same time."""


def current_revision(connection: sa.Connection) -> str | None:
    """Read the revision of the database; None when it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _is_known(revision: str | None) -> bool:
    """Tell whether nothing is to be done. Raises SettingsError when the database belongs to a newer program."""
    if revision is not None and revision not in KNOWN:
        raise SettingsError(
            f"the database is of a newer version (schema {revision}, this program knows up to {KNOWN[-1]}): "
            "start the newer program, or name another --data-dir or database"
        )
    return revision == KNOWN[-1]


def bring_up_to_date(engine: sa.Engine) -> None:
    """Apply the missing migrations, all of them or none. Raises SettingsError when the database belongs to a newer
    program, Unavailable when it cannot be reached (yet), its NoRoom when SQLite's disk is full or fails."""
    try:
        _bring_up_to_date(engine)
    except sa.exc.DBAPIError as error:
        if (trouble := no_room(error)) is not None:
            raise trouble from None
        raise


def _bring_up_to_date(engine: sa.Engine) -> None:
    try:
        with engine.connect() as connection:
            if _is_known(current_revision(connection)):
                return
    except sa.exc.OperationalError as error:
        if no_room(error) is not None:
            raise
        reason = " ".join(str(error.orig).split())[:200]
        raise Unavailable(f"the database cannot be opened: {reason}") from None
    with engine.execution_options(writes=True).connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
        if not _is_known(current_revision(connection)):
            _upgrade(connection)


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
