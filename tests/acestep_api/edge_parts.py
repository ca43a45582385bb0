"""Real parts for the tests of the API's edge: an engine that does everything, sound files, and a server around them."""

import io
import itertools
import json
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from acestep_parts import Running, SineEngine

from acestep_serverless.acestep_api import create_app
from acestep_serverless.acestep_api.abilities import PLAIN
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.acestep_parameters import PARAMETERS
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.engines.base import ANALYSES, Analysis, Cancelled, Made, Piece, Planning
from acestep_serverless.engines.extras import Adapter, SongText
from acestep_serverless.errors import EngineError, FieldProblem, InputError

ALL = frozenset(row.name for row in PARAMETERS) - PLAIN - frozenset(ANALYSES)
KEY = "sk-test"
HEADER = {"Authorization": f"Bearer {KEY}"}


@dataclass
class Scribe:
    """Writes words by rule; raises `failure` instead when there is one."""

    failure: Exception | None = None
    asked: list[object] = field(default_factory=list)

    def invent(self, query: str, vocal_language: str, planning: Planning, cancelled: Cancelled) -> SongText:
        self.asked.append((query, vocal_language, planning))
        if self.failure:
            raise self.failure
        silent = "instrumental" in query
        return SongText(f"{query or 'anything'}, sine tones", "la la", 96, 30.0, "A minor", "4", vocal_language, silent)

    def polish(self, given: SongText, planning: Planning, cancelled: Cancelled) -> SongText:
        self.asked.append((given, planning))
        if self.failure:
            raise self.failure
        key = given.key_scale or "C major"
        return SongText(f"{given.caption}, polished", given.lyrics, given.bpm or 96, given.duration, key, "4", "en")


@dataclass
class Shelf:
    """Adapters are folders that hold a file of that name."""

    worn: dict[str, Adapter] = field(default_factory=dict)

    def load(self, path: Path, name: str) -> Adapter:
        if not (path / "adapter.safetensors").is_file():
            raise InputError([FieldProblem("lora_path", path.name, "must hold adapter.safetensors")])
        self.worn[name] = Adapter(name, True, 1.0)
        return self.worn[name]

    def unload(self) -> None:
        self.worn.clear()

    def switch(self, *, active: bool) -> None:
        if not self.worn:
            raise EngineError("no adapter is loaded")
        self.worn = {name: Adapter(name, active, adapter.scale) for name, adapter in self.worn.items()}

    def scale(self, name: str | None, scale: float) -> None:
        if name is not None and name not in self.worn:
            raise InputError([FieldProblem("adapter_name", name, "must be loaded")])
        self.worn = {
            known: Adapter(known, adapter.active, scale if name in (None, known) else adapter.scale)
            for known, adapter in self.worn.items()
        }

    def list(self) -> Sequence[Adapter]:
        return tuple(self.worn.values())


@dataclass
class AbleEngine(SineEngine):
    """Sine tones for every task type, with two models, a language model and adapters."""

    models: tuple[str, ...] = ("sine-1", "sine-2")
    language_model: str = "scribe-1"
    task_types: frozenset[str] = frozenset(TASKS)
    uses: frozenset[str] = ALL
    words: Any = field(default_factory=Scribe)
    adapters: Any = field(default_factory=Shelf)

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        for number, piece in enumerate(pieces):
            if piece.request.analysis:
                yield Made(number, analysis=Analysis("sine tones", "la la", 96, 30.0, "A minor", "4", "en", "pop"))
                return
        yield from super().generate(pieces)


@asynccontextmanager
async def edge(
    folder: Path, engine: SineEngine | None = None, *, client: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[Running]:
    """A started server (an AbleEngine unless told) with a client on it; its songs lie in `folder`."""
    engine = engine or AbleEngine()
    ids, seeds = itertools.count(1), itertools.count(1000)
    app = create_app(
        engine=engine,
        folder=folder,
        clock=SYSTEM_CLOCK,
        new_id=lambda: f"id-{next(ids)}",
        new_seed=lambda: next(seeds),
        **settings,
    )
    app.state.tasks.start()
    try:
        transport = httpx.ASGITransport(app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
            yield Running(app, engine, folder, http)
    finally:
        app.state.tasks.stop()


def tone(seconds: float = 0.5, rate: int = 48_000) -> bytes:
    """A WAV file of a sine."""
    samples = (8000 * np.sin(2 * np.pi * 330 * np.arange(int(seconds * rate)) / rate)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def bomb(seconds: int = 7_200, rate: int = 8_000) -> bytes:
    """Hours of silence in a FLAC file of some kilobytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate)
        stream.codec_context.layout = "mono"
        stream.codec_context.format = "s16"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 60 * rate), np.int16), format="s16", layout="mono")
        for minute in range(seconds // 60):
            frame.sample_rate, frame.pts = rate, minute * 60 * rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def first_item(entry: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(entry["result"])[0]
    return item
