"""What do the tests of generation share? Tiny studios and engines, requests, sounds, and diffusers' own pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from tiny import Tiny, tiny

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights
from acestep_serverless.engines.base import Editing, GenerationRequest, Made, Piece, Sampling, Song

SALT = 0x5EED
TURBO, BASE = "acestep-v15-turbo", "acestep-v15-base"

REQUEST = GenerationRequest(
    caption="a calm piano song",
    lyrics="[Verse]\nThe river runs below the hill",
    duration=3.0,
    seeds=(5,),
    bpm=120,
    key_scale="C# minor",
    time_signature="4",
    vocal_language="en",
    sampling=Sampling(inference_steps=3),
)


@dataclass(frozen=True)
class Placed:
    """Where a tiny model is: here, and nothing is moved."""

    offload: str = "none"
    device: str = "cpu"
    compile: bool = False
    codec_frames: int = 512
    eight_bits: bool = False


class Parts:
    """A tiny model's modules with what `loading.Components` says of them."""

    def __init__(self, made: Tiny) -> None:
        self._made = made
        self.name, self.guided = made.variant.name, not made.variant.is_turbo
        self.steps, self.stems = 50 if self.guided else 8, False
        self.placement = Placed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


@cache
def model(name: str) -> Tiny:
    """The tiny model of a name, the same one for every test of this process."""
    return tiny(name)


def engine(*names: str, together: int = 8, made: Tiny | None = None) -> AceStepEngine:
    """An engine with tiny models, loaded."""
    offers = tuple(Offer(name, "turbo" not in name) for name in names or (TURBO,))
    weights = Weights(offers, lambda name, _: Parts(made or model(name)), songs_together=together)
    ready = AceStepEngine(weights)
    ready.load(lambda _done, _stage: None)
    return ready


def noise_clip(seconds: float, seed: int = 0, extra: int = 0) -> Clip:
    """Seeded noise at a tenth of full scale, stereo."""
    samples = np.random.default_rng(seed).standard_normal((2, int(seconds * SAMPLE_RATE) + extra)) * 0.1
    return Clip(samples.astype(np.float32))


def asked(*seeds: int, editing: Editing = REQUEST.editing, **changes: Any) -> GenerationRequest:
    """REQUEST with other seeds and changes; those of `Sampling` go there."""
    sampling = {key: changes.pop(key) for key in list(changes) if key in Sampling.__dataclass_fields__}
    return replace(
        REQUEST,
        seeds=seeds or REQUEST.seeds,
        editing=editing,
        sampling=replace(REQUEST.sampling, **sampling),
        **changes,
    )


@dataclass
class Watched:
    """A piece whose progress is kept and that can be cancelled at its n-th question."""

    request: GenerationRequest
    cancel_at: int | None = None
    heard: list[tuple[float, str]] = field(default_factory=list)
    questions: int = 0

    def piece(self) -> Piece:
        return Piece(self.request, lambda done, stage: self.heard.append((done, stage)), self._cancelled)

    def _cancelled(self) -> bool:
        self.questions += 1
        return self.cancel_at is not None and self.questions > self.cancel_at


def made_of(ready: AceStepEngine, *requests: GenerationRequest) -> list[Made]:
    """Everything that comes of these requests, made as one batch."""
    return list(ready.generate([Watched(request).piece() for request in requests]))


def songs_of(ready: AceStepEngine, *requests: GenerationRequest) -> list[Song]:
    """The songs of these requests, by piece and index; a failure is raised."""
    found = made_of(ready, *requests)
    for made in found:
        if made.failure is not None:
            raise made.failure
    found.sort(key=lambda made: (made.piece, made.song.index if made.song else 0))
    return [made.song for made in found if made.song is not None]


def pipeline_song(name: str, request: GenerationRequest, **arguments: Any) -> Sequence[Any]:
    """What diffusers' own pipeline makes of one song's request: float32 `[2, samples]`."""
    seed = request.seeds[0]
    torch.manual_seed(seed ^ SALT)  # from which the pipeline draws the codec's latents of source and reference
    given: dict[str, Any] = {
        "prompt": request.caption,
        "lyrics": request.lyrics,
        "audio_duration": request.duration,
        "bpm": request.bpm,
        "keyscale": request.key_scale,
        "timesignature": request.time_signature,
        "vocal_language": request.vocal_language,
        "num_inference_steps": request.sampling.inference_steps,
        "guidance_scale": 7.0 if name == BASE else 1.0,
        "shift": request.sampling.shift,
        "generator": torch.Generator().manual_seed(seed),
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed ^ SALT)
        return model(name).pipeline()(**{**given, **arguments}).audios[0].numpy()
