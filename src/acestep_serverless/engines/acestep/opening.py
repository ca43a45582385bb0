"""How do found weights become the engine? Everything on disk is offered, the chosen model and planner are loaded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Lock

from acestep_serverless.engines.acestep.choosing import Chosen, choose
from acestep_serverless.engines.acestep.engine import AceStepEngine, Offer, PlannerLike, Weights
from acestep_serverless.engines.acestep.loading import Components, PlannerParts, load_components, load_planner
from acestep_serverless.engines.acestep.machine import this_machine
from acestep_serverless.engines.acestep.making import free_memory
from acestep_serverless.engines.acestep.parties import Party, Planned
from acestep_serverless.engines.acestep.placement import Machine, Placement
from acestep_serverless.engines.acestep.planner import Planner
from acestep_serverless.engines.acestep.room import with_room
from acestep_serverless.engines.acestep.search import Found, FoundModel, find
from acestep_serverless.engines.acestep.visiting import visiting
from acestep_serverless.engines.base import Analysis, Cancelled, Planning, Progress
from acestep_serverless.engines.extras import SongText
from acestep_serverless.engines.options import EngineOptions


def open_engine(options: EngineOptions) -> AceStepEngine:
    """Search, look at this machine, and give the engine, not yet loaded. Raises EngineUnavailable."""
    return AceStepEngine(weights_of(find(options), this_machine, options))


def weights_of(found: Found, look: Callable[[], Machine], options: EngineOptions) -> Weights:
    """Offer what was found: the chosen model first, the others on request. `look` gives the machine as it is then."""
    chosen = choose(found, look(), options)
    names = [chosen.model.name, *(model.name for model in found.models if model.name != chosen.model.name)]
    shapes = {name: found.model(name).shape for name in names}
    offers = tuple(Offer(name, shape.guided, shape.stems) for name, shape in shapes.items())

    def loaded(model: FoundModel, placement: Placement, progress: Progress) -> Components:
        return with_room(lambda: load_components(model, placement, progress), model.name, found, placement, look)

    def open_model(name: str, progress: Progress) -> Components:
        model = found.model(name)
        if model.name == chosen.model.name:
            return loaded(model, chosen.placement, progress)
        # Another shape needs a placement of its own, in the memory that the loaded planner leaves.
        alone = choose(found, look(), replace(options, model=name, planner="none"))
        return loaded(model, alone.placement, progress)

    return Weights(
        models=offers,
        open_model=open_model,
        planner_name=chosen.planner.name if chosen.planner else "",
        open_planner=_planner_of(chosen, found, look),
        songs_together=chosen.placement.songs_together,
    )


def _planner_of(chosen: Chosen, found: Found, look: Callable[[], Machine]) -> Callable[[Progress], PlannerLike] | None:
    planner, placement = chosen.planner, chosen.placement
    if planner is None:
        return None

    def open_planner(progress: Progress) -> PlannerLike:
        parts = with_room(lambda: load_planner(planner, placement, progress), planner.name, found, placement, look)
        ready = Planner(parts, compiled=placement.compile, positions=placement.planner_positions)
        return VisitingPlanner(ready, parts, placement.device) if placement.offload == "parts" else ready

    return open_planner


class VisitingPlanner:
    """A planner that is on its device only while it works, and in main memory otherwise. It leaves with the last of its
    callers: songs and words are asked for by two threads."""

    def __init__(self, planner: PlannerLike, parts: PlannerParts, device: str) -> None:
        self._planner, self._parts, self._device = planner, parts, device
        self._callers, self._moving, self._stay = 0, Lock(), ExitStack()

    @contextmanager
    def _there(self) -> Iterator[PlannerLike]:
        with self._moving:
            if not self._callers:
                self._stay.enter_context(visiting([self._parts.model], self._device))
            self._callers += 1
        try:
            yield self._planner
        finally:
            with self._moving:
                self._callers -= 1
                if not self._callers:
                    self._stay.close()
                    free_memory()

    def plan(self, parties: Sequence[Party]) -> list[Planned]:
        """Plan songs (`planner.Planner.plan`)."""
        with self._there() as planner:
            return planner.plan(parties)

    def understand(self, codes: Sequence[int], planning: Planning, seed: int, cancelled: Cancelled) -> Analysis:
        """Describe the sound of codes (`planner.Planner.understand`)."""
        with self._there() as planner:
            return planner.understand(codes, planning, seed, cancelled)

    def invent(self, query: str, vocal_language: str, planning: Planning, cancelled: Cancelled) -> SongText:
        """Invent a song (`planner.Planner.invent`)."""
        with self._there() as planner:
            return planner.invent(query, vocal_language, planning, cancelled)

    def polish(self, given: SongText, planning: Planning, cancelled: Cancelled) -> SongText:
        """Polish a song's words (`planner.Planner.polish`)."""
        with self._there() as planner:
            return planner.polish(given, planning, cancelled)
