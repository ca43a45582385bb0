"""Who is waiting for what? Topics with bells: a change rings, the waiting request looks again.

Bells only shorten a wait; nothing depends on one being rung, since every waiter looks at the rows first and again
when its time is over. Not thread-safe: ring and listen on the event loop (the writer answers there).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Wakeup:
    """Bells by topic, such as "queue:ace-step" or "job:ID". `tell_others` passes what is rung here on to other
    processes, where there are any."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False
        self.tell_others: Callable[[Sequence[str]], None] | None = None

    @property
    def closed(self) -> bool:
        """True once the process is ending: waiters answer with what they have."""
        return self._closed

    def ring(self, *topics: str) -> None:
        """Wake everybody who listens to one of these topics, here and elsewhere."""
        self.ring_here(topics)
        if self.tell_others is not None:
            self.tell_others(topics)

    def ring_here(self, topics: Sequence[str] | None) -> None:
        """Wake those of this process only: what another one rang. None rings every bell."""
        for topic in list(self._bells) if topics is None else topics:
            for bell in self._bells.get(topic, ()):
                bell.set()

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        self.ring_here(None)

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
