"""How does a found model become modules in memory? Built from its shape, then filled from its files.

Both layouts end as the same modules, those of diffusers' AceStepPipeline and of transformers. No copy is written to
disk. `silence_latent.pt` of the upstream layout is the one file that is not safetensors; it is read as bare tensors.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from acestep_serverless.engines.acestep import names
from acestep_serverless.engines.acestep.eight_bits import round_layers
from acestep_serverless.engines.acestep.layouts import CONFIG, SILENCE, read_object, weight_files
from acestep_serverless.engines.acestep.placement import Placement
from acestep_serverless.engines.acestep.search import FoundModel, FoundPlanner
from acestep_serverless.engines.acestep.shapes import PARTS
from acestep_serverless.engines.acestep.streaming import Source, Stored, expected, fill, headers, troubles
from acestep_serverless.engines.base import Progress
from acestep_serverless.errors import EngineUnavailable

CLASSES: Mapping[str, Any] = MappingProxyType(
    {
        "transformer": AceStepTransformer1DModel,
        "condition_encoder": AceStepConditionEncoder,
        "audio_tokenizer": AceStepAudioTokenizer,
        "audio_token_detokenizer": AceStepAudioTokenDetokenizer,
    }
)
LEAST_SILENCE = 750
"""Frames of silence (30 s) that stand in for a reference, which the timbre encoder reads."""


@dataclass(frozen=True, slots=True)
class Components:
    """A model ready to use: the modules of diffusers' AceStepPipeline under its names, frozen and in eval mode.

    `audio_tokenizer` and `audio_token_detokenizer` are None in older diffusers folders, which then know no audio codes.
    `silence_latent` is [1, frames, channels]. `guided`, `stems`, `steps` and `shift` are as in `shapes.Shape`.
    """

    name: str
    transformer: Any
    condition_encoder: Any
    audio_tokenizer: Any
    audio_token_detokenizer: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    guided: bool
    version: str
    steps: int
    shift: float
    placement: Placement
    stems: bool = False

    @property
    def silence_latent(self) -> torch.Tensor:
        """Give the latents of silence, [1, frames, channels], where the condition encoder is."""
        silence: torch.Tensor = self.condition_encoder.silence_latent
        return silence

    @property
    def sample_rate(self) -> int:
        """Give the samples a second of the codec, 48,000."""
        return int(self.vae.config.sampling_rate)


@dataclass(frozen=True, slots=True)
class PlannerParts:
    """A planner ready to use: transformers' Qwen3ForCausalLM, frozen and in eval mode, and its tokenizer."""

    name: str
    model: Any
    tokenizer: Any


def load_components(found: FoundModel, placement: Placement, progress: Progress) -> Components:
    """Load a whole model. Raises EngineUnavailable naming files and tensors that are missing or do not fit."""
    modules, stored = examined(found)
    silence = check_silence(found, modules)
    _read(modules, stored, placement, progress)
    if placement.eight_bits:
        round_layers(modules["transformer"].layers)
    if silence is not None:
        encoder = modules["condition_encoder"]
        encoder.silence_latent = silence.to(encoder.null_condition_emb)  # its type and its device
    return Components(
        name=found.name,
        transformer=modules["transformer"],
        condition_encoder=modules["condition_encoder"],
        audio_tokenizer=modules.get("audio_tokenizer"),
        audio_token_detokenizer=modules.get("audio_token_detokenizer"),
        vae=modules["vae"],
        text_encoder=modules["text_encoder"],
        tokenizer=read_tokenizer(found.parts["tokenizer"]),
        guided=found.shape.guided,
        version=found.shape.version,
        steps=found.shape.steps,
        shift=found.shape.shift,
        placement=placement,
        stems=found.shape.stems,
    )


def load_planner(found: FoundPlanner, placement: Placement, progress: Progress) -> PlannerParts:
    """Load a planner. Raises EngineUnavailable naming files and tensors that are missing or do not fit."""
    modules, stored = examined_planner(found)
    _read(modules, stored, placement, progress)
    if placement.eight_bits:
        round_layers(modules["planner"].model.layers)
    return PlannerParts(found.name, modules["planner"], read_tokenizer(found.folder))


def examined(found: FoundModel) -> tuple[dict[str, Any], list[Stored]]:
    """Build a model's modules without memory and hold its files against them. Raises EngineUnavailable."""
    with init_empty_weights(include_buffers=False):
        modules = _empty(found)
    stored = headers(_sources(found))
    wanted = expected(modules)
    if found.layout != "diffusers":
        del wanted["condition_encoder", "silence_latent"]  # it has a file of its own there
    else:
        _fit_silence(modules, stored, wanted)
    _refuse(found.name, troubles(stored, wanted))
    return modules, stored


