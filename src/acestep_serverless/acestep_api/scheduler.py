"""Who makes the songs, and when? Two threads: one runs the engine, the other encodes song i while song i+1 is made.

Nothing here belongs to an event loop or to a request: a poller that goes away cancels nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Lock, Thread

import structlog

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.encoder import store_song
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.tasks import FINAL, HIGHEST_ACTIVE, State, Task, TaskTable
from acestep_serverless.acestep_api.waiting import Waits
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Engine, Song
from acestep_serverless.engines.turns import songs_of
from acestep_serverless.errors import AcestepServerlessError, EngineError, GenerationCancelled

STOPPED = "the server stopped before the song was finished"
JOIN_SECONDS = 10.0
"""An engine gives up within 0.1 s and an encoder within one second of audio; beyond this nobody waits for them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long finished tasks and their files live, and how many there may be."""

    seconds: float = 86_400.0
    tasks: int = 1_000


@dataclass(frozen=True, slots=True)
class _Made:
    """From the engine's thread to the encoder's: a song, or with `song` None the end of the task's songs."""

    task: Task
    song: Song | None
    failure: Exception | None = None


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
        self._keeping = keeping
        self._lock = Lock()
        self._threads: tuple[Thread, ...] = ()
        self._running = False
        self.folder = AudioFolder(folder, new_id)
        self.waits = Waits()
        self.table = TaskTable(clock=clock, queue_maximum=queue_maximum, on_final=self.waits.announce)

    def start(self) -> None:
        """Start the threads unless they run; needs no event loop, but a loaded engine.

        Raises OSError (the folder) and EngineError (a generation that `stop` could not end is still going on).
        """
        with self._lock:
            if self._running:
                return
            self._join()
            if self._threads:
                raise EngineError("the engine is still busy with a song that was stopped; start the process again")
            self.folder.prepare(oldest_ms=self._oldest_ms())
            self.table.open()
            self._threads = self._new_threads()
            self._running = True

    def stop(self) -> None:
        """Stop the threads if they run: the running task fails, queued ones stay queued for the next start."""
        with self._lock:
            self.table.close()
            self._join()
            self._running = False

    def submit(self, order: Order) -> tuple[str, int]:
        """Queue an order; return its task id and how many are waiting. Raises TooLarge when the queue is full."""
        dropped = self.table.forget(finished_before_ms=self._oldest_ms(), finished_maximum=self._keeping.tasks)
        for task in dropped:
            self._remove_files(task)
        task_id = self._new_id()
        waiting = self.table.add(task_id, order)
        request = order.request
        log.info("task queued", task_id=task_id, seconds=request.duration, songs=len(request.seeds), waiting=waiting)
        return task_id, waiting

    def is_final(self, task_id: str) -> bool:
        """Tell whether nothing about this id will change: it is final, or unknown."""
        task = self.table.get(task_id)
        return task is None or task.state in FINAL

    def _new_threads(self) -> tuple[Thread, ...]:
        # One song may wait while another is encoded; more would only hold memory (600 s of stereo are 230 MB).
        made: Queue[_Made | None] = Queue(maxsize=1)
        works = {"acestep-engine": self._generate_tasks, "acestep-encoder": self._encode_songs}
        threads = tuple(Thread(target=work, args=(made,), name=name, daemon=True) for name, work in works.items())
        for thread in threads:
            thread.start()
        return threads

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        self._threads = tuple(thread for thread in self._threads if thread.is_alive())

    def _generate_tasks(self, made: "Queue[_Made | None]") -> None:
        while (task := self.table.take()) is not None:
            failure = None
            try:
                self._generate(task, made)
            except Exception as error:  # whatever an engine raises ends its task, never this thread
                failure = error
            made.put(_Made(task, None, failure))
        made.put(None)

    def _generate(self, task: Task, made: "Queue[_Made | None]") -> None:
        def report(fraction: float, stage: str) -> None:
            self.table.report(task.task_id, fraction, stage)

        for song in songs_of(self._engine, task.order.request, report, task.stop.is_set):
            made.put(_Made(task, song))
        report(HIGHEST_ACTIVE, "encoding")

    def _encode_songs(self, made: "Queue[_Made | None]") -> None:
        while (item := made.get()) is not None:
            if item.song is None:
                self._settle(item.task, item.failure)
            elif not item.task.stop.is_set():
                self._store(item.task, item.song)

    def _store(self, task: Task, song: Song) -> None:
        try:
            stored = store_song(task, song, self.folder, self._engine.name)
        except Exception as error:  # a full disk, a codec's refusal: the task's end, not the thread's
            self._fail(task, error)
            return
        if not self.table.store(task.task_id, stored):
            self.folder.remove(stored.name)

    def _settle(self, task: Task, failure: Exception | None) -> None:
        """Bring a task whose songs are all encoded to its end, unless it has come to one already."""
        if failure is not None:
            self._fail(task, failure)
        elif task.stop.is_set():
            self.table.fail(task.task_id, STOPPED)
        else:
            self.table.succeed(task.task_id)
        ended = self.table.get(task.task_id)
        if ended is None:
            return
        log.info("task ended", task_id=task.task_id, state=ended.state.value, seconds=round(ended.running_seconds, 2))
        if ended.state is not State.SUCCEEDED:
            self._remove_files(ended)

    def _fail(self, task: Task, error: Exception) -> None:
        if isinstance(error, GenerationCancelled) and task.stop.is_set():
            self.table.fail(task.task_id, STOPPED)
            return
        log.error("task failed", task_id=task.task_id, engine=self._engine.name, exc_info=error)
        self.table.fail(task.task_id, self._reason(error))

    def _reason(self, error: Exception) -> str:
        """A sentence for the user; only errors raised on purpose speak for themselves, and without the folder."""
        if isinstance(error, AcestepServerlessError) and str(error):
            return self.folder.scrubbed(str(error))
        return (
            f"the {self._engine.name} engine failed unexpectedly ({type(error).__name__}); the server's log says more"
        )

    def _remove_files(self, task: Task) -> None:
        for song in task.songs:
            self.folder.remove(song.name)

    def _oldest_ms(self) -> int:
        return self._clock.now_ms() - round(self._keeping.seconds * 1000)
