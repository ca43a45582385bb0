"""How does a process get its engine? The settings' wishes, and the folders that the environment names for weights."""

import os
from collections.abc import Mapping
from pathlib import Path

from acestep_serverless.engines import load_engine
from acestep_serverless.engines.base import Engine
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.settings import Settings

RUNPOD_VOLUME, POD_VOLUME = Path("/runpod-volume"), Path("/workspace")
"""Where Runpod mounts a network volume: in serverless workers (its cached models too), and in pods."""


def engine_options(settings: Settings, environ: Mapping[str, str] = os.environ) -> EngineOptions:
    """Put the wishes of the settings and the folders of the environment together."""
    volumes = (RUNPOD_VOLUME, POD_VOLUME) if "RUNPOD_POD_ID" in environ else (RUNPOD_VOLUME,)
    return EngineOptions(
        models_dir=settings.models_dir,
        hub=hub_folder(environ),
        volumes=volumes,
        model=settings.model,
        planner=settings.planner,
        device=settings.device,
        precision=settings.precision,
        offload=settings.offload,
        compile=settings.compile,
    )


def hub_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder of the Hugging Face cache, by the variables and defaults of huggingface_hub."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(name):
            return Path(environ[name]).expanduser()
    home = environ.get("HF_HOME") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def build_engine(settings: Settings, environ: Mapping[str, str] = os.environ) -> Engine:
    """Give the engine that the settings wish for, not yet loaded. Raises EngineUnavailable."""
    return load_engine(settings.engine, engine_options(settings, environ))
