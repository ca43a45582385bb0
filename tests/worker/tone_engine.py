"""A real, tiny engine: every song is a sine whose pitch comes from its seed. It can be told to hold until it is
cancelled."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
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
from acestep_serverless.errors import EngineError, GenerationCancelled

READ_CHARACTERS = 100
LIMITS = EngineLimits(1, 600, 8, READ_CHARACTERS, READ_CHARACTERS)


@dataclass
class ToneEngine:
    """Sings at once unless `hold` is set; `held` and `stopped` tell what it is doing; `failure` makes it fail. A
    `deaf` one heeds no stop, as a call into a driver that does not return."""

    hold: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    failure: str = ""
    deaf: bool = False
    requests: list[GenerationRequest] = field(default_factory=list)
    name: str = "tone"
    model: str = "tone-1"
    models: tuple[str, ...] = ("tone-1",)
    language_model: str = ""
    task_types: frozenset[str] = frozenset({"text2music"})
    uses: frozenset[str] = frozenset()
    words: None = None
    adapters: None = None
    beside: tuple[SideFile, ...] = ()
    limits: EngineLimits = LIMITS

    def load(self, progress: Progress) -> None:
        progress(1.0, "loaded")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        return None

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        return in_turn(pieces, self._songs)

    def _songs(self, piece: Piece) -> Iterator[Song]:
        self.requests.append(piece.request)
        piece.progress(0.25, "tuning")
        if self.failure:
            raise EngineError(self.failure)
        self._hold(piece.cancelled)
        for index, seed in enumerate(piece.request.seeds):
            yield self._song(piece.request, index, seed)

    def _hold(self, cancelled: Cancelled) -> None:
        self.held.set()
        waiting = threading.Event()
        while self.hold.is_set():
            if cancelled() and not self.deaf:
                self.stopped.set()
                raise GenerationCancelled("the tone was cut")
            waiting.wait(0.01)

    def _song(self, request: GenerationRequest, index: int, seed: int) -> Song:
        time = np.arange(int(request.duration * SAMPLE_RATE)) / SAMPLE_RATE
        wave = 0.25 * np.sin(2 * np.pi * (220 + seed % 440) * time)
        samples = np.stack([wave, wave]).astype(np.float32)
        metas = SongMetas(bpm=120, duration=request.duration, key_scale="A major", time_signature="4")
        texts = {"caption": request.caption, "lyrics": request.lyrics}
        warnings = tuple(
            f"{name}: the tone engine reads the first {READ_CHARACTERS} characters"
            for name, text in texts.items()
            if len(text) > READ_CHARACTERS
        )
        return Song(index, seed, Clip(samples), request.caption, request.lyrics, metas, warnings, self.beside)
