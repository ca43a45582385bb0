"""Who reads? On SQLite whoever asks, at once; on PostgreSQL a few threads, so that nobody waits for a network.

A SELECT by key takes 0.03 ms on SQLite, less than handing it to a thread would; what may take longer goes to a thread
there as well (`aside`).
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa

from acestep_serverless.database.engine import for_reading, may_succeed_later, not_now
from acestep_serverless.errors import Unavailable

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]

THREADS = 4
PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
"""Seconds before each further try of a read whose connection was lost."""


class _Kept:
    """A connection kept for reading by one thread: fetching one from the pool costs more than a SELECT by key."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None

    def read(self, work: Work[Result]) -> Result:
        if self._connection is None:
            self._connection = self._engine.connect()
        try:
            return work(self._connection)
        except BaseException as error:
            if may_succeed_later(error):
                self.close()
            if (trouble := not_now(error)) is not None:
                raise trouble from error
            raise
        finally:
            if self._connection is not None:
                self._connection.rollback()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class Reader:
    """Runs reading pieces of work. `inline` on the caller's own thread is for SQLite's short ones."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = for_reading(engine)
        self._inline = engine.dialect.name == "sqlite"
        self._own, self._lock = _Kept(self._engine), threading.Lock()
        self._local, self._all = threading.local(), list[_Kept]()
        self._threads = ThreadPoolExecutor(THREADS, "database-reader")

    async def read(self, work: Work[Result]) -> Result:
        """Run a piece of work that takes no time to speak of. Raises Unavailable when the database stays away."""
        if not self._inline:
            return await self.aside(work)
        with self._lock:
            return self._own.read(work)

    async def aside(self, work: Work[Result]) -> Result:
        """Run a piece of work that may take a while, on a thread. Raises Unavailable when the database stays away."""
        loop = asyncio.get_running_loop()
        for pause in (*PAUSES, None):
            try:
                return await loop.run_in_executor(self._threads, self._read, work)
            except sa.exc.SQLAlchemyError as error:
                if not may_succeed_later(error):
                    raise
                if pause is None:
                    raise Unavailable("the database does not answer; ask again later") from error
            await asyncio.sleep(pause)
        raise AssertionError("the loop above returns")

    def _read(self, work: Work[Result]) -> Result:
        kept: _Kept | None = getattr(self._local, "kept", None)
        if kept is None:
            kept = self._local.kept = _Kept(self._engine)
            self._all.append(kept)
        return kept.read(work)

    def close(self) -> None:
        """End the threads and let go of every connection."""
        self._threads.shutdown(wait=True)
        for kept in (self._own, *self._all):
            kept.close()
