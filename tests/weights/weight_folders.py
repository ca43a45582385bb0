"""Folders that look like models to a search: real configs of the published shapes, and empty files for weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acestep_serverless.engines.acestep.published import CODEC, PLANNERS, TEXT, TURBO, XL_TURBO

BASE = {**TURBO, "is_turbo": False, "model_version": "base"}
XL_BASE = {**XL_TURBO, "is_turbo": False, "model_version": "base"}
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "acestep-v15-turbo": TURBO,
    "acestep-v15-base": BASE,
    "acestep-v15-xl-turbo": XL_TURBO,
    "acestep-v15-xl-base": XL_BASE,
    "vae": {"_class_name": "AutoencoderOobleck", **CODEC},
    "Qwen3-Embedding-0.6B": {"model_type": "qwen3", **TEXT},
    **{name: {"model_type": "qwen3", **fields} for name, fields in PLANNERS.items()},
}
SHARED = ("vae", "Qwen3-Embedding-0.6B")


def lay(folder: Path, *names: str) -> Path:
    """Put folders of these names into `folder`."""
    for name in names:
        lay_one(folder / name, CONFIGS[name])
    return folder


def lay_one(folder: Path, config: Mapping[str, Any]) -> Path:
    """Make one folder with a config and weights that nobody reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    (folder / "model.safetensors").touch()
    return folder


def lay_pipeline(folder: Path, parts: tuple[str, ...]) -> Path:
    """Make a folder in diffusers' layout with these parts."""
    folder.mkdir(parents=True, exist_ok=True)
    index = {"_class_name": "AceStepPipeline", **{part: ["somewhere", "SomeClass"] for part in parts}}
    (folder / "model_index.json").write_text(json.dumps(index))
    for part in parts:
        fields = {"transformer": TURBO, "vae": CODEC, "text_encoder": TEXT}.get(part, TURBO)
        lay_one(folder / part, fields)
    return folder


def cached(hub: Path, repository: str, commit: str = "abc123", *, ref: str = "abc123") -> Path:
    """Make an empty snapshot in a Hugging Face cache and give its folder."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(ref)
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    return snapshot
