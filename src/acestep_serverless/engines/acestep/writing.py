"""How does the language model write? Several answers side by side, each within its grammar, a token a step.

An answer depends on its own draft and seed alone: every prompt is read by itself, every row stands by itself in the
cache, every song has its own generator, grammar and settings. Only the number of rows in a matrix product is shared,
which may move a logit in its last digits. (On a CPU it does not: products of 1, 2, 3, 4, 8 and 16 rows in bfloat16
agreed to the bit, and the real 0.6B shape wrote the same codes alone and beside three others.)

A step is bound by reading the weights: on that CPU and shape 16 rows (8 guided songs) take 2.0 times as long as 2,
and the head costs 44 ms for the 64,000 codes instead of 119 ms for all 217,204 tokens, beside 485 ms for the layers
(one thread of a busy machine: read the ratios). Compiling saves 0.3 ms a layer there and takes minutes, so it is for
GPUs, where starting the kernels is what a step waits for.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from acestep_serverless.engines.acestep.grammar import Answer, Grammars
from acestep_serverless.engines.acestep.rows import Rows
from acestep_serverless.engines.acestep.sampling import Settings, Table, Tensor, choose, guide
from acestep_serverless.errors import EngineError, GenerationCancelled

Told = Callable[[float], None]
"""Hears how much is written, 0.0 to 1.0."""

Watch = Callable[[Sequence[float]], Collection[int]]
"""Hears how much of each answer is written, before each prompt and each token; gives the numbers of those that nobody
wants any more."""

Written = list[int] | Exception
"""An answer's tokens, or why there is none."""

STOPPED = "The language model was told to stop."

_ENDING = 128
"""An answer that should end has so many tokens left: every grammar here needs fewer from any place to its end."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What one answer needs. Prompts are two token ids or more; `other` is what guidance leads away from, () for none.

    After `enough` tokens the first of `closings` that the grammar allows ends what is free in the answer.
    """

    prompt: tuple[int, ...]
    other: tuple[int, ...]
    grammar: str
    settings: Settings
    seed: int
    enough: int
    closings: tuple[str, ...] = ()


class _Song:
    """One answer on its way: what is written, and what of it the model has yet to read."""

    def __init__(self, draft: Draft, answer: Answer, span: range, device: Any) -> None:
        self.draft, self.answer, self._span = draft, answer, span
        self.written: list[int] = []
        self.unread: deque[int] = deque()
        self.failure: Exception | None = None
        self.generator = torch.Generator(device=device)
        self.generator.manual_seed(draft.seed)
        self.seen: Tensor | None = None
        if draft.settings.penalty != 1.0:
            self.seen = torch.zeros(len(span), dtype=torch.bool, device=device)
            self._see(draft.prompt)
        self._add([])

    @property
    def open(self) -> bool:
        """Whether there is more to write."""
        return self.failure is None and not self.answer.whole

    @property
    def done(self) -> float:
        """How much is written, 0.0 to 1.0."""
        return 1.0 if self.answer.whole else min(1.0, len(self.written) / self.draft.enough)

    def close(self) -> bool:
        """End what is free, if that is due and possible here."""
        due = len(self.written) >= self.draft.enough
        tokens = self.answer.close(self.draft.closings) if due else []
        if tokens:
            self._add(tokens)
        return bool(tokens)

    def take(self, token: int) -> None:
        """Go on with a drawn token, and with all that must follow it."""
        self.answer.take([token])
        self._add([token])

    def _add(self, tokens: list[int]) -> None:
        tokens = tokens + self.answer.forced()
        self.written += tokens
        self.unread.extend(tokens)
        self._see(tokens)

    def _see(self, tokens: Sequence[int]) -> None:
        places = [token - self._span.start for token in tokens if token in self._span]
        if self.seen is not None and places:
            self.seen[torch.tensor(places, device=self.seen.device)] = True


class Writer:
    """A language model of transformers (a `Qwen3ForCausalLM`) that writes answers within grammars."""

    def __init__(self, model: Any, grammars: Grammars, *, compiled: bool = False) -> None:
        self._model, self._grammars = model, grammars
        self._step = torch.compile(model.model, dynamic=True) if compiled else model.model
        self._limit = int(model.config.max_position_embeddings)

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft], span: range, watch: Watch) -> list[Written]:
        """Write one answer for each draft: its tokens, with what the grammar forced. Only tokens of `span` are drawn.

        An answer that is not wanted any more ends within a token, with GenerationCancelled; one beyond the model's
        reach is an EngineError. The others are written on.
        """
        songs = [_Song(draft, self._grammars.start(draft.grammar), span, self._model.device) for draft in drafts]
        for song in songs:
            song.failure = self._too_long(song.draft)

        def look() -> None:
            for number in watch([song.done for song in songs]):
                songs[number].failure = songs[number].failure or GenerationCancelled(STOPPED)
            if not any(song.open for song in songs):
                raise _NobodyLeft

        open_songs = [song for song in songs if song.open]
        if open_songs:
            with suppress(_NobodyLeft):
                _Desk(self._model, self._step, open_songs, span, look).work()
        return [song.failure or song.written for song in songs]

    def _too_long(self, draft: Draft) -> EngineError | None:
        needed = max(len(draft.prompt), len(draft.other)) + draft.enough + _ENDING
        if needed <= self._limit:
            return None
        return EngineError(f"The language model reads {self._limit:,} tokens, and this song needs {needed:,}.")


