"""What does the model look like when it is tiny? Random weights in the real classes, on disk in both layouts.

Every class is the real one (diffusers, transformers, tokenizers); only the widths and depths are small. Audio is
48 kHz stereo at 25 latent frames a second, and 64,000 audio codes exist, as in the real model. The names of the
`checkpoints` layout are written here by hand, from the upstream project's files, so that they test the loader's table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from safetensors.torch import save_file
from tiny_tokenizer import tiny_tokenizer
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

ACOUSTIC, TEXT, HEAD = 8, 32, 8
SILENCE_FRAMES = 15_000

_ATTENTION = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": HEAD}
_COMMON = {"rope_theta": 1_000_000.0, "attention_bias": False, "rms_norm_eps": 1e-6, "sliding_window": 16}
_ENCODER = {"hidden_size": 32, "intermediate_size": 48, **_ATTENTION, "attention_dropout": 0.0, **_COMMON}
_WIDE = {"hidden_size": 48, "num_attention_heads": 8, "num_hidden_layers": 4}


@dataclass(frozen=True)
class Variant:
    """How one published model differs from the others: guided or not, and how wide its transformer is."""

    name: str
    is_turbo: bool
    version: str
    transformer: Mapping[str, Any]


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Variant("acestep-v15-turbo", True, "turbo", {}),
            Variant("acestep-v15-sft", False, "sft", {}),
            Variant("acestep-v15-base", False, "base", {}),
            Variant("acestep-v15-xl-turbo", True, "turbo", _WIDE),
            Variant("acestep-v15-xl-base", False, "base", _WIDE),
        )
    }
)


@dataclass(frozen=True)
class Tiny:
    """The parts of one tiny model; `pipeline()` puts the very same modules into diffusers' own pipeline."""

    variant: Variant
    transformer: AceStepTransformer1DModel
    condition_encoder: AceStepConditionEncoder
    audio_tokenizer: AceStepAudioTokenizer
    audio_token_detokenizer: AceStepAudioTokenDetokenizer
    vae: AutoencoderOobleck
    text_encoder: Qwen3Model
    tokenizer: Qwen2Tokenizer

    def pipeline(self) -> AceStepPipeline:
        """Give diffusers' pipeline over these modules, without a progress bar."""
        modules = {name: getattr(self, name) for name in _MODULES}
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0)
        pipeline = AceStepPipeline(**modules, tokenizer=self.tokenizer, scheduler=scheduler)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def save_diffusers(self, folder: Path) -> Path:
        """Write diffusers' layout: `model_index.json` and a folder for each part."""
        self.pipeline().save_pretrained(folder)
        return folder

    def save_checkpoints(self, folder: Path, *, shards: int = 1) -> Path:
        """Write the upstream project's layout: `<name>/`, `vae/` and `Qwen3-Embedding-0.6B/` in `folder`."""
        own = folder / self.variant.name
        own.mkdir(parents=True, exist_ok=True)
        (own / "config.json").write_text(json.dumps(self.original_config()), encoding="utf-8")
        write_shards(original_tensors(self), own, shards)
        silence = self.condition_encoder.silence_latent.transpose(1, 2).contiguous()
        torch.save(silence, own / "silence_latent.pt")
        self.vae.save_pretrained(folder / "vae")
        text = folder / "Qwen3-Embedding-0.6B"
        self.text_encoder.save_pretrained(text)
        self.tokenizer.save_pretrained(text)
        (text / "config.json").write_text(json.dumps(self.older_text_config()), encoding="utf-8")
        return folder

    def older_text_config(self) -> dict[str, Any]:
        """Give the text encoder's `config.json` as transformers 4 wrote it, which is how it is published."""
        config = self.text_encoder.config.to_dict()
        theta = config.pop("rope_parameters")["rope_theta"]
        config["torch_dtype"] = config.pop("dtype") or "float32"
        older = {"rope_theta": theta, "rope_scaling": None, "transformers_version": "4.51.3"}
        return {**config, **older, "architectures": ["Qwen3ForCausalLM"]}

    def original_config(self) -> dict[str, Any]:
        """Give the transformer's `config.json` as the upstream project writes it."""
        config = self.transformer.config
        encoder = self.condition_encoder.config
        wide = {f"encoder_{name}": encoder[name] for name in _ENCODER_FIELDS} if self.variant.transformer else {}
        return {
            "model_type": "acestep",
            **{name: config[name] for name in _ORIGINAL_FIELDS},
            "layer_types": self.transformer.layer_types,
            **wide,
            "text_hidden_dim": TEXT,
            "timbre_hidden_dim": ACOUSTIC,
            "num_lyric_encoder_hidden_layers": encoder["num_lyric_encoder_hidden_layers"],
            "num_timbre_encoder_hidden_layers": encoder["num_timbre_encoder_hidden_layers"],
            "fsq_dim": encoder["hidden_size"],
            "fsq_input_levels": [8, 8, 8, 5, 5, 5],
            "fsq_input_num_quantizers": 1,
            "num_attention_pooler_hidden_layers": 2,
            "pool_window_size": 5,
            "use_sliding_window": True,
            "max_position_embeddings": 32_768,
            "dtype": "bfloat16",
            "is_turbo": self.variant.is_turbo,
            "model_version": self.variant.version,
        }


