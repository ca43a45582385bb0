"""Are the weights on this disk whole? Every name and shape against the config, every file against its recorded hash."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from acestep_serverless.engines import EXTRA, INSTALL
from acestep_serverless.engines.acestep.hashes import is_whole, recorded_hash
from acestep_serverless.engines.acestep.layouts import SILENCE, weight_files
from acestep_serverless.engines.acestep.search import Found, FoundModel, FoundPlanner
from acestep_serverless.errors import EngineUnavailable


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying one model or planner came to: `problems` are sentences, `unrecorded` files without a hash."""

    name: str
    files: int
    hashed: int
    unrecorded: tuple[str, ...]
    problems: tuple[str, ...]


def verify(found: Found, names: tuple[str, ...], told: Callable[[str], None]) -> list[Verdict]:
    """Verify the named models and planners, all that were found for (); `told` hears each file before it is read.

    Raises EngineUnavailable for a name that was not found, and when the extra is not installed.
    """
    try:
        from acestep_serverless.engines.acestep import loading
    except ImportError as error:
        raise EngineUnavailable(f"shapes need {', '.join(EXTRA)} ({error.name} is not here); run: {INSTALL}") from None

    def fits(one: FoundModel | FoundPlanner) -> None:
        if isinstance(one, FoundPlanner):
            loading.examined_planner(one)
        else:
            loading.check_silence(one, loading.examined(one)[0])

    planners = {planner.name: planner for planner in found.planners}
    wanted = names or (*(model.name for model in found.models), *planners)
    chosen = [planners[name] if name in planners else found.model(name) for name in wanted]
    return [_verdict(one, fits, told) for one in chosen]


def _verdict(
    one: FoundModel | FoundPlanner, fits: Callable[[FoundModel | FoundPlanner], None], told: Callable[[str], None]
) -> Verdict:
    problems: list[str] = []
    told(f"{one.name}: names and shapes")
    try:
        fits(one)
    except EngineUnavailable as error:
        problems.append(str(error))
    files = list(_files(one))
    unrecorded = []
    for file in files:
        digest = recorded_hash(file)
        if digest is None:
            unrecorded.append(str(file))
            continue
        told(f"{one.name}: hash of {file.name}")
        if not is_whole(file, digest):
            problems.append(f"{file} is not what was published: remove it and download it again")
    return Verdict(one.name, len(files), len(files) - len(unrecorded), tuple(unrecorded), tuple(problems))


def _files(one: FoundModel | FoundPlanner) -> Iterator[Path]:
    """Give the files that carry weights; those that are missing are a problem that the shapes say already."""
    folders: Mapping[str, Path] = {"planner": one.folder} if isinstance(one, FoundPlanner) else one.parts
    for folder in dict.fromkeys(folders.values()):
        try:
            yield from weight_files(folder)
        except EngineUnavailable:
            continue
        if (folder / SILENCE).is_file():
            yield folder / SILENCE
