"""How is the database opened? One SQLAlchemy engine, SQLite in write-ahead mode with full synchronisation.

SQLite's own transaction handling in the driver is switched off so that BEGIN and SAVEPOINT are ours (the documented
SQLAlchemy recipe); a writer begins IMMEDIATE, since a deferred transaction that turns into a write can fail half-way.
A reader begins nothing: each SELECT sees the last commit.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another process's write lock, in milliseconds."""


def sqlite_url(path: Path) -> str:
    """Give the SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> sa.Engine:
    """Open the database at a SQLAlchemy URL; nothing is read or written yet."""
    engine = sa.create_engine(url, connect_args={"check_same_thread": False}, pool_size=4, max_overflow=4)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
