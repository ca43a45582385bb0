"""How are models listed? OpenRouter's shape at `/v1/models`, upstream's own at `/v1/model_inventory`."""

from collections.abc import Sequence

from acestep_serverless.contract.music_tasks import TASKS

CONTEXT_LENGTH = 4096
"""Characters of lyrics; OpenRouter's readers expect a number."""


def openrouter_models(
    models: Sequence[str], *, prefix: str, created: int, edits: bool, longest: float
) -> dict[str, object]:
    """List models, the default one first. `created` is in seconds since 1970; `longest` is a song's limit in seconds;
    `edits` says whether sound is taken beside text. There is no envelope around it."""
    return {
        "object": "list",
        "data": [
            {
                "id": f"{prefix}{name}",
                "name": f"ACE-Step {name}",
                "created": created,
                "input_modalities": ["text", "audio"] if edits else ["text"],
                "output_modalities": ["audio", "text"],
                "context_length": CONTEXT_LENGTH,
                "max_output_length": int(longest),
                "pricing": {"prompt": "0", "completion": "0", "request": "0", "image": "0"},
                "description": "AI music generation model",
                "architecture": None,
            }
            for name in models
        ],
    }


def inventory(models: Sequence[str], loaded: str, task_types: frozenset[str], language_model: str) -> dict[str, object]:
    """List models with what they do, `loaded` being the one in memory, and the language model; "" is none."""
    supported = [name for name in TASKS if name in task_types]
    return {
        "models": [
            {
                "name": name,
                "is_default": name == models[0],
                "is_loaded": name == loaded,
                "supported_task_types": supported,
            }
            for name in models
        ],
        "default_model": models[0],
        "lm_models": [{"name": language_model, "is_loaded": True}] if language_model else [],
        "loaded_lm_model": language_model or None,
        "llm_initialized": bool(language_model),
    }
