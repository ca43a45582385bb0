"""What does the house see of the real model? The engine `acestep`: its models, what it can do, and songs.

One model is in memory at a time; a request that names another one has it loaded first. The planner (the 5 Hz language
model) is there when its weights are, and plans what a text2music request leaves open.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch

from acestep_serverless.engines.acestep.adapters import Shelf
from acestep_serverless.engines.acestep.batching import Desk, Song, sharing
from acestep_serverless.engines.acestep.codes import write_codes
from acestep_serverless.engines.acestep.making import CONDITIONING, PLANNED, Studio, at_work, free_memory
from acestep_serverless.engines.acestep.parties import Party, Planned
from acestep_serverless.engines.acestep.tasks import Brief, brief, stereo, unused
from acestep_serverless.engines.acestep.wishes import Plan, Wish
from acestep_serverless.engines.base import (
    Analysis,
    Cancelled,
    EngineLimits,
    GenerationRequest,
    Made,
    Piece,
    Planning,
    Progress,
    Sharing,
)
from acestep_serverless.engines.extras import AdapterShelf, WordMaker
from acestep_serverless.errors import EngineError, EngineUnavailable, FieldProblem, InputError

_EVERY_MODEL = frozenset({"text2music", "cover", "cover-nofsq", "repaint"})
_GUIDED_MODELS = frozenset({"lego", "extract", "complete"})
_MODEL_USES = (
    "reference_audio_path audio_code_string instruction track_name track_classes repainting_start repainting_end "
    "repaint_mode repaint_strength repaint_latent_crossfade_frames repaint_wav_crossfade_sec audio_cover_strength "
    "cover_noise_strength inference_steps shift infer_method timesteps use_tiled_decode lora lora_scale "
    "extract_codes_only"
)
_STEMS_USES = "global_caption chunk_mask_mode"
_GUIDED_USES = "guidance_scale use_adg cfg_interval_start cfg_interval_end"
_PLANNER_USES = (
    "thinking sample_mode sample_query use_format use_cot_caption use_cot_language lm_temperature lm_cfg_scale "
    "lm_negative_prompt lm_top_k lm_top_p lm_repetition_penalty analysis_only full_analysis_only"
)
_LONGEST, _LARGEST_BATCH = 600.0, 8


class PlannerLike(WordMaker, Protocol):
    """What the engine asks of a planner (`planner.Planner`)."""

    def plan(self, parties: Sequence[Party]) -> list[Planned]:
        """Plan the songs of several requests together; each ends with its plans or its own failure."""
        ...

    def understand(self, codes: Sequence[int], planning: Planning, seed: int, cancelled: Cancelled) -> Analysis:
        """Describe the sound that codes stand for."""
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """One model that can be loaded: its name, whether it knows guidance (turbo models do not), and whether it reads a
    caption of the whole song beside that of a track."""

    name: str
    guided: bool
    stems: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the engine's modules come from: the models on offer, the default one first, and how one is loaded.

    `open_model` gives `loading.Components`; `open_planner` is None where there is no planner, `planner_name` then "".
    """

    models: tuple[Offer, ...]
    open_model: Callable[[str, Progress], Any]
    planner_name: str = ""
    open_planner: Callable[[Progress], PlannerLike] | None = None
    songs_together: int = 1


