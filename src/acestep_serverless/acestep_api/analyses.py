"""What does a caller read about an analysis? Upstream's three shapes, of which only one looks like a song's item."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from acestep_serverless.acestep_api.task import Task
from acestep_serverless.contract.acestep import Item
from acestep_serverless.engines.base import Analysis

NOT_FOUND = "N/A"


def analysis_item(task: Task, found: Analysis, blank: Item, language_model: str) -> Mapping[str, object]:
    """Give the item of an analysis, in the shape of the parameter that asked for it.

    What upstream does not have comes last: `engine`, `lm_model` and `warnings` in each.
    """
    ours = {
        "engine": blank["engine"],
        "lm_model": language_model,
        "warnings": list(dict.fromkeys((*task.order.warnings, *found.warnings))),
    }
    return {**_SHAPES[task.order.request.analysis](task, found, blank), **ours}


def _of_words(task: Task, found: Analysis, blank: Item) -> Mapping[str, object]:
    """A song's item without a song."""
    request = task.order.request
    return {
        **blank,
        "prompt": found.caption,
        "lyrics": found.lyrics,
        "metas": {
            **_metas(found),
            "genres": found.genres or NOT_FOUND,
            "prompt": request.caption,
            "lyrics": request.lyrics,
        },
        "generation_info": "Analysis Only Mode Complete",
        "seed_value": ",".join(str(seed) for seed in request.seeds),
        "dit_model": "None (Analysis Only)",
    }


def _of_sound(_task: Task, found: Analysis, _blank: Item) -> Mapping[str, object]:
    texts = {"lyrics": found.lyrics, "language": found.vocal_language}
    return {
        "status_message": "Full Hardware Analysis Success",
        **_metas(found),
        "genre": found.genres,
        "prompt": found.caption,
        **texts,
        "metas": {**_metas(found), "caption": found.caption, **texts, "genres": found.genres},
        "audio_paths": [],
    }


def _of_codes(_task: Task, found: Analysis, _blank: Item) -> Mapping[str, object]:
    return {
        "status_message": "Audio Codes Extraction Success",
        "audio_codes": found.audio_codes,
        "audio_paths": [],
        "raw_audio_paths": [],
        "first_audio_path": None,
        "metas": {},
    }


def _metas(found: Analysis) -> dict[str, object]:
    return {
        "bpm": NOT_FOUND if found.bpm is None else found.bpm,
        "duration": NOT_FOUND if found.duration is None else found.duration,
        "keyscale": found.key_scale or NOT_FOUND,
        "timesignature": found.time_signature or NOT_FOUND,
    }


_SHAPES: Mapping[str, Callable[[Task, Analysis, Item], Mapping[str, object]]] = MappingProxyType(
    {"analysis_only": _of_words, "full_analysis_only": _of_sound, "extract_codes_only": _of_codes}
)
