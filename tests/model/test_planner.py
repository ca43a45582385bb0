"""Does the planner do what it is asked, whatever its weights say? Whole plans by tiny models of random weights."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from planner_parts import BARE, GIVEN, PLAIN, SHORT, VERSE, one_thread, planner, plans, tiny_parts, wanted, wish
from torch._dynamo.testing import CompileCounter

from acestep_serverless.contract.acestep_parameters import LANGUAGES
from acestep_serverless.engines.acestep import codes, drafting, grammar, prompts, sampling
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.rows import STRIDE, Rows
from acestep_serverless.engines.acestep.wishes import Plan, Wish, given_facts
from acestep_serverless.engines.base import GenerationRequest, Planning
from acestep_serverless.engines.extras import SongText, WordMaker
from acestep_serverless.errors import EngineError, GenerationCancelled

__all__ = ["one_thread"]
pytestmark = pytest.mark.usefixtures("one_thread")

MIXED = (
    wish(GIVEN, 1),
    wish(BARE, 2, cfg_scale=1.0, top_k=9, repetition_penalty=1.3),
    wish(replace(BARE, lyrics="", duration=4.0), 3, temperature=0.4, top_p=1.0, negative_prompt="noise"),
    wish(BARE, 4, thinking=False, use_cot_caption=False),
    wish(SongText("", "", duration=2.0), 5, sample_mode=True, sample_query="a long song about rain"),
    wish(BARE, 6, use_format=True, cfg_scale=7.0),
)


def in_range(text: SongText) -> bool:
    metas = text.bpm in grammar.BPM and text.key_scale in grammar.KEY_SCALES and text.time_signature in "2346"
    return metas and text.vocal_language in LANGUAGES and text.duration is not None


@pytest.mark.parametrize("weights", range(4))
def test_every_plan_is_whole_whatever_the_weights_say(weights: int) -> None:
    wishes = [wish(replace(BARE, duration=None if seed else 2.0), seed, thinking=not seed) for seed in range(6)]
    for asked, plan in zip(wishes, plans(planner(weights), wishes), strict=True):
        assert in_range(plan.text)
        assert plan.text.duration == 2.0 if asked.planning.thinking else plan.text.duration in range(10, 601)
        assert plan.text.caption.strip()
        assert plan.text.lyrics == VERSE
        assert len(plan.codes) == (10 if asked.planning.thinking else 0)
        assert all(0 <= code < 64 for code in plan.codes)


def test_given_values_win_and_stand_in_the_models_thought(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(
        prompts, "read_thought", lambda text, real=prompts.read_thought: read.append(text) or real(text)
    )
    given = replace(GIVEN, duration=2.6)
    [plan] = plans(planner(), [wish(given)])
    assert replace(plan.text, caption="") == replace(given, caption="")
    lines = read[0].splitlines()
    assert lines[:2] == ["<think>", "bpm: 97"]
    assert lines[-5:] == ["duration: 3", "keyscale: F♯ minor", "language: 'no'", "timesignature: 6", "</think>"]
    assert len(plan.codes) == 13


def test_only_what_is_asked_for_is_filled_in() -> None:
    [plan] = plans(planner(), [Wish(BARE, PLAIN, 1)])
    assert plan.text.caption == BARE.caption
    assert plan.text.vocal_language == "unknown"
    assert plan.text.bpm in grammar.BPM


def test_a_song_with_nothing_open_is_planned_without_the_model() -> None:
    planning = replace(PLAIN, thinking=False)
    assert plans(planner(), [Wish(GIVEN, planning, 1)], lambda: True) == [Plan(GIVEN)]
    assert plans(planner(), []) == []


def test_a_songs_plan_is_the_same_beside_others_and_alone() -> None:
    together = plans(planner(), MIXED)
    assert [plans(planner(), [one])[0] for one in MIXED] == together
    assert plans(planner(), MIXED[::-1]) == together[::-1]


def test_seeds_make_the_difference() -> None:
    found = plans(planner(), [wish(BARE, seed) for seed in (1, 2, 1)])
    assert found[0] == found[2]
    assert found[0].codes != found[1].codes
    assert found[0].text != found[1].text


@pytest.mark.parametrize("planning", [PLAIN, replace(PLAIN, cfg_scale=1.0, top_k=7, repetition_penalty=1.4, top_p=1.0)])
def test_codes_are_those_of_a_plain_loop_without_cache_batch_and_grammar(planning: Planning) -> None:
    wished = Wish(replace(GIVEN, lyrics=codes.write_codes(range(0, 64, 2))), planning, 9)  # repetitions from the start
    [plan] = plans(planner(), [MIXED[0], wished])[1:]
    assert plan.codes == plain_codes(wished, 15)
    assert len(set(plan.codes)) > 3


def plain_codes(wished: Wish, count: int) -> tuple[int, ...]:
    """Write codes the slow way: both prompts are read whole for every token, the logits are guided by hand."""
    parts, planning = tiny_parts(), wished.planning
    book = codes.CodeBook.of(parts.tokenizer)
    draft = drafting.Drafting(parts.tokenizer, book, drafting.Lengths()).codes(wished, given_facts(wished.text), count)
    assert parts.tokenizer.decode(draft.prompt).endswith("timesignature: 6\n</think><|im_end|>\n")
    generator, written, first = torch.Generator().manual_seed(draft.seed), [], book.span.start
    for _ in range(count):
        logits = last_logits(parts.model, [*draft.prompt, *written])
        if planning.cfg_scale > 1.0:
            other = last_logits(parts.model, [*draft.other, *written])
            logits = other + planning.cfg_scale * (logits - other)
        seen = torch.tensor([token in (*draft.prompt, *written) for token in range(len(logits))])
        logits = sampling.penalize(logits, seen, torch.tensor(planning.repetition_penalty))[None, first : first + 64]
        top_k, top_p = torch.tensor([[planning.top_k]]), torch.tensor([[planning.top_p]])
        drawn = sampling.draw(sampling.cut(logits, top_k, top_p), torch.tensor([[planning.temperature]]), [generator])
        written.append(first + drawn.item())
    return tuple(token - first for token in written)


@torch.inference_mode()
def last_logits(model: torch.nn.Module, tokens: Sequence[int]) -> torch.Tensor:
    return model(torch.tensor([list(tokens)])).logits[0, -1]


@torch.inference_mode()
def test_rows_of_any_length_read_on_as_the_model_does_alone() -> None:
    body, generator = tiny_parts().model.model, torch.Generator().manual_seed(1)
    texts = [torch.randint(0, 400, (length,), generator=generator).tolist() for length in (3, STRIDE - 2, 40, 3)]
    texts[3] = texts[0]
    rows = Rows(body, body, texts, 8, lambda: None)
    for _ in range(5):
        tokens = torch.randint(0, 400, (4,), generator=generator).tolist()
        hidden = rows.feed(tokens)
        texts = [[*text, token] for text, token in zip(texts, tokens, strict=True)]
        for row, text in enumerate(texts):
            alone = body(torch.tensor([text])).last_hidden_state[0, -1]
            assert torch.allclose(hidden[row], alone, atol=1e-5)


def test_a_plan_ends_within_one_token_of_its_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, fed, real = [], [], Rows.feed
    monkeypatch.setattr(Rows, "feed", lambda rows, tokens: fed.append(tokens) or real(rows, tokens))

    def cancelled() -> bool:
        asked.append(len(fed))
        return len(asked) > 7

    with pytest.raises(GenerationCancelled):
        plans(planner(), [Wish(replace(GIVEN, duration=60.0), PLAIN, 1)], cancelled)
    assert asked == [0, 0, 0, 1, 2, 3, 4, 5]  # before each of both prompts, then before each token
    assert plans(planner(), MIXED[:1])


def test_songs_that_do_not_fit_into_memory_together_are_written_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    together, real, fed = plans(planner(), MIXED), Rows.feed, []

    def feed(self: Rows, tokens: Sequence[int]) -> torch.Tensor:
        fed.append(len(tokens))
        if len(tokens) > 3 and fed.count(len(tokens)) % 5 == 0:  # in the middle, when keys and values grow
            raise torch.OutOfMemoryError
        return real(self, tokens)

    monkeypatch.setattr(Rows, "feed", feed)
    told: list[float] = []
    assert plans(planner(), MIXED, told=told.append) == together
    assert max(fed) > 3
    assert told == sorted(told)


def test_a_song_that_does_not_fit_into_memory_alone_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Rows, tokens: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Rows, "feed", full)
    with pytest.raises(EngineError, match="no memory"):
        plans(planner(), MIXED)


def test_a_compiled_step_serves_every_length_and_batch_and_plans_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    counter, real = CompileCounter(), torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **how: real(module, backend=counter, fullgraph=True, **how))
    made = Planner(tiny_parts(), lengths=SHORT, compiled=True)
    songs = [Wish(GIVEN, PLAIN, seed) for seed in range(2)]
    for wishes in (songs[:1], songs):
        assert plans(made, wishes) == plans(planner(), wishes)
    assert 1 <= counter.frame_count <= 2


def test_progress_never_falls_and_ends_at_one() -> None:
    told: list[float] = []
    plans(planner(), MIXED, told=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 50


def test_a_waiting_caller_can_give_up() -> None:
    shared, at_work, looks = planner(), threading.Event(), []
    go_on = threading.Event()

    def slow() -> bool:
        at_work.set()
        assert go_on.wait(20)
        return False

    worker = threading.Thread(target=lambda: plans(shared, [wish(GIVEN)], slow))
    worker.start()
    assert at_work.wait(20)
    with pytest.raises(GenerationCancelled):
        shared.invent("a song", "unknown", Planning(), lambda: looks.append(1) is None)
    go_on.set()
    worker.join(20)
    assert len(looks) == 1


def test_words_are_invented_from_a_description() -> None:
    maker: WordMaker = planner()
    text = maker.invent("a quiet Norwegian evening", "no", Planning(), wanted)
    assert in_range(text)
    assert text.vocal_language == "no"
    assert text.caption.strip()
    assert text == planner().invent("a quiet Norwegian evening", "no", Planning(), wanted)
    assert text != planner(new_seed=6).invent("a quiet Norwegian evening", "no", Planning(), wanted)


@pytest.mark.parametrize("query", ["an instrumental piece", "Pure Music for rain", "a long guitar solo"])
def test_a_description_without_singing_gets_no_lyrics(query: str) -> None:
    text = planner().invent(query, "unknown", Planning(), wanted)
    assert text.instrumental
    assert text.lyrics == "[Instrumental]"


def test_words_are_polished_and_given_metas_win() -> None:
    text = planner().polish(replace(GIVEN, lyrics=VERSE), Planning(), wanted)
    assert replace(text, caption="", lyrics="") == replace(GIVEN, caption="", lyrics="")
    assert text.caption != GIVEN.caption
    assert text.lyrics != VERSE
    silent = planner().polish(SongText("rock", "[inst]"), Planning(), wanted)
    assert silent.lyrics == "[Instrumental]"
    assert in_range(silent)


def test_given_lyrics_and_caption_stay_in_sample_mode() -> None:
    planning = {"sample_mode": True, "sample_query": "rain", "thinking": False}
    [plan] = plans(planner(), [wish(BARE, **planning)])
    assert (plan.text.caption, plan.text.lyrics) == (BARE.caption, BARE.lyrics)


def test_codes_are_described() -> None:
    found = planner().understand((3, 1, 2), Planning(temperature=0.3), 4, wanted)
    assert found.caption.strip()
    assert found.audio_codes == "<|audio_code_3|><|audio_code_1|><|audio_code_2|>"
    assert found.bpm in grammar.BPM
    assert found.duration in range(10, 601)


def test_a_text_beyond_the_models_reach_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="reads 32,768 tokens"):
        plans(planner(), [wish(replace(BARE, lyrics="la " * 20_000))])


def test_a_wish_is_one_song_of_a_request() -> None:
    request = GenerationRequest("a", "b", 12.5, (3, 4), 90, "C major", "4", "en", planning=PLAIN)
    assert Wish.of(request, 4) == Wish(SongText("a", "b", 90, 12.5, "C major", "4", "en"), PLAIN, 4)


def test_the_published_vocabularys_codes_stand_last_so_that_text_needs_a_shorter_head() -> None:
    parts = tiny_parts()
    assert Planner(parts)._text_span == range(parts.tokenizer.convert_tokens_to_ids("<|audio_code_0|>"))
