"""What is an engine? Requests go in, alone or several at once; songs come out, each as soon as it is finished.

Conventions: samples are float32 `[channels, samples]` at 48 kHz in -1..1; durations are seconds; seeds are
0 to 4,294,967,295; fractions run from 0.0 to 1.0. An engine holds no request state between calls, never reads
a clock for its music and takes all chance from the seeds it is handed: same request, same samples.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from acestep_serverless.audio.clip import Clip

if TYPE_CHECKING:  # extras.py speaks of what is defined here
    from acestep_serverless.engines.extras import AdapterShelf, WordMaker

Progress = Callable[[float, str], None]
"""Called with a fraction (0.0 to 1.0, never falling) and a short stage text such as "composing"."""

Cancelled = Callable[[], bool]
"""True once the caller wants no more; an engine asks at least every 0.1 s or between two steps of its model."""

SEED_MAXIMUM = 4_294_967_295


@dataclass(frozen=True, slots=True)
class Editing:
    """What is done with given sound. Names and meaning are the REST API's (contract/acestep_parameters.py); the clips
    are decoded already. Spans are in seconds of the source; `repainting_end` None is its end; codes come 5 a second."""

    task_type: str = "text2music"
    source: Clip | None = None
    reference: Clip | None = None
    audio_code_string: str = ""
    instruction: str = ""
    global_caption: str = ""
    track_name: str = ""
    track_classes: tuple[str, ...] = ()
    repainting_start: float = 0.0
    repainting_end: float | None = None
    repaint_mode: str = "balanced"
    repaint_strength: float = 0.5
    repaint_latent_crossfade_frames: int = 10
    repaint_wav_crossfade_sec: float = 0.0
    chunk_mask_mode: str = "auto"
    audio_cover_strength: float = 1.0
    cover_noise_strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a diffusion model is walked. `inference_steps` None leaves it to the model, `timesteps` () to the steps."""

    inference_steps: int | None = None
    guidance_scale: float = 7.0
    shift: float = 3.0
    infer_method: str = "ode"
    use_adg: bool = False
    cfg_interval_start: float = 0.0
    cfg_interval_end: float = 1.0
    timesteps: tuple[float, ...] = ()
    use_tiled_decode: bool = True
    lora: str = ""
    lora_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Planning:
    """What a language model does before: write the words from `sample_query` (`sample_mode`), polish them
    (`use_format`), fill in the metas, and with `thinking` the audio codes. `top_k` 0 and `top_p` 1.0 are off."""

    thinking: bool = False
    sample_mode: bool = False
    sample_query: str = ""
    use_format: bool = False
    use_cot_caption: bool = True
    use_cot_language: bool = True
    temperature: float = 0.85
    cfg_scale: float = 2.5
    negative_prompt: str = "NO USER INPUT"
    top_k: int = 0
    top_p: float = 0.9
    repetition_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One task: `len(seeds)` songs from the same words. `None` or "" leaves the choice to the engine.

    duration is in seconds (1 to 600); bpm in beats per minute (30 to 300); key_scale such as "C# minor";
    time_signature "2", "3", "4" or "6" (2/4, 3/4, 4/4, 6/8); vocal_language a code of the ACE-Step list; model one of
    the engine's `models`.
    """

    caption: str
    lyrics: str
    duration: float
    seeds: tuple[int, ...]
    bpm: int | None = None
    key_scale: str = ""
    time_signature: str = ""
    vocal_language: str = "unknown"
    model: str = ""
    editing: Editing = Editing()
    sampling: Sampling = Sampling()
    planning: Planning = Planning()
    analysis: str = ""
    """What is wanted instead of songs: one of `ANALYSES`, or "" for songs."""


ANALYSES = ("analysis_only", "full_analysis_only", "extract_codes_only")
"""The REST API's names for: the language model's plan for the words; what it hears in the source; the source's codes.
An engine that does one of them has its name in `uses`."""


@dataclass(frozen=True, slots=True)
class SongMetas:
    """What the song is, as the ACE-Step API reports it; `duration` is the sounding length in seconds.

    bpm None and "" are what neither the request nor the engine said.
    """

    bpm: int | None
    duration: float
    key_scale: str
    time_signature: str
    genres: str = "N/A"


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file beside a song, whole: `kind` is a name of contract/media.py's SIDE_FILES, such as "midi"."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Song:
    """One finished song: `clip` is mastered and ready to encode, `warnings` are sentences for the user, `beside` what
    goes with it, each kind once."""

    index: int
    seed: int
    clip: Clip
    caption: str
    lyrics: str
    metas: SongMetas
    warnings: tuple[str, ...] = ()
    beside: tuple[SideFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a piece whose request names an analysis ends with. None and "" are what the engine did not find out.

    bpm in beats per minute, duration in seconds, audio codes 5 a second as the REST API spells them.
    """

    caption: str = ""
    lyrics: str = ""
    bpm: int | None = None
    duration: float | None = None
    key_scale: str = ""
    time_signature: str = ""
    vocal_language: str = ""
    genres: str = ""
    audio_codes: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """One task's part of a batch: what is wanted, whom to tell of its progress, and whether it is still wanted."""

    request: GenerationRequest
    progress: Progress
    cancelled: Cancelled


