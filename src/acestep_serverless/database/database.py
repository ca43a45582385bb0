"""What do the rooms above hold? One Database: `write` and `read` pieces of work, and its bells."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import sqlalchemy as sa

from acestep_serverless.database.broadcast import Broadcast
from acestep_serverless.database.engine import is_sqlite, open_engine
from acestep_serverless.database.migrate import bring_up_to_date
from acestep_serverless.database.reader import Reader
from acestep_serverless.database.wakeup import Wakeup
from acestep_serverless.database.writer import Writer

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]


class Database:
    """The open database of one process, SQLite or PostgreSQL by its URL. `open()` migrates and starts the threads, on
    the event loop whose waiters its bells wake; `close()` finishes them."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer = Writer(self._engine)
        self._reader = Reader(self._engine)
        self._broadcast = None if is_sqlite(url) else Broadcast(self._engine, secrets.token_hex(8), self._hear)
        self.wakeup = Wakeup()

    def open(self) -> None:
        """Bring the schema up to date and start writing. Raises SettingsError for a newer schema."""
        bring_up_to_date(self._engine)
        self._writer.start()
        if self._broadcast is not None:
            self._loop = asyncio.get_running_loop()
            self.wakeup.tell_others = self._broadcast.send
            self._broadcast.start()

    def close(self) -> None:
        """Finish queued writes and let go of every connection."""
        self._writer.stop()
        self.wakeup.tell_others = None
        if self._broadcast is not None:
            self._broadcast.stop()
        self._reader.close()
        self._engine.dispose()

    async def write(self, work: Work[Result]) -> Result:
        """Run a piece of work in the writer's next transaction; returns after the commit (durable).

        The piece may be run more than once until one run is committed. Raises Unavailable when that cannot be.
        """
        return await asyncio.wrap_future(self._writer.submit(work))

    async def read(self, work: Work[Result]) -> Result:
        """Run a reading piece of work that is short: a few rows found by an index."""
        return await self._reader.read(work)

    async def read_aside(self, work: Work[Result]) -> Result:
        """Run a reading piece of work that may take a while, without holding up anybody else."""
        return await self._reader.aside(work)

    def _hear(self, topics: Sequence[str] | None) -> None:
        with suppress(RuntimeError):  # The loop has ended, and with it everybody who waited.
            self._loop.call_soon_threadsafe(self.wakeup.ring_here, topics)
