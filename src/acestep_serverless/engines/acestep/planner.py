"""How does the 5 Hz language model plan songs? It invents or polishes their words, thinks their metas, writes codes.

A song's plan depends on its own wish and seed alone. What the wish gives is forced into the model's text and comes
back unchanged: the model fills in what is open. Songs of a batch are written side by side, in up to four passes:

    words     sample mode and format mode: a thought with a caption and every meta
    lyrics    what is sung, unless nothing is
    thoughts  what is open of bpm, key, signature and length, and caption and language where they are asked for
    codes     `thinking`: 5 audio codes a second, led away from an empty thought (or the negative prompt)
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from acestep_serverless.engines.acestep import prompts
from acestep_serverless.engines.acestep.codes import CodeBook, codes_for, write_codes
from acestep_serverless.engines.acestep.drafting import (
    Drafting,
    Lengths,
    Question,
    description_wanted,
    words_wanted,
)
from acestep_serverless.engines.acestep.grammar import Grammars
from acestep_serverless.engines.acestep.making import free_memory, is_out_of_memory
from acestep_serverless.engines.acestep.prompts import Facts
from acestep_serverless.engines.acestep.wishes import Plan, Wish, given_facts, open_lines, with_facts, with_words
from acestep_serverless.engines.acestep.writing import Draft, Told, Writer
from acestep_serverless.engines.base import SEED_MAXIMUM, Analysis, Cancelled, Planning
from acestep_serverless.engines.extras import SongText
from acestep_serverless.errors import EngineError, GenerationCancelled

_PATIENCE = 0.1
"""Seconds between two looks at whether somebody who waits for the model still wants it."""
_USUAL = Lengths()


def _any_seed() -> int:
    return secrets.randbelow(SEED_MAXIMUM + 1)


def _unheard(_fraction: float) -> None:
    """Nobody asked how far the work is."""


class Planner:
    """The language model as a planner of songs and a maker of words (`engines.extras.WordMaker`).

    It works on one batch at a time; who comes meanwhile from another thread waits, and can give up waiting.
    """

    def __init__(
        self, parts: Any, *, lengths: Lengths = _USUAL, new_seed: Callable[[], int] = _any_seed, compiled: bool = False
    ) -> None:
        """Take `parts.model` (a Qwen3ForCausalLM in eval mode, on its device) and `parts.tokenizer` (a fast one).

        Raises EngineUnavailable for a vocabulary without audio codes.
        """
        self._book = CodeBook.of(parts.tokenizer)
        vocabulary = int(parts.model.config.vocab_size)
        self._drafting = Drafting(parts.tokenizer, self._book, lengths)
        self._writer = Writer(parts.model, Grammars(parts.tokenizer, vocabulary), compiled=compiled)
        self._text_span = _text_span(parts.tokenizer, self._book, vocabulary)
        self._new_seed, self._busy = new_seed, threading.Lock()

    def plan(self, wishes: Sequence[Wish], cancelled: Cancelled, told: Told = _unheard) -> list[Plan]:
        """Plan songs, one plan for each wish. `told` hears how far the work is, 0.0 to 1.0.

        Raises GenerationCancelled within one token, EngineError for words longer than the model reads.
        """
        told = _never_falling(told)
        with self._alone(cancelled):
            worded = self._worded(wishes, cancelled, _part(told, 0.0, 0.3))
            facts = self._thoughts(worded, cancelled, _part(told, 0.3, 0.4))
            texts = [_thought_through(wish, own) for wish, own in zip(worded, facts, strict=True)]
            codes = self._codes(worded, texts, facts, cancelled, _part(told, 0.4, 1.0))
        told(1.0)
        return [Plan(text, written) for text, written in zip(texts, codes, strict=True)]

    def invent(self, query: str, vocal_language: str, planning: Planning, cancelled: Cancelled) -> SongText:
        """Invent a song from a description in free words, "" for any. Raises GenerationCancelled or EngineError."""
        planning = replace(planning, sample_mode=True, use_format=False, sample_query=query)
        return self._words_of(SongText("", "", vocal_language=vocal_language), planning, cancelled)

    def polish(self, given: SongText, planning: Planning, cancelled: Cancelled) -> SongText:
        """Rewrite caption and lyrics in the model's own terms and fill in the metas that are open; given ones win.

        Raises GenerationCancelled or EngineError.
        """
        return self._words_of(given, replace(planning, sample_mode=False, use_format=True), cancelled)

    def understand(self, codes: Sequence[int], planning: Planning, seed: int, cancelled: Cancelled) -> Analysis:
        """Describe the sound that these codes stand for. Raises GenerationCancelled or EngineError."""
        code_text = write_codes(codes)
        with self._alone(cancelled):
            [(facts, lyrics)] = self._answers([description_wanted(code_text, planning, seed)], cancelled, _unheard)
        found = with_facts(SongText(facts["caption"], lyrics), facts)
        return Analysis(
            caption=found.caption,
            lyrics=found.lyrics,
            bpm=found.bpm,
            duration=found.duration,
            key_scale=found.key_scale,
            time_signature=found.time_signature,
            vocal_language=found.vocal_language,
            genres=facts.get("genres", ""),
            audio_codes=code_text,
        )

    def _words_of(self, text: SongText, planning: Planning, cancelled: Cancelled) -> SongText:
        with self._alone(cancelled):
            return self._worded([Wish(text, planning, self._new_seed())], cancelled, _unheard)[0].text

    def _worded(self, wishes: Sequence[Wish], cancelled: Cancelled, told: Told) -> list[Wish]:
        """Give the wishes with the words that sample mode and format mode write."""
        answers = iter(self._answers([words_wanted(wish) for wish in wishes if wish.worded], cancelled, told))
        return [with_words(wish, *next(answers)) if wish.worded else wish for wish in wishes]

    def _answers(self, questions: Sequence[Question], cancelled: Cancelled, told: Told) -> list[tuple[Facts, str]]:
        """Give the facts and the lyrics ("" where nothing is sung) that the model answers."""
        drafts = [self._drafting.words(question) for question in questions]
        thoughts = self._written(drafts, self._text_span, cancelled, _part(told, 0.0, 0.4))
        singing = [
            self._drafting.lyrics(question, draft, thought)
            for question, draft, thought in zip(questions, drafts, thoughts, strict=True)
            if question.sings
        ]
        sung = iter(self._written(singing, self._text_span, cancelled, _part(told, 0.4, 1.0)))
        lyrics = [prompts.read_lyrics(self._drafting.text(next(sung))) if it.sings else "" for it in questions]
        return list(zip(map(self._facts, thoughts), lyrics, strict=True))

    def _thoughts(self, wishes: Sequence[Wish], cancelled: Cancelled, told: Told) -> list[Facts]:
        """Give the facts of each song: its thought where something was open, else what is given."""
        lines = [open_lines(wish) for wish in wishes]
        drafts = [self._drafting.thought(wish, own) for wish, own in zip(wishes, lines, strict=True) if own]
        written = iter(self._written(drafts, self._text_span, cancelled, told))
        return [
            self._facts(next(written)) if own else given_facts(wish.text)
            for wish, own in zip(wishes, lines, strict=True)
        ]

    def _codes(
        self,
        wishes: Sequence[Wish],
        texts: Sequence[SongText],
        facts: Sequence[Facts],
        cancelled: Cancelled,
        told: Told,
    ) -> list[tuple[int, ...]]:
        """Give the codes of the songs that are to have them; the model is asked in the words before its thought."""
        drafts = [
            self._drafting.codes(wish, own, codes_for(text.duration or 0.0))
            for wish, text, own in zip(wishes, texts, facts, strict=True)
            if wish.planning.thinking
        ]
        written = iter(self._written(drafts, self._book.span, cancelled, told))
        return [self._book.read(next(written)) if wish.planning.thinking else () for wish in wishes]

    def _written(self, drafts: Sequence[Draft], span: range, cancelled: Cancelled, told: Told) -> list[list[int]]:
        """Write answers side by side, or half of them after the other where memory does not hold them all."""
        try:
            return self._writer.write(drafts, span, cancelled, told) if drafts else []
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(drafts) == 1:
                raise EngineError(
                    "The device has no memory for the language model's keys and values of a song."
                ) from error
        free_memory()
        half = len(drafts) // 2
        first = self._written(drafts[:half], span, cancelled, _part(told, 0.0, 0.5))
        return first + self._written(drafts[half:], span, cancelled, _part(told, 0.5, 1.0))

    def _facts(self, tokens: Sequence[int]) -> Facts:
        return prompts.read_thought(self._drafting.text(tokens))

    @contextmanager
    def _alone(self, cancelled: Cancelled) -> Iterator[None]:
        """Have the model to oneself. Raises GenerationCancelled if the caller gives up before."""
        while not self._busy.acquire(timeout=_PATIENCE):
            if cancelled():
                raise GenerationCancelled("The language model was told to stop.")
        try:
            yield
        finally:
            self._busy.release()


def _thought_through(wish: Wish, facts: Facts) -> SongText:
    """Fill in what was open; a caption that the model thought takes the given one's place."""
    return replace(with_facts(wish.text, facts), caption=facts.get("caption", wish.text.caption))


def _never_falling(told: Told) -> Told:
    highest = 0.0

    def tell(fraction: float) -> None:
        nonlocal highest
        highest = max(highest, fraction)
        told(highest)

    return tell


def _part(told: Told, first: float, last: float) -> Told:
    """Tell the fraction of a part as one of the whole."""
    return lambda fraction: told(first + (last - first) * fraction)


def _text_span(tokenizer: Any, book: CodeBook, vocabulary: int) -> range:
    """The tokens that text can need: those before the codes where these come last, as in the published models."""
    first = book.span.start
    others = (token for word, token in tokenizer.get_added_vocab().items() if not word.startswith("<|audio_code_"))
    return range(first) if tokenizer.vocab_size <= first and max(others, default=0) < first else range(vocabulary)
