"""What was asked of us, and can this engine do it? A body's fields become an Order, or an InputError naming each one.

`lenient` restores upstream's reading: what cannot be read falls to its default, what is over a limit is the most
allowed, an unknown model is the default one; each substitution is named in the warnings of the songs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from acestep_serverless.acestep_api.abilities import check_abilities
from acestep_serverless.acestep_api.findings import Findings
from acestep_serverless.acestep_api.sounds import REFERENCE, SOURCE, Sound, Sounds
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.contract.acestep_parameters import (
    DEFAULT_BATCH,
    DEFAULTS,
    read_leniently,
    read_parameters,
)
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_tasks import TASKS, track_instruction
from acestep_serverless.engines.base import ANALYSES, Editing, Engine, GenerationRequest, Planning, Sampling
from acestep_serverless.errors import InputError

DEFAULT_SECONDS = 90.0
"""Length of a song whose `audio_duration` is absent, 0 or -1: the default of the serverless guide."""
MODEL_PREFIX = "acestep/"
"""What stands before a model's name in `/v1/models`."""

Shape = TypeVar("Shape", Editing, Sampling, Planning)


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
    """Who asked, for fairness: a short digest of the client's address."""


def read_order(
    body: Mapping[str, object],
    engine: Engine,
    new_seed: Callable[[], int],
    *,
    sounds: Sounds | None = None,
    lenient: bool = False,
    caller: str = "",
) -> Order:
    """Check a body against the table and the engine; draw the seeds left open. Raises InputError with all problems.

    Looks into the sound files, which takes up to seconds; without `sounds` there are none.
    """
    findings = Findings(lenient=lenient)
    values = _values(body, findings)
    _warn_of_seed(values, findings)
    given = _given_sounds(values, sounds)
    check_abilities(values, given, engine, findings)
    _check_limits(values, engine, findings)
    findings.raise_problems()  # before any file is looked into
    found = _found(values, given, engine, sounds, findings)
    seconds = _seconds(values, found.get(SOURCE), engine, findings)
    findings.raise_problems()
    return Order(
        request=_request(values, seconds, _seeds(values, new_seed)),
        audio_format=values["audio_format"],
        warnings=tuple(findings.warnings),
        source=found[SOURCE].name if SOURCE in found else "",
        reference=found[REFERENCE].name if REFERENCE in found else "",
        caller=caller,
    )


def _values(body: Mapping[str, object], findings: Findings) -> dict[str, Any]:
    if findings.lenient:
        values, sentences = read_leniently(body)
        findings.warnings.extend(sentences)
        return dict(values)
    return dict(read_parameters(body))


def _given_sounds(values: Mapping[str, Any], sounds: Sounds | None) -> frozenset[str]:
    uploaded = frozenset[str]() if sounds is None else frozenset(sounds.uploads)
    return uploaded | {name for name in (SOURCE, REFERENCE) if values[name].strip()}


def _found(
    values: Mapping[str, Any], given: frozenset[str], engine: Engine, sounds: Sounds | None, findings: Findings
) -> dict[str, Sound]:
    """Look into the files that were given."""
    found = {}
    for name in sorted(given):
        if sounds is None:
            findings.refuse(name, shown(values[name]), "must be empty: this request cannot bring audio")
            continue
        try:
            sound = sounds.of(name, values[name], engine.limits.longest)
        except InputError as error:
            findings.refuse_all(error)
        else:
            found.update({name: sound} if sound else {})
    return found


def _seconds(values: Mapping[str, Any], source: Sound | None, engine: Engine, findings: Findings) -> float:
    """How long the song becomes: as asked, else as its source, else as the guide says; the span must lie within."""
    limits = engine.limits
    start, end = values["repainting_start"], values["repainting_end"]
    if end is not None and end <= start:
        findings.refuse("repainting_end", shown(end), f"must be after repainting_start, which is {start:g}")
    if source is not None and start >= source.seconds:
        findings.refuse(
            "repainting_start", shown(start), f"must be within the source, which ends at {source.seconds:g}"
        )
    open_length = DEFAULT_SECONDS if source is None else source.seconds
    return float(values["audio_duration"] or min(max(open_length, limits.shortest), limits.longest))


