"""Who makes the songs? Two threads: one runs the engine, the other encodes song i while song i+1 is made.

However many tasks wait, there are two threads. Beside what the engine itself holds, at most three finished songs are in
memory: the one being encoded, one that waits for it, and one in the engine's hands; and the decoded source and
reference of each task in the batch, each no longer than the engine's longest song (600 s of stereo are 230 MB).
"""

from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread

import structlog

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.encoder import store_song
from acestep_serverless.acestep_api.making import Maker, Outcome
from acestep_serverless.acestep_api.task import Task
from acestep_serverless.acestep_api.tasks import TaskTable
from acestep_serverless.engines.base import Engine, Song
from acestep_serverless.errors import AcestepServerlessError, EngineError, GenerationCancelled

STOPPED = "the engine stopped before the song was finished"
JOIN_SECONDS = 10.0
"""An engine gives up within 0.1 s or a step, an encoder within one second of audio; beyond this nobody waits."""
TIDY_SECONDS = 60.0
"""How often an idle server looks for tasks whose time is over; a busy one does with each batch and each new task."""
WATCH_SECONDS = 1.0
"""How often a silent engine is looked at for tasks that run for too long."""

log = structlog.get_logger(__name__)


class Workshop:
    """The threads that work on the table's running tasks. `safe` makes songs outlive a power cut; `tidy` forgets old
    tasks; a task that runs for longer than `run_seconds` fails."""

    def __init__(
        self,
        *,
        engine: Engine,
        folder: AudioFolder,
        table: TaskTable,
        run_seconds: float,
        safe: bool,
        tidy: Callable[[], None],
    ) -> None:
        self._engine, self._folder, self._table = engine, folder, table
        self._run_seconds, self._safe, self._tidy = run_seconds, safe, tidy
        self._threads: tuple[Thread, ...] = ()
        self._batch: tuple[Task, ...] = ()

    @property
    def unwanted(self) -> tuple[str, ...]:
        """Ids of the tasks that the engine works at although all of them were stopped; none while any is wanted."""
        batch = self._batch
        return tuple(task.task_id for task in batch) if all(task.stop.is_set() for task in batch) else ()

    def start(self) -> None:
        """Start the threads; they end when the table is closed."""
        # One song may wait while another is encoded; more would only hold memory.
        made: Queue[Outcome | None] = Queue(maxsize=1)
        works = {"acestep-engine": self._generate_tasks, "acestep-encoder": self._encode_songs}
        self._threads = tuple(Thread(target=work, args=(made,), name=name, daemon=True) for name, work in works.items())
        for thread in self._threads:
            thread.start()

    def require_idle(self) -> None:
        """Raise EngineError when a generation that `join` could not see the end of is still going on."""
        self.join()
        if self._threads:
            raise EngineError("the engine is still busy with a song that was stopped; start the process again")

    def join(self) -> None:
        """Wait for the end of the threads, within bounds; the table is closed."""
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        self._threads = tuple(thread for thread in self._threads if thread.is_alive())

    def _generate_tasks(self, made: "Queue[Outcome | None]") -> None:
        maker = Maker(self._engine, self._folder, self._table.report, made.put)
        while (batch := self._table.take(TIDY_SECONDS)) is not None:
            self._tidy()
            self._batch = tuple(batch)
            maker.make(batch)
            self._batch = ()
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
            self._table.fail_overdue(self._run_seconds)
            try:
                return made.get(timeout=WATCH_SECONDS)
            except Empty:
                continue

    def _store(self, task: Task, song: Song) -> None:
        stored = store_song(task, song, self._folder, self._engine, safe=self._safe)
        if not self._table.store(task.task_id, stored):
            self._folder.remove_song(stored.names)

    def _settle(self, outcome: Outcome) -> None:
        """Bring a task whose songs are all encoded to its end, unless it has come to one already."""
        if outcome.failure is not None:
            self._fail(outcome.task, outcome.failure)
        else:
            self._table.succeed(outcome.task.task_id, outcome.analysis)

    def _fail(self, task: Task, error: Exception) -> None:
        if isinstance(error, GenerationCancelled):
            self._table.fail(task.task_id, STOPPED)  # nothing, if it was cancelled
            return
        meant = isinstance(error, AcestepServerlessError)
        log.error(
            "task failed",
            task_id=task.task_id,
            engine=self._engine.name,
            reason=str(error) if meant else type(error).__name__,
            exc_info=None if meant else error,
        )
        self._table.fail(task.task_id, self._reason(error))

    def _reason(self, error: Exception) -> str:
        """A sentence for the user; only errors raised on purpose speak for themselves, and without the folder."""
        if isinstance(error, AcestepServerlessError) and str(error):
            return self._folder.scrubbed(str(error))
        return (
            f"the {self._engine.name} engine failed unexpectedly ({type(error).__name__}); the server's log says more"
        )
