"""Which models exist? The published ones: where their weights are, which shape they have, what a song may ask of them.

Names and repositories are those of the upstream project's own downloader; the shapes are those of the published
`config.json` files. The 5 Hz planners are Qwen 3 models whose vocabulary has 65,535 audio codes on top of Qwen's
151,669 tokens. A model that is not in this table works as well: its own config says its shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MAIN_REPOSITORY = "ACE-Step/Ace-Step1.5"
"""It holds the turbo model, the 1.7B planner, and the codec and text encoder that every model needs."""

CODEC_FOLDER, TEXT_FOLDER = "vae", "Qwen3-Embedding-0.6B"
DEFAULT_MODEL, DEFAULT_PLANNER = "acestep-v15-turbo", "acestep-5Hz-lm-1.7B"


@dataclass(frozen=True, slots=True)
class Published:
    """One thing to download: a model, a planner, or the parts that all models share.

    `folder` is the part of the repository that holds it, "" for the whole; it is also the name on this disk.
    """

    name: str
    kind: str
    repository: str
    folder: str
    about: str


def _own(name: str, kind: str, about: str) -> Published:
    return Published(name, kind, f"ACE-Step/{name}", "", about)


CATALOGUE: Mapping[str, Published] = MappingProxyType(
    {
        one.name: one
        for one in (
            Published(DEFAULT_MODEL, "model", MAIN_REPOSITORY, DEFAULT_MODEL, "8 steps, no guidance: the usual one"),
            _own("acestep-v15-turbo-shift1", "model", "turbo, for shift 1"),
            _own("acestep-v15-turbo-shift3", "model", "turbo, for shift 3"),
            _own("acestep-v15-turbo-continuous", "model", "turbo, for any shift"),
            _own("acestep-v15-sft", "model", "guided, 50 steps: finer, six times as long or more"),
            _own("acestep-v15-base", "model", "guided, 50 steps: lego, extract and complete as well"),
            _own("acestep-v15-xl-turbo", "model", "turbo, 4.2 instead of 1.6 billion parameters"),
            _own("acestep-v15-xl-sft", "model", "guided, 4.2 billion parameters"),
            _own("acestep-v15-xl-base", "model", "guided, 4.2 billion parameters, every task"),
            _own("acestep-5Hz-lm-0.6B", "planner", "the smallest planner"),
            Published(DEFAULT_PLANNER, "planner", MAIN_REPOSITORY, DEFAULT_PLANNER, "the usual planner"),
            _own("acestep-5Hz-lm-4B", "planner", "the largest planner"),
            Published(CODEC_FOLDER, "shared", MAIN_REPOSITORY, CODEC_FOLDER, "the audio codec of every model"),
            Published(TEXT_FOLDER, "shared", MAIN_REPOSITORY, TEXT_FOLDER, "the text encoder of every model"),
        )
    }
)

SHARED = (CODEC_FOLDER, TEXT_FOLDER)

_ATTENTION = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128}
_ALTERNATING = ("sliding_attention", "full_attention")

TURBO: Mapping[str, Any] = MappingProxyType(
    {
        "model_type": "acestep",
        "hidden_size": 2_048,
        "intermediate_size": 6_144,
        "num_hidden_layers": 24,
        **_ATTENTION,
        "in_channels": 192,
        "audio_acoustic_hidden_dim": 64,
        "patch_size": 2,
        "rope_theta": 1_000_000.0,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rms_norm_eps": 1e-6,
        "sliding_window": 128,
        "layer_types": [*_ALTERNATING * 12],
        "text_hidden_dim": 1_024,
        "timbre_hidden_dim": 64,
        "num_lyric_encoder_hidden_layers": 8,
        "num_timbre_encoder_hidden_layers": 4,
        "num_attention_pooler_hidden_layers": 2,
        "pool_window_size": 5,
        "fsq_dim": 2_048,
        "fsq_input_levels": [8, 8, 8, 5, 5, 5],
        "fsq_input_num_quantizers": 1,
        "is_turbo": True,
        "model_version": "turbo",
    }
)
"""The config of the turbo model; sft and base have the same shape and other marks."""

XL_TURBO: Mapping[str, Any] = MappingProxyType(
    {
        **TURBO,
        "hidden_size": 2_560,
        "intermediate_size": 9_728,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "layer_types": [*_ALTERNATING * 16],
        "encoder_hidden_size": 2_048,
        "encoder_intermediate_size": 6_144,
        "encoder_num_attention_heads": 16,
        "encoder_num_key_value_heads": 8,
    }
)
"""The config of the XL turbo model: a wider and deeper transformer over the same encoders."""


def config_of(name: str) -> Mapping[str, Any]:
    """Give the config of a published model by its name."""
    shape = XL_TURBO if "-xl-" in name else TURBO
    if "turbo" in name:
        return shape
    return {**shape, "is_turbo": False, "model_version": name.rsplit("-", 1)[-1]}


CODEC: Mapping[str, Any] = MappingProxyType(
    {
        "encoder_hidden_size": 128,
        "downsampling_ratios": [2, 4, 4, 6, 10],
        "channel_multiples": [1, 2, 4, 8, 16],
        "decoder_channels": 128,
        "decoder_input_channels": 64,
        "audio_channels": 2,
        "sampling_rate": 48_000,
    }
)

TEXT: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 151_669,
        "hidden_size": 1_024,
        "intermediate_size": 3_072,
        "num_hidden_layers": 28,
        **_ATTENTION,
    }
)

PLANNER_VOCABULARY = 151_669 + 65_535
PLANNERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "acestep-5Hz-lm-0.6B": MappingProxyType({**TEXT, "vocab_size": PLANNER_VOCABULARY}),
        "acestep-5Hz-lm-1.7B": MappingProxyType(
            {**TEXT, "vocab_size": PLANNER_VOCABULARY, "hidden_size": 2_048, "intermediate_size": 6_144}
        ),
        "acestep-5Hz-lm-4B": MappingProxyType(
            {
                "vocab_size": PLANNER_VOCABULARY,
                "hidden_size": 2_560,
                "intermediate_size": 9_728,
                "num_hidden_layers": 36,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
            }
        ),
    }
)
"""The shapes of the planners, which tie their output to their embeddings."""