def _check_limits(values: dict[str, Any], engine: Engine, findings: Findings) -> None:
    """Problems that depend on this engine: its formats, names and limits. Settles `values` for the engine."""
    _check_words(values, engine, findings)
    limits = engine.limits
    seconds = values["audio_duration"]
    if seconds is not None and not limits.shortest <= seconds <= limits.longest:
        allowed = f"must be from {limits.shortest:g} to {limits.longest:g} seconds with the {engine.name} engine"
        nearest = min(max(seconds, limits.shortest), limits.longest)
        values["audio_duration"] = findings.mend(
            "audio_duration", shown(seconds), allowed, nearest, f"{nearest:g} was used"
        )
    batch = values["batch_size"] or min(DEFAULT_BATCH, limits.largest_batch)
    if batch > limits.largest_batch:
        allowed = f"must be at most {limits.largest_batch} with the {engine.name} engine"
        batch = findings.mend(
            "batch_size", shown(batch), allowed, limits.largest_batch, f"{limits.largest_batch} were made"
        )
    values["batch_size"] = batch
    if len(values["seed"]) > batch:
        given, allowed = f"{len(values['seed'])} seeds", f"must hold at most {batch}, one for each song"
        values["seed"] = findings.mend("seed", given, allowed, values["seed"][:batch], f"the first {batch} were used")


def _check_words(values: dict[str, Any], engine: Engine, findings: Findings) -> None:
    """The file format, the model and the adapter must be some that are here."""
    audio_format = values["audio_format"].strip().lower() or DEFAULTS["audio_format"]
    if audio_format not in FORMATS:
        allowed, default = f"must be one of {', '.join(FORMATS)}", DEFAULTS["audio_format"]
        audio_format = findings.mend("audio_format", shown(audio_format), allowed, default, f"{default} was used")
    values["audio_format"] = audio_format
    model = values["model"].strip().removeprefix(MODEL_PREFIX)
    if model and model not in (engine.name, *engine.models):
        allowed = f"must be {' or '.join(engine.models)}, or absent"
        model = findings.mend("model", shown(model), allowed, "", f"{engine.models[0]} was used")
    values["model"] = model if model in engine.models[1:] else ""
    worn = () if engine.adapters is None else tuple(adapter.name for adapter in engine.adapters.list())
    if "lora" in engine.uses and values["lora"].strip() and values["lora"] not in worn:
        findings.refuse("lora", shown(values["lora"]), f"must be a loaded adapter: {', '.join(worn) or 'none is'}")


def _request(values: Mapping[str, Any], seconds: float, seeds: tuple[int, ...]) -> GenerationRequest:
    return GenerationRequest(
        caption=values["prompt"],
        lyrics=values["lyrics"],
        duration=seconds,
        seeds=seeds,
        bpm=values["bpm"],
        key_scale=values["key_scale"],
        time_signature=values["time_signature"],
        vocal_language=values["vocal_language"],
        model=values["model"],
        editing=_shape(Editing, {**values, "instruction": _instruction(values)}),
        sampling=_shape(Sampling, values),
        planning=_shape(
            Planning,
            {
                **values,
                **{name.removeprefix("lm_"): value for name, value in values.items() if name.startswith("lm_")},
                "sample_mode": values["sample_mode"] or bool(values["sample_query"].strip()),
            },
        ),
        analysis=next((name for name in ANALYSES if values[name]), ""),
    )


def _shape(kind: type[Shape], values: Mapping[str, Any]) -> Shape:
    """Fill what has the parameters' names; the clips come later, from the files."""
    return kind(**{field.name: values[field.name] for field in fields(kind) if field.name in values})


def _instruction(values: Mapping[str, Any]) -> str:
    """The caller's own instruction, ended with a colon as upstream does, else the task's, its tracks filled in."""
    own = values["instruction"].strip()
    if own and own != TASKS["text2music"].unnamed:  # which upstream's clients send with every task
        return own if own.endswith(":") else f"{own}:"
    task_type = values["task_type"]
    return track_instruction(task_type, values["track_name"], values["track_classes"]) or TASKS[task_type].unnamed


def _seeds(values: Mapping[str, Any], new_seed: Callable[[], int]) -> tuple[int, ...]:
    given = () if values["use_random_seed"] else values["seed"]
    padded = (*given, *(None,) * (values["batch_size"] - len(given)))
    return tuple(new_seed() if seed is None else seed for seed in padded)


def _warn_of_seed(values: Mapping[str, Any], findings: Findings) -> None:
    if values["use_random_seed"] and any(seed is not None for seed in values["seed"]):
        findings.warn("seed was not used: it takes effect only with use_random_seed=false")
