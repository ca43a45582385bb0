"""What may a caller ask of the handler? Fields are checked one by one, then together, and every problem said at once.

The fields are those of `contract.music_fields`; what they mean together (a task needs its audio, a song its words) is
said here.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from acestep_serverless.contract.acestep_parameters import PARAMETERS
from acestep_serverless.contract.acestep_values import text
from acestep_serverless.contract.music_fields import FIELDS, SEED_MAXIMUM, SPECS, FieldSpec, allowed, read_field
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_sources import AudioSource
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.errors import FieldProblem, InputError

UNKNOWN_FIELDS_LISTED = 16
"""So many unknown fields are named one by one; the rest are counted."""

WORKS_ON_AUDIO = ("full_analysis_only", "extract_codes_only")
"""Wishes that are about `src_audio` itself, whatever the task."""

INVENTS_WORDS = ("sample_mode", "sample_query")
"""Wishes under which a language model writes the caption."""

_OTHER_WORDS = {
    **{alias.lower(): row.name for row in PARAMETERS for alias in row.aliases if row.name in SPECS},
    **dict.fromkeys(("prompt", "style"), "caption"),
    **dict.fromkeys(("audio_duration", "audioduration", "target_duration", "targetduration", "seconds"), "duration"),
    **dict.fromkeys(("src_audio_path", "srcaudiopath", "ctx_audio", "ctx_audio_path", "source_audio"), "src_audio"),
    **dict.fromkeys(("reference_audio_path", "ref_audio", "ref_audio_path", "referenceaudiopath"), "reference_audio"),
    **dict.fromkeys(("format", "output_format"), "audio_format"),
    **dict.fromkeys(("length", "duration_seconds"), "duration"),
    **dict.fromkeys(("num_songs", "count"), "batch_size"),
    "tempo": "bpm",
    "key": "key_scale",
    "steps": "inference_steps",
    "seeds": "seed",
}
"""What the same things are called elsewhere, in small letters."""


@dataclass(frozen=True, slots=True)
class MusicInput:
    """A checked request. Durations and intervals are whole seconds; `seed` None asks for random ones, a tuple holds
    one for each song. `parameters` are those of the REST API that the request gives, under its canonical names and
    as JSON that every version of the server reads; `given` names every field that the request gives."""

    caption: str
    lyrics: str
    duration: int
    batch_size: int
    timeout_seconds: int
    poll_interval: int
    return_audio_base64: bool
    max_base64_bytes: int
    seed: int | tuple[int, ...] | None
    src_audio: AudioSource | None = None
    reference_audio: AudioSource | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def task_type(self) -> str:
        """What is to be done: "text2music" unless the request says otherwise."""
        return str(self.parameters.get("task_type", "text2music"))

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """The seed of each song: one number n stands for n, n + 1, ...; None lets the server draw them."""
        if self.seed is None or isinstance(self.seed, tuple):
            return self.seed
        return tuple((self.seed + index) % (SEED_MAXIMUM + 1) for index in range(self.batch_size))

    @property
    def analysis(self) -> str:
        """The name of the parameter that asks for words or codes in place of songs; "" for songs."""
        return next((name for name in ("analysis_only", *WORKS_ON_AUDIO) if self.parameters.get(name)), "")


def parse_music_input(value: object) -> MusicInput:
    """Check a job's `input` and fill in the defaults. Raises InputError with every problem found, in field order."""
    if not isinstance(value, Mapping):
        raise InputError([FieldProblem("input", shown(value), "must be an object with at least a caption")])
    given = {name: value[name] for name, spec in SPECS.items() if not _left_open(spec, value.get(name))}
    problems: list[FieldProblem] = []
    read: dict[str, Any] = {}
    for name, item in given.items():
        try:
            read[name] = read_field(SPECS[name], item)
        except InputError as error:
            problems.extend(error.problems)
    problems.extend(_together(value, read, wrong={problem.field for problem in problems}))
    problems.sort(key=lambda problem: list(SPECS).index(problem.field))
    problems.extend(_unknown_fields(value))
    if problems:
        raise InputError(problems)
    return _input(read)


