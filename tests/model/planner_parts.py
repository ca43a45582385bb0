"""What do the planner's tests share? A tiny planner for a seed of its weights, and wishes in one line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from generation import TURBO, Parts, model
from tiny import TinyPlanner, tiny_planner

from acestep_serverless.engines.acestep.drafting import Lengths
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, Weights
from acestep_serverless.engines.acestep.parties import Party
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.wishes import Plan, Wish
from acestep_serverless.engines.acestep.writing import Told
from acestep_serverless.engines.base import Cancelled, Planning
from acestep_serverless.engines.extras import SongText

SHORT = Lengths(thought=24, lyrics=24)
VERSE = "[Verse]\nThe river runs below the hill\n"
GIVEN = SongText("a calm piano song", VERSE, 97, 3.0, "F♯ minor", "6", "no")
BARE = SongText("bright guitars", VERSE, duration=2.0)
PLAIN = Planning(thinking=True, use_cot_caption=False, use_cot_language=False)


@cache
def tiny_parts(seed: int = 0) -> TinyPlanner:
    """Weights so large that each word of the prompt moves the logits, which then differ by several units."""
    made = tiny_planner(seed=seed)
    for parameter in made.model.model.layers.parameters():
        if parameter.ndim == 2:
            parameter.mul_(12)
    made.model.model.embed_tokens.weight.mul_(12)
    made.model.model.norm.weight.mul_(3)
    return made


def planner(seed: int = 0, *, new_seed: int = 5) -> Planner:
    return Planner(tiny_parts(seed), lengths=SHORT, new_seed=lambda: new_seed)


def wish(text: SongText = BARE, seed: int = 1, **planning: object) -> Wish:
    return Wish(text, replace(Planning(thinking=True), **planning), seed)  # type: ignore[arg-type] # names of fields


def wanted() -> bool:
    """Nobody cancels."""
    return False


def plans(
    ready: Planner, wishes: Sequence[Wish], cancelled: Cancelled = wanted, told: Told = lambda _: None
) -> list[Plan]:
    """The plans of one party; its failure is raised."""
    [found] = ready.plan([Party(wishes, cancelled, told)])
    if isinstance(found, Exception):
        raise found
    return found


class Counting:
    """The tiny planner, with a note of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.thinking: list[bool] = []
        self.real = planner()
        self.understand = self.real.understand

    def plan(self, parties: Sequence[Party]) -> list:
        self.calls.append(sum(len(party.wishes) for party in parties))
        self.thinking += [wish.planning.thinking for party in parties for wish in party.wishes]
        return self.real.plan(parties)


def planning_engine(made: Counting) -> AceStepEngine:
    weights = Weights(
        (Offer(TURBO, guided=False),),
        lambda _name, _progress: Parts(model(TURBO)),
        planner_name="tiny",
        open_planner=lambda _progress: made,
        songs_together=8,
    )
    ready = AceStepEngine(weights)
    ready.load(lambda _done, _stage: None)
    return ready


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Matrices this small are slower with two threads, a hundred times so where others use the machine too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
