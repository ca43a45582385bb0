"""What can be asked of the tasks of one server? To take an order, end a task, guess its end; to start, to stop, and to
go on where an earlier process ended.

Nothing here belongs to an event loop or to a request: a poller that goes away cancels nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import structlog

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.pace import Pace
from acestep_serverless.acestep_api.records import TaskRecords
from acestep_serverless.acestep_api.task import FINAL, State, Task
from acestep_serverless.acestep_api.tasks import TaskTable
from acestep_serverless.acestep_api.waiting import Waits
from acestep_serverless.acestep_api.workshop import Workshop
from acestep_serverless.artifacts.disk import make_safe
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import Unavailable

MOST_STARTS = 3
"""A task during which the process died so often is given up: it is probably what kills it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long finished tasks and their files live, how many there may be, and where tasks outlive the process.

    `run_seconds` is how long a task may run: beyond it the task fails. `records` is a folder for this one purpose, for
    one process at a time; None: tasks end with the process.
    """

    seconds: float = 86_400.0
    tasks: int = 1_000
    run_seconds: float = 3_600.0
    records: Path | None = None


class Ticket(NamedTuple):
    """What a caller gets for an order: the id of its task, and its turn, 1 for the next."""

    task_id: str
    position: int


class Scheduler:
    """The tasks of one server and the threads that work on them. Every method may be called from any thread."""

    def __init__(
        self,
        *,
        engine: Engine,
        folder: Path,
        clock: Clock,
        new_id: Callable[[], str],
        queue_maximum: int,
        keeping: Keeping,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._new_id = new_id
        self._queue_maximum = queue_maximum
        self._keeping = keeping
        self._lock = Lock()
        self._running = False
        self._prepared = False
        self._pace = Pace()
        self._records = None if keeping.records is None else TaskRecords(keeping.records)
        self.folder = AudioFolder(folder, new_id)
        self.waits = Waits()
        self.table = TaskTable(
            clock=clock,
            queue_maximum=queue_maximum,
            sharing=engine.sharing,
            clear_up=self._clear_up,
            on_final=self.waits.announce,
            records=self._records,
        )
        self._workshop = Workshop(
            engine=engine,
            folder=self.folder,
            table=self.table,
            run_seconds=keeping.run_seconds,
            safe=self._records is not None,
            tidy=self._tidy,
        )

    def start(self) -> None:
        """Start the threads unless they run; needs no event loop, but a loaded engine.

        Raises OSError (the folders) and EngineError (a generation that `stop` could not end is still going on).
        """
        with self._lock:
            if self._running:
                return
            self._workshop.require_idle()
            self._prepare()
            self.table.open()
            self._workshop.start()
            self._running = True

    def stop(self) -> None:
        """Stop the threads if they run. What was running goes back to its place in the queue: the next start, of this
        process or, with records, of another one, makes it from its beginning."""
        with self._lock:
            for task in self.table.close():
                self._remove_songs(task)
            self._workshop.join()
            self._running = False

    def submit(self, order: Order) -> Ticket:
        """Queue an order; with records the task is on the disk when this returns, which takes milliseconds.

        The files that the order names then belong to the task, and go when it ends. Raises TooLarge when the queue is
        full, Unavailable when the disk does not take the task, OSError (the folders): then they are still the caller's.
        """
        if not self._prepared:
            with self._lock:
                self._prepare()
        self._tidy()
        self._make_uploads_safe(order)
        task, position = self.table.add(order, engine=self._engine.name, new_id=self._new_id)
        request = order.request
        songs = len(request.seeds)
        log.info("task queued", task_id=task.task_id, seconds=request.duration, songs=songs, position=position)
        return Ticket(task.task_id, position)

    def cancel(self, task_id: str) -> bool:
        """End a queued or running task; False if it was final or unknown. The others of its batch go on."""
        return self.table.cancel(task_id)

    def unwanted(self) -> tuple[str, ...]:
        """Name the tasks that the engine works at although all of them were stopped: it should leave them soon."""
        return self._workshop.unwanted

    def is_final(self, task_id: str) -> bool:
        """Tell whether nothing about this id will change: it is final, or unknown."""
        task = self.table.get(task_id)
        return task is None or task.state in FINAL

    def estimate(self, task_id: str) -> float | None:
        """Guess the seconds until a task ends; None while nothing was measured, and for final and unknown ones."""
        if self.is_final(task_id):
            return None
        return self._pace.estimate(self.table.position(task_id), self.table.running_for())

    def stats(self) -> Mapping[str, object]:
        """Count the tasks that are known, in the members of upstream's `/v1/stats`; `cancelled` is ours."""
        counts = self.table.counts()
        jobs = {"total": sum(counts.values()), **{state.value: counts.get(state, 0) for state in State}}
        return {
            "jobs": jobs,
            "queue_size": jobs[State.QUEUED.value],
            "queue_maxsize": self._queue_maximum,
            "avg_job_seconds": round(self._pace.average, 3),
        }

    def _prepare(self) -> None:
        """Make the folders; the first time take over an earlier process's tasks, and remove files that none needs."""
        self.folder.prepare()
        if self._prepared:
            return
        if self._records is None:
            self.folder.remove_older(self._oldest_ms())
        else:
            self.table.restore(self._records.read_all(), self._objection)
            self._tidy()
            self.folder.remove_all_but(self.table.kept_files())
        self._prepared = True

    def _objection(self, task: Task) -> str | None:
        """Say why a task of an earlier process cannot be made now."""
        model = task.order.request.model
        if task.engine != self._engine.name or (model and model not in self._engine.models):
            return "the server was started again with another engine; send the task again"
        if task.starts >= MOST_STARTS:
            return f"the server ended {MOST_STARTS} times while it made this task; it is not tried again"
        return None

    def _clear_up(self, task: Task) -> None:
        """Remove what a task needs no more that is about to be seen as final."""
        for name in filter(None, (task.order.source, task.order.reference)):
            self.folder.remove(name)
        if task.state is State.SUCCEEDED:
            self._pace.note(task.running_seconds, task.company)
        else:
            self._remove_songs(task)
        log.info("task ended", task_id=task.task_id, state=task.state.value, seconds=round(task.running_seconds, 2))

    def _make_uploads_safe(self, order: Order) -> None:
        names = filter(None, (order.source, order.reference)) if self._records is not None else ()
        for name in names:
            if path := self.folder.find_upload(name):
                try:
                    make_safe(path)
                except OSError as error:
                    raise Unavailable("the server cannot write the audio to its disk; try again later") from error

    def _tidy(self) -> None:
        """Forget the tasks whose time is over, with their files."""
        for task in self.table.forget(finished_before_ms=self._oldest_ms(), finished_maximum=self._keeping.tasks):
            self._remove_songs(task)

    def _remove_songs(self, task: Task) -> None:
        for song in task.songs:
            self.folder.remove_song(song.names)

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - round(self._keeping.seconds * 1000)
