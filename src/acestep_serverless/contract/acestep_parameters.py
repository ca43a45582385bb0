"""Which parameters does `/release_task` take? One row each: name, aliases, reader and default; one lookup for all.

Names, aliases and defaults are upstream's (its server of February 2026 and the newer one), but for `vocal_language`:
upstream writes "en" and lets its planner detect the language, "unknown" says that in one word. The ranges are the
documented ones; where upstream documents none, they are wide and only keep nonsense out.
The lookup is upstream's too: the top level, then `param_obj`, then the first filled one of five names for nested
metadata; within one source the aliases in the order of the row; null counts as absent. A name without a row is ignored.
`inference_steps` is open by default, since each model has its own number (turbo 8, base and sft 50).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from acestep_serverless.contract import acestep_values as read
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.errors import FieldProblem, InputError

LONGEST_SECONDS = 600
LARGEST_BATCH = 8
DEFAULT_BATCH = 2
"""Upstream's number of songs when `batch_size` is absent."""

TASK_TYPES = tuple(TASKS)
_LANGUAGES = (
    "ar az bg bn ca cs da de el en es fa fi fr he hi hr ht hu id is it ja ko la lt ms ne nl no pa pl pt ro ru sa sk sr "
    "sv sw ta te th tl tr uk ur vi yue zh unknown"
)
LANGUAGES = tuple(_LANGUAGES.split())
NESTED_METADATA = ("metas", "meta", "metadata", "user_metadata", "userMetadata")
NEGATIVE_PROMPT = "NO USER INPUT"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row: the canonical name, how it is read, its default and the other names it is known by."""

    name: str
    read: read.Reader
    default: object = None
    aliases: tuple[str, ...] = ()


def _row(name: str, reader: read.Reader, default: object = None, aliases: str = "") -> Parameter:
    return Parameter(name, reader, default, tuple(aliases.split()))


_SHARE = read.number(0, 1)
_ANY = read.number(-1_000_000, 1_000_000)

PARAMETERS: tuple[Parameter, ...] = (
    # what the song is
    _row("prompt", read.text, "", "caption"),
    _row("lyrics", read.text, ""),
    _row("bpm", read.whole(30, 300)),
    _row("key_scale", read.key_scale, "", "keyscale keyScale key"),
    _row("time_signature", read.time_signature, "", "timesignature timeSignature"),
    _row(
        "audio_duration",
        read.number(1, LONGEST_SECONDS, also=(0.0, -1.0)),
        None,
        "duration audioDuration target_duration targetDuration",
    ),
    _row("vocal_language", read.choice(*LANGUAGES), "unknown", "vocalLanguage language"),
    _row("batch_size", read.whole(1, LARGEST_BATCH)),
    _row("use_random_seed", read.switch, True, "useRandomSeed"),
    _row("seed", read.seeds, (None,)),
    _row("audio_format", read.text, "mp3"),
    _row("model", read.text, "", "model_name modelName dit_model ditModel"),
    # which task it is
    _row("task_type", read.choice(*TASK_TYPES), "text2music", "taskType"),
    _row("reference_audio_path", read.text, "", "ref_audio_path referenceAudioPath refAudioPath"),
    _row("src_audio_path", read.text, "", "ctx_audio_path sourceAudioPath srcAudioPath ctxAudioPath"),
    _row("audio_code_string", read.text, "", "audioCodeString audio_codes"),
    _row("analysis_only", read.switch, False, "analysisOnly"),
    _row("full_analysis_only", read.switch, False, "fullAnalysisOnly"),
    _row("extract_codes_only", read.switch, False, "extractCodesOnly"),
    _row("instruction", read.text, ""),
    _row("global_caption", read.text, "", "globalCaption"),
    _row("track_name", read.track, "", "trackName"),
    _row("track_classes", read.tracks, (), "trackClasses instruments"),
    _row("repainting_start", _ANY, 0.0),
    _row("repainting_end", read.number(-1_000_000, 1_000_000, also=(0.0, -1.0))),
    _row("repaint_mode", read.choice("conservative", "balanced", "aggressive"), "balanced"),
    _row("repaint_strength", _SHARE, 0.5),
    _row("repaint_latent_crossfade_frames", read.whole(0, 15_000), 10),
    _row("repaint_wav_crossfade_sec", read.number(0, LONGEST_SECONDS), 0.0),
    _row("chunk_mask_mode", read.choice("explicit", "auto"), "auto"),
    _row("audio_cover_strength", _SHARE, 1.0, "audioCoverStrength cover_strength coverStrength"),
    _row("cover_noise_strength", _SHARE, 0.0, "coverNoiseStrength"),
    # the diffusion transformer
    _row("inference_steps", read.whole(1, 200), None, "inferenceSteps"),
    _row("guidance_scale", read.number(0, 100), 7.0, "guidanceScale"),
    _row("shift", read.number(1, 5), 3.0),
    _row("infer_method", read.choice("ode", "sde"), "ode", "inferMethod"),
    _row("use_adg", read.switch, False),
    _row("cfg_interval_start", _SHARE, 0.0),
    _row("cfg_interval_end", _SHARE, 1.0),
    _row("timesteps", read.timesteps, ()),
    _row("use_tiled_decode", read.switch, True, "useTiledDecode"),
    _row("lora", read.text, ""),
    _row("lora_scale", _SHARE, 1.0),
    # the language model
    _row("thinking", read.switch, False),
    _row("sample_mode", read.switch, False, "sampleMode"),
    _row("sample_query", read.text, "", "sampleQuery description desc"),
    _row("use_format", read.polish, False, "useFormat format"),
    _row("use_cot_caption", read.switch, True, "cot_caption cot-caption"),
    _row("use_cot_language", read.switch, True, "cot_language cot-language"),
    _row("is_format_caption", read.switch, False, "isFormatCaption"),
    _row("allow_lm_batch", read.switch, True, "allowLmBatch parallel_thinking"),
    _row("constrained_decoding", read.switch, True, "constrainedDecoding constrained"),
    _row("constrained_decoding_debug", read.switch, False, "constrainedDecodingDebug"),
    _row("lm_model_path", read.text, ""),
    _row("lm_backend", read.choice("vllm", "pt", "mlx"), "vllm"),
    _row("lm_temperature", read.number(0, 10), 0.85),
    _row("lm_cfg_scale", read.number(0, 100), 2.5),
    _row("lm_negative_prompt", read.text, NEGATIVE_PROMPT),
    _row("lm_top_k", read.whole(0, 1_000_000), 0),
    _row("lm_top_p", read.number(0, 1, also=(0.0,), meaning=0.9), 0.9),
    _row("lm_repetition_penalty", read.number(0, 100), 1.0),
)
"""Every parameter of the REST API; `contract.acestep_values` says how each kind is read."""

DEFAULTS: Mapping[str, Any] = MappingProxyType({row.name: row.default for row in PARAMETERS})


def read_parameters(body: Mapping[str, object]) -> Mapping[str, Any]:
    """Give every parameter its typed value or default. Raises InputError with all problems, in the table's order."""
    values, problems = _read(body)
    if problems:
        raise InputError(problems)
    return values