class AceStepEngine:
    """ACE-Step 1.5 (see engines/base.py for the promises that it keeps)."""

    name = "acestep"

    def __init__(self, weights: Weights) -> None:
        if not weights.models:
            raise EngineUnavailable("no weights of ACE-Step were found; run: acestep-serverless models download")
        self._weights = weights
        self._studio: Studio | None = None
        self._opened = ""
        self._planner: PlannerLike | None = None
        self._shelf = Shelf()

    @property
    def model(self) -> str:
        """The model that is in memory, else the default one."""
        return self._opened or self.models[0]

    @property
    def language_model(self) -> str:
        """The planner's name, "" without one."""
        return self._weights.planner_name

    @property
    def models(self) -> tuple[str, ...]:
        """The models that a task may name, the default one first."""
        return tuple(offer.name for offer in self._weights.models)

    @property
    def task_types(self) -> frozenset[str]:
        """What the models on offer can do: tracks are for guided models only."""
        return _EVERY_MODEL | (_GUIDED_MODELS if self._any_guided else frozenset())

    def task_types_of(self, model: str) -> frozenset[str]:
        """What one of the models on offer can do."""
        guided = any(offer.guided for offer in self._weights.models if offer.name == model)
        return _EVERY_MODEL | (_GUIDED_MODELS if guided else frozenset())

    @property
    def uses(self) -> frozenset[str]:
        """The parameters that change songs here; guidance, whole-song captions and planning need a model for them."""
        guided = _GUIDED_USES if self._any_guided else ""
        planned = _PLANNER_USES if self._weights.open_planner else ""
        stems = _STEMS_USES if any(offer.stems for offer in self._weights.models) else ""
        return frozenset(f"{_MODEL_USES} {guided} {stems} {planned}".split())

    @property
    def words(self) -> WordMaker | None:
        """The planner as a maker of words; None without one or before `load`."""
        return self._planner

    @property
    def adapters(self) -> AdapterShelf:
        """The adapters; the model in memory wears those that fit it."""
        return self._shelf

    @property
    def limits(self) -> EngineLimits:
        """What one task may ask."""
        return EngineLimits(1.0, _LONGEST, _LARGEST_BATCH, 512, 4096, max(1, self._weights.songs_together))

    @property
    def _any_guided(self) -> bool:
        return any(offer.guided for offer in self._weights.models)

    def load(self, progress: Progress) -> None:
        """Load the default model, and the planner if there is one. Raises EngineUnavailable."""
        planned = self._weights.open_planner
        share = 0.7 if planned else 1.0
        self._open(self.models[0], lambda done, stage: progress(share * done, stage))
        if planned is not None and self._planner is None:
            self._planner = planned(lambda done, stage: progress(share + (1.0 - share) * done, stage))
        progress(1.0, "ready")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        """Share a pass with requests of the same model, walk and bucket of lengths."""
        return sharing(request, self.models[0], self._weights.songs_together)

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        """Make all pieces in one pass, or in as few as the memory allows; analyses come first."""
        desk = Desk.of(pieces)
        first = pieces[0]
        studio = self._open(first.request.model or self.models[0], lambda _, stage: first.progress(0.0, stage))
        for number, piece in enumerate(pieces):
            if piece.request.analysis:
                yield from self._analysed(desk, studio, number, piece)
        for number in desk.waiting():
            yield from desk.attempt(number, partial(self._check, studio, pieces[number].request))
        yield from self._plan(desk)
        for number in desk.waiting():
            yield from desk.attempt(number, partial(_brief, studio, desk.of_piece(number)))
        songs = desk.left(desk.songs)
        if songs:
            yield from studio.make(desk, songs)

    def _open(self, name: str, progress: Progress) -> Studio:
        """Give the model of `name`, loaded; the one in memory is let go first."""
        if self._studio is None or name != self._opened:
            self._studio, self._opened = None, ""
            self._shelf.let_go()
            free_memory()
            self._studio = Studio.of(self._weights.open_model(name, progress), self._shelf)
            self._opened = name
        return self._studio

    def _check(self, studio: Studio, request: GenerationRequest) -> None:
        """Refuse what the model in memory cannot do. Raises InputError."""
        task_type = request.editing.task_type
        if task_type in _GUIDED_MODELS and not studio.guided:
            allowed = f"must be {', '.join(sorted(_EVERY_MODEL))} with {self._opened}"
            raise InputError([FieldProblem("task_type", repr(task_type), allowed)])
        coded = task_type == "cover" or request.editing.audio_code_string.strip()
        if coded and studio.parts.audio_tokenizer is None:
            raise EngineError(f"{self._opened} was converted without its audio tokenizer, which this task needs")
        studio.shelf.check(request.sampling.lora)

    def _plan(self, desk: Desk) -> Iterator[Made]:
        """Let the planner fill in what text2music requests leave open, every song of the batch in one call."""
        numbers = [number for number in desk.waiting() if _wants_plan(desk.pieces[number].request)]
        if self._planner is None or not numbers:
            return
        planned = self._planner.plan([_party(desk, number) for number in numbers])
        for number, plans in zip(numbers, planned, strict=True):
            if isinstance(plans, Exception):
                yield from desk.fail(number, plans)
                continue
            for song, plan in zip(desk.of_piece(number), plans, strict=True):
                song.request = _planned(song.request, plan)

    def _analysed(self, desk: Desk, studio: Studio, number: int, piece: Piece) -> Iterator[Made]:
        """Make a piece's analysis; it ends with it or with its failure."""
        try:
            analysis = self._analyse(studio, piece)
        except Exception as failure:
            yield from desk.fail(number, failure)
        else:
            desk.ended.add(number)
            yield Made(number, analysis=analysis)

    def _analyse(self, studio: Studio, piece: Piece) -> Analysis:
        request, planner = piece.request, self._planner
        if request.analysis == "analysis_only" and planner is not None:
            wish = Wish.of(replace(request, planning=replace(request.planning, thinking=False)), request.seeds[0])
            party = Party([wish], piece.cancelled, lambda done: piece.progress(done, "planning"))
            [plans] = planner.plan([party])
            if isinstance(plans, Exception):
                raise plans
            text = plans[0].text
            return Analysis(
                text.caption,
                text.lyrics,
                text.bpm,
                text.duration,
                text.key_scale,
                text.time_signature,
                text.vocal_language,
            )
        if request.editing.source is None:
            raise InputError([FieldProblem("src_audio_path", "nothing", f"must name the sound for {request.analysis}")])
        piece.progress(0.0, "listening")
        with torch.inference_mode(), at_work(studio.parts, CONDITIONING):
            codes = studio.conditioner.codes(stereo(request.editing.source))
        if request.analysis == "full_analysis_only" and planner is not None:
            return planner.understand(codes, request.planning, request.seeds[0], piece.cancelled)
        return Analysis(duration=request.editing.source.seconds, audio_codes=write_codes(codes))


