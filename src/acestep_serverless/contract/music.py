"""What may a caller ask of the handler? The guide's eight input fields and `seed`, one table, one check for all.

The table feeds the check, the documentation and the MCP schema alike. Names, types, defaults and descriptions of the
first eight are the guide's ("Handler Input Schema"); the ranges are the project's promise on top of it.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.errors import FieldProblem, InputError

SEED_MAXIMUM = 4_294_967_295
"""The largest seed: engines take 32 bits."""

UNKNOWN_FIELDS_LISTED = 16
"""So many unknown fields are named one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One input field. `type` is "string", "integer" or "boolean"; `default` None on a field that is not required means
    "the engine chooses"; `minimum` and `maximum` are inclusive: an integer's range, a string's length in characters."""

    name: str
    type: str
    required: bool
    default: str | int | bool | None
    description: str
    minimum: int = 0
    maximum: int = 0


TEXT_MAXIMUM = 1_000_000
"""Characters of a caption or of lyrics. Far beyond what any engine reads; whatever their script, both fit the body
that the ACE-Step API takes (acestep_api/body.py)."""

FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec("caption", "string", True, None, "Music/style prompt", 1, TEXT_MAXIMUM),
    FieldSpec("lyrics", "string", False, "", "Optional lyrics text", 0, TEXT_MAXIMUM),
    FieldSpec("duration", "integer", False, 90, "Target duration in seconds", 1, 600),
    FieldSpec("batch_size", "integer", False, 1, "Number of generations", 1, 8),
    FieldSpec("timeout_seconds", "integer", False, 1800, "Max wait for generation", 1, 86_400),
    FieldSpec("poll_interval", "integer", False, 3, "Status polling interval", 1, 3_600),
    FieldSpec("return_audio_base64", "boolean", False, False, "Embed audio data in response"),
    FieldSpec("max_base64_bytes", "integer", False, 8_000_000, "Skip base64 if file is larger", 0, 100_000_000),
    FieldSpec("seed", "integer", False, None, "Seed of the first song; omit for a random one", 0, SEED_MAXIMUM),
)
"""Every input field: the guide's eight in its order, then the project's own."""

_SPECS = {spec.name: spec for spec in FIELDS}
_OTHER_WORDS = {"prompt": "caption", "style": "caption", "audio_duration": "duration", "seconds": "duration"}


@dataclass(frozen=True, slots=True)
class MusicInput:
    """A checked request. Durations and intervals are whole seconds; `seed` None asks for a random one."""

    caption: str
    lyrics: str
    duration: int
    batch_size: int
    timeout_seconds: int
    poll_interval: int
    return_audio_base64: bool
    max_base64_bytes: int
    seed: int | None


def parse_music_input(value: object) -> MusicInput:
    """Check a job's `input` and fill in the defaults. Raises InputError with every problem found, in field order."""
    if not isinstance(value, Mapping):
        raise InputError([FieldProblem("input", shown(value), "must be an object with at least a caption")])
    problems: list[FieldProblem] = []
    fields: dict[str, Any] = {}
    for spec in FIELDS:
        try:
            fields[spec.name] = _field(spec, value)
        except InputError as error:
            problems.extend(error.problems)
    problems.extend(_unknown_fields(value))
    if problems:
        raise InputError(problems)
    return MusicInput(**fields)


def _field(spec: FieldSpec, given: Mapping[object, object]) -> object:
    value = given.get(spec.name)
    if value is not None:
        return _READERS[spec.type](spec, value)
    if not spec.required:
        return spec.default
    raise _refusal(spec, "null" if spec.name in given else "nothing")


def _string(spec: FieldSpec, value: object) -> str:
    if not isinstance(value, str) or (spec.required and not value.strip()):
        raise _refusal(spec, shown(value))
    if len(value) > spec.maximum:
        problem = f"must be at most {spec.maximum:,} characters long"
        raise InputError([FieldProblem(spec.name, f"{len(value):,} characters", problem)])
    if printable(value) != value:
        raise InputError(
            [FieldProblem(spec.name, shown(value), "must hold whole Unicode characters, no lone surrogates")]
        )
    return value


def _integer(spec: FieldSpec, value: object) -> int:
    """JSON has one kind of number, so 30.0 is 30; 30.5, "30" and true are not numbers of seconds or songs."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(spec, shown(value))
    if isinstance(value, float) and not value.is_integer():
        raise _refusal(spec, shown(value))
    if not spec.minimum <= value <= spec.maximum:
        raise _refusal(spec, shown(value))
    return int(value)


def _boolean(spec: FieldSpec, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refusal(spec, shown(value))
    return value


_READERS: Mapping[str, Callable[[FieldSpec, object], object]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
}


def _refusal(spec: FieldSpec, given: str) -> InputError:
    return InputError([FieldProblem(spec.name, given, f"must be {allowed(spec)}")])


def allowed(spec: FieldSpec) -> str:
    """Say what a field takes, for errors and documentation: "a whole number from 1 to 600"."""
    if spec.type == "integer":
        return f"a whole number from {spec.minimum:,} to {spec.maximum:,}"
    if spec.type == "boolean":
        return "true or false"
    return "a non-blank string" if spec.required else "a string"


def _unknown_fields(given: Mapping[object, object]) -> Iterator[FieldProblem]:
    unknown = [name for name in given if name not in _SPECS]
    for name in unknown[:UNKNOWN_FIELDS_LISTED]:
        text = name if isinstance(name, str) else shown(name)
        nearest = _nearest(text[:64])
        yield FieldProblem(_label(text), shown(given[name]), f'is not a known field (the nearest is "{nearest}")')
    if len(unknown) > UNKNOWN_FIELDS_LISTED:
        more = f"{len(unknown) - UNKNOWN_FIELDS_LISTED:,} more unknown ones"
        yield FieldProblem("input", more, "must hold known fields only")


def _nearest(name: str) -> str:
    word = name.strip().lower()
    close = difflib.get_close_matches(word, [*_SPECS, *_OTHER_WORDS], n=1, cutoff=0.0)[0]
    return _OTHER_WORDS.get(close, close)


def _label(name: str) -> str:
    return name if name.isidentifier() and len(name) <= 64 else shown(name)
