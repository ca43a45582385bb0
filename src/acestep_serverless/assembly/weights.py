"""What can be asked and done about weights? List what is published and what is here, fetch, and verify: plain data."""

import os
from collections.abc import Callable, Mapping, Sequence

from acestep_serverless.assembly.engine import engine_options, hub_folder
from acestep_serverless.engines.acestep import sizes
from acestep_serverless.engines.acestep.choosing import published_burden
from acestep_serverless.engines.acestep.downloading import Told, download
from acestep_serverless.engines.acestep.published import CATALOGUE, PLANNERS, Published
from acestep_serverless.engines.acestep.search import find
from acestep_serverless.engines.acestep.verifying import verify
from acestep_serverless.settings import Settings


def models_list(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[dict[str, object]]:
    """List the published models and planners and whatever else was found: a row for each, with where it is.

    `bytes` is the size of the weights in bfloat16, computed from the published shape; None for others.
    """
    found = find(engine_options(settings, environ))
    here = {model.name: model.place for model in found.models}
    here.update((planner.name, planner.place) for planner in found.planners)
    kinds = {
        **{model.name: "model" for model in found.models},
        **{planner.name: "planner" for planner in found.planners},
    }
    rows = [_row(one, here.get(one.name)) for one in CATALOGUE.values() if one.kind != "shared"]
    return rows + [
        {"name": name, "kind": kinds[name], "here": place, "bytes": None, "repository": None, "about": "your own"}
        for name, place in here.items()
        if name not in CATALOGUE
    ]


def _row(one: Published, place: str | None) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": one.kind,
        "here": place,
        "bytes": 2 * _parameters(one),
        "repository": one.repository,
        "about": one.about,
    }


def _parameters(one: Published) -> int:
    if one.kind == "planner":
        return sizes.qwen(PLANNERS[one.name])
    return sum(published_burden(one.name).parts.values())


def models_download(
    settings: Settings, names: Sequence[str], told: Told, environ: Mapping[str, str] = os.environ
) -> dict[str, object]:
    """Fetch models by name, with what they need. Raises NotFound, PeerUnreachable, EngineUnavailable."""
    files = download(names, settings.models_dir, hub_folder(environ), told)
    return {"names": list(names), "files": [str(file) for file in files]}


def models_verify(
    settings: Settings, names: Sequence[str], told: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> list[dict[str, object]]:
    """Verify what was found, or these names of it: a row for each with its problems. Raises EngineUnavailable."""
    found = find(engine_options(settings, environ))
    if not names and not (found.models or found.planners):
        found.model(settings.model)  # says where it looked, and the command that mends it
    rows: list[dict[str, object]] = [
        {
            "name": verdict.name,
            "files": verdict.files,
            "hashed": verdict.hashed,
            "unrecorded": list(verdict.unrecorded),
            "problems": list(verdict.problems),
        }
        for verdict in verify(found, tuple(names), told)
    ]
    flaws = [{"name": "", "files": 0, "hashed": 0, "unrecorded": [], "problems": [flaw]} for flaw in found.flawed]
    return rows + (flaws if not names else [])