_MODULES = ("transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer", "vae", "text_encoder")
_ENCODER_FIELDS = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
_ORIGINAL_FIELDS = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("head_dim", "in_channels", "audio_acoustic_hidden_dim", "patch_size", "rope_theta", "attention_bias"),
    *("attention_dropout", "rms_norm_eps", "sliding_window"),
)


def tiny(name: str = "acestep-v15-turbo", *, seed: int = 0) -> Tiny:
    """Make a tiny model of a published one's name; the same seed gives the same weights (float32, on the CPU)."""
    variant = VARIANTS[name]
    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = Tiny(
            variant=variant,
            transformer=_transformer(variant),
            condition_encoder=AceStepConditionEncoder(
                **_ENCODER,
                text_hidden_dim=TEXT,
                timbre_hidden_dim=ACOUSTIC,
                num_lyric_encoder_hidden_layers=2,
                num_timbre_encoder_hidden_layers=2,
            ),
            audio_tokenizer=AceStepAudioTokenizer(**_ENCODER, audio_acoustic_hidden_dim=ACOUSTIC, fsq_dim=32),
            audio_token_detokenizer=AceStepAudioTokenDetokenizer(**_ENCODER, audio_acoustic_hidden_dim=ACOUSTIC),
            vae=_vae(),
            text_encoder=Qwen3Model(_qwen(len(tokenizer), TEXT, rope_theta=1_000_000.0)),
            tokenizer=tokenizer,
        )
        made.condition_encoder.silence_latent.normal_()
    for module in _MODULES:
        getattr(made, module).eval().requires_grad_(False)
    return made


@dataclass(frozen=True)
class TinyPlanner:
    """A tiny language model of the planner's class, with `codes` audio-code tokens in its vocabulary."""

    model: Qwen3ForCausalLM
    tokenizer: Qwen2Tokenizer
    codes: int

    def save(self, folder: Path, name: str = "acestep-5Hz-lm-0.6B") -> Path:
        """Write it as the upstream project does, into `folder/name`, and give that folder."""
        self.model.save_pretrained(folder / name)
        self.tokenizer.save_pretrained(folder / name)
        return folder / name


def tiny_planner(*, codes: int = 64, seed: int = 0) -> TinyPlanner:
    """Make a tiny planner; the real one has 65,535 code tokens, of which 64,000 mean something."""
    tokenizer = tiny_tokenizer(codes=codes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(_qwen(len(tokenizer), TEXT))
    return TinyPlanner(model.eval().requires_grad_(False), tokenizer, codes)


def original_tensors(made: Tiny) -> dict[str, torch.Tensor]:
    """Give the tensors of a model under the upstream project's names (one file holds all but codec and text)."""
    tensors: dict[str, torch.Tensor] = {}
    for module, prefix in _PREFIXES.items():
        for name, tensor in getattr(made, module).state_dict().items():
            if name != "silence_latent":
                whole = name if name == "null_condition_emb" else prefix + _original(name)
                tensors[whole] = tensor.contiguous()
    return tensors


def write_shards(tensors: Mapping[str, torch.Tensor], folder: Path, shards: int) -> None:
    """Write `model.safetensors`, or so many shards with their index."""
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        return
    where = {name: f"model-{1 + place % shards:05}-of-{shards:05}.safetensors" for place, name in enumerate(tensors)}
    for shard in sorted(set(where.values())):
        part = {name: tensor for name, tensor in tensors.items() if where[name] == shard}
        save_file(part, folder / shard, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


_PREFIXES = {
    "transformer": "decoder.",
    "condition_encoder": "encoder.",
    "audio_tokenizer": "tokenizer.",
    "audio_token_detokenizer": "detokenizer.",
}
_ORIGINAL_WORDS = {
    "proj_in_conv.": "proj_in.1.",
    "proj_out_conv.": "proj_out.1.",
    ".to_q.": ".q_proj.",
    ".to_k.": ".k_proj.",
    ".to_v.": ".v_proj.",
    ".to_out.0.": ".o_proj.",
    ".norm_q.": ".q_norm.",
    ".norm_k.": ".k_norm.",
}


def _original(name: str) -> str:
    for ours, theirs in _ORIGINAL_WORDS.items():
        name = name.replace(ours, theirs)
    return name


def _transformer(variant: Variant) -> AceStepTransformer1DModel:
    shape = {**_ENCODER, "num_hidden_layers": 2, **variant.transformer}
    return AceStepTransformer1DModel(
        **shape,
        in_channels=3 * ACOUSTIC,
        audio_acoustic_hidden_dim=ACOUSTIC,
        patch_size=2,
        encoder_hidden_size=_ENCODER["hidden_size"],
        is_turbo=variant.is_turbo,
        model_version=variant.version,
    )


def _vae() -> AutoencoderOobleck:
    """A codec of the real ratios (1,920 samples a latent frame), 4 channels wide instead of 128."""
    return AutoencoderOobleck(
        encoder_hidden_size=2 * ACOUSTIC,  # mean and scale of every latent
        downsampling_ratios=[2, 4, 4, 6, 10],
        channel_multiples=[1, 1, 1, 2, 2],
        decoder_channels=4,
        decoder_input_channels=ACOUSTIC,
        audio_channels=2,
        sampling_rate=48_000,
    )


def _qwen(vocabulary: int, width: int, **older: Any) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=HEAD,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        **older,
    )
