"""What is said to the 5 Hz language model, and how is its answer read? Chat turns, and a thought in YAML.

The texts are the ones that the published models were trained on (the upstream project's prompts, February 2026): an
instruction as the system's turn, the request as the user's, and as the assistant's a thought

    <think>
    bpm: 96
    caption: A calm piano
    duration: 120
    keyscale: A minor
    language: en
    timesignature: 4
    </think>

whose keys stand in alphabetical order; what is not known is left out. PyYAML writes it (long captions are folded, the
language `no` is quoted) and reads it, every value as text.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml

from acestep_serverless.contract.acestep_parameters import NEGATIVE_PROMPT
from acestep_serverless.errors import EngineError

GENERATE = "Generate audio semantic tokens based on the given conditions:"
UNDERSTAND = "Understand the given musical conditions and describe the audio semantics accordingly:"
INVENT = "Expand the user's input into a more detailed and specific musical description:"
POLISH = "Format the user's input into a more detailed and specific musical description:"

THOUGHT_KEYS = ("bpm", "caption", "duration", "genres", "keyscale", "language", "timesignature")
THINK, THOUGHT = "<think>", "</think>"
LYRIC_HEADING = "# Lyric\n"
INSTRUMENTAL = "[Instrumental]"

_INSTRUMENTALS = frozenset({"", "[inst]", INSTRUMENTAL.lower()})
_NUMBERS = frozenset({"bpm", "duration", "timesignature"})

Turn = Mapping[str, str]
Facts = Mapping[str, str]
"""Values of the thought by key, as text: {"bpm": "96", "keyscale": "A minor"}."""


def is_instrumental(lyrics: str) -> bool:
    """Tell whether these lyrics ask for a song without words: empty, or one of the model's own tags for that."""
    return lyrics.strip().lower() in _INSTRUMENTALS


def song(caption: str, lyrics: str) -> str:
    """Give the user's turn for a song: what it is and what is sung."""
    return f"# Caption\n{caption}\n\n{LYRIC_HEADING}{lyrics}\n"


def invention(query: str, *, instrumental: bool) -> str:
    """Give the user's turn that asks for a song's words; an empty query asks for any song."""
    return f"{query.strip() or NEGATIVE_PROMPT}\n\ninstrumental: {str(instrumental).lower()}"


def polishing(caption: str, lyrics: str) -> str:
    """Give the user's turn that asks for better words; what is missing is said in the model's terms."""
    words = INSTRUMENTAL if is_instrumental(lyrics) else lyrics
    return f"# Caption\n{caption.strip() or NEGATIVE_PROMPT}\n\n{LYRIC_HEADING}{words}"


def asked(instruction: str, request: str) -> tuple[Turn, ...]:
    """Give the turns before an answer: the instruction and the request."""
    return (
        {"role": "system", "content": f"# Instruction\n{instruction}\n\n"},
        {"role": "user", "content": request},
    )


def before_thought(caption: str, lyrics: str) -> tuple[Turn, ...]:
    """Give the turns after which the model thinks a song's metadata."""
    return asked(GENERATE, song(caption, lyrics))


def not_before_thought(lyrics: str, negative: str) -> tuple[Turn, ...]:
    """Give what the thought is led away from: no caption, or the negative prompt as the caption."""
    means_something = _means_something(negative)
    return asked(GENERATE, song(negative, lyrics) if means_something else f"{LYRIC_HEADING}{lyrics}\n")


def before_codes(caption: str, lyrics: str, facts: Facts) -> tuple[Turn, ...]:
    """Give the turns after which the model writes audio codes: the thought is the assistant's."""
    return (*before_thought(caption, lyrics), {"role": "assistant", "content": thought(facts)})


def not_before_codes(caption: str, lyrics: str, negative: str) -> tuple[Turn, ...]:
    """Give what the codes are led away from: an empty thought, and the negative prompt for a caption if any."""
    words = negative if _means_something(negative) else caption
    return (*before_thought(words, lyrics), {"role": "assistant", "content": f"{THINK}\n{THOUGHT}"})


def spoken(tokenizer: Any, turns: Sequence[Turn]) -> str:
    """Give the turns in the chat template of the model's tokenizer, up to where the model goes on.

    After the user's turn it opens the assistant's. After a thought it goes on in a new line.
    """
    opens = turns[-1]["role"] != "assistant"
    text = str(tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=opens))
    return text if opens or text.endswith("\n") else f"{text}\n"


def thought(facts: Facts) -> str:
    """Give the thought with these facts."""
    return f"{THINK}\n{''.join(thought_line(key, facts[key]) for key in THOUGHT_KEYS if key in facts)}{THOUGHT}"


def thought_line(key: str, value: str) -> str:
    """Give one line of the thought (several where YAML folds a long value), with its end."""
    plain: object = int(value) if key in _NUMBERS else value
    return str(yaml.safe_dump({key: plain}, allow_unicode=True))


def read_thought(text: str) -> Facts:
    """Give the facts of the first thought in a text. Raises EngineError if there is none or it is not YAML."""
    _, opening, rest = text.partition(THINK)
    body, closing, _ = rest.partition(THOUGHT)
    try:
        facts = yaml.load(body, Loader=yaml.BaseLoader) or {}  # noqa: S506 - BaseLoader makes nothing but texts
    except yaml.YAMLError:
        facts = None
    if not (
        opening and closing and isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values())
    ):
        raise EngineError("The language model's thought could not be read.")
    return MappingProxyType({key: value for key, value in facts.items() if key in THOUGHT_KEYS})


def read_lyrics(text: str) -> str:
    """Give the lyrics of what follows a thought, without their heading."""
    return text.strip().removeprefix(LYRIC_HEADING.strip()).strip()


def _means_something(negative: str) -> bool:
    """Whether a negative prompt says what is unwanted; its default says that there is none."""
    return negative.strip() not in ("", NEGATIVE_PROMPT)
