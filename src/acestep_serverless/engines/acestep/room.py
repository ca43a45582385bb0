"""What is said when there is no memory for the weights? What they need, what is free, and which choice would fit."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from acestep_serverless.engines.acestep.choosing import burden
from acestep_serverless.engines.acestep.making import free_memory, is_out_of_memory
from acestep_serverless.engines.acestep.placement import (
    BYTES,
    CUDA_RESERVE,
    GIB,
    SCRAP,
    SECONDS,
    Burden,
    Machine,
    Placement,
    largest_turn,
    weights,
    working,
)
from acestep_serverless.engines.acestep.search import Found
from acestep_serverless.errors import EngineUnavailable

Loaded = TypeVar("Loaded")
_NAMED = 3
"""How many choices are named."""


def with_room(
    load: Callable[[], Loaded], name: str, found: Found, placement: Placement, look: Callable[[], Machine]
) -> Loaded:
    """Load the weights of `name`. Raises EngineUnavailable in words when memory runs out, the device's or the main one.

    `found` and `look` (this machine as it is then) tell what would fit.
    """
    try:
        return load()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside of the handler, whose traceback would keep alive what was read so far.
    free_memory()
    models = {model.name: burden(model, ()) for model in found.models}
    raise EngineUnavailable(too_little(name, placement, look(), models))


def too_little(name: str, placement: Placement, machine: Machine, models: Mapping[str, Burden]) -> str:
    """Say that the weights of `name` do not fit where they were placed, and what of these models would, with a song."""
    on_gpu = placement.device.startswith("cuda") and placement.offload == "none"
    place = placement.device if on_gpu else "main memory"
    free = machine.gpus[int(placement.device.removeprefix("cuda:"))].free if on_gpu else machine.memory
    size = f"; they take {weights(models[name].parts, placement.dtype) / GIB:.1f} GiB" if name in models else ""
    found = choices(free * SCRAP - CUDA_RESERVE if on_gpu else free, models, on_gpu=on_gpu)
    fits = f"what would fit: {', '.join(found[:_NAMED])}" if found else "no model that was found would fit"
    return (
        f"{place} has no room for the weights of {name} in {placement.dtype}: {free / GIB:.1f} GiB are free{size}; "
        f"{fits} (settings model, precision{', offload' if on_gpu else ''}); planner none leaves more"
    )


def choices(free: float, models: Mapping[str, Burden], *, on_gpu: bool) -> list[str]:
    """List what fits into so many bytes with the longest song, the widest numbers first."""
    found = []
    for dtype in ("float32", "bfloat16"):
        for name, one in models.items():
            song = working(one, BYTES[dtype], SECONDS)
            if weights(one.parts, dtype) + song <= free:
                found.append(f"{name} in {dtype}")
            elif on_gpu and BYTES[dtype] * largest_turn(one.parts) + song <= free:
                found.append(f"{name} in {dtype}, offload parts")
    return found
