"""What do the rooms above hold? One Database: `write` and `read` pieces of work, and its bells."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from acestep_serverless.database.engine import open_engine
from acestep_serverless.database.migrate import bring_up_to_date
from acestep_serverless.database.wakeup import Wakeup
from acestep_serverless.database.writer import Writer

Result = TypeVar("Result")


class Database:
    """The open database of one process. `open()` migrates and starts the writer; `close()` finishes it."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer = Writer(self._engine)
        self._reading = threading.Lock()
        self._reader: sa.Connection | None = None
        self.wakeup = Wakeup()

    def open(self) -> None:
        """Bring the schema up to date and start writing. Raises SettingsError for a newer schema."""
        bring_up_to_date(self._engine)
        self._writer.start()

    def close(self) -> None:
        """Finish queued writes and let go of the file."""
        self._writer.stop()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        self._engine.dispose()

    async def write(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Run a piece of work in the writer's next transaction; returns after the commit (durable)."""
        return await asyncio.wrap_future(self._writer.submit(work))

    def read(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Run a reading piece of work here and now, on a connection kept for reading (fetching one costs more than a
        SELECT by key, which takes about 0.03 ms on SQLite)."""
        with self._reading:
            if self._reader is None:
                self._reader = self._engine.connect()
            try:
                return work(self._reader)
            finally:
                self._reader.rollback()
