"""Real parts for the tests of the ACE-Step API: an engine of sine tones that can be held, and a running server."""

import itertools
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from acestep_serverless.acestep_api import Keeping, create_app
from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.engines.base import (
    Cancelled,
    EngineLimits,
    GenerationRequest,
    Made,
    Piece,
    Progress,
    Sharing,
    SideFile,
    Song,
    SongMetas,
)
from acestep_serverless.engines.turns import in_turn
from acestep_serverless.errors import GenerationCancelled

HELD_AT_MOST = 20.0


@dataclass
class SineEngine:
    """Sine tones. While `go` is unset, song `held_from` is not finished; a `deaf` engine hears no cancel meanwhile."""

    name: str = "sine"
    model: str = "sine-1"
    models: tuple[str, ...] = ("sine-1",)
    language_model: str = ""
    task_types: frozenset[str] = frozenset({"text2music"})
    uses: frozenset[str] = frozenset()
    words: None = None
    adapters: None = None
    limits: EngineLimits = field(default_factory=lambda: EngineLimits(1, 600, 8, 512, 4096))
    go: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    held_from: int = 0
    deaf: bool = False
    failure: Exception | None = None
    requests: list[GenerationRequest] = field(default_factory=list)
    seconds: float = 0.25
    warnings: tuple[str, ...] = ()
    beside: tuple[SideFile, ...] = ()

    def __post_init__(self) -> None:
        self.go.set()

    def load(self, progress: Progress) -> None:
        progress(1.0, "ready")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        return None

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        return in_turn(pieces, self._songs)

    def _songs(self, piece: Piece) -> Iterator[Song]:
        request = piece.request
        self.requests.append(request)
        self.ended.clear()
        try:
            for index, seed in enumerate(request.seeds):
                piece.progress(index / len(request.seeds), "composing")
                self.started.set()
                if index >= self.held_from:
                    self._hold(piece.cancelled)
                if self.failure is not None:
                    raise self.failure
                yield self._song(request, index, seed)
        finally:
            self.ended.set()

    def _song(self, request: GenerationRequest, index: int, seed: int) -> Song:
        metas, clip = self._metas(request), self._clip(seed)
        return Song(index, seed, clip, request.caption, request.lyrics, metas, self.warnings, self.beside)

    def _hold(self, cancelled: Cancelled) -> None:
        for _ in range(int(HELD_AT_MOST / 0.01)):
            if not self.deaf and cancelled():
                raise GenerationCancelled("asked to stop")
            if self.go.wait(0.01):
                return
        raise TimeoutError("held for too long")

    def _clip(self, seed: int) -> Clip:
        time = np.arange(int(self.seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = 0.5 * np.sin(2 * np.pi * (220 + seed % 440) * time)
        return Clip(np.stack([tone, tone]).astype(np.float32))

    def _metas(self, request: GenerationRequest) -> SongMetas:
        key, time = request.key_scale or "C major", request.time_signature or "4"
        return SongMetas(request.bpm or 120, self.seconds, key, time)


@dataclass
class Running:
    """A started server: its app, engine, folder, and an HTTP client on it."""

    app: FastAPI
    engine: SineEngine
    folder: Path
    http: httpx.AsyncClient

    async def release(self, **fields: object) -> str:
        response = await self.http.post("/release_task", json={"prompt": "a tone", "batch_size": 1, **fields})
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["task_id"])

    async def query(self, *task_ids: str, wait: float = 20.0) -> list[dict[str, object]]:
        response = await self.http.post("/query_result", json={"task_id_list": list(task_ids), "wait": wait})
        assert response.status_code == 200, response.text
        return list(response.json()["data"])


def new_app(
    folder: Path,
    engine: SineEngine,
    *,
    clock: Clock = SYSTEM_CLOCK,
    api_key: str | None = None,
    queue_maximum: int = 200,
    keeping: Keeping | None = None,
    guarded: bool = False,
) -> FastAPI:
    """An app with countable ids and seeds (1000, 1001, ...); nothing is started."""
    ids, seeds = itertools.count(1), itertools.count(1000)
    return create_app(
        engine=engine,
        folder=folder,
        clock=clock,
        new_id=lambda: f"id-{next(ids)}",
        new_seed=lambda: next(seeds),
        api_key=api_key,
        queue_maximum=queue_maximum,
        keeping=keeping,
        guarded=guarded,
    )


@asynccontextmanager
async def running(folder: Path, *, engine: SineEngine | None = None, **settings: Any) -> AsyncIterator[Running]:
    """A started server with a client on it; stopped at the end. `settings` as for `new_app`."""
    engine = engine or SineEngine()
    app = new_app(folder, engine, **settings)
    app.state.tasks.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://acestep") as http:
            yield Running(app, engine, folder, http)
    finally:
        app.state.tasks.stop()
