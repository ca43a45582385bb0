"""Which fields does the handler's input have? The guide's eight, then every parameter of the ACE-Step REST API.

One table for the check, its errors and the documentation. Names, types, defaults and words of the first eight are the
guide's ("Handler Input Schema"), their ranges this project's promise on top of it. A parameter's reader, range and
default are those of its row in `contract.acestep_parameters`; here it gets its JSON type and its meaning.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_serverless.contract import acestep_values, music_sources
from acestep_serverless.contract.acestep_parameters import PARAMETERS, Parameter
from acestep_serverless.contract.acestep_values import Reader
from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.errors import FieldProblem, InputError

SEED_MAXIMUM = 4_294_967_295
"""The largest seed: engines take 32 bits."""

TEXT_MAXIMUM = 1_000_000
"""Characters of a caption or of lyrics. Far beyond what any engine reads; whatever their script, both fit the body
that the ACE-Step API takes (acestep_api/body.py)."""

PARAMETER_TEXT_MAXIMUM = 100_000
"""Characters of any other text; the codes of ten minutes of audio have about 60,000."""

AUDIO_FORMATS = ("mp3", "wav", "wav32", "flac", "opus", "aac")
"""File formats that the REST API knows; which of them a server writes, it says itself."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One input field. `type` is JSON's, in words; `default` None on a field that is not required means "nobody has
    chosen". `minimum` and `maximum` are inclusive: an integer's range, a string's length in characters.

    `reader` takes a value of that type and returns what is meant, or raises ValueError; None leaves it to the type.
    """

    name: str
    type: str
    required: bool
    default: object
    description: str
    minimum: int = 0
    maximum: int = 0
    reader: Reader | None = None
    parameter: bool = False
    """True for what is handed on to the REST API under its own name, when it is given."""


def _name(value: str) -> str:
    if NAME.fullmatch(value.strip()) is None:
        raise ValueError("must be a name of letters, digits, dots, dashes and underscores")
    return value.strip()


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""What a model or an adapter may be called by a request."""

_ROWS = {row.name: row for row in PARAMETERS}
_READERS: Mapping[str, Reader] = {
    "audio_format": acestep_values.choice(*AUDIO_FORMATS),
    "model": _name,
    "lm_model_path": _name,
    "lora": _name,
}
"""What is read more narrowly than in the table: there a server says itself which formats and models it has; a caller
from outside names things, and never a path of the server's machine."""


def _parameter(name: str, kind: str, description: str) -> FieldSpec:
    row: Parameter = _ROWS[name]
    reader = _READERS.get(name, row.read)
    default = None if row.default in ("", ()) else row.default
    return FieldSpec(name, kind, False, default, description, 0, PARAMETER_TEXT_MAXIMUM, reader, parameter=True)


def _seeds(value: Any) -> int | tuple[int, ...]:
    """Read one seed, or a list with one for each song."""
    given = value if isinstance(value, list) else [value]
    whole = [acestep_values.whole(0, SEED_MAXIMUM)(_number(seed)) for seed in given[:9]]
    if not whole or len(given) > len(whole):
        raise ValueError("no such seeds")
    return tuple(int(str(seed)) for seed in whole) if isinstance(value, list) else int(str(whole[0]))


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return value


FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec("caption", "string", True, None, "Music/style prompt", 1, TEXT_MAXIMUM),
    FieldSpec("lyrics", "string", False, "", "Optional lyrics text", 0, TEXT_MAXIMUM),
    FieldSpec("duration", "integer", False, 90, "Target duration in seconds", 1, 600),
    FieldSpec("batch_size", "integer", False, 1, "Number of generations", 1, 8),
    FieldSpec("timeout_seconds", "integer", False, 1800, "Max wait for generation", 1, 86_400),
    FieldSpec("poll_interval", "integer", False, 3, "Status polling interval", 1, 3_600),
    FieldSpec("return_audio_base64", "boolean", False, False, "Embed audio data in response"),
    FieldSpec("max_base64_bytes", "integer", False, 8_000_000, "Skip base64 if file is larger", 0, 100_000_000),
    FieldSpec(
        "seed",
        "integer or array",
        False,
        None,
        "Seed of the first song, or the seeds of all; omit for random ones",
        reader=_seeds,
    ),
    FieldSpec("src_audio", "string", False, None, "Audio to work on", reader=music_sources.read_source),
    FieldSpec("reference_audio", "string", False, None, "Audio to sound like", reader=music_sources.read_source),
    _parameter("bpm", "integer", "Beats per minute; omit for one that suits"),
    _parameter("key_scale", "string", "Key; omit for one that suits"),
    _parameter("time_signature", "string or integer", "Beats in a bar; omit for one that suits"),
    _parameter("vocal_language", "string", "Language of the lyrics"),
    _parameter("use_random_seed", "boolean", "Only in place of `seed`: false is refused without one, true with one"),
    _parameter("audio_format", "string", "Format of the files"),
    _parameter("model", "string", "Which model makes the songs; omit for the server's default"),
    _parameter("task_type", "string", "What to do; all but `text2music` work on `src_audio`"),
    _parameter("audio_code_string", "string", "Audio codes in place of those that a language model writes"),
    _parameter("analysis_only", "boolean", "Plan the song without making it"),
    _parameter("full_analysis_only", "boolean", "Describe `src_audio` in words"),
    _parameter("extract_codes_only", "boolean", "Turn `src_audio` into audio codes"),
    _parameter("instruction", "string", "The model's instruction; omit for the one of the task"),
    _parameter("global_caption", "string", "Words for the whole song of which `lego` makes a track"),
    _parameter("track_name", "string", "Track of `lego` and `extract`, such as drums"),
    _parameter("track_classes", "array of strings", "Tracks that `complete` adds"),
    _parameter("repainting_start", "number", "Second of `src_audio` where a change begins"),
    _parameter("repainting_end", "number", "Second where it ends; 0 or -1 is the end of the audio"),
    _parameter("repaint_mode", "string", "How freely `repaint` leaves what was there"),
    _parameter("repaint_strength", "number", "How strongly `repaint` changes the span"),
    _parameter("repaint_latent_crossfade_frames", "integer", "Crossfade at the ends of the span, 25 frames a second"),
    _parameter("repaint_wav_crossfade_sec", "number", "Crossfade of the finished sound in seconds"),
    _parameter("chunk_mask_mode", "string", "How the changed span is marked for the model"),
    _parameter("audio_cover_strength", "number", "How closely `cover` keeps to `src_audio`"),
    _parameter("cover_noise_strength", "number", "How much of `src_audio` the noise begins with"),
    _parameter("inference_steps", "integer", "Steps of the diffusion; models have their own best number"),
    _parameter("guidance_scale", "number", "How closely the model keeps to the words; no effect on turbo models"),
    _parameter("shift", "number", "Where the steps lie: larger puts more of them at the noisy end"),
    _parameter("infer_method", "string", "Solver: without or with chance in each step"),
    _parameter("use_adg", "boolean", "Adaptive dual guidance, of base models"),
    _parameter("cfg_interval_start", "number", "Share of the steps after which guidance begins"),
    _parameter("cfg_interval_end", "number", "Share of the steps after which guidance ends"),
    _parameter("timesteps", "string or array", "The steps themselves, such as 0.97,0.76,0.5"),
    _parameter("use_tiled_decode", "boolean", "Decode long songs in pieces, for less memory"),
    _parameter("lora", "string", "Adapter (LoRA) that the songs are made with"),
    _parameter("lora_scale", "number", "How strongly the adapter takes part"),
    _parameter("thinking", "boolean", "Let a language model plan the song in audio codes"),
    _parameter("sample_mode", "boolean", "Let a language model write caption and lyrics"),
    _parameter("sample_query", "string", "What it is to write them from; implies `sample_mode`"),
    _parameter("use_format", "boolean", "Let a language model polish caption and lyrics"),
    _parameter("use_cot_caption", "boolean", "Let it extend the caption as it plans"),
    _parameter("use_cot_language", "boolean", "Let it find out the language as it plans"),
    _parameter("is_format_caption", "boolean", "Say that the caption is polished already"),
    _parameter("allow_lm_batch", "boolean", "Let it plan the songs of a batch together"),
    _parameter("constrained_decoding", "boolean", "Hold it to the form of its plan"),
    _parameter("constrained_decoding_debug", "boolean", "Have its decoding logged on the server"),
    _parameter("lm_model_path", "string", "Which language model, where the server loads it for the job"),
    _parameter("lm_backend", "string", "What runs it, where the server loads it for the job"),
    _parameter("lm_temperature", "number", "How freely it chooses"),
    _parameter("lm_cfg_scale", "number", "How closely it keeps to the words"),
    _parameter("lm_negative_prompt", "string", "What it is to keep away from"),
    _parameter("lm_top_k", "integer", "Choose among so many words only; 0 among all"),
    _parameter("lm_top_p", "number", "Choose among the likeliest words of this share only"),
    _parameter("lm_repetition_penalty", "number", "How much it minds repeating itself; 1 not at all"),
)
"""Every input field: the guide's eight in its order, then seeds and audio, then the REST API's in its own order."""

