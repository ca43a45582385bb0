"""How is the database opened? One SQLAlchemy engine, on a SQLite file or on PostgreSQL; what differs is said here.

SQLite runs in write-ahead mode with full synchronisation. Its driver's own transaction handling is switched off so that
BEGIN and SAVEPOINT are ours (the documented SQLAlchemy recipe); a writer begins IMMEDIATE, since a deferred transaction
that turns into a write can fail half-way. A reader begins nothing: each SELECT sees the last commit. On PostgreSQL
readers work in autocommit, for the same reason; writers in READ COMMITTED, where a guarded UPDATE looks again at a row
that it had to wait for.
"""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from acestep_serverless.errors import SettingsError, Unavailable

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another writer's lock, in milliseconds."""
STATEMENT_TIMEOUT_MS = 30_000
"""How long a statement may take on PostgreSQL, in milliseconds: a lost peer must not hold the writer for ever."""
IDLE_TIMEOUT_MS = 8_000
"""How long PostgreSQL lets a transaction rest between two statements, in milliseconds: less than others wait for its
locks. A gateway whose machine froze in the middle of one would hold up all others for as long as TCP believes in it."""
KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""After how long a silent server counts as gone: by default TCP asks after two hours (seconds; milliseconds)."""
LOST = ("08", "57P", "25P03", "40001", "40P01", "55P03", "53300")
"""SQLSTATEs (or their beginnings) after which the same transaction can succeed: a connection that broke, or was ended
by its administrator or for resting, a deadlock or a lock that took too long, too many connections (PostgreSQL's
appendix A)."""


SQLITE_TROUBLES = {
    sqlite3.SQLITE_BUSY: "another program has locked it",
    sqlite3.SQLITE_LOCKED: "another program has locked it",
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_IOERR: "its disk failed",
    sqlite3.SQLITE_READONLY: "its file may not be written",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
}
"""What can keep SQLite from working though nothing is wrong with the work: primary result codes, in words."""


HOPELESS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""Primary result codes of troubles that no waiting mends: somebody has to make room, or to choose another disk."""


class NoRoom(Unavailable):
    """SQLite's disk is full or fails: nothing could be written, and trying again soon will not help."""


def sqlite_url(path: Path) -> str:
    """Give the SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def is_sqlite(url: str) -> bool:
    """Tell whether a URL leads to a SQLite file."""
    return url.startswith("sqlite")


def open_engine(url: str) -> sa.Engine:
    """Open the database at a URL; nothing is read or written yet. Raises SettingsError when the driver is missing."""
    if is_sqlite(url):
        engine = sa.create_engine(url, connect_args={"check_same_thread": False}, pool_size=4, max_overflow=4)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    given = sa.make_url(url).set(drivername="postgresql+psycopg")
    options = f"-c lock_timeout={BUSY_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS}"
    options += f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS}"
    arguments = {"connect_timeout": 5, "application_name": "acestep-serverless", "options": options, **KEEPALIVES}
    try:
        return sa.create_engine(given, connect_args=arguments, pool_size=8, max_overflow=4, pool_timeout=10)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"PostgreSQL needs a driver that is not here ({error.name}): pip install 'acestep-serverless[postgresql]'"
        ) from None


def for_reading(engine: sa.Engine) -> sa.Engine:
    """Give the engine whose connections only read: each SELECT sees the last commit."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="AUTOCOMMIT")


def may_succeed_later(error: BaseException) -> bool:
    """Tell whether a failed transaction is worth another try: nothing of it is written, and what failed may mend."""
    if isinstance(error, sa.exc.TimeoutError):  # every connection of the pool is in use
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return False  # SQLite has already waited; what is locked longer, or broken, stays so.
    state = getattr(error.orig, "sqlstate", None)
    unreachable = state is None and isinstance(error, sa.exc.OperationalError)
    return error.connection_invalidated or unreachable or (state is not None and state.startswith(LOST))


def not_now(error: BaseException) -> Unavailable | None:
    """Say of an error what keeps SQLite from working at this moment; None for one that the work itself brought on."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    trouble = None if code is None else SQLITE_TROUBLES.get(code & 0xFF)
    return None if trouble is None else Unavailable(f"the database does not answer, {trouble}; send this again later")


def no_room(error: BaseException) -> NoRoom | None:
    """Say of an error that SQLite's disk is full or fails; None for every other one."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF
    if code not in HOPELESS:
        return None
    return NoRoom(
        f"the database cannot be written, {SQLITE_TROUBLES[code]}: free some space, or name another --data-dir"
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "secure_delete=FAST",  # What was passed on to a worker (keys of a bucket) goes from the file too.
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
