"""Which tasks are there, and when may one move? The table of tasks; it knows no thread, engine, file or HTTP.

queued ──► running ──► succeeded   all songs are made and encoded
   │          ├──────► failed      the engine or the encoder gave up; `error` is a sentence
   └──────────┴──────► cancelled   somebody asked for the end; what the engine still makes is thrown away

A task is an immutable record; each move replaces it under one lock and only from the states named above, so a reader
never sees half a move and a late result changes nothing.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Condition, Event
from typing import Any

from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import SongMetas
from acestep_serverless.errors import TooLarge

QUEUE_FULL = "Server busy: queue is full"
HIGHEST_ACTIVE = 0.99
"""The largest progress of a task that is not final."""


class State(Enum):
    """Where a task is; the value is its word in answers."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class StoredSong:
    """One finished song and its file: `name` in the audio folder, `size` in bytes, `seconds` as delivered."""

    name: str
    size: int
    sha256: str
    media_type: str
    seconds: float
    sample_rate: int
    seed: int
    caption: str
    lyrics: str
    metas: SongMetas
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One generation. `stop` is shared by all versions of the record: once set, engine and encoder give up."""

    task_id: str
    order: Order
    created_ms: int
    state: State = State.QUEUED
    progress: float = 0.0
    stage: str = State.QUEUED.value
    error: str | None = None
    songs: tuple[StoredSong, ...] = ()
    finished_ms: int = 0
    running_since: float = 0.0
    running_seconds: float = 0.0
    stop: Event = field(default_factory=Event)


class TaskTable:
    """All tasks, first come, first served. Every method may be called from any thread."""

    def __init__(self, *, clock: Clock, queue_maximum: int, on_final: Callable[[str], None]) -> None:
        self._clock = clock
        self._queue_maximum = queue_maximum
        self._on_final = on_final
        self._changed = Condition()
        self._tasks: dict[str, Task] = {}
        self._queue: deque[str] = deque()
        self._finished: deque[str] = deque()
        self._open = False

    def add(self, task_id: str, order: Order) -> int:
        """Queue a task; return how many are waiting, this one included. Raises TooLarge when the queue is full."""
        with self._changed:
            if len(self._queue) >= self._queue_maximum:
                raise TooLarge(QUEUE_FULL)
            self._tasks[task_id] = Task(task_id, order, self._clock.now_ms())
            self._queue.append(task_id)
            self._changed.notify_all()
            return len(self._queue)

    def take(self) -> Task | None:
        """Wait for a queued task and set it running; None once the table is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or not self._open)
            if not self._open:
                return None
            changes = {"stage": State.RUNNING.value, "running_since": self._clock.monotonic()}
            return self._replace(self._queue.popleft(), state=State.RUNNING, **changes)

    def get(self, task_id: str) -> Task | None:
        """Give the task as it is now, or None if there is none (any more)."""
        return self._tasks.get(task_id)

    def position(self, task_id: str) -> int:
        """Give a task's place in the queue: 1 is next, 0 is not waiting."""
        with self._changed:
            return self._queue.index(task_id) + 1 if task_id in self._queue else 0

    def report(self, task_id: str, progress: float, stage: str) -> None:
        """Note a running task's progress (0.0 to 1.0, never falling) and stage."""
        with self._changed:
            task = self._tasks.get(task_id)
            if task is not None and task.state is State.RUNNING:
                risen = max(task.progress, min(progress, HIGHEST_ACTIVE))
                self._replace(task_id, progress=risen, stage=stage)

    def store(self, task_id: str, song: StoredSong) -> bool:
        """Add a finished song to a running task; False, and nothing is added, if it runs no more."""
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or task.state is not State.RUNNING:
                return False
            self._replace(task_id, songs=(*task.songs, song))
            return True

    def succeed(self, task_id: str) -> bool:
        """Running to succeeded; False if it was not running."""
        return self._finish(task_id, State.SUCCEEDED, {State.RUNNING}, progress=1.0)

    def fail(self, task_id: str, sentence: str) -> bool:
        """Running to failed, with the reason for the user; False if it was not running."""
        return self._finish(task_id, State.FAILED, {State.RUNNING}, error=sentence)

    def cancel(self, task_id: str) -> bool:
        """Queued or running to cancelled, whose engine and encoder then stop; False if it was final or unknown."""
        active = {State.QUEUED, State.RUNNING}
        return self._finish(task_id, State.CANCELLED, active, error="the task was cancelled")

    def forget(self, *, finished_before_ms: int, finished_maximum: int) -> list[Task]:
        """Drop and return the final tasks that are too old, and the oldest ones beyond the maximum."""
        dropped = []
        with self._changed:
            while self._finished:
                oldest = self._tasks[self._finished[0]]
                if oldest.finished_ms > finished_before_ms and len(self._finished) <= finished_maximum:
                    break
                dropped.append(self._tasks.pop(self._finished.popleft()))
        return dropped

    def open(self) -> None:
        """Let `take` give out tasks."""
        with self._changed:
            self._open = True

    def close(self) -> None:
        """End every `take`; tell what is running to stop. Queued tasks stay queued."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            for task in self._tasks.values():
                if task.state is State.RUNNING:
                    task.stop.set()

    def _finish(self, task_id: str, state: State, expected: set[State], **changes: Any) -> bool:
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or task.state not in expected:
                return False
            if task.state is State.QUEUED:
                self._queue.remove(task_id)
            else:
                changes["running_seconds"] = self._clock.monotonic() - task.running_since
            now = self._clock.now_ms()
            self._replace(task_id, state=state, stage=state.value, finished_ms=now, **changes)
            self._finished.append(task_id)
            if state is not State.SUCCEEDED:
                task.stop.set()
        self._on_final(task_id)
        return True

    def _replace(self, task_id: str, **changes: Any) -> Task:
        self._tasks[task_id] = replace(self._tasks[task_id], **changes)
        return self._tasks[task_id]
