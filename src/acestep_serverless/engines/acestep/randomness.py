"""What stands in for weights when speed is measured? Random numbers in the real shapes, and texts of the real length.

Vocabularies are small but for the audio codes: of a text only the number of its tokens counts. The planner's tokenizer
learns the words of the measured song, so that most of them are one token, as they are in Qwen's.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import init_empty_weights
from accelerate.utils import set_module_tensor_to_device
from diffusers import AutoencoderOobleck
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from acestep_serverless.engines.acestep import prompts, published, sizes
from acestep_serverless.engines.acestep.codes import CODE_VALUES, codes_for, write_codes
from acestep_serverless.engines.acestep.eight_bits import round_layers
from acestep_serverless.engines.acestep.loading import CLASSES, Components, PlannerParts
from acestep_serverless.engines.acestep.parties import Party
from acestep_serverless.engines.acestep.placement import Placement
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.shapes import PARTS, from_original
from acestep_serverless.engines.acestep.wishes import Wish
from acestep_serverless.engines.base import Planning
from acestep_serverless.engines.extras import SongText

END, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_TURNS = (
    "{%- for message in messages %}"
    f"{{{{- '{TURN_START}' + message.role + '\\n' + message.content + '{TURN_END}\\n' }}}}"
    "{%- endfor %}"
    f"{{%- if add_generation_prompt %}}{{{{- '{TURN_START}assistant\\n' }}}}{{%- endif %}}"
)
_WORDS_LEARNED = 200
CAPTION = "a warm indie folk song with acoustic guitar, brushed drums and a soft male voice, recorded close"
LYRICS = "\n".join(
    ["[Verse]", *["The river runs below the hill and I am walking still"] * 8, "[Chorus]", "Stay, stay"] * 2
)
"""The song that is measured: with its headings 1,020 letters, which are 234 tokens to the planner."""
_LANES = 2
"""Rows of a song that is planned with guidance."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A planner with random weights, and what must be known of it to count its work."""

    name: str
    planner: Planner
    config: Any
    codes: int

    def party(self, caption: str, lyrics: str, duration: float, songs: int) -> Party:
        """Wish for the codes of so many songs, guided and with all else given: the only part whose length is sure."""
        text = SongText(caption, lyrics, 96, duration, "A minor", "4", "en")
        planning = Planning(thinking=True, use_cot_caption=False, use_cot_language=False)
        return Party([Wish(text, planning, seed) for seed in range(songs)], lambda: False)

    def work(self, duration: float, songs: int) -> float:
        """Operations of the products with weights that writing the codes takes; prompts and attention not counted."""
        fields = self.config.to_dict()
        layers = fields["num_hidden_layers"] * sizes.layer(fields)
        head = self.codes * fields["hidden_size"]
        return float(2 * songs * _LANES * codes_for(duration) * (layers + head))


def random_components(name: str, placement: Placement) -> Components:
    """Build a published model with random weights, on its device."""
    found = from_original(published.config_of(name), name)
    with init_empty_weights(include_buffers=False):
        made: dict[str, Any] = {part: CLASSES[part](**getattr(found, part)) for part in PARTS}
        made["vae"] = AutoencoderOobleck(**published.CODEC)
        made["text_encoder"] = Qwen3Model(Qwen3Config(**published.TEXT))
    for part, module in made.items():
        kind = getattr(torch, placement.codec_dtype if part == "vae" else placement.dtype)
        made[part] = _filled(module, placement.device, kind)
    return Components(
        name=name,
        tokenizer=_word_tokenizer(),
        guided=found.guided,
        version=found.version,
        steps=found.steps,
        shift=found.shift,
        placement=placement,
        **made,
    )


def random_planner(name: str, placement: Placement, fields: dict[str, Any] | None = None) -> Rehearsal:
    """Build a published planner with random weights on its device, or one of other `fields` of Qwen's config."""
    with init_empty_weights(include_buffers=False):
        config = Qwen3Config(**(fields or published.PLANNERS[name]), tie_word_embeddings=True)
        model = Qwen3ForCausalLM(config)
    model = _filled(model, placement.device, getattr(torch, placement.dtype))
    model.tie_weights()
    if placement.eight_bits:
        round_layers(model.model.layers)
    codes = min(CODE_VALUES, config.vocab_size - 512)
    planner = Planner(PlannerParts(name, model, _tokenizer(codes)), compiled=placement.compile)
    return Rehearsal(name, planner, config, codes)


def _tokenizer(codes: int) -> Qwen2Tokenizer:
    """A tokenizer of bytes and the song's words, the marks of turns and thoughts, and so many audio codes."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    size = len(letters) + _WORDS_LEARNED
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=letters, show_progress=False)
    learned.train_from_iterator([f"{prompts.GENERATE}\n{prompts.song(CAPTION, LYRICS)}"], trainer)
    words = json.loads(learned.to_str())["model"]
    merges = [tuple(pair) for pair in words["merges"]]
    tokenizer = Qwen2Tokenizer(vocab=words["vocab"], merges=merges, eos_token=TURN_END, pad_token=END)
    marks = [AddedToken(word, special=True, normalized=False) for word in (END, TURN_START, TURN_END)]
    tokenizer.add_tokens(marks, special_tokens=True)
    own = ["<think>", "</think>", *(write_codes([code]) for code in range(codes))]
    tokenizer.add_tokens([AddedToken(word, special=False, normalized=False) for word in own])
    tokenizer.chat_template = _TURNS
    return tokenizer


def _filled(module: Any, device: str, kind: torch.dtype) -> Any:
    """Give an empty module random numbers that keep a signal as loud as it is, as training does: what is rounded in one
    layer then matters in the song. Norms change nothing, biases are zero; buffers are as they should be."""
    for name, parameter in list(module.named_parameters()):
        value = torch.empty(parameter.shape, dtype=kind, device=device)
        if parameter.ndim > 1:
            inputs = parameter[0].numel()
            value.uniform_(-math.sqrt(3 / inputs), math.sqrt(3 / inputs))
        else:
            value.fill_(0.0 if name.endswith("bias") else 1.0)
        set_module_tensor_to_device(module, name, device, value=value, dtype=kind)
    for buffer in module.buffers():
        buffer.data = buffer.data.to(device, kind if buffer.is_floating_point() else buffer.dtype)
    return module.eval().requires_grad_(False)


def _word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that makes one token of each word or mark: for speed, only their number counts."""
    words = Tokenizer(models.WordLevel({END: 0, "word": 1}, unk_token="word"))  # noqa: S106 - no secret, a word
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=END)
