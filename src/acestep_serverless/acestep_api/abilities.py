"""Can this engine do what was asked? Work that it does not do is refused; what would merely tune it is named.

Whoever asks for work and gets a song without it has another song than the one asked for, so such a parameter must be
at its default. A parameter that tunes changes how well the same song is made: it is accepted, and the song's warnings
say that it had no effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from acestep_serverless.acestep_api.findings import Findings
from acestep_serverless.acestep_api.sounds import REFERENCE, SOURCE
from acestep_serverless.contract.acestep_parameters import DEFAULTS
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.engines.base import ANALYSES, Engine

_PLAIN = (
    "prompt lyrics bpm key_scale time_signature audio_duration vocal_language batch_size use_random_seed seed "
    "audio_format model task_type"
)
PLAIN = frozenset(_PLAIN.split())
"""Parameters that every engine's songs follow, or that have rules of their own (orders.py)."""

_NO_PLANNER = "the {engine} engine has no language model"


@dataclass(frozen=True, slots=True)
class Work:
    """Why a parameter must be at its default, and whether the lenient reading leaves the work out."""

    allowed: str
    lenient: bool = False


WORK: Mapping[str, Work] = MappingProxyType(
    {
        REFERENCE: Work("must be empty: the {engine} engine takes no reference audio"),
        SOURCE: Work("must be empty: the {engine} engine takes no source audio"),
        "audio_code_string": Work("must be empty: the {engine} engine takes no audio codes"),
        "analysis_only": Work(f"must be false: {_NO_PLANNER}"),
        "full_analysis_only": Work(f"must be false: {_NO_PLANNER}"),
        "extract_codes_only": Work("must be false: the {engine} engine has no audio codes"),
        "lora": Work("must be empty: the {engine} engine wears no adapters"),
        "thinking": Work(f"must be false: {_NO_PLANNER}", lenient=True),
        "sample_mode": Work(f"must be false: {_NO_PLANNER}"),
        "sample_query": Work(f"must be empty: {_NO_PLANNER}"),
        "use_format": Work(f"must be false: {_NO_PLANNER} (the file format is `audio_format`)", lenient=True),
    }
)
"""Parameters whose every value but the default asks for work, unless it is among the engine's `uses`."""

HEARS = frozenset({"full_analysis_only", "extract_codes_only"})
"""Analyses of source audio; the third one, `analysis_only`, is about words."""


def check_abilities(values: dict[str, Any], given_sounds: frozenset[str], engine: Engine, findings: Findings) -> None:
    """Find what this engine cannot do; in `values`, what the lenient reading leaves out goes back to its default.

    `given_sounds` names the sound parameters (SOURCE, REFERENCE) that the request has, as an upload or as a name.
    """
    _check_task(values, given_sounds, engine, findings)
    for name, work in WORK.items():
        asked = name in given_sounds if name in (SOURCE, REFERENCE) else _asked(name, values[name])
        if asked and not _does(name, engine):
            allowed = work.allowed.format(engine=engine.name)
            _leave_out(name, work, allowed, values, findings)
    for name, value in values.items():
        if name not in PLAIN and name not in WORK and name not in engine.uses and _asked(name, value):
            findings.warn(f"{name} has no effect: the {engine.name} engine does not use it")


def _does(name: str, engine: Engine) -> bool:
    if name == SOURCE:
        return bool(HEARS & engine.uses) or any(TASKS[task].source for task in engine.task_types)
    return name in engine.uses


def _asked(name: str, value: object) -> bool:
    return value != DEFAULTS[name] and not (isinstance(value, str) and not value.strip())


def _leave_out(name: str, work: Work, allowed: str, values: dict[str, Any], findings: Findings) -> None:
    given = shown(values[name]) if _asked(name, values[name]) else "an upload"
    if work.lenient:
        values[name] = findings.mend(name, given, allowed, DEFAULTS[name], "it was not done")
    else:
        findings.refuse(name, given, allowed)


def _analysis(values: Mapping[str, Any], findings: Findings) -> str:
    """The analysis that is wanted instead of songs, "" for songs."""
    asked = [name for name in ANALYSES if values[name]]
    for name in asked[1:]:
        findings.refuse(name, "true", f"must be false beside {asked[0]}: a task has one result")
    return asked[0] if asked else ""


def _check_task(values: dict[str, Any], given_sounds: frozenset[str], engine: Engine, findings: Findings) -> None:
    """The task type must be one that the engine does, and have what it works on, no more and no less."""
    task, analysis = TASKS[values["task_type"]], _analysis(values, findings)
    needs, has = analysis in HEARS or (not analysis and task.source), SOURCE in given_sounds
    codes_do = not analysis and task.codes and bool(values["audio_code_string"].strip())
    if task.name not in engine.task_types:
        does = ", ".join(sorted(engine.task_types, key=list(TASKS).index))
        findings.refuse("task_type", shown(task.name), f"must be {does} with the {engine.name} engine")
    elif analysis and not _does(analysis, engine):
        return  # refused by its own name
    elif needs and not has and not codes_do:
        _missing_source(values, analysis or task.name, findings)
    elif has and not needs and _does(SOURCE, engine):
        allowed = f"must be absent: {analysis or f'task_type {task.name}'} works on no source audio"
        findings.refuse(SOURCE, shown(values[SOURCE]) if values[SOURCE] else "an upload", allowed)


def _missing_source(values: dict[str, Any], work: str, findings: Findings) -> None:
    allowed = f"must name the source audio for {work}, or be uploaded as src_audio"
    if work.startswith("cover"):
        values["task_type"] = findings.mend(SOURCE, "nothing", allowed, "text2music", "text2music was done")
    else:
        findings.refuse(SOURCE, "nothing", allowed)
