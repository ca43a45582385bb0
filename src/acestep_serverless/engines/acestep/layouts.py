"""Which files make a model? What a folder holds, told by its config, in diffusers' layout or the upstream project's.

    diffusers     NAME/model_index.json, and a folder each: transformer, condition_encoder, vae, text_encoder, ...
    checkpoints   NAME/config.json and one set of weights; vae/ and Qwen3-Embedding-0.6B/ beside it or elsewhere

A planner is the same in both: a folder with "5Hz-lm" in its name. Only `.safetensors` files count as weights. Nothing
here reads a weight, and nothing needs torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from acestep_serverless.errors import EngineUnavailable

CONFIG, PIPELINE = "config.json", "model_index.json"
WEIGHTS = ("model.safetensors", "diffusion_pytorch_model.safetensors")
SILENCE = "silence_latent.pt"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
LARGEST_JSON = 64 * 1024 * 1024


class Kind(StrEnum):
    """What a folder can hold."""

    PIPELINE = "pipeline"
    MODEL = "model"
    PLANNER = "planner"
    CODEC = "vae"
    TEXT = "text_encoder"


@dataclass(frozen=True, slots=True)
class Piece:
    """One folder that holds something of use, under the name that requests and settings know it by."""

    kind: Kind
    name: str
    folder: Path


def recognise(folder: Path, name: str) -> Piece | None:
    """Tell what a folder holds, or None. Raises EngineUnavailable when its config is no JSON object."""
    if (folder / PIPELINE).is_file():
        is_ours = read_object(folder / PIPELINE).get("_class_name") == "AceStepPipeline"
        return Piece(Kind.PIPELINE, name.removesuffix("-diffusers"), folder) if is_ours else None
    if not (folder / CONFIG).is_file():
        return None
    kind = _kind(read_object(folder / CONFIG), name)
    return Piece(kind, name, folder) if kind is not None and has_weights(folder) else None


def _kind(config: Mapping[str, Any], name: str) -> Kind | None:
    if config.get("_class_name") == "AutoencoderOobleck":
        return Kind.CODEC
    if config.get("model_type") == "acestep":
        return Kind.MODEL
    if config.get("model_type") != "qwen3":
        return None
    # The config of the text encoder names the same class as the planners' do; only their names differ.
    if "5hz-lm" in name.lower():
        return Kind.PLANNER
    return Kind.TEXT if "embedding" in name.lower() else None


def has_weights(folder: Path) -> bool:
    """Tell whether weights lie there: one file, or an index of shards."""
    return any((folder / name).is_file() or _index(folder, name).is_file() for name in WEIGHTS)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Give the files of weights of a folder, shards in order. Raises EngineUnavailable naming what is missing."""
    for name in WEIGHTS:
        if (folder / name).is_file():
            return (folder / name,)
        if _index(folder, name).is_file():
            return _shards(_index(folder, name))
    pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES and path.name != SILENCE)
    also = f"; {', '.join(pickles)} cannot be used: only safetensors are read" if pickles else ""
    raise EngineUnavailable(f"{folder}: no weights, neither {' nor '.join(WEIGHTS)}{also}")


def _index(folder: Path, name: str) -> Path:
    return folder / f"{name}.index.json"


def _shards(index: Path) -> tuple[Path, ...]:
    where = read_object(index).get("weight_map")
    names = sorted({str(name) for name in where.values()}) if isinstance(where, dict) else []
    strange = [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]
    if strange or not names:
        raise EngineUnavailable(f"{index}: weight_map must name .safetensors files beside it, got {strange or where!r}")
    absent = [name for name in names if not (index.parent / name).is_file()]
    if absent:
        raise EngineUnavailable(f"{index.parent}: {len(absent)} of {len(names)} shards missing: {', '.join(absent)}")
    return tuple(index.parent / name for name in names)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object of at most 64 MiB. Raises EngineUnavailable naming the file."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise EngineUnavailable(f"{path}: larger than 64 MiB, which no config is")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise EngineUnavailable(f"{path}: not a JSON object")
    return value
