"""What may be wished of an engine that has weights? Where to look for them, which to take, and where to compute.

Plain values, made by `assembly` from the settings and the environment: engines see neither.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The wishes of the settings of the same names, and the folders that the environment names.

    `models_dir` is looked in first; `hub` is the Hugging Face cache; `volumes` are Runpod's mounts. `model` "" is the
    usual one, `planner` "auto" the largest that fits and "none" no planner; the others leave the choice to the
    machine with "auto" (engines/acestep/placement.py).
    """

    models_dir: Path | None = None
    hub: Path | None = None
    volumes: tuple[Path, ...] = ()
    model: str = ""
    planner: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    offload: str = "auto"
    compile: str = "auto"
