"""Which tasks are there, and when may one move? The table of tasks; it knows no thread, engine, file or HTTP.

queued ──► running ──► succeeded   all songs are made and encoded
   ▲  │       ├──────► failed      the engine or the encoder gave up; `error` is a sentence
   │  └───────┴──────► cancelled   somebody asked for the end; what the engine still makes is thrown away
   └── running                     the server stopped: the task is made again, from the same seeds, at its next start

A task is an immutable record; each move replaces it under one lock and only from the states named above, so a reader
never sees half a move and a late result changes nothing. Where there are records, a move is on the disk before anybody
can see it.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from threading import Condition, Event
from typing import Any, Protocol

import structlog

from acestep_serverless.acestep_api.fair_queue import FairQueue, Waiting
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.task import ACTIVE, FINAL, HIGHEST_ACTIVE, State, StoredSong, Task
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Analysis, GenerationRequest, Sharing
from acestep_serverless.errors import TooLarge, Unavailable

QUEUE_FULL = "Server busy: queue is full"
DRAWS = 10_000
"""How often an id is drawn until one is free; random ones are at once."""

log = structlog.get_logger(__name__)


class Records(Protocol):
    """Where tasks outlive the process."""

    def write(self, task: Task) -> None:
        """Keep a task as it is now, safe from a power cut. Raises OSError."""
        ...

    def remove(self, task_id: str) -> None:
        """Forget a task."""
        ...


class TaskTable:
    """All tasks. Every method may be called from any thread.

    `sharing` says with which others a request may be made; `clear_up` is called with a task that is about to be seen
    as final, under the table's lock; `on_final` is called with its id afterwards.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        queue_maximum: int,
        sharing: Callable[[GenerationRequest], Sharing | None],
        clear_up: Callable[[Task], None],
        on_final: Callable[[str], None],
        records: Records | None = None,
    ) -> None:
        self._clock = clock
        self._queue_maximum = queue_maximum
        self._sharing = sharing
        self._clear_up = clear_up
        self._on_final = on_final
        self._records = records
        self._changed = Condition()
        self._tasks: dict[str, Task] = {}
        self._queue = FairQueue()
        self._begun: dict[str, float] = {}
        self._finished: deque[str] = deque()
        self._numbers = 0
        self._open = False

    def add(self, order: Order, *, engine: str, new_id: Callable[[], str]) -> tuple[Task, int]:
        """Queue a task under an id that no other has; return it and its turn, 1 for the next.

        Raises TooLarge when the queue is full, Unavailable when the disk does not take its record.
        """
        entry = self._entry("", order)
        with self._changed:
            if len(self._queue) >= self._queue_maximum:
                raise TooLarge(QUEUE_FULL)
            task = Task(self._free_id(new_id), order, self._clock.now_ms(), self._numbers + 1, engine)
            try:
                self._write(task)
            except OSError as error:
                log.error("a task was refused: its record could not be written", reason=str(error))
                raise Unavailable("the server cannot write the task to its disk; try again later") from error
            self._numbers = task.number
            self._tasks[task.task_id] = task
            turn = self._queue.add(replace(entry, task_id=task.task_id))
            self._changed.notify_all()
            return task, turn

    def restore(self, tasks: Iterable[Task], objection: Callable[[Task], str | None]) -> None:
        """Take over what an earlier process kept, in the order of `tasks`: final ones as they are, others are queued
        again, unless there is an objection (a sentence): then they fail with it."""
        for task in tasks:
            with self._changed:
                self._numbers = max(self._numbers, task.number)
                self._tasks[task.task_id] = task
                if task.state in FINAL:
                    self._finished.append(task.task_id)
                    continue
                self._requeue(task.task_id, self._queue.add)
            if sentence := objection(task):
                self._finish(task.task_id, State.FAILED, ACTIVE, error=sentence)
        with self._changed:
            self._finished = deque(sorted(self._finished, key=lambda task_id: self._tasks[task_id].finished_ms))

    def take(self, seconds: float) -> list[Task] | None:
        """Wait for a queued task and set it running, with those waiting that share its batch; [] if none came within
        `seconds`, None once the table is closed. Nobody waits for company."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) or not self._open, seconds)
            if not self._open:
                return None
            batch = self._queue.take()
            return [self._begin(task_id, len(batch)) for task_id in batch]

    def get(self, task_id: str) -> Task | None:
        """Give the task as it is now, or None if there is none (any more)."""
        return self._tasks.get(task_id)

    def position(self, task_id: str) -> int:
        """Give a task's turn: 1 is next, 0 is not waiting."""
        with self._changed:
            return self._queue.place(task_id)

    def counts(self) -> Mapping[State, int]:
        """Count the tasks by state."""
        with self._changed:
            return Counter(task.state for task in self._tasks.values())

    def running_for(self) -> float:
        """Give the seconds since the running batch began, 0.0 when none is running."""
        with self._changed:
            return self._clock.monotonic() - min(self._begun.values()) if self._begun else 0.0

    def fail_overdue(self, seconds: float) -> None:
        """Fail every task that has been running for longer than `seconds`; its engine and encoder are told to stop."""
        with self._changed:
            latest = self._clock.monotonic() - seconds
            overdue = [task_id for task_id, since in self._begun.items() if since < latest]
        for task_id in overdue:
            self.fail(task_id, f"the task was not finished within {seconds:g} s and has been ended")

    def kept_files(self) -> frozenset[str]:
        """Name the files that tasks still need: songs of those that succeeded, uploads of those that are not final."""
        with self._changed:
            tasks = list(self._tasks.values())
        done = (task for task in tasks if task.state is State.SUCCEEDED)
        songs = {name for task in done for song in task.songs for name in song.names}
        uploads = {name for task in tasks if task.state in ACTIVE for name in (task.order.source, task.order.reference)}
        return frozenset(songs | uploads) - {""}

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

    def succeed(self, task_id: str, analysis: Analysis | None = None) -> bool:
        """Running to succeeded; False if it was not running."""
        return self._finish(task_id, State.SUCCEEDED, {State.RUNNING}, progress=1.0, analysis=analysis)

    def fail(self, task_id: str, sentence: str) -> bool:
        """Running to failed, with the reason for the user; False if it was not running."""
        return self._finish(task_id, State.FAILED, {State.RUNNING}, error=sentence)

    def cancel(self, task_id: str) -> bool:
        """Queued or running to cancelled, whose engine and encoder then stop; False if it was final or unknown."""
        return self._finish(task_id, State.CANCELLED, ACTIVE, error="the task was cancelled")

    def forget(self, *, finished_before_ms: int, finished_maximum: int) -> list[Task]:
        """Drop and return the final tasks that are too old, and the oldest ones beyond the maximum."""
        dropped = []
        with self._changed:
            while self._finished:
                oldest = self._tasks[self._finished[0]]
                if oldest.finished_ms > finished_before_ms and len(self._finished) <= finished_maximum:
                    break
                dropped.append(self._tasks.pop(self._finished.popleft()))
                if self._records is not None:
                    self._records.remove(oldest.task_id)
        return dropped

    def open(self) -> None:
        """Let `take` give out tasks."""
        with self._changed:
            self._open = True

    def close(self) -> list[Task]:
        """End every `take`; tell what is running to stop, put it back to its place in the queue, and return it as it
        was: nobody needs the songs that it had so far."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            running = sorted((self._tasks[task_id] for task_id in self._begun), key=lambda task: task.number)
            self._begun.clear()
            for task in reversed(running):
                task.stop.set()
                self._save(self._requeue(task.task_id, self._queue.put_back, starts=task.starts - 1))
            return running

    def _free_id(self, new_id: Callable[[], str]) -> str:
        for _ in range(DRAWS):
            if (task_id := new_id()) not in self._tasks:
                return task_id
        raise Unavailable("the server has no free task id; try again later")

    def _entry(self, task_id: str, order: Order) -> Waiting:
        return Waiting(task_id, order.caller, len(order.request.seeds), self._sharing(order.request))

    def _begin(self, task_id: str, company: int) -> Task:
        self._begun[task_id] = self._clock.monotonic()
        changes: dict[str, Any] = {"stage": State.RUNNING.value, "running_since": self._begun[task_id]}
        starts = self._tasks[task_id].starts + 1
        task = self._replace(task_id, state=State.RUNNING, starts=starts, company=company, **changes)
        self._save(task)
        return task

    def _requeue(self, task_id: str, put: Callable[[Waiting], object], **changes: Any) -> Task:
        """Make a task as if it had just come, with its seeds; `stop` is a new one, since the old one is set."""
        fresh = {"state": State.QUEUED, "progress": 0.0, "stage": State.QUEUED.value, "songs": (), "stop": Event()}
        task = self._replace(task_id, **fresh, **changes)
        put(self._entry(task_id, task.order))
        return task

    def _finish(self, task_id: str, state: State, expected: Iterable[State], **changes: Any) -> bool:
        with self._changed:
            task = self._tasks.get(task_id)
            if task is None or task.state not in expected:
                return False
            if task.state is State.QUEUED:
                self._queue.remove(task_id)
            else:
                changes["running_seconds"] = self._clock.monotonic() - self._begun.pop(task_id)
            now = self._clock.now_ms()
            ended = replace(task, state=state, stage=state.value, finished_ms=now, **changes)
            self._save(ended)
            self._clear_up(ended)
            self._tasks[task_id] = ended
            self._finished.append(task_id)
            if state is not State.SUCCEEDED:
                task.stop.set()
        self._on_final(task_id)
        return True

    def _replace(self, task_id: str, **changes: Any) -> Task:
        self._tasks[task_id] = replace(self._tasks[task_id], **changes)
        return self._tasks[task_id]

    def _save(self, task: Task) -> None:
        """Keep a move. A disk that does not take it costs a restart's knowledge of it, not the task."""
        try:
            self._write(task)
        except OSError as error:
            log.error("the record of a task could not be written", task_id=task.task_id, reason=str(error))

    def _write(self, task: Task) -> None:
        if self._records is not None:
            self._records.write(task)