def examined_planner(found: FoundPlanner) -> tuple[dict[str, Any], list[Stored]]:
    """Do the same for a planner."""
    with init_empty_weights(include_buffers=False):
        modules = {"planner": Qwen3ForCausalLM(Qwen3Config(**read_object(found.folder / CONFIG)))}
    stored = headers([Source(weight_files(found.folder), lambda name: ("planner", names.planner_name(name)))])
    wanted = expected(modules)
    if ("planner", "lm_head.weight") not in wanted:  # tied: a copy that some files have is not read
        stored = [one for one in stored if one.name != "lm_head.weight"]
    _refuse(found.name, troubles(stored, wanted))
    return modules, stored


def read_tokenizer(folder: Path) -> Any:
    """Read a tokenizer from its folder and from nowhere else; no code of the folder is run."""
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"{folder}: no tokenizer can be read there ({error})") from None


def _empty(found: FoundModel) -> dict[str, Any]:
    modules = {part: CLASSES[part](**getattr(found.shape, part)) for part in PARTS if getattr(found.shape, part)}
    codec = {key: value for key, value in read_object(found.parts["vae"] / CONFIG).items() if not key.startswith("_")}
    with warnings.catch_warnings():
        # Diffusers' codec wears torch's older weight norm; that is nothing a user could mend.
        warnings.filterwarnings("ignore", message=".*weight_norm.* is deprecated", category=FutureWarning)
        modules["vae"] = AutoencoderOobleck(**codec)
    modules["text_encoder"] = Qwen3Model(Qwen3Config(**read_object(found.parts["text_encoder"] / CONFIG)))
    return modules


def _sources(found: FoundModel) -> list[Source]:
    sources = [Source(weight_files(found.parts["vae"]), lambda name: ("vae", name))]
    sources.append(Source(weight_files(found.parts["text_encoder"]), _text))
    if found.layout != "diffusers":
        return [Source(weight_files(found.parts["model"]), names.part_and_name), *sources]
    own = [part for part in PARTS if part in found.parts]
    return [*(Source(weight_files(found.parts[part]), _within(part)) for part in own), *sources]


def _within(part: str) -> Callable[[str], tuple[str, str]]:
    return lambda name: (part, name)


def _text(stored: str) -> tuple[str, str] | None:
    name = names.text_name(stored)
    return None if name is None else ("text_encoder", name)


def _refuse(name: str, found: list[str]) -> None:
    if found:
        raise EngineUnavailable(
            f"the weights of {name} do not fit its config: {'; '.join(found)}; "
            f"acestep-serverless models verify says which file to fetch again"
        )


def check_silence(found: FoundModel, modules: Mapping[str, Any]) -> torch.Tensor | None:
    """Read the silence of the upstream layout, stored as [1, channels, frames], as [1, frames, channels].

    None for diffusers' layout, which has it among the weights. Raises EngineUnavailable when it is not there or does
    not fit.
    """
    if found.layout == "diffusers":
        return None
    file = found.parts["model"] / SILENCE
    channels = modules["condition_encoder"].config.timbre_hidden_dim
    try:
        stored = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise EngineUnavailable(f"{file} is missing: every song without a reference needs it") from None
    except Exception as error:  # torch.load raises whatever its readers raise
        raise EngineUnavailable(f"{file}: not a file of bare tensors ({type(error).__name__})") from None
    if not isinstance(stored, torch.Tensor) or stored.ndim != 3:
        raise EngineUnavailable(f"{file}: one tensor [1, {channels}, frames] is wanted there")
    if stored.shape[:2] != (1, channels) or stored.shape[2] < LEAST_SILENCE:
        wanted = f"[1, {channels}, {LEAST_SILENCE} or more]"
        raise EngineUnavailable(f"{file}: the silence is {list(stored.shape)} instead of {wanted}")
    return stored.transpose(1, 2).contiguous()


def _fit_silence(
    modules: Mapping[str, Any], stored: list[Stored], wanted: dict[tuple[str, str], tuple[int, ...]]
) -> None:
    """Take the stored silence's length, which no config says, for the module's own."""
    key = ("condition_encoder", "silence_latent")
    here = next((one.shape for one in stored if (one.part, one.name) == key), None)
    if here is not None and here[::2] == wanted[key][::2] and here[1] >= LEAST_SILENCE:
        wanted[key] = here
        modules["condition_encoder"].silence_latent = torch.empty(here, device="meta")


def _read(modules: Mapping[str, Any], stored: list[Stored], placement: Placement, progress: Progress) -> None:
    total, done = sum(one.size for one in stored), 0

    def passed(size: int, part: str) -> None:
        nonlocal done
        done += size
        progress(done / total, f"loading {part.replace('_', ' ')}")

    home = "cpu" if placement.offload == "parts" else placement.device

    def target(part: str) -> tuple[str, torch.dtype]:
        return home, getattr(torch, placement.codec_dtype if part == "vae" else placement.dtype)

    fill(modules, stored, target, passed)
