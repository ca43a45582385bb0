"""Are requests planned together, and does none of them hold up or end another one?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from generation import Watched, asked, made_of
from planner_parts import (
    BARE,
    GIVEN,
    PLAIN,
    SHORT,
    Counting,
    one_thread,
    planner,
    planning_engine,
    plans,
    tiny_parts,
    wanted,
    wish,
)

from acestep_serverless.engines.acestep import prompts
from acestep_serverless.engines.acestep.parties import Party
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.rows import STRIDE, Rows
from acestep_serverless.engines.acestep.wishes import Wish
from acestep_serverless.engines.base import GenerationRequest, Made, Planning
from acestep_serverless.errors import EngineError, GenerationCancelled

__all__ = ["one_thread"]
pytestmark = pytest.mark.usefixtures("one_thread")

FIRST = [wish(GIVEN, 1), wish(GIVEN, 2)]
SECOND = [wish(replace(BARE, duration=4.0), 3)]
UNGUIDED = [wish(BARE, 4, cfg_scale=1.0)]


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows each step of the model had."""
    rows, real = [], Rows.feed
    monkeypatch.setattr(Rows, "feed", lambda self, tokens: rows.append(len(tokens)) or real(self, tokens))
    return rows


def test_all_requests_are_written_side_by_side_a_row_for_each_song_and_two_if_guided(fed: list[int]) -> None:
    found = planner().plan([Party(wishes, wanted) for wishes in (FIRST, SECOND, UNGUIDED)])
    together = list(fed)
    assert max(together) == 2 * 2 + 2 + 1
    assert found == [plans(planner(), wishes) for wishes in (FIRST, SECOND, UNGUIDED)]
    assert len(together) < 0.6 * (len(fed) - len(together))


def test_a_finished_song_leaves_and_the_cache_of_the_others_stays_where_it_is(
    fed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    places, real = [], Rows.feed

    def feed(self: Rows, tokens: Sequence[int]) -> torch.Tensor:
        hidden = real(self, tokens)
        places.append((len(tokens), self._layers[0].all_keys.data_ptr(), self._layers[0].all_keys.shape[0]))
        return hidden

    monkeypatch.setattr(Rows, "feed", feed)
    plain = [Wish(replace(GIVEN, duration=seconds), PLAIN, 1) for seconds in (2.0, 8.0)]
    plans(planner(), plain)
    assert [rows for rows, *_ in places] == [4] * 10 + [2] * 30
    assert len({place for rows, place, _ in places if rows == 4}) == 1
    assert {(rows, kept) for rows, _, kept in places} == {(4, 4), (2, 2)}


@pytest.mark.parametrize("leaves_at", [0, 2, 40])
def test_a_cancelled_request_ends_alone_whenever_that_is(leaves_at: int, fed: list[int]) -> None:
    told: dict[str, list[float]] = {"first": [], "second": []}
    gone_at: list[int] = []

    def cancelled() -> bool:
        if len(fed) >= leaves_at and not gone_at:
            gone_at.append(len(fed))
        return bool(gone_at)

    found = planner().plan(
        [Party(FIRST, cancelled, told["first"].append), Party(SECOND, wanted, told["second"].append)]
    )
    assert isinstance(found[0], GenerationCancelled)
    assert set(fed[gone_at[0] :]) == {2}
    assert found[1] == plans(planner(), SECOND)
    assert told["second"] == sorted(told["second"])
    assert told["second"][-1] == 1.0
    assert max(told["first"], default=0.0) < 0.5


def test_what_ails_one_request_is_its_failure_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [wish(replace(BARE, lyrics="la " * 20_000))]
    unread = [wish(replace(GIVEN, caption="no thought"), 1), wish(GIVEN, 2)]
    failing = iter([EngineError("unreadable")])

    def read(text: str, real=prompts.read_thought) -> prompts.Facts:
        if "bpm: 97" in text:
            for failure in failing:
                raise failure
        return real(text)

    monkeypatch.setattr(prompts, "read_thought", read)
    found = planner().plan([Party(long, wanted), Party(unread, wanted), Party(SECOND, wanted)])
    assert str(found[0]).startswith("The language model reads 32,768 tokens, and this song needs")
    assert str(found[1]) == "unreadable"
    assert found[2] == plans(planner(), SECOND)


def test_a_cache_of_few_positions_is_filled_by_turns(fed: list[int]) -> None:
    wishes = [Wish(GIVEN, PLAIN, seed) for seed in range(5)]
    together = plans(planner(), wishes)
    assert set(fed) == {10}
    fed.clear()
    told: list[float] = []
    small = Planner(tiny_parts(), lengths=SHORT, positions=5 * STRIDE)
    assert plans(small, wishes, told=told.append) == together
    assert set(fed) == {4, 2}
    assert told == sorted(told)
    fed.clear()
    assert plans(Planner(tiny_parts(), lengths=SHORT, positions=1), wishes) == together
    assert set(fed) == {2}


def planned_request(*seeds: int, **changes: object) -> GenerationRequest:
    thinking = Planning(thinking=True, use_cot_caption=False)
    return asked(*seeds, duration=1.0, bpm=None, key_scale="", planning=thinking, **changes)


def samples(found: Sequence[Made]) -> dict[tuple[int, int], bytes]:
    return {(made.piece, made.song.index): made.song.clip.samples.tobytes() for made in found if made.song}


def test_the_songs_of_a_batch_are_planned_in_one_call_and_each_as_it_is_alone() -> None:
    made = Counting()
    ready = planning_engine(made)
    requests = [planned_request(1, 2), planned_request(3, caption="bright guitars")]
    batch = made_of(ready, *requests)
    assert made.calls == [3]
    for number, request in enumerate(requests):
        for alone in made_of(ready, request):
            [song] = [it.song for it in batch if it.song and (it.piece, it.song.seed) == (number, alone.song.seed)]
            assert song.metas == alone.song.metas
            assert song.metas.bpm
            assert abs(song.clip.samples - alone.song.clip.samples).max() < 2e-5


def test_what_cannot_be_made_is_not_planned() -> None:
    made = Counting()
    [refused] = made_of(planning_engine(made), planned_request(1, lora="unknown"))
    assert str(refused.failure).startswith("lora: must be a loaded adapter")
    assert made.calls == []


def test_a_piece_that_is_cancelled_while_it_is_planned_leaves_and_every_piece_hears_of_its_own_progress() -> None:
    ready = planning_engine(Counting())
    stays, leaves = Watched(planned_request(1)), Watched(planned_request(2, 3), cancel_at=4)
    found = list(ready.generate([leaves.piece(), stays.piece()]))
    assert [type(made.failure) for made in found if made.failure] == [GenerationCancelled]
    assert [(made.piece, made.song.seed) for made in found if made.song] == [(1, 1)]
    for watched, least in ((stays, 10), (leaves, 1)):
        planning = [done for done, stage in watched.heard if stage == "planning"]
        assert planning == sorted(planning)
        assert len(planning) >= least
    assert stays.heard[-1][0] == 1.0
    assert not [stage for _, stage in leaves.heard if stage.startswith("step")]
