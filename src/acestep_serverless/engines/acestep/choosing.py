"""Which model and planner, and where? The search, the wishes and the machine's facts put together, before any weight.

`choose` needs no torch but in the facts it is handed; `choose_here` looks at this machine itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from acestep_serverless.engines.acestep import published, sizes
from acestep_serverless.engines.acestep.layouts import CONFIG, read_object
from acestep_serverless.engines.acestep.placement import Burden, Machine, Placement, PlannerBurden, place
from acestep_serverless.engines.acestep.search import Found, FoundModel, FoundPlanner, find
from acestep_serverless.engines.acestep.shapes import Shape, from_original
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an engine loads: the model, its planner if there is one, and where they go."""

    model: FoundModel
    planner: FoundPlanner | None
    placement: Placement


def choose_here(options: EngineOptions) -> Chosen:
    """Search, look at this machine, and choose. Raises EngineUnavailable saying what is missing."""
    from acestep_serverless.engines.acestep.machine import this_machine

    return choose(find(options), this_machine(), options)


def choose(found: Found, machine: Machine, options: EngineOptions) -> Chosen:
    """Choose among what was found. Raises EngineUnavailable for what was wished and is not there."""
    model = found.model(options.model)
    if options.planner not in ("auto", "none"):
        found.planner(options.planner)
    placement = place(machine, burden(model, found.planners), options)
    return Chosen(model, found.planner(placement.planner) if placement.planner else None, placement)


def burden(model: FoundModel, planners: tuple[FoundPlanner, ...]) -> Burden:
    """Count what is to be placed, from configs alone."""
    codec, text = _counted(model, "vae", sizes.codec), _counted(model, "text_encoder", sizes.qwen)
    weights = {planner.name: _planner(planner) for planner in planners}
    return _burden(model.shape, codec, text, {name: one for name, one in weights.items() if one is not None})


def published_burden(name: str) -> Burden:
    """Count a published model with all published planners, from their shapes alone."""
    shape = from_original(published.config_of(name), name)
    planners = {name: _planner_of(fields) for name, fields in published.PLANNERS.items()}
    return _burden(shape, sizes.codec(published.CODEC), sizes.qwen(published.TEXT), planners)


def _burden(shape: Shape, codec: int, text: int, planners: Mapping[str, PlannerBurden]) -> Burden:
    parts = {name: count(getattr(shape, name)) for name, count in _COUNTS.items() if getattr(shape, name)}
    fields = shape.transformer
    width, inner, heard = fields["hidden_size"], fields["intermediate_size"], _cached(fields)
    return Burden({**parts, "vae": codec, "text_encoder": text}, width, inner, heard, shape.guided, planners)


_COUNTS = {
    "transformer": sizes.transformer,
    "condition_encoder": sizes.condition_encoder,
    "audio_tokenizer": sizes.audio_tokenizer,
    "audio_token_detokenizer": sizes.audio_token_detokenizer,
}


def _counted(model: FoundModel, part: str, count: "sizes.Count") -> int:
    file = model.parts[part] / CONFIG
    try:
        return count(read_object(file))
    except (KeyError, TypeError) as error:
        raise EngineUnavailable(f"{file}: not the config of a {part} ({error!r})") from None


def _planner(planner: FoundPlanner) -> PlannerBurden | None:
    """Count a planner; None when its config does not say its shape: such a one is not offered."""
    try:
        return _planner_of(read_object(planner.folder / CONFIG))
    except (EngineUnavailable, KeyError, TypeError):
        return None


def _planner_of(fields: Mapping[str, int]) -> PlannerBurden:
    return PlannerBurden(sizes.qwen(fields), _cached(fields))


def _cached(fields: Mapping[str, int]) -> int:
    """Count the keys and values of one token in all layers."""
    return 2 * fields["num_hidden_layers"] * fields["num_key_value_heads"] * fields["head_dim"]
