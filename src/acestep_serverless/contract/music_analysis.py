"""What does the handler answer when no song was asked for? The success payload around what an analysis found."""

from collections.abc import Mapping
from typing import Any

from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_output import strict

_METAS = ("bpm", "duration", "genres", "keyscale", "timesignature")
_OTHER_NAMES = {"genres": "genre", "vocal_language": "language"}
"""What the ACE-Step API calls two of the fields in one of its three answers."""


def analysis_output(task_id: str, request: MusicInput, finding: Mapping[str, Any]) -> dict[str, object]:
    """Build the payload from an item of the ACE-Step API: one result, with the words, metas and codes that it holds.

    The item is flat for `full_analysis_only`, has `metas` for `analysis_only`, and little but `audio_codes` for
    `extract_codes_only`; a field that is not in it is left out, too.
    """
    metas = finding.get("metas")
    known = {**_taken(metas if isinstance(metas, Mapping) else {}, _METAS), **_taken(finding, _METAS)}
    result = {
        "analysis": request.analysis,
        **_taken(finding, ("prompt", "lyrics")),
        "metas": known,
        **_taken(finding, ("vocal_language", "audio_codes", "lm_model", "engine")),
    }
    output = {
        "task_id": task_id,
        "status": "completed",
        "duration": request.duration,
        "batch_size": request.batch_size,
        "results": [result],
    }
    warnings = finding.get("warnings")
    if isinstance(warnings, list) and warnings:
        output["warnings"] = list(dict.fromkeys(str(warning) for warning in warnings))
    checked: dict[str, object] = strict(output)
    return checked


def _taken(finding: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Take fields by our names or the other ones; what is empty says nothing and is left out."""
    found = {name: finding.get(name) or finding.get(_OTHER_NAMES.get(name, name)) for name in names}
    return {name: value for name, value in found.items() if value not in (None, "", "N/A")}
