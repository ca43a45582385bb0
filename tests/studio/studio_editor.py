"""A worker that works on given sound: our own handler, ACE-Step server and delivery around a small engine. Only the
SDK's loop is missing: jobs are taken when a test says so."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from studio_house import BY_HAND, PATIENCE, HandWorker, ServedStudio

from acestep_serverless.assembly.api import build_api, client_in_process
from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.abilities import abilities_of
from acestep_serverless.engines.base import (
    EngineLimits,
    GenerationRequest,
    Made,
    Piece,
    Progress,
    Sharing,
    Song,
    SongMetas,
)
from acestep_serverless.engines.turns import in_turn
from acestep_serverless.worker.delivery import GatewaySink, gateway_client
from acestep_serverless.worker.earlier import GatewayFiles
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.loop import JobHandler, Tools
from acestep_serverless.worker.sources import Sources
from acestep_serverless.worker.telling import tell_abilities


class EditingEngine:
    """Repaints a span with a sine of 660 Hz, and covers a song with one that is as loud as the song, moment by
    moment. Its model "tracks" says that it does lego as well."""

    name, model, models, language_model = "editor", "plain", ("plain", "tracks"), ""
    task_types = frozenset({"text2music", "repaint", "cover", "lego"})
    uses = frozenset({"repainting_start", "repainting_end"})
    words = adapters = None
    limits = EngineLimits(1.0, 120.0, 2, 512, 4096)

    def task_types_of(self, model: str) -> frozenset[str]:
        return self.task_types if model == "tracks" else self.task_types - {"lego"}

    def load(self, progress: Progress) -> None:
        progress(1.0, "ready")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        return None

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        return in_turn(pieces, self._songs)

    def _songs(self, piece: Piece) -> Iterator[Song]:
        request = piece.request
        piece.progress(0.5, request.editing.task_type)
        for index, seed in enumerate(request.seeds):
            clip = Clip(edited(request))
            metas = SongMetas(None, clip.seconds, "", "")
            yield Song(index, seed, clip, request.caption, request.lyrics, metas)


def edited(request: GenerationRequest) -> np.ndarray:
    source, editing = request.editing.source, request.editing
    assert source is not None
    length = source.samples.shape[1]
    sine = 0.2 * np.sin(2 * np.pi * 660 * np.arange(length) / SAMPLE_RATE)
    if editing.task_type == "cover":
        loud = np.convolve(np.abs(source.samples[0]), np.full(2400, 1 / 2400), "same")
        return np.stack([5 * loud * sine] * 2).astype(np.float32)
    song = np.array(source.samples, np.float32)
    end = length if editing.repainting_end is None else round(editing.repainting_end * SAMPLE_RATE)
    span = slice(round(editing.repainting_start * SAMPLE_RATE), end)
    song[:, span] = sine[span]
    return song


class EditingWorker(HandWorker):
    """A worker of BY_HAND that tells what its engine can do, and makes the next job when a test says so."""

    def __init__(self, served: ServedStudio, folder: Path) -> None:
        super().__init__(served)
        self.folder, self.engine = folder, EditingEngine()
        self.link = GatewayLink(served.url, BY_HAND, self.id, self.token["token"])
        assert in_a_thread(lambda: tell_abilities(self.link, abilities_of(self.engine), SYSTEM_CLOCK))

    def make(self) -> None:
        """Take one job and do it to its end."""
        job = self.http.get(f"{self.base}/job-take/{self.id}", params=self.token).json()
        in_a_thread(lambda: asyncio.run(self._made(job)))

    async def _made(self, job: dict[str, Any]) -> None:
        app = build_api(self.engine, self.folder / job["id"])
        async with gateway_client() as http:
            sink = GatewaySink(self.link, SYSTEM_CLOCK, lambda: http)
            sources = Sources(earlier=GatewayFiles(self.link))

            async def open_tools() -> Tools:
                return Tools(client_in_process(app), sink, self.folder, sources=sources)

            await JobHandler(open_tools, lambda _job, _progress: None, SYSTEM_CLOCK)(job)
        app.state.tasks.stop()


def in_a_thread(work: Any) -> Any:
    """Do work that runs an event loop: this thread has Playwright's."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    thread.join(PATIENCE)
    assert done, "it failed, or did not end"
    return done[0]