class _NobodyLeft(Exception):
    """Every answer is whole or given up."""


class _Desk:
    """The songs that are being written together: rows of the wanted prompts first, then those of the other ones."""

    def __init__(self, model: Any, step: Any, songs: Sequence[_Song], span: range, look: Callable[[], None]) -> None:
        self._songs, self._span, self._look = list(songs), span, look
        self._head = model.lm_head.weight[span.start : span.stop]
        self._guided = [song for song in songs if song.draft.settings.guided]
        prompts = [song.draft.prompt for song in songs] + [song.draft.other for song in self._guided]
        texts = [[*prompt, *song.written] for prompt, song in zip(prompts, [*songs, *self._guided], strict=True)]
        for song, text in zip(songs, texts, strict=False):
            song.unread = deque(text[-1:])
        room = max(len(text) + song.draft.enough for text, song in zip(texts, songs, strict=False))
        self._rows = Rows(model.model, step, [text[:-1] for text in texts], room, self._look)

    def work(self) -> None:
        """Write until every answer is whole. Raises _NobodyLeft then, and when the others are given up."""
        for _ in range(max(song.draft.enough for song in self._songs) + _ENDING):
            self._look()
            self._leave()
            self._step()
        self._look()
        raise EngineError("The language model's answer did not come to an end.")

    def _leave(self) -> None:
        """Take out of the cache who is done or gone: nothing is computed for them any more."""
        if all(song.open for song in self._songs):
            return
        rows = [row for row, song in enumerate((*self._songs, *self._guided)) if song.open]
        self._rows.keep(rows)
        self._songs = [song for song in self._songs if song.open]
        self._guided = [song for song in self._guided if song.open]

    def _step(self) -> None:
        """Read one token in each row, then draw the next ones where the grammar leaves a choice."""
        tokens = {id(song): song.unread.popleft() for song in self._songs}
        hidden = self._rows.feed([tokens[id(song)] for song in (*self._songs, *self._guided)])
        choosing = [song for song in self._songs if not song.unread and not song.close()]
        if choosing:
            for song, token in zip(choosing, self._drawn(choosing, hidden), strict=True):
                song.take(token)

    def _drawn(self, choosing: Sequence[_Song], hidden: Tensor) -> list[int]:
        table = Table.of([song.draft.settings for song in choosing], hidden.device)
        logits = self._logits(choosing, hidden, table)
        masks = np.stack([song.answer.mask()[self._span.start : self._span.stop] for song in choosing])
        allowed = torch.from_numpy(masks).to(hidden.device)
        drawn = choose(logits, allowed, self._seen(choosing), table, [song.generator for song in choosing])
        return [int(place) + self._span.start for place in drawn.tolist()]

    def _logits(self, choosing: Sequence[_Song], hidden: Tensor, table: Table) -> Tensor:
        """The guided logits of the span, float32 [songs, tokens]."""
        voiced = functional.linear(hidden, self._head).float()
        wanted = [self._songs.index(song) for song in choosing]
        if not self._guided:
            return _picked(voiced, wanted)
        others = {id(song): len(self._songs) + row for row, song in enumerate(self._guided)}
        rows = [others.get(id(song), row) for song, row in zip(choosing, wanted, strict=True)]
        return guide(_picked(voiced, wanted), _picked(voiced, rows), table.scales)

    def _seen(self, choosing: Sequence[_Song]) -> Tensor | None:
        if all(song.seen is None for song in choosing):
            return None
        nothing = torch.zeros(len(self._span), dtype=torch.bool, device=self._head.device)
        return torch.stack([nothing if song.seen is None else song.seen for song in choosing])


def _picked(voiced: Tensor, rows: Sequence[int]) -> Tensor:
    """Some rows. Neighbours are taken as they lie: for a list of numbers the CPU would wait for a GPU."""
    first, last = rows[0], rows[-1]
    return voiced[first : last + 1] if list(rows) == list(range(first, last + 1)) else voiced[list(rows)]
