"""What may the language model write? Grammars for llguidance, which masks every token that cannot lead to a whole one.

There are three: a thought, the lyrics after it, and so many audio codes. Values that are given stand in a thought's
grammar as they are; open ones are lists of every allowed line, written by the same YAML writer that the prompts use.

Why llguidance (1.9) and not xgrammar (0.2): with 217,000 tokens, 64,000 of them codes, a song's grammar is ready in
5 ms (xgrammar: 210 to 870 ms, for each song with values of its own), 3,000 codes in 1 ms since it knows runs of token
ids, and the mask of a state costs 10 to 20 ms once and 25 us from then on. Masks are computed on the CPU for either
device, one song at a time and without the interpreter's lock. Free text is bounded by tokens and not by a counter in
the grammar: every count is a state of its own, and each would cost its 10 to 20 ms.
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from acestep_serverless.contract.acestep_parameters import LANGUAGES
from acestep_serverless.engines.acestep.codes import CodeBook
from acestep_serverless.engines.acestep.prompts import LYRIC_HEADING, THINK, THOUGHT, THOUGHT_KEYS, thought_line
from acestep_serverless.errors import EngineError

BPM = range(30, 301)
SECONDS = range(10, 601)
TIME_SIGNATURES = ("2", "3", "4", "6")
KEY_SCALES = tuple(
    f"{note}{sign} {mode}" for note in "ABCDEFG" for sign in ("", "#", "b", "♯", "♭") for mode in ("major", "minor")
)

_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "bpm": tuple(map(str, BPM)),
        "duration": tuple(map(str, SECONDS)),
        "keyscale": KEY_SCALES,
        "language": LANGUAGES,
        "timesignature": TIME_SIGNATURES,
    }
)
OPEN, MAYBE = object(), object()
"""What a line may be beside a given value: the model's choice, or the model's choice whether to have it at all."""

# Characters that YAML reads as they are. "<" is left out: it begins the tokens that end a thought or a turn.
_SIGNS = r"!-;=-~\u{a1}-\u{1fff}\u{2010}-\u{2027}\u{2030}-\u{205e}\u{2070}-\u{2fff}\u{3001}-\u{d7ff}\u{e000}-\u{fefe}"
_SIGNS += r"\u{ff00}-\u{fffd}\u{10000}-\u{10ffff}"
_INDICATORS = r"""\-?:,\[\]{}#&*!|>'"%@`"""
_FREE = rf"""
FIRST: /[{_SIGNS}&&[^{_INDICATORS}]]([{_SIGNS}&&[^:]]|:+[{_SIGNS}&&[^:]])*/
LATER: /([{_SIGNS}&&[^:#]]|:+[{_SIGNS}&&[^:]])([{_SIGNS}&&[^:]]|:+[{_SIGNS}&&[^:]])*/
PLAIN: FIRST (GAP LATER)*
QUOTED: "'" INSIDE (GAP INSIDE)* "'"
INSIDE: /([{_SIGNS}&&[^']]|'')+/
GAP: / |\n  /
TEXT: PLAIN | QUOTED
"""
"""A YAML value on one line or folded over several: plain, where no ": " and no " #" can stand, or in single quotes."""

CLOSE_THOUGHT = tuple(f"{end}\n{key}:" for key in ("duration", "keyscale") for end in ("", "'", ".", ".'"))
"""Texts of which one ends a free value (caption or genres) wherever it stands between two characters."""


def thought_grammar(lines: Mapping[str, object], tokenizer: Any) -> str:
    """Give the grammar of a thought with these lines: key -> a given value as text, OPEN or MAYBE.

    Keys that are absent get no line. "caption" and "genres" are free text, the others have a list of values.
    """
    keys = [key for key in THOUGHT_KEYS if key in lines]
    parts = [_tag(THINK, tokenizer), r'"\n"', *(_part(key, lines[key]) for key in keys), _tag(THOUGHT, tokenizer)]
    terminals = [f"{key.upper()}: {_open(key)}" for key in keys if lines[key] in (OPEN, MAYBE)]
    return "\n".join([f"start: {' '.join(parts)}", *terminals, _FREE])


