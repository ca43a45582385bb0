"""Fixtures of every room's tests: a real PostgreSQL, and the URLs of fresh databases of both kinds."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from acestep_serverless.database.engine import sqlite_url
from postgresql_server import PostgreSQL

os.environ["HF_HUB_CACHE"] = os.devnull
"""Nobody's own weights: the engine "auto" must lead to the same one on every machine."""
signal.signal(signal.SIGINT, signal.default_int_handler)
"""A shell starts what runs in its background deaf to Ctrl-C, and so would be every program that a test starts."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server that is started when the first test asks for it."""
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database: on SQLite a file that is not there yet, on PostgreSQL one with empty tables.

    A test of one of them says so: `parametrize("database_url", ["sqlite"], indirect=True)`.
    """
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "database.sqlite3")
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    url = server.new_database()
    yield url
    server.drop(url)
