"""What does the model read with? Qwen's own tokenizer class over a byte-level BPE learned here from a few lines."""

import json
from functools import cache

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

CHAT = (
    r"{%- for message in messages %}"
    r"{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    r"{%- endfor %}"
    r"{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
"""Qwen's turns, without tools and without its rule for earlier thoughts."""

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
THOUGHTS = ("<think>", "</think>")

CORPUS = (
    "# Instruction\nFill the audio semantic mask based on the given conditions:\n\n# Caption\na calm piano song\n\n",
    "# Metas\n- bpm: 120\n- timesignature: 4\n- keyscale: C# minor\n- duration: 30 seconds\n",
    "# Languages\nen\n\n# Lyric\n[Verse]\nThe river runs below the hill and I am walking still\n[Chorus]\nStay, stay\n",
    "bpm: 96\ncaption: bright guitars and drums over a warm bass\nduration: 120\nkeyscale: A minor\nlanguage: en\n",
    "timesignature: 3\nGenerate audio semantic tokens based on the given conditions:\ninstrumental: true\n",
)


@cache
def tiny_tokenizer(*, codes: int = 0) -> Qwen2Tokenizer:
    """Give a tokenizer with the end, chat and thought tokens of Qwen 3, and `codes` tokens `<|audio_code_N|>`."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learned.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    bpe = json.loads(learned.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=bpe["vocab"],
        merges=[tuple(pair) for pair in bpe["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=131_072,
    )
    tokenizer.add_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL], special_tokens=True)
    own = [*THOUGHTS, *(f"<|audio_code_{number}|>" for number in range(codes))]
    tokenizer.add_tokens([AddedToken(word, special=False, normalized=False) for word in own])
    tokenizer.chat_template = CHAT
    return tokenizer
