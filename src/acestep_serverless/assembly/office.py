"""How is the database reached without a gateway? Desk, registries and rows over the settings, for commands that look
and act while a gateway runs or not."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import for_reading, is_sqlite, open_engine, sqlite_url
from acestep_serverless.database.migrate import KNOWN, current_revision
from acestep_serverless.database.tables import API_KEYS
from acestep_serverless.errors import SettingsError, Unavailable
from acestep_serverless.jobs.desk import DeskRules, JobDesk
from acestep_serverless.registry.keys import KeyRegistry
from acestep_serverless.registry.workers import WorkerRegistry
from acestep_serverless.settings import Settings

Result = TypeVar("Result")

DATABASE_FILE = "acestep-serverless.sqlite3"
KEY_PREFIX = "acs_"
"""How client keys made here begin, so that people and secret scanners know one when they see it."""


def database_url(settings: Settings) -> str:
    """Give the URL of the database: PostgreSQL's, or that of the file in the data folder."""
    return settings.database_url.get_secret_value() or sqlite_url(settings.data_dir / DATABASE_FILE)


def artifacts_dir(settings: Settings) -> Path:
    """Give the folder of the audio files."""
    return settings.artifacts_dir or settings.data_dir / "artifacts"


def desk_rules(settings: Settings) -> DeskRules:
    """Give the desk's times from the settings."""
    sync_hours = settings.runsync_retention_hours or settings.retention_hours
    return DeskRules(
        heartbeat_ms=settings.heartbeat_seconds * 1000,
        lease_ms=settings.lease_seconds * 1000,
        keep_ms=int(settings.retention_hours * 3_600_000),
        keep_sync_ms=int(sync_hours * 3_600_000),
    )


def new_key() -> str:
    """Make a client key: 256 random bits behind a prefix."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Office:
    """What commands work with. Every change is the same guarded statement as a gateway's."""

    settings: Settings
    clock: Clock
    database: Database
    desk: JobDesk
    workers: WorkerRegistry
    keys: KeyRegistry


@contextlib.asynccontextmanager
async def open_office(
    settings: Settings, *, clock: Clock = SYSTEM_CLOCK, may_make: bool = False
) -> AsyncIterator[Office]:
    """Open the database of the settings on the running event loop; leaving sends its last bells and closes it.

    Without `may_make` a database that is not there stays away. Raises SettingsError for that and for one of another
    version, Unavailable for one that cannot be reached.
    """
    revision = _revision(settings)
    if revision is None and not may_make:
        raise SettingsError(_nothing_yet(settings))
    if revision in KNOWN[:-1]:
        raise SettingsError(
            f"the database is of an older version (schema {revision}, this program needs {KNOWN[-1]}): start "
            "'acestep-serverless serve' of this version, which brings it up to date"
        )
    if revision is None and not settings.database_url.get_secret_value():
        _make_file(settings.data_dir)
    database = Database(database_url(settings))
    database.open()
    try:
        yield Office(
            settings,
            clock,
            database,
            JobDesk(database, clock, desk_rules(settings)),
            WorkerRegistry(database, clock, lambda: secrets.token_urlsafe(32)),
            KeyRegistry(database, clock, new_key),
        )
    finally:
        database.close()


async def in_office(
    settings: Settings, work: Callable[[Office], Awaitable[Result]], *, may_make: bool = False
) -> Result:
    """Do one piece of work in an office of its own. Raises what `open_office` and the work raise."""
    async with open_office(settings, may_make=may_make) as office:
        return await work(office)


def key_was_made(settings: Settings) -> bool:
    """Tell whether the database has a client key, revoked or not; one that is not there has none. Raises Unavailable
    when it cannot be reached."""
    if _revision(settings) is None:
        return False
    query = sa.select(API_KEYS.c.id).limit(1)
    return _look(
        settings,
        lambda connection: (
            sa.inspect(connection).has_table(API_KEYS.name) and connection.execute(query).first() is not None
        ),
    )


def _revision(settings: Settings) -> str | None:
    """Read the revision of the database; None where there is none or an empty one."""
    if is_sqlite(database_url(settings)) and not _is_there(settings.data_dir / DATABASE_FILE):
        return None
    return _look(settings, current_revision)


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:
        raise SettingsError(f"{file} cannot be looked at: {error.strerror}") from None


def _look(settings: Settings, work: Callable[[sa.Connection], Result]) -> Result:
    engine = open_engine(database_url(settings))
    try:
        with for_reading(engine).connect() as connection:
            return work(connection)
    except sa.exc.DatabaseError as error:
        reason = " ".join(str(error.orig).split())[:200]
        raise Unavailable(f"the database cannot be opened: {reason}") from None
    finally:
        engine.dispose()


def _nothing_yet(settings: Settings) -> str:
    if settings.database_url.get_secret_value():
        return "nothing has been served from this database_url yet: start 'acestep-serverless serve' with it first"
    return (
        f"nothing has been served from {settings.data_dir.resolve()} yet: start 'acestep-serverless serve', or name "
        "another --data-dir"
    )


def _make_file(data_dir: Path) -> None:
    """Make an empty database file that is nobody else's on this machine; SQLite gives its companions the same mode."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        (data_dir / DATABASE_FILE).touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"no database can be made in {data_dir}: {error.strerror}") from None