@dataclass(frozen=True, slots=True)
class Made:
    """What came of the piece of this number in the batch: one song of it, its analysis, or why there is no more."""

    piece: int
    song: Song | None = None
    analysis: Analysis | None = None
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Sharing:
    """With whom a request may share a batch: those of an equal `key` (model, length, settings), `songs` together."""

    key: Hashable
    songs: int


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one task may ask: seconds, songs, and how many characters of text the engine really reads.

    `songs_together` is the most songs that any batch of several tasks holds (no `Sharing` says more); 1 means that
    this engine makes every task alone.
    """

    shortest: float
    longest: float
    largest_batch: int
    caption_characters: int
    lyrics_characters: int
    songs_together: int = 1


class Engine(Protocol):
    """A maker of songs. `load` once, then `generate` from one thread at a time; the rest from any thread."""

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
    def models(self) -> tuple[str, ...]:
        """The models that a task may name, the default one first."""
        ...

    @property
    def task_types(self) -> frozenset[str]:
        """Which of the REST API's task types this engine does; every engine does "text2music"."""
        ...

    def task_types_of(self, model: str) -> frozenset[str]:
        """Which of `task_types` one of `models` does; every model does "text2music"."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """Which parameters of the REST API, beyond the words, metas, seeds and format, change this engine's songs.

        The others are refused where they ask for other work, and named in the song's warnings where they only tune it.
        """
        ...

    @property
    def words(self) -> "WordMaker | None":
        """The language model that writes songs' words; None when there is none."""
        ...

    @property
    def adapters(self) -> "AdapterShelf | None":
        """The adapters (LoRA) that this engine can wear; None when it can wear none."""
        ...

    @property
    def limits(self) -> EngineLimits:
        """What one task may ask of this engine."""
        ...

    def load(self, progress: Progress) -> None:
        """Make ready (weights, sound banks). Raises EngineUnavailable with the mending command."""
        ...

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        """Tell with which requests this one may share a batch; None: it is made alone.

        The same request always has the same answer. It is asked as soon as a task is queued, before source and
        reference are decoded (both are None then), and must be quick.
        """
        ...

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        """Make the songs of all pieces, in one pass of the model or in turn, and yield each as soon as it is finished.

        One piece, or several whose requests share a batch (`sharing`). The songs of a piece come in seed order, those
        of several pieces in any. A piece ends with its last song, its analysis, or one `failure`; what ails one
        piece is that one's failure and leaves the others alone. Each piece is asked whether it is still wanted: one
        that is not ends with GenerationCancelled as its failure, the others go on. What ails the whole batch (no memory
        for so many songs) may be raised: the caller then asks for each unfinished piece alone. No more than one
        finished song is held back for the caller.
        """
        ...