def _left_open(spec: FieldSpec, value: object) -> bool:
    """Null leaves every field out; so does a blank text where the field takes one word out of several, or a name."""
    blank = isinstance(value, str) and not value.strip()
    return value is None or (blank and spec.parameter and spec.reader is not text)


def _input(read: Mapping[str, Any]) -> MusicInput:
    own = {spec.name: read.get(spec.name, spec.default) for spec in FIELDS if not spec.parameter}
    own["caption"] = own["caption"] or ""
    parameters = {name: value for name, value in read.items() if SPECS[name].parameter and name != "use_random_seed"}
    return MusicInput(**own, parameters=MappingProxyType(parameters), given=frozenset(read))


def _together(given: Mapping[object, object], read: Mapping[str, Any], *, wrong: set[str]) -> Iterator[FieldProblem]:
    """Problems of fields that do not fit each other; nothing is concluded from a field that is wrong by itself."""
    task = TASKS[read.get("task_type", "text2music")]
    wordless = any(read.get(name) for name in (*WORKS_ON_AUDIO, *INVENTS_WORDS)) or not task.caption
    if "caption" not in wrong and not str(read.get("caption", "")).strip() and not wordless:
        said = shown(given["caption"]) if "caption" in given else "nothing"
        yield FieldProblem("caption", said, f"must be {allowed(SPECS['caption'])}")
    if not wrong & {"seed", "batch_size", "use_random_seed"}:
        yield from _seeds_together(read)
    if not wrong & {"task_type", "src_audio", "audio_code_string", *WORKS_ON_AUDIO}:
        yield from _audio_together(read)


def _seeds_together(read: Mapping[str, Any]) -> Iterator[FieldProblem]:
    seed, songs = read.get("seed"), read.get("batch_size", SPECS["batch_size"].default)
    if isinstance(seed, tuple) and len(seed) != songs:
        yield FieldProblem("seed", f"{len(seed)} seeds", f"must hold one seed for each song, and batch_size is {songs}")
    random = read.get("use_random_seed")
    if random is True and seed is not None:
        yield FieldProblem("use_random_seed", "true", "must be false or absent where a seed is given")
    if random is False and seed is None:
        yield FieldProblem("use_random_seed", "false", "must be true or absent where no seed is given")


def _audio_together(read: Mapping[str, Any]) -> Iterator[FieldProblem]:
    task = TASKS[read.get("task_type", "text2music")]
    wish = next((name for name in WORKS_ON_AUDIO if read.get(name)), None)
    codes = task.codes and bool(str(read.get("audio_code_string", "")).strip())
    if "src_audio" in read and not task.source and wish is None:
        tasks = ", ".join(other.name for other in TASKS.values() if other.source)
        yield FieldProblem("src_audio", "audio", f"must be absent with task_type {task.name}; {tasks} work on it")
    if "src_audio" not in read and (wish is not None or (task.source and not codes)):
        reason = wish or f"task_type {task.name}"
        instead = ", or audio_code_string in its place" if task.codes and wish is None else ""
        yield FieldProblem("src_audio", "nothing", f"must be given with {reason}{instead}")


def _unknown_fields(given: Mapping[object, object]) -> Iterator[FieldProblem]:
    unknown = [name for name in given if name not in SPECS]
    for name in unknown[:UNKNOWN_FIELDS_LISTED]:
        text = name if isinstance(name, str) else shown(name)
        yield FieldProblem(_label(text), shown(given[name]), f"is not a known field ({_hint(text[:64])})")
    if len(unknown) > UNKNOWN_FIELDS_LISTED:
        more = f"{len(unknown) - UNKNOWN_FIELDS_LISTED:,} more unknown ones"
        yield FieldProblem("input", more, "must hold known fields only")


def _hint(name: str) -> str:
    """Say which field may be meant; a word that is like none of them gets no guess, which would only lead astray."""
    close = difflib.get_close_matches(name.strip().lower(), [*SPECS, *_OTHER_WORDS], n=1)
    if not close:
        return f"docs/api.md lists all {len(SPECS)}"
    return f'the nearest is "{close[0] if close[0] in SPECS else _OTHER_WORDS[close[0]]}"'


def _label(name: str) -> str:
    return name if name.isidentifier() and len(name) <= 64 else shown(name)
