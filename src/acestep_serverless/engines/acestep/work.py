"""How much arithmetic is a song? Floating-point operations of the transformer and the codec, counted from their layers.

A product and its sum are two operations. What is worked out once for a song (keys and values of its words) is left out.
"""

from typing import Any

import torch


def step_work(transformer: Any, frames: int, words: int) -> float:
    """Operations of one pass of the transformer over one song, without what is worked out once (keys of the words)."""
    config = transformer.config
    tokens = -(-frames // config.patch_size)
    once = (".cross_attn.to_k", ".cross_attn.to_v")
    layers = sum(
        module.in_features * module.out_features
        for name, module in transformer.layers.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith(once)
    )
    ends = int(transformer.proj_in_conv.weight.numel() + transformer.proj_out_conv.weight.numel())
    width = int(config.num_attention_heads * config.head_dim)
    near = min(tokens, 2 * config.sliding_window + 1)
    looked = sum((near if kind == "sliding_attention" else tokens) + words for kind in transformer.layer_types)
    return float(2 * tokens * (layers + ends) + 4 * tokens * looked * width)


def decoder_work(decoder: Any, frames: int) -> float:
    """Operations of decoding so many frames."""
    places, work = frames, 0.0
    for module in decoder.modules():
        if isinstance(module, torch.nn.ConvTranspose1d):
            work += 2.0 * places * module.weight.numel()
            places *= module.stride[0]
        elif isinstance(module, torch.nn.Conv1d):
            work += 2.0 * places * module.weight.numel()
    return float(work)
