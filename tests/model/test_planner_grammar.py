"""Can the language model write anything that cannot be read? Random walks through its grammars, and their edges."""

import random

import numpy as np
import pytest
from tiny_tokenizer import tiny_tokenizer

from acestep_serverless.contract.acestep_parameters import LANGUAGES
from acestep_serverless.engines.acestep import grammar, prompts
from acestep_serverless.engines.acestep.codes import CodeBook
from acestep_serverless.engines.acestep.grammar import MAYBE, OPEN, Grammars
from acestep_serverless.errors import EngineError

TOKENIZER = tiny_tokenizer(codes=64)
GRAMMARS = Grammars(TOKENIZER, len(TOKENIZER) + 3)
ALL_OPEN = {**dict.fromkeys(prompts.THOUGHT_KEYS, OPEN), "genres": MAYBE}
GIVEN = {"bpm": "61", "duration": "3", "keyscale": "B♭ major", "language": "no", "timesignature": "2"}
ENOUGH = 30


def wander(text: str, seed: int, closings: tuple[str, ...] = ()) -> list[int]:
    """Write an answer without a model: each allowed token is as likely as any other."""
    chance, answer, written = np.random.default_rng(seed), GRAMMARS.start(text), []
    for _ in range(ENOUGH + 128):
        written += answer.forced()
        if answer.whole:
            return written
        closed = answer.close(closings) if len(written) >= ENOUGH else []
        if not closed:
            closed = [int(chance.choice(np.flatnonzero(answer.mask())))]
            answer.take(closed)
        written += closed
    raise AssertionError("the answer did not end")


def accepts(text: str, answer: str) -> bool:
    """Whether a grammar takes this answer whole."""
    started = GRAMMARS.start(text)
    try:
        started.take(TOKENIZER.encode(answer))
    except EngineError:
        return False
    return started.whole


def thought(line: str, key: str) -> tuple[str, str]:
    """One line as an answer, and the grammar in which its key is open."""
    return f"<think>\n{line}\n</think>", grammar.thought_grammar({key: OPEN}, TOKENIZER)


@pytest.mark.parametrize("seed", range(60))
def test_every_thought_is_read_back_with_what_was_given_and_values_of_the_model(seed: int) -> None:
    chance = random.Random(seed)
    given = {key: value for key, value in GIVEN.items() if chance.random() < 0.4}
    lines = {key: kind for key, kind in ALL_OPEN.items() if key in ("duration", "keyscale") or chance.random() < 0.8}
    written = wander(grammar.thought_grammar({**lines, **given}, TOKENIZER), seed, grammar.CLOSE_THOUGHT)
    facts = prompts.read_thought(TOKENIZER.decode(written))
    assert set(facts) - {"genres"} == set({**lines, **given}) - {"genres"}
    assert {key: facts[key] for key in given} == given
    for key, value in facts.items():
        domain = {
            "bpm": map(str, range(30, 301)),
            "duration": map(str, range(10, 601)),
            "keyscale": grammar.KEY_SCALES,
            "language": LANGUAGES,
            "timesignature": "2346",
        }.get(key)
        assert key in given or value.strip() if domain is None else key in given or value in set(domain), (key, value)
        assert "<" not in value


def test_all_seventy_keys_and_fifty_one_languages_are_there() -> None:
    assert len(set(grammar.KEY_SCALES)) == 70
    assert len(set(LANGUAGES)) == 51
    for key, values in (("keyscale", grammar.KEY_SCALES), ("language", LANGUAGES)):
        _, text = thought("", key)
        for value in values:
            assert accepts(text, f"<think>\n{prompts.thought_line(key, value)}</think>"), value


@pytest.mark.parametrize(
    ("line", "key", "allowed"),
    [
        ("bpm: 30", "bpm", True),
        ("bpm: 300", "bpm", True),
        ("bpm: 29", "bpm", False),
        ("bpm: 301", "bpm", False),
        ("bpm: 030", "bpm", False),
        ("duration: 10", "duration", True),
        ("duration: 600", "duration", True),
        ("duration: 9", "duration", False),
        ("duration: 601", "duration", False),
        ("timesignature: 6", "timesignature", True),
        ("timesignature: 5", "timesignature", False),
        ("keyscale: H major", "keyscale", False),
        ("keyscale: A Minor", "keyscale", False),
        ("language: xx", "language", False),
        ("language: no", "language", False),  # YAML reads this as false: the writer quotes it
        ("caption: a b", "caption", True),
        ("caption: slow\n  and wide", "caption", True),
        ("caption: '12: it''s # a song'", "caption", True),
        ("caption: a: b", "caption", False),
        ("caption: a #b", "caption", False),
        ("caption: - a", "caption", False),
        ("caption: 'a", "caption", False),
        ("caption: <|audio_code_3|>", "caption", False),
        ("caption: love <3", "caption", False),  # "<" begins the tags and tokens that end a thought
        ("caption: ", "caption", False),
    ],
)
def test_a_line_is_allowed_or_not(line: str, key: str, allowed: bool) -> None:
    answer, text = thought(line, key)
    assert accepts(text, answer) is allowed


@pytest.mark.parametrize("seed", range(8))
def test_lyrics_end_and_hold_no_token_of_another_kind(seed: int) -> None:
    text = TOKENIZER.decode(wander(grammar.lyrics_grammar(), seed, (TOKENIZER.eos_token,)))
    assert text.endswith("<|im_end|>")
    lyrics = prompts.read_lyrics(text.removesuffix("<|im_end|>"))
    assert "<" not in lyrics
    assert "# Lyric" not in lyrics[:8]


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (50, 1), (3_000, 2)])
def test_there_are_exactly_as_many_codes_as_asked_for(count: int, seed: int) -> None:
    book = CodeBook.of(TOKENIZER)
    answer, chance, written = GRAMMARS.start(grammar.codes_grammar(book, count)), random.Random(seed), []
    while not answer.whole:
        assert np.flatnonzero(answer.mask()).tolist() == sorted(book.tokens)
        written.append(chance.choice(book.tokens))
        answer.take(written[-1:])
    assert len(book.read(written)) == count


def test_codes_from_64000_on_are_never_written() -> None:
    """The published vocabulary has 65,535 code tokens; their ids need not be in order for the grammar."""

    class Vocabulary:
        def get_vocab(self) -> dict[str, int]:
            numbers = [*range(64_002)]
            return {f"<|audio_code_{number}|>": 70_000 - number for number in numbers} | {"<think>": 5}

    book = CodeBook.of(Vocabulary())
    assert len(book.tokens) == 64_000
    assert book.runs == ((6_001, 70_000),)
    assert book.span == range(6_001, 70_001)
    assert book.read([70_000, 6_001]) == (0, 63_999)
    assert CodeBook((7, 8, 3, 9)).runs == ((3, 3), (7, 9))


def test_a_grammar_that_does_not_hold_says_so() -> None:
    with pytest.raises(EngineError, match="does not hold"):
        GRAMMARS.start("start: nothing_like_that")


def test_a_token_against_the_grammar_is_refused() -> None:
    with pytest.raises(EngineError, match="left its grammar"):
        GRAMMARS.start(grammar.codes_grammar(CodeBook.of(TOKENIZER), 2)).take([0])
