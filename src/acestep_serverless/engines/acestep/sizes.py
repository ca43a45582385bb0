"""How large is a model? Parameters of each part, counted from its shape alone.

The formulas follow the modules of diffusers' ACE-Step classes and transformers' Qwen 3; tests count the classes
themselves at full size. Known at the time of writing: the turbo transformer has 1.58 billion, XL 4.2 billion.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from acestep_serverless.engines.acestep.shapes import Shape

Count = Callable[[Mapping[str, Any]], int]
"""One of the functions below: from a config's fields to parameters."""

TIMESTEP_CHANNELS = 256
BRANCHES, FOLDS = 6, 2
"""Shifts and scales of a transformer block (AdaLN), and of the last norm."""


def attention(width: int, heads: int, key_heads: int, head: int, *, bias: bool = False) -> int:
    """Count one attention: query, key, value and output projections, and a norm each for queries and keys."""
    out, kept = heads * head, key_heads * head
    biases = out + 2 * kept + width if bias else 0
    return 2 * width * out + 2 * width * kept + 2 * head + biases


def layer(fields: Mapping[str, Any]) -> int:
    """Count one encoder layer: attention, gated feed-forward, two norms."""
    width = fields["hidden_size"]
    return _attention(fields) + int(3 * width * fields["intermediate_size"] + 2 * width)


def _attention(fields: Mapping[str, Any]) -> int:
    heads, key_heads = fields["num_attention_heads"], fields["num_key_value_heads"]
    bias = bool(fields.get("attention_bias", False))
    return attention(fields["hidden_size"], heads, key_heads, fields["head_dim"], bias=bias)


def transformer(fields: Mapping[str, Any]) -> int:
    """Count the diffusion transformer (`AceStepTransformer1DModel`)."""
    width, patch = fields["hidden_size"], fields["patch_size"]
    block = layer(fields) + _attention(fields) + width + BRANCHES * width
    time = TIMESTEP_CHANNELS * width + width * width + 2 * width + BRANCHES * width * (width + 1)
    into = fields["in_channels"] * width * patch + width
    out = width * fields["audio_acoustic_hidden_dim"] * patch + fields["audio_acoustic_hidden_dim"]
    condition = (fields.get("encoder_hidden_size") or width) * width + width
    return int(fields["num_hidden_layers"] * block + 2 * time + into + out + condition + width + FOLDS * width)


def condition_encoder(fields: Mapping[str, Any]) -> int:
    """Count the encoder of words, lyrics and timbre, without its stored silence."""
    width, one = fields["hidden_size"], layer(fields)
    lyrics = fields["num_lyric_encoder_hidden_layers"] * one + (fields["text_hidden_dim"] + 1) * width + width
    timbre = fields["num_timbre_encoder_hidden_layers"] * one + (fields["timbre_hidden_dim"] + 1) * width + 2 * width
    return int(fields["text_hidden_dim"] * width + lyrics + timbre + width)


def audio_tokenizer(fields: Mapping[str, Any]) -> int:
    """Count what turns latents into audio codes."""
    width, codebook = fields["hidden_size"], len(fields.get("fsq_input_levels") or range(6))
    pooler = fields["num_attention_pooler_hidden_layers"] * layer(fields) + width * (width + 1) + 2 * width
    quantizer = 2 * codebook * fields["fsq_dim"] + codebook + fields["fsq_dim"]
    return int(pooler + quantizer + (fields["audio_acoustic_hidden_dim"] + 1) * width)


def audio_token_detokenizer(fields: Mapping[str, Any]) -> int:
    """Count what turns audio codes into latents."""
    width, latents = fields["hidden_size"], fields["audio_acoustic_hidden_dim"]
    layers = fields["num_attention_pooler_hidden_layers"] * layer(fields)
    return int(layers + width * (width + 1) + width + fields["pool_window_size"] * width + (width + 1) * latents)


def qwen(fields: Mapping[str, Any]) -> int:
    """Count a Qwen 3: embeddings, layers and the last norm; with an output matrix of its own where it is not tied."""
    width = fields["hidden_size"]
    embeddings = fields["vocab_size"] * width
    own_output = 0 if fields.get("tie_word_embeddings", True) else embeddings
    return int(embeddings + own_output + fields["num_hidden_layers"] * layer(fields) + width)


def codec(fields: Mapping[str, Any]) -> int:
    """Count the audio codec (`AutoencoderOobleck`); each convolution has a magnitude for each of its first channels."""
    widths = [1, *fields["channel_multiples"]]
    strides = fields["downsampling_ratios"]
    latents, audio = fields["decoder_input_channels"], fields["audio_channels"]
    inner = fields["encoder_hidden_size"]
    encoder = _convolution(audio, inner, 7)
    encoder += sum(
        3 * _unit(inner * widths[place])
        + 2 * inner * widths[place]
        + _convolution(inner * widths[place], inner * widths[place + 1], 2 * stride)
        for place, stride in enumerate(strides)
    )
    encoder += 2 * inner * widths[-1] + _convolution(inner * widths[-1], inner, 3)
    outer = fields["decoder_channels"]
    decoder = _convolution(latents, outer * widths[-1], 7) + 2 * outer + _convolution(outer, audio, 7) - audio
    decoder += sum(
        3 * _unit(outer * widths[-place - 2])
        + 2 * outer * widths[-place - 1]
        + _upwards(outer * widths[-place - 1], outer * widths[-place - 2], 2 * stride)
        for place, stride in enumerate(reversed(strides))
    )
    return int(encoder + decoder)


def _convolution(inputs: int, outputs: int, kernel: int) -> int:
    return prod((inputs, outputs, kernel)) + 2 * outputs


def _upwards(inputs: int, outputs: int, kernel: int) -> int:
    return prod((inputs, outputs, kernel)) + inputs + outputs


def _unit(width: int) -> int:
    """Count a residual unit: two snakes (two numbers a channel each) and two convolutions of kernels 7 and 1."""
    return 4 * width + _convolution(width, width, 7) + _convolution(width, width, 1)


def model(shape: Shape) -> dict[str, int]:
    """Count the four parts of a model that stand in one file."""
    return {
        "transformer": transformer(shape.transformer),
        "condition_encoder": condition_encoder(shape.condition_encoder),
        "audio_tokenizer": audio_tokenizer(shape.audio_tokenizer),
        "audio_token_detokenizer": audio_token_detokenizer(shape.audio_token_detokenizer),
    }
