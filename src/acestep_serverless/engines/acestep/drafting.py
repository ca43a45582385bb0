"""Which prompt, grammar and bound does each of the planner's passes have? Turns become token ids, ids become drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acestep_serverless.engines.acestep import grammar, prompts
from acestep_serverless.engines.acestep.codes import CodeBook
from acestep_serverless.engines.acestep.prompts import Facts, Turn
from acestep_serverless.engines.acestep.sampling import Settings
from acestep_serverless.engines.acestep.wishes import Wish, word_lines
from acestep_serverless.engines.acestep.writing import Draft
from acestep_serverless.engines.base import Planning
from acestep_serverless.engines.extras import SongText

_WORDS, _LYRICS, _THOUGHT, _CODES = range(4)
_PASSES = 4
"""Each pass has a stream of chance of its own, so that skipping one moves no other."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """After how many tokens free text is brought to its end: captions (the text encoder reads 256) and lyrics."""

    thought: int = 320
    lyrics: int = 2_048


@dataclass(frozen=True, slots=True)
class Question:
    """Words to be written: what the model is asked, the lines of its thought, and whether lyrics follow it."""

    turns: tuple[Turn, ...]
    lines: Mapping[str, object]
    sings: bool
    planning: Planning
    seed: int


def words_wanted(wish: Wish) -> Question:
    """Ask for a song's words: from a description in sample mode, from the given words in format mode."""
    text, planning = wish.text, wish.planning
    sings = not wish.instrumental
    if planning.sample_mode:
        turns = prompts.asked(prompts.INVENT, prompts.invention(planning.sample_query, instrumental=wish.instrumental))
        sings = sings and not text.lyrics.strip()
    else:
        turns = prompts.asked(prompts.POLISH, prompts.polishing(text.caption, text.lyrics))
    return Question(turns, word_lines(text), sings, planning, wish.seed)


def description_wanted(code_text: str, planning: Planning, seed: int) -> Question:
    """Ask what these codes, as text, sound like."""
    turns = prompts.asked(prompts.UNDERSTAND, code_text)
    return Question(turns, word_lines(SongText("", "")), True, planning, seed)


class Drafting:
    """Drafts in the words of one tokenizer."""

    def __init__(self, tokenizer: Any, book: CodeBook, lengths: Lengths) -> None:
        self._tokenizer, self._book, self._lengths = tokenizer, book, lengths

    def words(self, question: Question) -> Draft:
        """Draft the thought before the lyrics. It is not guided, as upstream's is not."""
        settings = Settings.of(question.planning, guided=False)
        return self._thought(question.turns, (), question.lines, settings, _stream(question.seed, _WORDS))

    def lyrics(self, question: Question, before: Draft, thought: Sequence[int]) -> Draft:
        """Draft the lyrics after a thought; they end with the turn."""
        return Draft(
            (*before.prompt, *thought),
            (),
            grammar.lyrics_grammar(),
            before.settings,
            _stream(question.seed, _LYRICS),
            self._lengths.lyrics,
            (self._tokenizer.eos_token,),
        )

    def thought(self, wish: Wish, lines: Mapping[str, object]) -> Draft:
        """Draft the thought before the codes, led away from a song without this caption."""
        text, settings = wish.text, Settings.of(wish.planning, guided=True)
        other = prompts.not_before_thought(text.lyrics, wish.planning.negative_prompt) if settings.guided else ()
        turns = prompts.before_thought(text.caption, text.lyrics)
        return self._thought(turns, other, lines, settings, _stream(wish.seed, _THOUGHT))

    def codes(self, wish: Wish, facts: Facts, count: int) -> Draft:
        """Draft so many codes after a thought with these facts."""
        text, settings = wish.text, Settings.of(wish.planning, guided=True)
        away = prompts.not_before_codes(text.caption, text.lyrics, wish.planning.negative_prompt)
        return Draft(
            self._tokens(prompts.before_codes(text.caption, text.lyrics, facts)),
            self._tokens(away) if settings.guided else (),
            grammar.codes_grammar(self._book, count),
            settings,
            _stream(wish.seed, _CODES),
            count,
        )

    def text(self, tokens: Sequence[int]) -> str:
        """Give what was written as text, without the end of the turn."""
        words = self._tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(words).removesuffix(self._tokenizer.eos_token)

    def _thought(
        self,
        turns: Sequence[Turn],
        other: Sequence[Turn],
        lines: Mapping[str, object],
        settings: Settings,
        seed: int,
    ) -> Draft:
        return Draft(
            self._tokens(turns),
            self._tokens(other) if other else (),
            grammar.thought_grammar(lines, self._tokenizer),
            settings,
            seed,
            self._lengths.thought,
            grammar.CLOSE_THOUGHT,
        )

    def _tokens(self, turns: Sequence[Turn]) -> tuple[int, ...]:
        text = prompts.spoken(self._tokenizer, turns)
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))


def _stream(seed: int, step: int) -> int:
    return seed * _PASSES + step
