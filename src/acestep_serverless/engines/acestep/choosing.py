"""Which model and planner, and where? The search, the wishes and the machine's facts put together, before any weight.

`choose` needs no torch but in the facts it is handed; `choose_here` looks at this machine itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from acestep_serverless.engines.acestep import sizes
from acestep_serverless.engines.acestep.layouts import CONFIG, read_object
from acestep_serverless.engines.acestep.placement import Burden, Machine, Placement, PlannerBurden, place
from acestep_serverless.engines.acestep.search import Found, FoundModel, FoundPlanner, find
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
    shape = model.shape
    parts = {name: count(getattr(shape, name)) for name, count in _COUNTS.items() if getattr(shape, name)}
    parts["vae"] = _counted(model, "vae", sizes.codec)
    parts["text_encoder"] = _counted(model, "text_encoder", sizes.qwen)
    width, inner = shape.transformer["hidden_size"], shape.transformer["intermediate_size"]
    weights = {planner.name: _planner(planner) for planner in planners}
    return Burden(parts, width, inner, shape.guided, {name: one for name, one in weights.items() if one is not None})


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
        fields: Mapping[str, int] = read_object(planner.folder / CONFIG)
        cached = 2 * fields["num_hidden_layers"] * fields["num_key_value_heads"] * fields["head_dim"]
        return PlannerBurden(sizes.qwen(fields), cached)
    except (EngineUnavailable, KeyError, TypeError):
        return None
