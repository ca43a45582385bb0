"""What can an engine do, in words for another machine? A worker's statement about its engine, and several as one.

A worker of ours sends it to its gateway once, as JSON (`statement`); workers of others send none, and of them nothing
is known. It tells callers what to ask for; whether a request is done is decided by the worker that has it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from acestep_serverless.contract.acestep_parameters import DEFAULTS
from acestep_serverless.contract.music_fields import NAME
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.errors import FieldProblem, InputError

NO_MODEL = ""
"""Stands for the model of requests that name none: the engine's default one."""
MOST_MODELS = 64
"""Models in one statement; the published ones are fewer than ten."""
LONGEST, LARGEST_BATCH = 86_400.0, 1_000
"""What a statement may say at most of a song's seconds and of the songs in one job."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What can be asked for. `task_types` has the task types by model, with NO_MODEL for requests that name none;
    `uses` the parameters of the REST API that change songs beyond words, metas, seeds and format (`Engine.uses`);
    `longest` is in seconds, `largest_batch` in songs of one job."""

    engines: tuple[str, ...]
    task_types: Mapping[str, frozenset[str]]
    uses: frozenset[str]
    longest: float
    largest_batch: int

    @property
    def models(self) -> tuple[str, ...]:
        """The models that a request may name, in the order in which they were stated."""
        return tuple(name for name in self.task_types if name != NO_MODEL)

    @property
    def any_task_type(self) -> frozenset[str]:
        """What some model does, whether a request has to name it or not."""
        return frozenset().union(*self.task_types.values())

    @property
    def plans(self) -> bool:
        """Whether a language model plans songs."""
        return "thinking" in self.uses

    @property
    def takes_reference(self) -> bool:
        """Whether songs can be made to sound like given audio."""
        return "reference_audio_path" in self.uses

    @property
    def takes_source(self) -> bool:
        """Whether given audio can be worked on."""
        return any(TASKS[name].source for name in self.any_task_type)


def in_order(task_types: frozenset[str]) -> list[str]:
    """Sort task types as the REST API lists them."""
    return sorted(task_types, key=list(TASKS).index)


def union(known: Sequence[Abilities]) -> Abilities | None:
    """Say what at least one of several engines can do; None of none."""
    if not known:
        return None
    models = dict.fromkeys(name for one in known for name in one.task_types)
    return Abilities(
        engines=tuple(dict.fromkeys(name for one in known for name in one.engines)),
        task_types={
            name: frozenset().union(*(one.task_types.get(name, frozenset()) for one in known)) for name in models
        },
        uses=frozenset().union(*(one.uses for one in known)),
        longest=max(one.longest for one in known),
        largest_batch=max(one.largest_batch for one in known),
    )


def statement(abilities: Abilities) -> dict[str, Any]:
    """Give the JSON object that a worker sends."""
    return {
        "engines": list(abilities.engines),
        "task_types": _listed(abilities),
        "uses": sorted(abilities.uses),
        "longest": abilities.longest,
        "largest_batch": abilities.largest_batch,
    }


def summary(abilities: Abilities) -> dict[str, Any]:
    """Give what a caller reads of an endpoint: the statement in short, with what follows from it."""
    return {
        "engines": list(abilities.engines),
        "models": list(abilities.models),
        "task_types": _listed(abilities),
        "longest_seconds": abilities.longest,
        "largest_batch": abilities.largest_batch,
        "plans": abilities.plans,
        "reference_audio": abilities.takes_reference,
        "source_audio": abilities.takes_source,
    }


def _listed(abilities: Abilities) -> dict[str, list[str]]:
    return {name: in_order(tasks) for name, tasks in abilities.task_types.items()}


def read_statement(given: object) -> Abilities:
    """Read what `statement` gives. Raises InputError that names every member that is missing, unknown or wrong: what is
    kept of a worker is all that it said."""
    if not isinstance(given, dict):
        raise InputError([FieldProblem("abilities", shown(given), "must be a JSON object")])
    problems = [
        FieldProblem(name, shown(given[name]) if name in given else "nothing", f"must be {member.allowed}")
        for name, member in _MEMBERS.items()
        if not member.fits(given.get(name))
    ]
    problems += [
        FieldProblem(shown(name), shown(given[name]), f"must be absent: known are {', '.join(_MEMBERS)}")
        for name in sorted(given.keys() - _MEMBERS.keys())
    ]
    if problems:
        raise InputError(problems)
    return Abilities(
        engines=tuple(given["engines"]),
        task_types={name: frozenset(tasks) for name, tasks in given["task_types"].items()},
        uses=frozenset(given["uses"]),
        longest=float(given["longest"]),
        largest_batch=given["largest_batch"],
    )


@dataclass(frozen=True, slots=True)
class _Member:
    fits: Callable[[Any], bool]
    allowed: str


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= most


def _are(value: object, known: Callable[[str], object], most: int) -> bool:
    """Tell whether it is a list of at most `most` texts, each of them `known`."""
    return isinstance(value, list) and len(value) <= most and all(isinstance(one, str) and known(one) for one in value)


def _are_tasks_by_model(value: object) -> bool:
    if not isinstance(value, dict) or NO_MODEL not in value or len(value) > MOST_MODELS + 1:
        return False
    named = all(name == NO_MODEL or NAME.fullmatch(name) for name in value)
    return named and all(tasks and _are(tasks, TASKS.__contains__, len(TASKS)) for tasks in value.values())


_MEMBERS: Mapping[str, _Member] = MappingProxyType(
    {
        "engines": _Member(lambda value: bool(value) and _are(value, NAME.fullmatch, 8), "a list of 1 to 8 names"),
        "task_types": _Member(
            _are_tasks_by_model,
            f'an object that has "" and at most {MOST_MODELS} models, each with a list of {", ".join(TASKS)}',
        ),
        "uses": _Member(
            lambda value: _are(value, DEFAULTS.__contains__, len(DEFAULTS)), "a list of parameters of the REST API"
        ),
        "longest": _Member(lambda value: _is_number(value, LONGEST), f"a number of seconds from 1 to {LONGEST:,.0f}"),
        "largest_batch": _Member(
            lambda value: isinstance(value, int) and _is_number(value, LARGEST_BATCH),
            f"a whole number from 1 to {LARGEST_BATCH:,}",
        ),
    }
)