SPECS: Mapping[str, FieldSpec] = {spec.name: spec for spec in FIELDS}


def read_field(spec: FieldSpec, value: object) -> object:
    """Check one given value, not null, and return what is meant by it. Raises InputError with one problem."""
    checked = _CHECKS[spec.type](spec, value)
    if spec.reader is None:
        return checked
    try:
        meant = spec.reader(checked)
    except ValueError as error:
        raise _refusal(spec, value) if spec.name == "seed" else _problem(spec, shown(value), str(error)) from None
    return _plain(checked, meant) if spec.parameter else meant


def _plain(given: object, meant: object) -> object:
    """What to send for a parameter: as it is meant, but in a form that every version of the server reads."""
    if meant is None:
        return given
    if not isinstance(meant, tuple):
        return meant
    return given if isinstance(given, str) else list(meant)


def allowed(spec: FieldSpec) -> str:
    """Say what a field takes, for errors and documentation: "a whole number from 1 to 600"."""
    if spec.name == "seed":
        return f"a whole number from 0 to {SEED_MAXIMUM:,}, or a list of them, one for each song"
    if spec.name in ("src_audio", "reference_audio"):
        return music_sources.ALLOWED
    if spec.reader is not None and spec.reader is not acestep_values.text:
        return _said_by(spec.reader)
    if spec.type == "integer":
        return f"a whole number from {spec.minimum:,} to {spec.maximum:,}"
    if spec.type == "boolean":
        return "true or false"
    return "a non-blank string" if spec.required else "a string"


def _said_by(reader: Reader) -> str:
    """What a reader allows, in its own words: those with which it refuses what none of them takes."""
    try:
        reader("\ud800")
    except ValueError as error:
        return str(error).removeprefix("must ").removeprefix("be ")
    raise AssertionError("a reader that takes anything has no words for what it allows")


def _string(spec: FieldSpec, value: object) -> str:
    if not isinstance(value, str):
        raise _refusal(spec, value)
    if spec.maximum and len(value) > spec.maximum:
        raise _problem(spec, f"{len(value):,} characters", f"must be at most {spec.maximum:,} characters long")
    if printable(value) != value:
        raise _problem(spec, shown(value), "must hold whole Unicode characters, no lone surrogates")
    return value


def _integer(spec: FieldSpec, value: object) -> int:
    """JSON has one kind of number, so 30.0 is 30; 30.5, "30" and true are not numbers of seconds or songs."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(spec, value)
    if isinstance(value, float) and not value.is_integer():
        raise _refusal(spec, value)
    if spec.reader is None and not spec.minimum <= value <= spec.maximum:
        raise _refusal(spec, value)
    return int(value)


def _any_number(spec: FieldSpec, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(spec, value)
    return value


def _boolean(spec: FieldSpec, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refusal(spec, value)
    return value


def _strings(spec: FieldSpec, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > PARAMETER_TEXT_MAXIMUM:
        raise _refusal(spec, value)
    return [_string(spec, item) for item in value]


def _string_or_list(spec: FieldSpec, value: object) -> object:
    return value if isinstance(value, list) else _string(spec, value)


def _string_or_integer(spec: FieldSpec, value: object) -> str | int:
    return _string(spec, value) if isinstance(value, str) else _integer(spec, value)


_CHECKS: Mapping[str, Callable[[FieldSpec, object], object]] = {
    "string": _string,
    "integer": _integer,
    "number": _any_number,
    "boolean": _boolean,
    "array of strings": _strings,
    "string or integer": _string_or_integer,
    "string or array": _string_or_list,
    "integer or array": lambda _, value: value,
}


def _refusal(spec: FieldSpec, value: object) -> InputError:
    sentence = allowed(spec)
    return _problem(spec, shown(value), f"must {sentence}" if sentence.startswith("hold ") else f"must be {sentence}")


def _problem(spec: FieldSpec, given: str, sentence: str) -> InputError:
    return InputError([FieldProblem(spec.name, given, sentence)])
