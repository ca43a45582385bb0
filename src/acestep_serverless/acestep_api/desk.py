"""Who may use the engine's language model and its adapters? One request at a time, in a thread of their own.

The event loop never waits here: health and polling answer while a language model writes for half a minute.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TypeVar

from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Cancelled
from acestep_serverless.errors import TooLarge

MOST_WAITING = 8
LONGEST_SECONDS = 120.0
"""How long one piece of work may take from its request on; a language model then hears that nobody waits."""

Result = TypeVar("Result")


class Desk:
    """A queue of one thread. Usable from several event loops, one after another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="acestep-words")
        self._lock = Lock()
        self._waiting = 0
        self._closed = Event()

    async def ask(self, work: Callable[[Cancelled], Result]) -> Result:
        """Run `work` when it is its turn and give its result; it is told when the time is over or the caller is gone.

        Raises what `work` raises, and TooLarge when MOST_WAITING wait already.
        """
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise TooLarge("Server busy: too many requests for the language model are waiting")
            self._waiting += 1
        gone, deadline = Event(), self._clock.monotonic() + LONGEST_SECONDS

        def cancelled() -> bool:
            return gone.is_set() or self._closed.is_set() or self._clock.monotonic() > deadline

        future = self._thread.submit(work, cancelled)
        future.add_done_callback(lambda _future: self._leave())
        try:
            return await asyncio.wrap_future(future)
        finally:
            gone.set()

    def close(self) -> None:
        """End what runs within the engine's own patience, and refuse what waits."""
        self._closed.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _leave(self) -> None:
        with self._lock:
            self._waiting -= 1
