"""Who is waiting for what? Topics with bells: a change rings, the waiting request looks again.

Bells only shorten a wait; nothing depends on one being rung, since every waiter looks at the rows first and again
when its time is over. Not thread-safe: ring and listen on the event loop (the writer answers there).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Wakeup:
    """In-process bells by topic, such as "queue:ace-step" or "job:ID"."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once the process is ending: waiters answer with what they have."""
        return self._closed

    def ring(self, *topics: str) -> None:
        """Wake everybody who listens to one of these topics."""
        for topic in topics:
            for bell in self._bells.get(topic, ()):
                bell.set()

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        self.ring(*self._bells)

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Event]:
        """Give a bell for a topic; register before looking at the rows, so that no change slips between."""
        bell = asyncio.Event()
        if self._closed:
            bell.set()
        self._bells[topic].add(bell)
        try:
            yield bell
        finally:
            self._bells[topic].discard(bell)
            if not self._bells[topic]:
                del self._bells[topic]


async def wait_for_bell(bell: asyncio.Event, seconds: float) -> bool:
    """Wait until the bell rings (True, and silence it) or the time is over (False)."""
    if not bell.is_set():
        try:
            await asyncio.wait_for(bell.wait(), max(0.0, seconds))
        except TimeoutError:
            return False
    bell.clear()
    return True
