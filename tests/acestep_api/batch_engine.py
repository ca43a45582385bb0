"""A model in small for the tests of batches: each step is one pass over all songs that are still wanted."""

import itertools
import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from acestep_serverless.acestep_api import Keeping, Scheduler
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.task import Task
from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import (
    Analysis,
    EngineLimits,
    GenerationRequest,
    Made,
    Piece,
    Progress,
    Sharing,
    Song,
    SongMetas,
)
from acestep_serverless.errors import EngineError, GenerationCancelled

SOON = 20.0


@dataclass
class StepEngine:
    """Takes `steps` steps, each as soon as `allow` lets it; asks for cancels before each step and never meanwhile.

    A caption says what becomes of its piece: "fails" fails alone, "breaks" raises for the whole batch while it has
    company, "short" ends before its last song. Each song is a tone of its seed, `seconds` long.
    """

    name: str = "step"
    model: str = "step-1"
    models: tuple[str, ...] = ("step-1", "step-2")
    language_model: str = ""
    task_types: frozenset[str] = frozenset({"text2music", "cover"})
    uses: frozenset[str] = frozenset()
    words: None = None
    adapters: None = None
    steps: int = 2
    together: int = 4
    seconds: float = 0.1
    batches: list[list[str]] = field(default_factory=list)
    seen: list[GenerationRequest] = field(default_factory=list)
    passes: list[list[str]] = field(default_factory=list)
    """Captions that took part in each step."""
    alive: list[int] = field(default_factory=list)
    """How many songs were in memory whenever one more had been made."""
    allowed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    free: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.free.set()
        self._songs: list[weakref.ref[Any]] = []

    @property
    def limits(self) -> EngineLimits:
        return EngineLimits(1, 600, 8, 512, 4096, self.together)

    def hold(self) -> None:
        """Let no step begin from now on but those that `allow` grants."""
        self.free.clear()

    def allow(self, steps: int) -> None:
        """Grant so many steps."""
        for _ in range(steps):
            self.allowed.release()

    def let_go(self) -> None:
        """Let every step begin at once again."""
        self.free.set()
        self.allowed.release()

    def load(self, progress: Progress) -> None:
        progress(1.0, "ready")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        if self.together == 1:
            return None
        return Sharing((request.model, math.ceil(request.duration / 30)), self.together)

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        captions = [piece.request.caption for piece in pieces]
        self.batches.append(captions)
        self.seen += [piece.request for piece in pieces]
        wanted = dict(enumerate(pieces))
        for step in range(self.steps):
            self.begun.release()
            self._wait()
            yield from self._drop(wanted)
            self.passes.append([piece.request.caption for piece in wanted.values()])
            for piece in wanted.values():
                piece.progress((step + 1) / (self.steps + 1), f"step {step + 1}")
        for number, piece in wanted.items():
            yield from self._finish(number, piece, broken="breaks" in captions and len(captions) > 1)

    def _finish(self, number: int, piece: Piece, *, broken: bool) -> Iterator[Made]:
        caption, seeds = piece.request.caption, piece.request.seeds
        if piece.request.analysis:
            yield Made(number, analysis=Analysis(caption="heard", bpm=96, audio_codes="<|audio_code_1|>"))
            return
        for index, seed in enumerate(seeds[:-1] if caption == "short" else seeds):
            yield Made(number, self._song(piece.request, index, seed))
            if broken:
                raise RuntimeError("no memory for so many songs")

    def _drop(self, wanted: dict[int, Piece]) -> Iterator[Made]:
        for number, piece in list(wanted.items()):
            if piece.cancelled():
                yield Made(number, failure=GenerationCancelled("not wanted"))
            elif piece.request.caption == "fails":
                yield Made(number, failure=EngineError("this one cannot be made"))
            else:
                continue
            del wanted[number]

    def _wait(self) -> None:
        if not self.free.is_set() and not self.allowed.acquire(timeout=SOON):
            raise TimeoutError("held for too long")

    def _song(self, request: GenerationRequest, index: int, seed: int) -> Song:
        time = np.arange(int(self.seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = 0.5 * np.sin(2 * np.pi * (220 + seed % 440) * time)
        samples = np.stack([tone, tone]).astype(np.float32)
        self._songs = [song for song in self._songs if song() is not None] + [weakref.ref(samples)]
        self.alive.append(len(self._songs))
        return Song(index, seed, Clip(samples), request.caption, "", SongMetas(120, self.seconds, "C major", "4"))


def order(caption: str = "x", *seeds: int, caller: str = "", duration: float = 30.0, **fields: Any) -> Order:
    """An order of one song for each seed (one of seed 1 if none is named), as a request would become."""
    request = GenerationRequest(caption, "", duration, seeds or (1,), **fields.pop("request", {}))
    return Order(request, fields.pop("audio_format", "wav"), (), caller=caller, **fields)


def new_scheduler(folder: Path, engine: StepEngine, **settings: Any) -> Scheduler:
    """A scheduler with countable ids over `folder`, not started; `settings` override its arguments."""
    ids: Iterator[int] = itertools.count(1)
    arguments: dict[str, Any] = {
        "clock": SYSTEM_CLOCK,
        "new_id": lambda: f"id-{next(ids)}",
        "queue_maximum": 200,
        "keeping": Keeping(),
    }
    return Scheduler(engine=engine, folder=folder, **{**arguments, **settings})


def ended(scheduler: Scheduler, *task_ids: str) -> list[Task]:
    """The tasks, each once it is final."""
    return [_ended(scheduler, task_id) for task_id in task_ids]


def _ended(scheduler: Scheduler, task_id: str) -> Task:
    _until(lambda: scheduler.is_final(task_id), f"{task_id} has no end")
    task = scheduler.table.get(task_id)
    assert task is not None
    return task


def _until(true: Callable[[], bool], complaint: str) -> None:
    pause = threading.Event()
    for _ in range(int(SOON / 0.005)):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError(complaint)
