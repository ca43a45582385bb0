"""How does a batch of tasks become songs? One call of the engine for all; whoever fails, fails alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.decoding import request_with_sounds
from acestep_serverless.acestep_api.task import HIGHEST_ACTIVE, Task
from acestep_serverless.engines.base import Analysis, Engine, GenerationRequest, Made, Piece, Song
from acestep_serverless.errors import EngineError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """From the engine's thread to the encoder's: a song of a task, or with `song` None the end of what it gets."""

    task: Task
    song: Song | None = None
    analysis: Analysis | None = None
    failure: Exception | None = None


@dataclass(slots=True)
class _Part:
    """A task's place in the batch: what the engine is asked for, and how far it has come."""

    task: Task
    request: GenerationRequest
    songs: int = 0
    ended: bool = False


class Maker:
    """Makes batches, in one thread. `report` is told of progress; `deliver` takes outcomes and may make us wait."""

    def __init__(
        self,
        engine: Engine,
        folder: AudioFolder,
        report: Callable[[str, float, str], None],
        deliver: Callable[[Outcome], None],
    ) -> None:
        self._engine, self._folder, self._report, self._deliver = engine, folder, report, deliver

    def make(self, batch: Iterable[Task]) -> None:
        """Deliver every song of these tasks, and for each task exactly one outcome without a song. Raises nothing."""
        parts = [part for task in batch if (part := self._read(task)) is not None]
        broken = self._run(parts)
        for part in parts:
            reason = broken
            if broken is not None and len(parts) > 1 and not part.ended and not part.task.stop.is_set():
                log.warning("a batch failed; its task is made alone", task_id=part.task.task_id, reason=str(broken))
                reason = self._run([part])
            if not part.ended:
                self._end(part, failure=reason or EngineError("the engine ended before the last song"))

    def _read(self, task: Task) -> _Part | None:
        try:
            return _Part(task, request_with_sounds(task.order, self._folder, self._engine.limits.longest))
        except Exception as failure:  # whatever a file does to its decoder ends its task alone
            self._deliver(Outcome(task, failure=failure))
            return None

    def _run(self, parts: Sequence[_Part]) -> Exception | None:
        """Have the engine make these parts; return what it raised for all of them."""
        pieces = [
            Piece(part.request, partial(self._report, part.task.task_id), part.task.stop.is_set) for part in parts
        ]
        try:
            for made in self._engine.generate(pieces) if pieces else ():
                self._accept(parts[made.piece], made)
        except Exception as failure:  # whatever an engine raises ends its tasks, never this thread
            return failure
        return None

    def _accept(self, part: _Part, made: Made) -> None:
        """Pass one thing on, once: made again alone, a task's first songs come a second time."""
        if part.ended:
            return
        if made.song is None:
            self._end(part, analysis=made.analysis, failure=made.failure)
        elif made.song.index >= part.songs:
            self._deliver(Outcome(part.task, made.song))
            part.songs = made.song.index + 1
            if part.songs >= len(part.request.seeds):
                self._end(part)

    def _end(self, part: _Part, *, analysis: Analysis | None = None, failure: Exception | None = None) -> None:
        part.ended = True
        if failure is None:
            self._report(part.task.task_id, HIGHEST_ACTIVE, "encoding")
        self._deliver(Outcome(part.task, None, analysis, failure))