def read_leniently(body: Mapping[str, object]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """As `read_parameters`, but what cannot be read becomes the default and what is too much the most allowed; each
    such substitution is a sentence beside the values."""
    values, problems = _read(body)
    sentences = tuple(
        f"{problem}; {shown(values[problem.field]) if problem.field in values else 'nothing'} was used instead"
        for problem in problems
    )
    return values, sentences


def _read(body: Mapping[str, object]) -> tuple[Mapping[str, Any], list[FieldProblem]]:
    """All values, the lenient ones where a value is not allowed, and a problem for each of those."""
    problems: list[FieldProblem] = []
    sources = _sources(body, problems)
    values = dict(DEFAULTS)
    for row in PARAMETERS:
        given = _given(row, sources)
        if given is None or (row.read is not read.text and isinstance(given, str) and not given.strip()):
            continue
        try:
            values[row.name] = row.read(given)
        except read.Misread as error:
            problems.append(FieldProblem(row.name, shown(given), str(error)))
            values[row.name] = row.default if error.instead is read.DEFAULT else error.instead
    return MappingProxyType(values), problems


def _given(row: Parameter, sources: Iterable[Mapping[str, object]]) -> object:
    for source in sources:
        for name in (row.name, *row.aliases):
            if source.get(name) is not None:
                return source[name]
    return None


def _sources(body: Mapping[str, object], problems: list[FieldProblem]) -> list[Mapping[str, object]]:
    """The places to look, in order: the body, `param_obj`, the first filled name for nested metadata."""
    sources = [body]
    metadata = next((name for name in NESTED_METADATA if body.get(name)), None)
    for name in ("param_obj", metadata):
        if name is not None and body.get(name):
            sources.append(_nested(name, body[name], problems))
    return sources


def _nested(name: str, value: object, problems: list[FieldProblem]) -> Mapping[str, object]:
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    elif isinstance(value, str):
        value = {}
    if not isinstance(value, dict):
        problems.append(FieldProblem(name, shown(value), "must be an object, or the JSON text of one"))
        return {}
    return value
