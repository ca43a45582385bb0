"""What was asked of us, and can this engine do it? A body's fields become an Order, or an InputError naming each one.

Three kinds of parameters: those that shape the song here; those that select work that no engine here does (refused
unless at their default: ignoring them would give another song than the one asked for); and those that merely tune a
model, accepted and named in the warnings of the song when they differ from their default.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.contract.acestep_parameters import DEFAULT_BATCH, DEFAULTS, read_parameters
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.engines.base import Engine, EngineLimits, GenerationRequest
from acestep_serverless.errors import FieldProblem, InputError

DEFAULT_SECONDS = 90.0
"""Length of a song whose `audio_duration` is absent, 0 or -1: the default of the serverless guide."""

_USED = (
    "prompt lyrics bpm key_scale time_signature audio_duration vocal_language batch_size use_random_seed seed "
    "audio_format model"
)
USED = frozenset(_USED.split())
"""Parameters that shape the song (`model` only names the one that is here)."""

NOT_YET: Mapping[str, str] = {
    "task_type": "must be text2music",
    "reference_audio_path": "must be empty: this server takes no reference audio",
    "src_audio_path": "must be empty: this server takes no source audio",
    "audio_code_string": "must be empty: this server takes no audio codes",
    "analysis_only": "must be false: this server has no language model",
    "full_analysis_only": "must be false: this server has no language model",
    "extract_codes_only": "must be false: this server extracts no audio codes",
    "thinking": "must be false: this server has no language model",
    "sample_mode": "must be false: this server has no language model",
    "sample_query": "must be empty: this server has no language model",
    "use_format": "must be false: this server has no language model (the file format is `audio_format`)",
}
"""Parameters whose every value but the default asks for work that is not done here, with what is allowed."""


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request: what the engine gets, the file format, and sentences about what was left unused."""

    request: GenerationRequest
    audio_format: str
    warnings: tuple[str, ...]
    """About parameters; what an engine does not read of the words, it says itself with each song."""
    source: str = ""
    """The name of the stored file that is edited, "" for none; `reference` is the one whose style is taken."""
    reference: str = ""
    caller: str = ""
    """Who asked, for fairness: a short digest of the key or of the client's address."""


def read_order(body: Mapping[str, object], engine: Engine, new_seed: Callable[[], int]) -> Order:
    """Check a body against the table and the engine; draw the seeds left open. Raises InputError with all problems."""
    values = read_parameters(body)
    batch = values["batch_size"] or min(DEFAULT_BATCH, engine.limits.largest_batch)
    problems = [*_refused(values), *_beyond(values, batch, engine)]
    if problems:
        raise InputError(problems)
    return Order(
        request=_request(values, _seeds(values, batch, new_seed), engine.limits),
        audio_format=values["audio_format"].strip().lower() or DEFAULTS["audio_format"],
        warnings=tuple(_warnings(values, engine)),
    )


def _request(values: Mapping[str, Any], seeds: tuple[int, ...], limits: EngineLimits) -> GenerationRequest:
    open_length = min(max(DEFAULT_SECONDS, limits.shortest), limits.longest)
    return GenerationRequest(
        caption=values["prompt"],
        lyrics=values["lyrics"],
        duration=values["audio_duration"] or open_length,
        seeds=seeds,
        bpm=values["bpm"],
        key_scale=values["key_scale"],
        time_signature=values["time_signature"],
        vocal_language=values["vocal_language"],
    )


def _seeds(values: Mapping[str, Any], batch: int, new_seed: Callable[[], int]) -> tuple[int, ...]:
    given = () if values["use_random_seed"] else values["seed"]
    padded = (*given, *(None,) * (batch - len(given)))
    return tuple(new_seed() if seed is None else seed for seed in padded)


def _refused(values: Mapping[str, Any]) -> Iterator[FieldProblem]:
    for name, allowed in NOT_YET.items():
        value = values[name]
        if value != DEFAULTS[name] and not (isinstance(value, str) and not value.strip()):
            yield FieldProblem(name, shown(value), allowed)


def _beyond(values: Mapping[str, Any], batch: int, engine: Engine) -> Iterator[FieldProblem]:
    """Problems that depend on this engine: its formats, names and limits."""
    limits = engine.limits
    audio_format, model, seconds = values["audio_format"], values["model"], values["audio_duration"]
    if audio_format.strip() and audio_format.strip().lower() not in FORMATS:
        yield FieldProblem("audio_format", shown(audio_format), f"must be one of {', '.join(FORMATS)}")
    if model.strip() and model.strip() not in (engine.model, engine.name):
        yield FieldProblem("model", shown(model), f"must be {engine.model}, the one that is loaded, or absent")
    if seconds is not None and not limits.shortest <= seconds <= limits.longest:
        allowed = f"must be from {limits.shortest:g} to {limits.longest:g} seconds with the {engine.name} engine"
        yield FieldProblem("audio_duration", shown(seconds), allowed)
    if batch > limits.largest_batch:
        allowed = f"must be at most {limits.largest_batch} with the {engine.name} engine"
        yield FieldProblem("batch_size", shown(batch), allowed)
    if len(values["seed"]) > batch:
        yield FieldProblem("seed", f"{len(values['seed'])} seeds", f"must hold at most {batch}, one for each song")


def _warnings(values: Mapping[str, Any], engine: Engine) -> Iterator[str]:
    if values["use_random_seed"] and any(seed is not None for seed in values["seed"]):
        yield "seed was not used: it takes effect only with use_random_seed=false"
    for name, value in values.items():
        if name not in USED and name not in NOT_YET and value != DEFAULTS[name]:
            yield f"{name} has no effect: the {engine.name} engine does not use it"
