"""Are sizes counted right from shapes alone? Against the real classes at full size, which hold no memory on `meta`."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from acestep_serverless.engines.acestep import sizes
from acestep_serverless.engines.acestep.published import CODEC, PLANNERS, TEXT, TURBO, XL_TURBO
from acestep_serverless.engines.acestep.shapes import Shape, from_original

CLASSES = {
    "transformer": AceStepTransformer1DModel,
    "condition_encoder": AceStepConditionEncoder,
    "audio_tokenizer": AceStepAudioTokenizer,
    "audio_token_detokenizer": AceStepAudioTokenDetokenizer,
}
SHAPES = {"turbo": from_original(TURBO, "turbo"), "xl": from_original(XL_TURBO, "xl")}


def _parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_parts_of_a_model_are_counted(shape: Shape) -> None:
    with torch.device("meta"):
        counted = {part: _parameters(made(**getattr(shape, part))) for part, made in CLASSES.items()}
    assert sizes.model(shape) == counted


def test_the_codec_is_counted() -> None:
    with torch.device("meta"):
        assert sizes.codec(CODEC) == _parameters(AutoencoderOobleck(**CODEC))


@pytest.mark.parametrize("fields", [TEXT, *PLANNERS.values()], ids=["text", *PLANNERS])
def test_a_language_model_is_counted(fields: Mapping[str, Any]) -> None:
    config = Qwen3Config(**fields, tie_word_embeddings=True)
    with torch.device("meta"):
        assert sizes.qwen(fields) == _parameters(Qwen3Model(config)) == _parameters(Qwen3ForCausalLM(config))


def test_an_untied_output_is_counted() -> None:
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**TEXT, tie_word_embeddings=False))
    assert sizes.qwen({**TEXT, "tie_word_embeddings": False}) == _parameters(model)
