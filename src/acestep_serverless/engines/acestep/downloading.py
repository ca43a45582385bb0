"""How do weights get here? Through huggingface_hub, only the files that are used, each checked against its hash.

Into the folder `models_dir` if that is set, else into Hugging Face's cache; a broken download goes on where it stopped.
The hub's address and key are huggingface_hub's own business (HF_ENDPOINT, HF_TOKEN). Code that a repository carries is
not fetched.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from acestep_serverless.engines import INSTALL
from acestep_serverless.engines.acestep.hashes import is_whole
from acestep_serverless.engines.acestep.layouts import SILENCE
from acestep_serverless.engines.acestep.published import CATALOGUE, SHARED, Published
from acestep_serverless.errors import EngineUnavailable, NotFound, PeerUnreachable

KINDS = (".safetensors", ".json", ".txt", ".jinja")
SPARE = 1024**3
"""Bytes that a download leaves free on the disk."""

Told = Callable[[int, int, str], None]
"""Called with bytes so far, bytes in all, and the file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of a repository: its name there, its size in bytes, and its published hash ("" when none is)."""

    repository: str
    commit: str
    name: str
    size: int
    digest: str
    folder: Path | None
    """Where it goes in plain layout; None is the cache."""


def with_shared(names: Sequence[str]) -> tuple[Published, ...]:
    """Give what is to be fetched for these names: a model brings codec and text encoder. Raises NotFound."""
    unknown = [name for name in names if name not in CATALOGUE]
    if unknown:
        raise NotFound(f"models: {', '.join(unknown)} is not one of {', '.join(CATALOGUE)}")
    needs_shared = any(CATALOGUE[name].kind == "model" for name in names)
    every = dict.fromkeys([*names, *(SHARED if needs_shared else ())])
    return tuple(CATALOGUE[name] for name in every)


def download(
    names: Sequence[str], models_dir: Path | None, hub: Path, told: Told, *, endpoint: str | None = None
) -> tuple[Path, ...]:
    """Fetch the named models and what they need, and give the files; from `endpoint` instead of the usual hub.

    Raises NotFound (no such name or repository), PeerUnreachable (go on later), EngineUnavailable (no room, a file that
    is not what is published, no huggingface_hub).
    """
    things = with_shared(names)
    commits: dict[str, Any] = {}
    wanted = [one for thing in things for one in _files(thing, models_dir, commits, endpoint)]
    total = sum(one.size for one in wanted)
    _make_room(wanted, models_dir or hub)
    done = 0
    fetched = []
    for one in wanted:
        before = done

        def passed(size: int, one: Wanted = one, before: int = before) -> None:
            nonlocal done
            done = min(done + size, before + one.size)
            told(done, total, one.name)

        file = _fetch(one, hub, passed, endpoint)
        if one.digest and not is_whole(file, one.digest):
            file.resolve().unlink()
            raise EngineUnavailable(
                f"{one.name} of {one.repository} came out damaged and was removed; run the command again"
            )
        done = before + one.size
        told(done, total, one.name)
        fetched.append(file)
    return tuple(fetched)


def is_used(name: str, folder: str) -> bool:
    """Tell whether a repository's file is one to fetch: within `folder` ("" is all), of a kind that is read."""
    path = PurePosixPath(name)
    inside = not folder or (len(path.parts) > 1 and path.parts[0] == folder)
    is_plain = not path.is_absolute() and ".." not in path.parts and not path.name.startswith(".")
    return inside and is_plain and (path.suffix in KINDS or path.name == SILENCE)


def _files(thing: Published, models_dir: Path | None, commits: dict[str, Any], endpoint: str | None) -> list[Wanted]:
    """Ask the hub which files there are, once for each repository."""
    if thing.repository not in commits:
        commits[thing.repository] = _asked(
            thing.repository, lambda hub: hub.HfApi(endpoint).model_info(thing.repository, files_metadata=True)
        )
    info = commits[thing.repository]
    folder = None if models_dir is None else models_dir if thing.folder else models_dir / thing.name
    listed = [one for one in info.siblings or () if is_used(one.rfilename, thing.folder)]
    if not any(one.rfilename.endswith(".safetensors") for one in listed):
        raise NotFound(f"{thing.repository} has no weights of {thing.name} any more; has it been renamed?")
    return [Wanted(thing.repository, info.sha, one.rfilename, one.size or 0, _digest(one), folder) for one in listed]


def _digest(sibling: Any) -> str:
    return str(sibling.lfs.sha256 if sibling.lfs else sibling.blob_id or "")


def _make_room(wanted: Sequence[Wanted], target: Path) -> None:
    existing = next(place for place in (target.resolve(), *target.resolve().parents) if place.exists())
    here = sum(one.size for one in wanted if one.folder is not None and (one.folder / one.name).is_file())
    needed, free = sum(one.size for one in wanted) - here + SPARE, shutil.disk_usage(existing).free
    if needed > free:
        raise EngineUnavailable(
            f"{existing} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed; set models_dir to another disk"
        )


def _fetch(one: Wanted, hub: Path, passed: Callable[[int], None], endpoint: str | None) -> Path:
    where = {"local_dir": one.folder} if one.folder is not None else {"cache_dir": hub}
    return Path(
        _asked(
            one.repository,
            lambda library: library.hf_hub_download(
                one.repository,
                one.name,
                revision=one.commit,
                tqdm_class=_counter(library, passed),
                endpoint=endpoint,
                **where,
            ),
        )
    )


def _counter(library: Any, passed: Callable[[int], None]) -> Any:
    """Give a progress bar that shows nothing and tells `passed` the bytes, those of an earlier try first."""

    class Counter(library.utils.tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})
            passed(int(options.get("initial") or 0))

        def update(self, n: float | None = 1) -> None:
            passed(int(n or 0))

    return Counter


def _asked(repository: str, ask: Callable[[Any], Any]) -> Any:
    """Ask the hub, and say what went wrong in words."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError
    except ImportError:
        raise EngineUnavailable(f"downloading needs huggingface_hub; run: {INSTALL}") from None
    try:
        return ask(huggingface_hub)
    except (RepositoryNotFoundError, GatedRepoError):
        raise NotFound(f"{repository} is not there for you; if it is private or gated, set HF_TOKEN") from None
    except (HTTPError, OSError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise PeerUnreachable(
            f"{repository} cannot be fetched now ({first}); run the command again: what is here already is kept"
        ) from None
