"""What is to be made? Flags and a file of one wish or of many become inputs of jobs, with files of this machine found.

A file is YAML, JSON or one JSON object a line. An item is the input of a job, or a job body whose only member is
`input`. Flags fill in what an item leaves out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_serverless.client.wishes import job_body
from acestep_serverless.contract.music_fields import SPECS
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError

LARGEST_FILE = 16 << 20
MOST_WISHES = 10_000
AUDIO_FIELDS = ("src_audio", "reference_audio")
ELSEWHERE = ("http://", "https://", "data:", "/v1/audio?")
LONGEST_NAME = 1_024
"""Characters of what may be a path; a longer text is the audio itself."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The inputs to make, and whether they came as a list."""

    items: tuple[dict[str, Any], ...]
    listed: bool


def read_wishes(file: Path | None, flags: Mapping[str, Any], settings: tuple[str, ...], *, check: bool) -> Wishes:
    """Read what is asked for. `flags` that are None are left out; `settings` are texts such as "bpm=90".

    With `check` every item must be one that the handler takes. Raises InputError, which names the item in a list.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    given |= dict(_setting(text) for text in settings)
    given = _with_files(given, Path())
    if file is None:
        items: list[dict[str, Any]] = [{}]
        listed = False
    else:
        found = _loaded(file)
        listed = isinstance(found, list)
        items = [_item(item, number) for number, item in enumerate(found if isinstance(found, list) else [found], 1)]
    folder = Path() if file is None else file.parent
    wishes = [{**given, **_with_files(item, folder)} for item in items]
    if not 1 <= len(wishes) <= MOST_WISHES:
        raise InputError([FieldProblem("--from", f"{len(wishes):,} items", f"must be a list of 1 to {MOST_WISHES:,}")])
    if check:
        _check(wishes, listed)
    return Wishes(tuple(wishes), listed)


def _setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value of a field that takes text is text, any other is JSON where it can be."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError([FieldProblem("--set", shown(text), "must be NAME=VALUE such as bpm=90")])
    name = name.strip()
    if name in SPECS and SPECS[name].type == "string":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _loaded(file: Path) -> Any:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise InputError([FieldProblem("--from", str(file), f"must be a file of at most {LARGEST_FILE:,} bytes")])
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError([FieldProblem("--from", str(file), f"must be a file that can be read ({reason})")]) from None
    if file.suffix == ".jsonl":
        return [
            _json(line, f"line {number} of {file}") for number, line in enumerate(text.splitlines(), 1) if line.strip()
        ]
    return _json(text, str(file)) if file.suffix == ".json" else _yaml(text, file)


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError([FieldProblem("--from", where, f"must be JSON ({str(error)[:80]})")]) from None


def _yaml(text: str, file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}, line {mark.line + 1}" if mark else str(file)
        reason = getattr(error, "problem", None) or "nested too deep"
        raise InputError([FieldProblem("--from", place, f"must be YAML or JSON ({reason})")]) from None


def _item(item: Any, number: int) -> dict[str, Any]:
    body = item["input"] if isinstance(item, dict) and list(item) == ["input"] else item
    if not isinstance(body, dict) or not all(isinstance(name, str) for name in body):
        raise InputError([FieldProblem(f"item {number}", shown(body), "must be an object of input fields")])
    return body


def _with_files(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Replace the name of a file of this machine, looked for from `folder`, by its Path; all else stays as it is."""
    return {name: _path(value, folder) if name in AUDIO_FIELDS else value for name, value in item.items()}


def _path(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or value.startswith(ELSEWHERE) or len(value) > LONGEST_NAME or "\0" in value:
        return value
    try:
        path = folder / Path(value).expanduser()
        return path if path.is_file() else value
    except (OSError, RuntimeError):
        return value


def _check(wishes: list[dict[str, Any]], listed: bool) -> None:
    problems = []
    for number, wish in enumerate(wishes, 1):
        try:
            job_body(wish, {}, {})
        except InputError as error:
            where = f"item {number}: " if listed else ""
            problems += [
                FieldProblem(f"{where}{problem.field}", problem.given, problem.allowed) for problem in error.problems
            ]
    if problems:
        raise InputError(problems[:20])