def _wants_plan(request: GenerationRequest) -> bool:
    return request.editing.task_type == "text2music" and not request.editing.audio_code_string.strip()


def _party(desk: Desk, number: int) -> Party:
    """The songs of a piece as the planner is asked for them; each gets a plan of its own."""
    songs, piece = desk.of_piece(number), desk.pieces[number]

    def told(done: float) -> None:
        desk.tell(songs, PLANNED * done, "planning")

    return Party([Wish.of(song.request, song.seed) for song in songs], piece.cancelled, told)


def _brief(studio: Studio, songs: Sequence[Song]) -> None:
    """Write the briefs of songs; those that were planned alike share one."""
    shared: dict[GenerationRequest, tuple[Brief, tuple[str, ...]]] = {}
    for song in songs:
        key = replace(song.request, seeds=())
        if key not in shared:
            asked = brief(song.request, _LONGEST, stems=studio.parts.stems)
            shared[key] = (asked, (*studio.conditioner.unread(asked), *unused(song.request, stems=studio.parts.stems)))
        song.brief, unread = shared[key]
        song.warnings = (*unread, *studio.shelf.check(song.request.sampling.lora))


def _planned(request: GenerationRequest, plan: Plan) -> GenerationRequest:
    """The request with what the planner filled in; its codes lead the song as given ones do."""
    text = plan.text
    return replace(
        request,
        caption=text.caption,
        lyrics=text.lyrics,
        duration=text.duration or request.duration,
        bpm=text.bpm,
        key_scale=text.key_scale,
        time_signature=text.time_signature,
        vocal_language=text.vocal_language,
        editing=replace(request.editing, audio_code_string=write_codes(plan.codes)),
    )
