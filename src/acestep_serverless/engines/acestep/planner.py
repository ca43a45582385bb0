"""How does the 5 Hz language model plan songs? It invents or polishes their words, thinks their metas, writes codes.

A song's plan depends on its own wish and seed alone. What the wish gives is forced into the model's text and comes
back unchanged: the model fills in what is open. All songs of a batch are written side by side, whoever asked for them,
in up to four passes:

    words     sample mode and format mode: a thought with a caption and every meta
    lyrics    what is sung, unless nothing is
    thoughts  what is open of bpm, key, signature and length, and caption and language where they are asked for
    codes     `thinking`: 5 audio codes a second, led away from an empty thought (or the negative prompt)
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from acestep_serverless.engines.acestep import prompts
from acestep_serverless.engines.acestep.codes import CodeBook, codes_for, write_codes
from acestep_serverless.engines.acestep.drafting import (
    Drafting,
    Lengths,
    Question,
    description_wanted,
    words_wanted,
)
from acestep_serverless.engines.acestep.fitting import FittingWriter
from acestep_serverless.engines.acestep.grammar import Grammars
from acestep_serverless.engines.acestep.parties import Audience, Party, Planned
from acestep_serverless.engines.acestep.prompts import Facts
from acestep_serverless.engines.acestep.wishes import Plan, Wish, given_facts, open_lines, with_facts, with_words
from acestep_serverless.engines.acestep.writing import Draft, Writer
from acestep_serverless.engines.base import SEED_MAXIMUM, Analysis, Cancelled, Planning
from acestep_serverless.engines.extras import SongText

_PATIENCE = 0.1
"""Seconds between two looks at whether somebody who waits for the model still wants it."""
_USUAL = Lengths()


_THOUGHTS, _LYRICS, _METAS, _CODES = (0.0, 0.12), (0.12, 0.3), (0.3, 0.4), (0.4, 1.0)
"""Which part of the work each pass is told to be."""


def _any_seed() -> int:
    return secrets.randbelow(SEED_MAXIMUM + 1)


class _Owned(Protocol):
    """What belongs to a party."""

    @property
    def party(self) -> int: ...


_Item = TypeVar("_Item", bound=_Owned)


@dataclass
class _Song:
    """One song while it is planned: whose it is, its wish with the words that were written, its facts and codes."""

    party: int
    wish: Wish
    facts: Facts
    codes: tuple[int, ...] = ()

    @classmethod
    def of(cls, party: int, wish: Wish) -> "_Song":
        return cls(party, wish, given_facts(wish.text))

    @property
    def text(self) -> SongText:
        """What is known of it by now; a caption that the model thought takes the given one's place."""
        text = with_facts(self.wish.text, self.facts)
        return replace(text, caption=self.facts.get("caption", text.caption))


@dataclass
class _Asked:
    """Words that a party asks for: the question, its draft, the thought in tokens, and the answer."""

    party: int
    question: Question
    draft: Draft
    thought: list[int] = field(default_factory=list)
    facts: Facts = field(default_factory=dict)
    lyrics: str = ""


