"""How does a batch become songs? Words and sources first, then one walk for all, then each song through the codec.

A piece that fails or is cancelled ends alone. A batch too large for the memory is halved until it fits; a single song
that does not fit ends with a sentence that says so.
"""

import gc
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from acestep_serverless.audio.clip import Clip
from acestep_serverless.engines.acestep.adapters import Shelf
from acestep_serverless.engines.acestep.batching import Desk, Song
from acestep_serverless.engines.acestep.codec import Codec, Watch
from acestep_serverless.engines.acestep.conditioning import Conditioner
from acestep_serverless.engines.acestep.denoising import Denoising, Prepared, plan_walk
from acestep_serverless.engines.acestep.finishing import finish
from acestep_serverless.engines.acestep.velocity import Velocity
from acestep_serverless.engines.acestep.visiting import visiting
from acestep_serverless.engines.base import Made, SongMetas
from acestep_serverless.engines.base import Song as MadeSong
from acestep_serverless.errors import EngineError

# Shares of a song's time: measured for 30 s of turbo on a CPU with bfloat16, where the codec takes longest.
PLANNED = 0.02
"""Share of a song's time that is told while it is planned, however long that takes."""
_HEARD, _WALKED = 0.03, 0.7
CONDITIONING = ("text_encoder", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer", "vae")
"""The parts that work before the walk."""

_NO_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "not enough memory"),
    *("cuda error: out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed"),
)
"""What torch's allocator of main memory says, by system, and what CUDA and its libraries say where they ask the driver
for memory themselves."""

Walked = tuple[Song, torch.Tensor]
"""A song and its latents, `[frames, channels]`."""


@dataclass(frozen=True, slots=True)
class Studio:
    """One loaded model with what works on it. `parts` are its modules by the names of diffusers' AceStepPipeline."""

    parts: Any
    codec: Codec
    conditioner: Conditioner
    velocity: Velocity
    shelf: Shelf
    guided: bool
    steps: int

    @classmethod
    def of(cls, parts: Any, shelf: Shelf) -> "Studio":
        """Set up a model whose modules are loaded."""
        codec = Codec(parts.vae, parts.placement.codec_frames)
        shelf.fit(parts.transformer, parts.name)
        velocity = Velocity(parts.transformer, compiled=parts.placement.compile)
        return cls(parts, codec, Conditioner(parts, codec), velocity, shelf, parts.guided, parts.steps)

    def make(self, desk: Desk, songs: Sequence[Song]) -> Iterator[Made]:
        """Make `songs`, all with their briefs and of one walk, and yield each as soon as it is finished."""
        sampling = songs[0].request.sampling
        self.shelf.wear(sampling.lora, sampling.lora_scale)
        pending = [list(songs)]
        while pending:
            group = desk.left(pending.pop(0))
            if not group:
                continue
            walked = None
            try:
                walked = yield from self._walk(desk, group)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            if walked is not None:
                yield from self._finish_all(desk, walked)
                continue
            free_memory()
            if len(group) == 1:
                yield from desk.fail(group[0].piece, self._too_large(group[0]))
            else:
                half = (len(group) + 1) // 2
                pending[:0] = [group[:half], group[half:]]

    def _walk(self, desk: Desk, group: Sequence[Song]) -> Generator[Made, None, list[Walked]]:
        """Give the latents of everybody in `group` who is wanted to the end."""
        yield from desk.drop_unwanted()
        songs = desk.left(group)
        if not songs:
            return []
        desk.tell(songs, 0.0, "reading the words")
        with torch.inference_mode(), at_work(self.parts, CONDITIONING):
            prepared = self.conditioner.prepare([song.asked for song in songs], [song.seed for song in songs])
        return (yield from self._steps(desk, songs, prepared))

    def _steps(
        self, desk: Desk, songs: Sequence[Song], prepared: Sequence[Prepared]
    ) -> Generator[Made, None, list[Walked]]:
        """Walk down step by step; who is cancelled meanwhile leaves before the next one."""
        sampling, noise_strength = songs[0].request.sampling, prepared[0].noise_strength
        walk = plan_walk(sampling, steps=self.steps, guided=self.guided, noise_strength=noise_strength)
        with at_work(self.parts, ("transformer",)):
            with torch.inference_mode():
                run = Denoising(self.velocity, prepared, walk, self.conditioner.free)
            for step in range(run.steps):
                desk.tell(songs, _HEARD + (_WALKED - _HEARD) * step / run.steps, f"step {step + 1} of {run.steps}")
                yield from desk.drop_unwanted()
                with torch.inference_mode():
                    run.keep([row for row in run.rows if songs[row].piece not in desk.ended])
                    if run.rows:
                        run.step(step)
            return [(songs[row], latents) for row, latents in run.result().items()]

    def _finish_all(self, desk: Desk, walked: Sequence[Walked]) -> Iterator[Made]:
        """Decode one song after another; what ails one of them ends its piece alone."""
        with at_work(self.parts, ("vae",)):
            for song, latents in walked:
                if song.piece in desk.ended:
                    continue
                try:
                    clip = self._finish(desk, song, latents)
                except Exception as failure:
                    yield from desk.fail(song.piece, self._explained(song, failure))
                else:
                    yield Made(song.piece, made_song(song, clip))

    def _finish(self, desk: Desk, song: Song, latents: torch.Tensor) -> Clip:
        """Decode and finish one song. Raises GenerationCancelled between two tiles."""

        def watch(done: float) -> None:
            desk.tell([song], _WALKED + (1.0 - _WALKED) * done, "decoding")
            desk.stop_unwanted(song)

        if not bool(torch.isfinite(latents).all()):
            raise EngineError("the model's latents are not finite; is an adapter or a setting too strong?")
        watch(0.0)
        tiled = song.request.sampling.use_tiled_decode
        with torch.inference_mode():
            return finish(self._decoded(latents, watch, tiled=tiled), song.asked)

    def _decoded(self, latents: torch.Tensor, watch: Watch, *, tiled: bool) -> torch.Tensor:
        """Decode; where several tiles at once are too much for the memory, one at a time."""
        try:
            return self.codec.decode(latents, watch, tiled=tiled)
        except RuntimeError as error:
            if not is_out_of_memory(error) or not self.codec.narrow():
                raise
        free_memory()
        return self.codec.decode(latents, watch, tiled=tiled)

    def _explained(self, song: Song, failure: Exception) -> Exception:
        return self._too_large(song) if is_out_of_memory(failure) else failure

    def _too_large(self, song: Song) -> EngineError:
        seconds, device = song.asked.seconds, self.velocity.device
        return EngineError(
            f"there is not enough memory on {device} for a song of {seconds:g} seconds; ask for a shorter one"
        )


def made_song(song: Song, clip: Clip) -> MadeSong:
    """Give a finished song with what it really is."""
    request = song.request
    metas = SongMetas(request.bpm, clip.seconds, request.key_scale, request.time_signature)
    return MadeSong(song.index, song.seed, clip, request.caption, request.lyrics, metas, song.warnings)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory is what was missing, on a GPU or in main memory (torch says so in words only)."""
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in said for words in _NO_MEMORY)


def free_memory() -> None:
    """Give back what no tensor holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def at_work(parts: Any, names: Sequence[str]) -> Iterator[None]:
    """Keep the named parts on the computing device meanwhile; they are there already unless parts are offloaded."""
    placement = parts.placement
    modules = [getattr(parts, name) for name in names if getattr(parts, name, None) is not None]
    if placement.offload != "parts":
        yield
        return
    try:
        with visiting(modules, placement.device):
            yield
    finally:
        free_memory()
