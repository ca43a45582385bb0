"""Who makes the songs, and when? Two threads: one runs the engine, the other encodes song i while song i+1 is made.

Nothing here belongs to an event loop or to a request: a poller that goes away cancels nothing. However many tasks
wait, there are two threads. Beside what the engine itself holds, at most three finished songs are in memory: the one
being encoded, one that waits for it, and one in the engine's hands; and the decoded source and reference of each
task in the batch, each no longer than the engine's longest song (600 s of stereo are 230 MB).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import NamedTuple

import structlog

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.disk import make_safe
from acestep_serverless.acestep_api.encoder import store_song
from acestep_serverless.acestep_api.making import Maker, Outcome
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.pace import Pace
from acestep_serverless.acestep_api.records import TaskRecords
from acestep_serverless.acestep_api.task import FINAL, State, Task
from acestep_serverless.acestep_api.tasks import TaskTable
from acestep_serverless.acestep_api.waiting import Waits
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Engine, Song
from acestep_serverless.errors import AcestepServerlessError, EngineError, GenerationCancelled, Unavailable

STOPPED = "the engine stopped before the song was finished"
JOIN_SECONDS = 10.0
"""An engine gives up within 0.1 s or a step, an encoder within one second of audio; beyond this nobody waits."""
TIDY_SECONDS = 60.0
"""How often an idle server looks for tasks whose time is over; a busy one does with each batch and each new task."""
WATCH_SECONDS = 1.0
"""How often a silent engine is looked at for tasks that run for too long."""
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
        self._threads: tuple[Thread, ...] = ()
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

    def start(self) -> None:
        """Start the threads unless they run; needs no event loop, but a loaded engine.

        Raises OSError (the folders) and EngineError (a generation that `stop` could not end is still going on).
        """
        with self._lock:
            if self._running:
                return
            self._join()
            if self._threads:
                raise EngineError("the engine is still busy with a song that was stopped; start the process again")
            self._prepare()
            self.table.open()
            self._threads = self._new_threads()
            self._running = True

    def stop(self) -> None:
        """Stop the threads if they run. What was running goes back to its place in the queue: the next start, of this
        process or, with records, of another one, makes it from its beginning."""
        with self._lock:
            for task in self.table.close():
                self._remove_songs(task)
            self._join()
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

    def _new_threads(self) -> tuple[Thread, ...]:
        # One song may wait while another is encoded; more would only hold memory.
        made: Queue[Outcome | None] = Queue(maxsize=1)
        works = {"acestep-engine": self._generate_tasks, "acestep-encoder": self._encode_songs}
        threads = tuple(Thread(target=work, args=(made,), name=name, daemon=True) for name, work in works.items())
        for thread in threads:
            thread.start()
        return threads

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        self._threads = tuple(thread for thread in self._threads if thread.is_alive())

    def _generate_tasks(self, made: "Queue[Outcome | None]") -> None:
        maker = Maker(self._engine, self.folder, self.table.report, made.put)
        while (batch := self.table.take(TIDY_SECONDS)) is not None:
            self._tidy()
            maker.make(batch)
        made.put(None)

    def _encode_songs(self, made: "Queue[Outcome | None]") -> None:
        while (outcome := self._next(made)) is not None:
            if outcome.task.stop.is_set():
                continue  # it has its end already, or is queued again
            try:
                if outcome.song is None:
                    self._settle(outcome)
                else:
                    self._store(outcome.task, outcome.song)
            except Exception as error:  # a full disk, a codec's refusal: the task's end, not the thread's
                self._fail(outcome.task, error)

    def _next(self, made: "Queue[Outcome | None]") -> Outcome | None:
        """Wait for the engine's next word, and meanwhile end the tasks that it has not finished in time."""
        while True:
            self.table.fail_overdue(self._keeping.run_seconds)
            try:
                return made.get(timeout=WATCH_SECONDS)
            except Empty:
                continue

    def _store(self, task: Task, song: Song) -> None:
        stored = store_song(task, song, self.folder, self._engine, safe=self._records is not None)
        if not self.table.store(task.task_id, stored):
            self.folder.remove(stored.name)

    def _settle(self, outcome: Outcome) -> None:
        """Bring a task whose songs are all encoded to its end, unless it has come to one already."""
        if outcome.failure is not None:
            self._fail(outcome.task, outcome.failure)
        else:
            self.table.succeed(outcome.task.task_id, outcome.analysis)

    def _fail(self, task: Task, error: Exception) -> None:
        if isinstance(error, GenerationCancelled):
            self.table.fail(task.task_id, STOPPED)  # nothing, if it was cancelled
            return
        meant = isinstance(error, AcestepServerlessError)
        log.error(
            "task failed",
            task_id=task.task_id,
            engine=self._engine.name,
            reason=str(error) if meant else type(error).__name__,
            exc_info=None if meant else error,
        )
        self.table.fail(task.task_id, self._reason(error))

    def _reason(self, error: Exception) -> str:
        """A sentence for the user; only errors raised on purpose speak for themselves, and without the folder."""
        if isinstance(error, AcestepServerlessError) and str(error):
            return self.folder.scrubbed(str(error))
        return (
            f"the {self._engine.name} engine failed unexpectedly ({type(error).__name__}); the server's log says more"
        )

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
            self.folder.remove(song.name)

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - round(self._keeping.seconds * 1000)
