"""Is the schema the one this program knows? Alembic migrations, applied at start when they are needed.

Alembic itself is imported only when there is something to apply: it costs 0.2 s of a start that should take under 2 s.
"""

from pathlib import Path

import sqlalchemy as sa

from acestep_serverless.errors import SettingsError

KNOWN = ("0001", "0002", "0003")
"""Every revision in order; the last is this program's schema (a test compares it with the scripts)."""
SCRIPTS = Path(__file__).parent / "migrations"


def current_revision(engine: sa.Engine) -> str | None:
    """Read the revision of the open database; None when it is empty."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def bring_up_to_date(engine: sa.Engine) -> None:
    """Apply the missing migrations. Raises SettingsError when the database belongs to a newer program."""
    revision = current_revision(engine)
    if revision == KNOWN[-1]:
        return
    if revision is not None and revision not in KNOWN:
        raise SettingsError(
            f"the database is of a newer version (schema {revision}, this program knows up to {KNOWN[-1]}): "
            "start the newer program, or name another --data-dir"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with engine.execution_options(writes=True).connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
