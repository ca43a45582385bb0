"""Are tokens drawn as the formulas say? Guidance, penalty, cuts and chance against plain arithmetic on lists."""

import math
from collections import Counter

import pytest
import torch
from transformers import RepetitionPenaltyLogitsProcessor, TopKLogitsWarper

from acestep_serverless.engines.acestep import sampling
from acestep_serverless.engines.acestep.sampling import Settings, Table, choose, cut, draw, guide, penalize
from acestep_serverless.engines.base import Planning

SONGS, TOKENS = 4, 50


def logits(seed: int, songs: int = SONGS) -> torch.Tensor:
    return torch.randn(songs, TOKENS, generator=torch.Generator().manual_seed(seed)) * 3


def column(*values: float, kind: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(values, dtype=kind)[:, None]


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_guidance_is_the_plain_formula() -> None:
    wanted, other, scales = logits(1), logits(2), [2.5, 1.0, 7.0, 0.5]
    guided = guide(wanted, other, column(*scales))
    for song, scale in enumerate(scales):
        for token in range(TOKENS):
            plain = other[song, token].item() + scale * (wanted[song, token].item() - other[song, token].item())
            assert guided[song, token].item() == pytest.approx(plain, rel=1e-5, abs=1e-5)
    assert torch.equal(guided[1], wanted[1])


def test_repetition_is_penalised_as_transformers_does_it() -> None:
    given, text = logits(3), torch.tensor([[1, 2, 2, 9], [0, 0, 0, 0], [5, 6, 7, 8], [49, 48, 1, 2]])
    seen = torch.zeros_like(given, dtype=torch.bool).scatter(1, text, True)
    penalised = penalize(given, seen, column(1.3, 1.3, 1.3, 1.3))
    assert torch.allclose(penalised, RepetitionPenaltyLogitsProcessor(1.3)(text, given.clone()))


def test_the_top_k_are_those_of_transformers() -> None:
    given = logits(4)
    assert torch.equal(
        cut(given, column(*[7] * SONGS, kind=torch.int64), column(*[1.0] * SONGS)), TopKLogitsWarper(7)(None, given)
    )


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_best_tokens_whose_chances_reach_it(top_p: float) -> None:
    given = logits(5)
    kept = cut(given, column(*[0] * SONGS, kind=torch.int64), column(*[top_p] * SONGS))
    for song in range(SONGS):
        ranked = sorted(range(TOKENS), key=lambda token: -given[song, token].item())
        total = sum(math.exp(given[song, token].item()) for token in ranked)
        expected, share = set(), 0.0
        for token in ranked:
            if share > top_p:
                break
            expected.add(token)
            share += math.exp(given[song, token].item()) / total
        assert set(torch.nonzero(kept[song] > -torch.inf)[:, 0].tolist()) == expected
        assert all(kept[song, token] == given[song, token] for token in expected)


@pytest.mark.parametrize("candidates", [1, 3, 17, 49, 50])
def test_a_few_candidates_tell_the_same_as_all_tokens(candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = logits(12) / 3  # so flat that the best few do not hold nearly all chances
    top_k, top_p = column(0, 9, 30, 0, kind=torch.int64), column(0.7, 1.0, 0.95, 1.0)
    whole = cut(given, top_k, top_p)
    monkeypatch.setattr(sampling, "CANDIDATES", candidates)
    assert torch.equal(cut(given, top_k, top_p), whole)
    assert [int((song > -torch.inf).sum()) for song in whole][1::2] == [9, TOKENS]


def test_songs_with_cuts_off_keep_all_tokens_beside_songs_with_cuts() -> None:
    given = logits(6)
    kept = cut(given, column(0, 3, 0, 0, kind=torch.int64), column(1.0, 1.0, 0.5, 1.0))
    assert torch.equal(kept[[0, 3]], given[[0, 3]])
    assert int((kept[1] > -torch.inf).sum()) == 3


def test_tokens_are_drawn_as_often_as_their_chances_say() -> None:
    given, number = logits(7, songs=1), 4_000
    [generator] = generators(11)
    drawn = Counter(draw(given, column(0.85), [generator]).item() for _ in range(number))
    chances = (given[0] / 0.85).softmax(dim=-1).tolist()
    spread = sum((drawn[token] - number * chance) ** 2 / (number * chance) for token, chance in enumerate(chances))
    assert spread < 86  # chi-square of 49 degrees: one in a thousand is above, and the seed is fixed


def test_the_coldest_song_takes_the_best_token() -> None:
    given = logits(8)
    assert torch.equal(draw(given, column(0, 0, 0, 0), generators(1, 2, 3, 4)), given.argmax(dim=-1))


def test_a_song_draws_the_same_beside_others_and_alone() -> None:
    settings = [Settings(), Settings(0.5, top_k=5), Settings(top_p=0.4, penalty=1.5), Settings(0.0)]
    given, seen = logits(9), logits(10) > 0
    allowed = logits(11) > -2
    beside = choose(given, allowed, seen, Table.of(settings, "cpu"), generators(1, 2, 3, 4))
    for song, own in enumerate(settings):
        row = slice(song, song + 1)
        alone = choose(given[row], allowed[row], seen[row], Table.of([own], "cpu"), generators(song + 1))
        assert alone.item() == beside[song].item()
        assert allowed[song, beside[song]]


def test_a_requests_settings_are_taken_and_a_scale_of_one_or_less_is_no_guidance() -> None:
    planning = Planning(temperature=0.5, cfg_scale=3.0, top_k=4, top_p=0.8, repetition_penalty=1.2)
    assert Settings.of(planning, guided=True) == Settings(0.5, 3.0, 4, 0.8, 1.2)
    assert not Settings.of(planning, guided=False).guided
    assert not Settings.of(Planning(cfg_scale=0.0), guided=True).guided
    assert not Table.of([Settings(top_p=0.0), Settings(top_p=1.0)], "cpu").cuts
