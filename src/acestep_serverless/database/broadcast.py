"""How do the bells of one gateway ring in another? Through PostgreSQL's NOTIFY, which every gateway listens to.

A notification is a JSON list: who sends it, then the topics. Bells only shorten a wait, so a notification that is lost
with its connection costs a waiter the time until it looks again, and nothing else: sending needs no transaction, and is
never waited for. A listener that had to connect again rings every bell it has, since it cannot know what it missed.
"""

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa
import structlog

from acestep_serverless.database.engine import for_reading

LOG = structlog.get_logger(__name__)

CHANNEL = "acestep_serverless_bells"
PAYLOAD_LIMIT = 7_500
"""Bytes of one notification; PostgreSQL takes less than 8,000."""
LISTEN_FOR = 1.0
"""Seconds between two looks at whether this process is ending."""
AGAIN_AFTER = 1.0
"""Seconds before a lost connection is tried again."""
PAUSE = 0.01
"""Seconds between two notifications: under load they would cost a third of what the jobs cost (1,000 a second, sent
here, heard here and in every other process)."""

_NOTIFY = sa.text("SELECT pg_notify(:channel, :payload)")


class Broadcast:
    """Two threads with a connection each: one sends topics, one calls `heard` with those of other processes (None: with
    all there are). `sender` tells processes apart."""

    def __init__(self, engine: sa.Engine, sender: str, heard: Callable[[Sequence[str] | None], None]) -> None:
        self._engine, self._sender, self._heard = for_reading(engine), sender, heard
        self._out: queue.SimpleQueue[Sequence[str] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_going, args=(work,), name=f"bells-{name}", daemon=True)
            for name, work in (("sender", self._send), ("listener", self._listen))
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        self._closed.set()
        self._out.put(None)
        for thread in self._threads:
            thread.join()

    def send(self, topics: Sequence[str]) -> None:
        """Tell the other processes, soon."""
        self._out.put(topics)

    def _keep_going(self, work: Callable[[sa.Connection], None]) -> None:
        """Work until the end, and at least once: what is rung right before it is still to be sent."""
        while True:
            try:
                with self._engine.connect() as connection:
                    work(connection)
            except Exception as error:  # However it was lost, it is opened again.
                LOG.warning("bells are out of touch with other gateways", reason=type(error).__name__)
                self._closed.wait(AGAIN_AFTER)
            if self._closed.is_set():
                return

    def _send(self, connection: sa.Connection) -> None:
        """Send until the end is told; what was rung before that still goes out."""
        ending = False
        while not ending:
            queued = [self._out.get()]
            while not self._out.empty():
                queued.append(self._out.get())
            ending = None in queued
            topics = dict.fromkeys(topic for some in queued if some is not None for topic in some)
            for payload in payloads(self._sender, list(topics)):
                connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})
            self._closed.wait(PAUSE)
        # Our own listener hears this one and ends at once, not at its next look.
        connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": json.dumps([self._sender])})

    def _listen(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        self._heard(None)
        driver = connection.connection.driver_connection
        assert driver is not None
        while not self._closed.is_set():
            for notice in driver.notifies(timeout=LISTEN_FOR):
                sender, *topics = json.loads(notice.payload)
                if sender != self._sender:
                    self._heard(topics)
                elif self._closed.is_set():
                    return


def payloads(sender: str, topics: Sequence[str]) -> Iterator[str]:
    """Spell notifications that hold all these topics, each small enough."""
    batch: list[str] = []
    size = len(sender) + 4
    for topic in topics:
        length = len(topic.encode()) + 4
        if batch and size + length > PAYLOAD_LIMIT:
            yield json.dumps([sender, *batch], ensure_ascii=False)
            batch, size = [], len(sender) + 4
        batch.append(topic)
        size += length
    if batch:
        yield json.dumps([sender, *batch], ensure_ascii=False)
