"""Who waits for the end of which task? Waits on any event loop, ended by any thread.

The process that embeds this server runs several event loops one after another, so nothing here belongs to a loop:
each wait brings its own loop and future, and an end is handed over with `call_soon_threadsafe`.
"""

import asyncio
from collections.abc import Callable, Iterable
from threading import Lock

_Wait = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Waits:
    """The waits under way, by task id. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_task: dict[str, set[_Wait]] = {}

    async def until_any(self, task_ids: Iterable[str], seconds: float, is_final: Callable[[str], bool]) -> None:
        """Return as soon as one of the tasks is final, at once if one already is, or after `seconds`."""
        loop = asyncio.get_running_loop()
        wait = (loop, loop.create_future())
        ids = frozenset(task_ids)
        self._add(ids, wait)  # before the question, or an end between question and wait would go unheard
        try:
            if ids and not any(is_final(task_id) for task_id in ids):
                await asyncio.wait_for(wait[1], seconds)
        except TimeoutError:
            pass
        finally:
            self._remove(ids, wait)

    def announce(self, task_id: str) -> None:
        """End every wait for this task."""
        with self._lock:
            waits = self._by_task.pop(task_id, set())
        for loop, future in waits:
            try:
                loop.call_soon_threadsafe(_end, future)
            except RuntimeError:  # that loop is closed, and with it whoever waited
                continue

    def _add(self, ids: Iterable[str], wait: _Wait) -> None:
        with self._lock:
            for task_id in ids:
                self._by_task.setdefault(task_id, set()).add(wait)

    def _remove(self, ids: Iterable[str], wait: _Wait) -> None:
        with self._lock:
            for task_id in ids:
                waits = self._by_task.get(task_id, set())
                waits.discard(wait)
                if not waits:
                    self._by_task.pop(task_id, None)


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
