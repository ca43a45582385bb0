"""How are audio codes written, and which tokens of the language model are they? Text, numbers and token ids.

A code is a number from 0 to 63,999 (the codebook of the model's audio tokenizer: 8 x 8 x 8 x 5 x 5 x 5 levels), five
of them make a second of sound, and each is written `<|audio_code_N|>`, one after the other with nothing in between.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from acestep_serverless.errors import EngineUnavailable

CODES_PER_SECOND = 5
CODE_VALUES = 64_000

_CODE = re.compile(r"<\|audio_code_([0-9]{1,9})\|>")


def codes_for(seconds: float) -> int:
    """Tell how many codes a song of this length has: 5 a second, the nearest whole number, at least one."""
    return max(1, int(seconds * CODES_PER_SECOND + 0.5))


def write_codes(codes: Iterable[int]) -> str:
    """Give codes as the text that the REST API and the language model know."""
    return "".join(f"<|audio_code_{code}|>" for code in codes)


@dataclass(frozen=True, slots=True)
class CodeBook:
    """The code tokens of one vocabulary: `tokens[code]` is the token's id. Tokens beyond 63,999 mean nothing."""

    tokens: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> "CodeBook":
        """Find them in a tokenizer of transformers. Raises EngineUnavailable if there are none, or gaps between."""
        found: dict[int, int] = {}
        for word, token in tokenizer.get_vocab().items():
            match = _CODE.fullmatch(word)
            if match is not None and int(match[1]) < CODE_VALUES:
                found[int(match[1])] = token
        if not found or len(found) != max(found) + 1:
            raise EngineUnavailable(
                f"The language model's vocabulary has {len(found):,} tokens for audio codes, and they must go from 0 "
                "upwards without a gap: this is no acestep-5Hz-lm model."
            )
        return cls(tuple(found[code] for code in range(len(found))))

    @property
    def span(self) -> range:
        """The shortest range of token ids that holds all of them."""
        return range(min(self.tokens), max(self.tokens) + 1)

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The tokens' ids as runs (first, last), ascending: one run in the published models."""
        runs = []
        for _, run in groupby(enumerate(sorted(self.tokens)), lambda place: place[1] - place[0]):
            ids = [token for _, token in run]
            runs.append((ids[0], ids[-1]))
        return tuple(runs)

    def read(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Give the codes of code tokens."""
        codes = {token: code for code, token in enumerate(self.tokens)}
        return tuple(codes[token] for token in tokens)
