"""What is an engine? A request goes in, songs come out, one by one, as soon as each is finished.

Conventions: samples are float32 `[channels, samples]` at 48 kHz in -1..1; durations are seconds; seeds are
0 to 4,294,967,295; fractions run from 0.0 to 1.0. An engine holds no request state between calls, never reads
a clock for its music and takes all chance from the seeds it is handed: same request, same samples.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from acestep_serverless.audio.clip import Clip

Progress = Callable[[float, str], None]
"""Called with a fraction (0.0 to 1.0, never falling) and a short stage text such as "composing"."""

Cancelled = Callable[[], bool]
"""True once the caller wants no more; an engine asks at least every 0.1 s and raises GenerationCancelled."""

SEED_MAXIMUM = 4_294_967_295


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One task: `len(seeds)` songs from the same words. `None` or "" leaves the choice to the engine.

    duration is in seconds (1 to 600); bpm in beats per minute (30 to 300); key_scale such as "C# minor";
    time_signature "2", "3", "4" or "6" (2/4, 3/4, 4/4, 6/8); vocal_language a code of the ACE-Step list.
    """

    caption: str
    lyrics: str
    duration: float
    seeds: tuple[int, ...]
    bpm: int | None = None
    key_scale: str = ""
    time_signature: str = ""
    vocal_language: str = "unknown"


@dataclass(frozen=True, slots=True)
class SongMetas:
    """What the song is, as the ACE-Step API reports it; `duration` is the sounding length in seconds."""

    bpm: int
    duration: float
    key_scale: str
    time_signature: str
    genres: str = "N/A"


@dataclass(frozen=True, slots=True)
class Song:
    """One finished song: `clip` is mastered and ready to encode, `warnings` are sentences for the user."""

    index: int
    seed: int
    clip: Clip
    caption: str
    lyrics: str
    metas: SongMetas
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one task may ask: seconds, songs, and how many characters of text the engine really reads."""

    shortest: float
    longest: float
    largest_batch: int
    caption_characters: int
    lyrics_characters: int


class Engine(Protocol):
    """A maker of songs. `load` once, then `generate` from one thread at a time."""

    @property
    def name(self) -> str:
        """The engine's name in every result: "sketch" or "acestep"."""
        ...

    @property
    def model(self) -> str:
        """What made the sound, for `dit_model` in results (a model's name, or "sketch")."""
        ...

    @property
    def language_model(self) -> str:
        """What planned it, for `lm_model` in results; "" when no language model took part."""
        ...

    @property
    def limits(self) -> EngineLimits:
        """What one task may ask of this engine."""
        ...

    def load(self, progress: Progress) -> None:
        """Make ready (weights, sound banks). Raises EngineUnavailable with the mending command."""
        ...

    def generate(self, request: GenerationRequest, progress: Progress, cancelled: Cancelled) -> Iterator[Song]:
        """Yield the songs in seed order. Raises GenerationCancelled or EngineError."""
        ...