def lyrics_grammar() -> str:
    """Give the grammar of what follows a thought: the heading and free text, up to the end of the turn."""
    return rf"""start: /\n{{1,2}}/ {json.dumps(LYRIC_HEADING)} LYRICS
LYRICS: /[ \n{_SIGNS}]*/
"""


def codes_grammar(book: CodeBook, count: int) -> str:
    """Give the grammar of exactly `count` codes."""
    runs = ",".join(f"{first}-{last}" for first, last in book.runs)
    return f"start: <[{runs}]>{{{count}}}"


def _part(key: str, value: object) -> str:
    if value in (OPEN, MAYBE):
        return key.upper() + ("?" if value is MAYBE else "")
    return json.dumps(thought_line(key, str(value)), ensure_ascii=False)


def _open(key: str) -> str:
    if key in _VALUES:
        return _any_of(thought_line(key, value) for value in _VALUES[key])
    return rf'"{key}: " TEXT "\n"'


def _any_of(texts: Iterable[str]) -> str:
    return " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)


def _tag(word: str, tokenizer: Any) -> str:
    """A tag of the thought: its own token where the vocabulary has one."""
    token = tokenizer.convert_tokens_to_ids(word)
    return json.dumps(word) if token in (None, tokenizer.unk_token_id) else f"<[{token}]>"


class Grammars:
    """What a grammar means in one vocabulary of `vocabulary` tokens (padding included).

    The code tokens are kept from llguidance: grammars name them by id, free text cannot hold them, and its tokenizer
    takes three minutes to add 65,535 of them (4 s without).
    """

    def __init__(self, tokenizer: Any, vocabulary: int) -> None:
        described = json.loads(tokenizer.backend_tokenizer.to_str())
        codes = set(CodeBook.of(tokenizer).tokens)
        described["added_tokens"] = [token for token in described["added_tokens"] if token["id"] not in codes]
        described["padding"] = described["truncation"] = None
        self._vocabulary = vocabulary
        self._tokens = LLTokenizer(json.dumps(described), n_vocab=vocabulary, eos_token=tokenizer.eos_token_id)

    def start(self, grammar: str) -> "Answer":
        """Begin an answer in this grammar. Raises EngineError for a grammar that does not hold."""
        matcher = LLMatcher(self._tokens, grammar)
        if matcher.is_error():
            raise EngineError(f"The grammar of the language model's answer does not hold: {matcher.get_error()}")
        return Answer(matcher, self._tokens, self._vocabulary)


class Answer:
    """One answer as it is written: which tokens are forced, which are allowed, and whether it is whole."""

    def __init__(self, matcher: Any, tokens: Any, vocabulary: int) -> None:
        self._matcher, self._tokens, self._vocabulary = matcher, tokens, vocabulary

    @property
    def whole(self) -> bool:
        """Whether nothing can follow."""
        return bool(self._matcher.is_stopped())

    def forced(self) -> list[int]:
        """Take the tokens that must come next whatever the model says; [] where it has a choice."""
        tokens = [] if self.whole else list(self._matcher.compute_ff_tokens())
        self.take(tokens)
        return tokens

    def take(self, tokens: list[int]) -> None:
        """Go on with these tokens. Raises EngineError if one is not allowed."""
        if tokens and not self._matcher.consume_tokens(tokens):
            raise EngineError(f"The language model left its grammar: {self._matcher.get_error()}")

    def close(self, closings: Iterable[str]) -> list[int]:
        """Take the first of these texts that may come next, and give its tokens; [] if none may."""
        for text in closings:
            tokens = list(self._tokens.tokenize_str(text))
            if self._matcher.validate_tokens(tokens) == len(tokens):
                self.take(tokens)
                return tokens
        return []

    def mask(self) -> NDArray[np.bool_]:
        """Tell which tokens may come next: bool[vocabulary]."""
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise EngineError(f"The grammar of the language model's answer is too large: {self._matcher.get_error()}")
        return np.unpackbits(packed, bitorder="little", count=self._vocabulary).astype(np.bool_)
