"""What does an engine state about itself? What it declares of itself (`Engine`), put into words for another machine."""

from acestep_serverless.contract.abilities import NO_MODEL, Abilities
from acestep_serverless.contract.music_fields import NAME
from acestep_serverless.engines.base import Engine


def abilities_of(engine: Engine) -> Abilities:
    """Give what can be asked of an engine. It may be asked before `load`: nothing of it depends on weights in memory.

    A model whose name no request can spell (NAME) is told of only as the default one.
    """
    models = engine.models
    task_types = {NO_MODEL: engine.task_types_of(models[0])}
    task_types |= {name: engine.task_types_of(name) for name in models if NAME.fullmatch(name)}
    limits = engine.limits
    return Abilities((engine.name,), task_types, engine.uses, limits.longest, limits.largest_batch)
