"""What are the upstream project's tensors called in diffusers' classes? A table of prefixes and one of words.

One file there holds four parts, told by their prefixes. The names are those of diffusers'
`scripts/convert_ace_step_to_diffusers.py`; names alone are changed, never a value.
"""

from collections.abc import Mapping
from types import MappingProxyType

NULL_CONDITION = "null_condition_emb"
"""The learned "no words" of guidance: at the top there, in the condition encoder here."""

PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "decoder.": "transformer",
        "encoder.": "condition_encoder",
        "tokenizer.": "audio_tokenizer",
        "detokenizer.": "audio_token_detokenizer",
    }
)

_WORDS = MappingProxyType(
    {
        "q_proj": "to_q",
        "k_proj": "to_k",
        "v_proj": "to_v",
        "o_proj": "to_out.0",
        "q_norm": "norm_q",
        "k_norm": "norm_k",
    }
)
_PATCHING = MappingProxyType({"proj_in.1.": "proj_in_conv.", "proj_out.1.": "proj_out_conv."})
"""The transformer's first and last layer are the second of three steps there."""


def part_and_name(original: str) -> tuple[str, str] | None:
    """Give part and name of a tensor of the upstream project's file; None for what no part here has a use for."""
    if original == NULL_CONDITION:
        return "condition_encoder", NULL_CONDITION
    for prefix, part in PREFIXES.items():
        if original.startswith(prefix):
            return part, _renamed(original.removeprefix(prefix), part)
    return None


def _renamed(name: str, part: str) -> str:
    for theirs, ours in _PATCHING.items() if part == "transformer" else ():
        if name.startswith(theirs):
            name = ours + name.removeprefix(theirs)
    return ".".join(_WORDS.get(word, word) for word in name.split("."))


def text_name(stored: str) -> str | None:
    """Give the name of a text encoder's tensor; files of the same model have it with and without `model.`."""
    return None if stored == "lm_head.weight" else stored.removeprefix("model.")


def planner_name(stored: str) -> str:
    """Give the name of a planner's tensor; files of the bare model lack `model.`."""
    return stored if stored.startswith(("model.", "lm_head.")) else f"model.{stored}"
