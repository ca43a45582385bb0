"""What shape has a model? Its `config.json`, in either layout, as the arguments of diffusers' classes, and its size.

The upstream project keeps one file for the transformer and three more parts, and describes them in one config. The
names of its fields, and how the parts' arguments follow from them, are those of diffusers'
`scripts/convert_ace_step_to_diffusers.py`. Sizes are computed from the shapes alone; tests hold them against the
classes. Nothing here needs torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from acestep_serverless.errors import EngineUnavailable

Arguments = Mapping[str, Any]
"""Keyword arguments of one of diffusers' classes."""

PARTS = ("transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer")
"""What the upstream project keeps in one file, by diffusers' names."""

_ATTENTION = ("head_dim", "rope_theta", "attention_bias", "attention_dropout", "rms_norm_eps", "sliding_window")
_TRANSFORMER = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("in_channels", "audio_acoustic_hidden_dim", "patch_size", "layer_types"),
    *_ATTENTION,
)
_CONDITION = (
    *("text_hidden_dim", "timbre_hidden_dim"),
    *("num_lyric_encoder_hidden_layers", "num_timbre_encoder_hidden_layers"),
)
_ENCODER = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
"""What a wide (XL) model has twice: `encoder_...` for the encoders, which keep the width of the others."""

TURBO_STEPS, GUIDED_STEPS = 8, 50
SHIFT = 3.0


@dataclass(frozen=True, slots=True)
class Shape:
    """The arguments of a model's parts, and how it is walked.

    `guided` models need guidance at every step; the others (turbo) have it distilled into their weights. `stems` models
    were trained to read a caption of the whole song beside that of the track (`is_lego_sft` in the config). `steps`
    and `shift` are what the model is used with when a request names none.
    """

    transformer: Arguments
    condition_encoder: Arguments
    audio_tokenizer: Arguments
    audio_token_detokenizer: Arguments
    guided: bool
    version: str
    stems: bool = False

    @property
    def steps(self) -> int:
        """Give the steps of a request that names none."""
        return GUIDED_STEPS if self.guided else TURBO_STEPS

    @property
    def shift(self) -> float:
        """Give the shift of a request that names none."""
        return SHIFT


def from_original(config: Mapping[str, Any], where: str) -> Shape:
    """Read the upstream project's `config.json`. Raises EngineUnavailable naming `where` and the missing fields."""
    fields = dict(config)
    if "rope_theta" not in fields:  # configs that a newer transformers wrote have it one level down
        fields["rope_theta"] = (fields.get("rope_parameters") or {}).get("rope_theta")
    needed = {*_TRANSFORMER, *_CONDITION}
    absent = sorted(name for name in needed if fields.get(name) is None)
    if absent:
        raise EngineUnavailable(f"{where}: not the config of an ACE-Step 1.5 model, it lacks {', '.join(absent)}")
    encoder = {name: fields.get(f"encoder_{name}", fields[name]) for name in _ENCODER}
    encoder.update({name: fields[name] for name in _ATTENTION})
    pooler = {
        **encoder,
        "audio_acoustic_hidden_dim": fields["audio_acoustic_hidden_dim"],
        "pool_window_size": fields.get("pool_window_size", 5),
        "num_attention_pooler_hidden_layers": (layers := fields.get("num_attention_pooler_hidden_layers", 2)),
        "layer_types": fields["layer_types"][:layers],
    }
    quantizer = {
        "fsq_dim": fields.get("fsq_dim", encoder["hidden_size"]),
        "fsq_input_levels": fields.get("fsq_input_levels", [8, 8, 8, 5, 5, 5]),
        "fsq_input_num_quantizers": fields.get("fsq_input_num_quantizers", 1),
    }
    marks = {"is_turbo": bool(fields.get("is_turbo", False)), "model_version": fields.get("model_version")}
    transformer = {name: fields[name] for name in _TRANSFORMER}
    return Shape(
        transformer=MappingProxyType({**transformer, "encoder_hidden_size": encoder["hidden_size"], **marks}),
        condition_encoder=MappingProxyType({**encoder, **{name: fields[name] for name in _CONDITION}}),
        audio_tokenizer=MappingProxyType({**pooler, **quantizer}),
        audio_token_detokenizer=MappingProxyType(pooler),
        guided=_is_guided(marks),
        version=str(marks["model_version"] or ""),
        stems=bool(fields.get("is_lego_sft")),
    )


def from_diffusers(configs: Mapping[str, Mapping[str, Any]]) -> Shape:
    """Read the configs of a diffusers folder's four parts, by part; fields with an underscore are notes."""
    plain = {
        part: MappingProxyType({name: value for name, value in configs[part].items() if not name.startswith("_")})
        for part in PARTS
    }
    marks = plain["transformer"]
    version = str(marks.get("model_version") or "")
    return Shape(**plain, guided=_is_guided(marks), version=version, stems=bool(marks.get("is_lego_sft")))


def _is_guided(marks: Mapping[str, Any]) -> bool:
    """Tell as diffusers' pipeline does: either mark makes a model a turbo one."""
    return not (marks.get("is_turbo") or marks.get("model_version") == "turbo")