class Planner:
    """The language model as a planner of songs and a maker of words (`engines.extras.WordMaker`).

    It works on one batch at a time; who comes meanwhile from another thread waits, and can give up waiting.
    """

    def __init__(
        self,
        parts: Any,
        *,
        lengths: Lengths = _USUAL,
        new_seed: Callable[[], int] = _any_seed,
        compiled: bool = False,
        positions: int = 0,
    ) -> None:
        """Take `parts.model` (a Qwen3ForCausalLM in eval mode, on its device) and `parts.tokenizer` (a fast one).

        Its cache holds so many `positions`, all rows together; 0 is no bound. Raises EngineUnavailable for a
        vocabulary without audio codes.
        """
        self._book = CodeBook.of(parts.tokenizer)
        vocabulary = int(parts.model.config.vocab_size)
        self._drafting = Drafting(parts.tokenizer, self._book, lengths)
        writer = Writer(parts.model, Grammars(parts.tokenizer, vocabulary), compiled=compiled)
        self._writer = FittingWriter(writer, positions)
        self._text_span = _text_span(parts.tokenizer, self._book, vocabulary)
        self._new_seed, self._busy = new_seed, threading.Lock()

    def plan(self, parties: Sequence[Party]) -> list[Planned]:
        """Plan the songs of all parties together. Each ends with its plans or its own failure: GenerationCancelled
        within one token of its cancel, or EngineError, as for words longer than the model reads."""
        audience = Audience(parties)
        songs = [_Song.of(number, wish) for number, party in enumerate(parties) for wish in party.wishes]
        with self._alone(audience):
            self._word(audience, songs)
            self._think(audience, songs)
            self._code(audience, songs)
        for number in range(len(parties)):
            audience.tell(number, 1.0)
        plans: list[list[Plan]] = [[] for _ in parties]
        for song in songs:
            plans[song.party].append(Plan(song.text, song.codes))
        return [audience.failures.get(number, own) for number, own in enumerate(plans)]

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
        audience = Audience([Party([], cancelled)])
        with self._alone(audience):
            answers = self._answers(audience, [(0, description_wanted(code_text, planning, seed))])
        audience.check()
        facts, lyrics = answers[0].facts, answers[0].lyrics
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
        song = _Song.of(0, Wish(text, planning, self._new_seed()))
        audience = Audience([Party([song.wish], cancelled)])
        with self._alone(audience):
            self._word(audience, [song])
        audience.check()
        return song.wish.text

    def _word(self, audience: Audience, songs: Sequence[_Song]) -> None:
        """Give the songs the words that sample mode and format mode write."""
        worded = [song for song in songs if song.wish.worded]
        answers = self._answers(audience, [(song.party, words_wanted(song.wish)) for song in worded])
        for song, answer in zip(worded, answers, strict=True):
            if audience.waits(song.party):
                song.wish = with_words(song.wish, answer.facts, answer.lyrics)
                song.facts = given_facts(song.wish.text)

    def _answers(self, audience: Audience, questions: Sequence[tuple[int, Question]]) -> list[_Asked]:
        """Ask each party's questions; the answers of those who still wait have facts, and lyrics where any are sung."""
        asked = [_Asked(party, question, self._drafting.words(question)) for party, question in questions]
        for one, tokens in self._written(audience, [(one, one.draft) for one in asked], self._text_span, _THOUGHTS):
            one.thought = tokens
            with audience.failing(one.party):
                one.facts = self._facts(tokens)
        sung = [(it, self._drafting.lyrics(it.question, it.draft, it.thought)) for it in asked if it.question.sings]
        for one, tokens in self._written(audience, sung, self._text_span, _LYRICS):
            one.lyrics = prompts.read_lyrics(self._drafting.text(tokens))
        return asked

    def _think(self, audience: Audience, songs: Sequence[_Song]) -> None:
        """Let the model fill in what is open of each song."""
        lines = [(song, open_lines(song.wish)) for song in songs if audience.waits(song.party)]
        drafts = [(song, self._drafting.thought(song.wish, own)) for song, own in lines if own]
        for song, tokens in self._written(audience, drafts, self._text_span, _METAS):
            with audience.failing(song.party):
                song.facts = self._facts(tokens)

    def _code(self, audience: Audience, songs: Sequence[_Song]) -> None:
        """Give codes to the songs that are to have them; the model is asked in the words before its thought."""
        drafts = [
            (song, self._drafting.codes(song.wish, song.facts, codes_for(song.text.duration or 0.0)))
            for song in songs
            if song.wish.planning.thinking and audience.waits(song.party)
        ]
        for song, tokens in self._written(audience, drafts, self._book.span, _CODES):
            song.codes = self._book.read(tokens)

    def _written(
        self, audience: Audience, drafts: Sequence[tuple[_Item, Draft]], span: range, share: tuple[float, float]
    ) -> list[tuple[_Item, list[int]]]:
        """Write what the drafts of those say who still wait; give it to those who wait at the end."""
        wanted = [(item, draft) for item, draft in drafts if audience.waits(item.party)]
        watch = audience.watch([item.party for item, _ in wanted], *share)
        answers = self._writer.write([draft for _, draft in wanted], span, watch) if wanted else []
        written = []
        for (item, _), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Exception):
                audience.fail(item.party, answer)
            else:
                written.append((item, answer))
        return [(item, tokens) for item, tokens in written if audience.waits(item.party)]

    def _facts(self, tokens: Sequence[int]) -> Facts:
        return prompts.read_thought(self._drafting.text(tokens))

    @contextmanager
    def _alone(self, audience: Audience) -> Iterator[None]:
        """Have the model to oneself; if everybody gives up before, what follows has nobody left to write for."""
        while not (got := self._busy.acquire(timeout=_PATIENCE)) and audience.ask():
            pass
        try:
            yield
        finally:
            if got:
                self._busy.release()


def _text_span(tokenizer: Any, book: CodeBook, vocabulary: int) -> range:
    """The tokens that text can need: those before the codes where these come last, as in the published models."""
    first = book.span.start
    others = (token for word, token in tokenizer.get_added_vocab().items() if not word.startswith("<|audio_code_"))
    return range(first) if tokenizer.vocab_size <= first and max(others, default=0) < first else range(vocabulary)
