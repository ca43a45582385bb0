"""Where are the weights? A fixed order of places is searched, and what lies there is put together to whole models.

1. the folder of the setting `models_dir`
2. the Hugging Face cache
3. Runpod's cached models: `huggingface-cache/hub` on its volume
4. Runpod's network volume: its folders `checkpoints` and `models`, then the volume itself

The first of a name wins. A model in the upstream project's layout takes codec and text encoder from beside it, else
from the first place that has them. Searching reads names and configs only: milliseconds, no torch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from acestep_serverless.engines.acestep import published
from acestep_serverless.engines.acestep.layouts import CONFIG, Kind, Piece, read_object, recognise
from acestep_serverless.engines.acestep.shapes import PARTS, Shape, from_diffusers, from_original
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

MOST_FOLDERS = 500
"""How many entries of one folder are looked at: a mistaken setting must not list a whole disk."""
RUNPOD_CACHE = Path("huggingface-cache/hub")
VOLUME_FOLDERS = ("checkpoints", "models", "")
NO_PLACE = "no folder: models_dir is unset, and there is no Hugging Face cache and no Runpod volume"
INTERESTING = ("ace-step", "acestep", "qwen3-embedding")
"""What the name of a cached repository has, in small letters, when it is looked into."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the search: a plain folder, or a cache in Hugging Face's layout (`models--ORG--NAME/...`)."""

    folder: Path
    is_hub: bool
    words: str


@dataclass(frozen=True, slots=True)
class FoundModel:
    """One whole model on disk. `parts` are the folders of what it is made of, by diffusers' names.

    In the layout "checkpoints" the four parts of `shapes.PARTS` lie in one folder, `parts["model"]`.
    """

    name: str
    layout: str
    place: str
    parts: Mapping[str, Path]
    shape: Shape


@dataclass(frozen=True, slots=True)
class FoundPlanner:
    """One planner on disk."""

    name: str
    place: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What the search found, what it could not put together and why, and where it looked."""

    models: tuple[FoundModel, ...]
    planners: tuple[FoundPlanner, ...]
    flawed: tuple[str, ...]
    looked: tuple[Place, ...]

    def model(self, name: str) -> FoundModel:
        """Give the model of a name; "" is the usual one, else the first. Raises EngineUnavailable with what to do."""
        known = {model.name: model for model in self.models}
        wanted = name or (published.DEFAULT_MODEL if published.DEFAULT_MODEL in known else next(iter(known), ""))
        if wanted in known:
            return known[wanted]
        raise EngineUnavailable(self._absent(wanted or published.DEFAULT_MODEL, known))

    def planner(self, name: str) -> FoundPlanner:
        """Give the planner of a name. Raises EngineUnavailable with what to do."""
        known = {planner.name: planner for planner in self.planners}
        if name in known:
            return known[name]
        raise EngineUnavailable(self._absent(name, known))

    def _absent(self, wanted: str, known: Iterable[str]) -> str:
        here = f"; found: {', '.join(known)}" if known else ""
        flaws = "".join(f"; {flaw}" for flaw in self.flawed)
        looked = ", ".join(f"{place.folder} ({place.words})" for place in self.looked) or NO_PLACE
        mend = f"acestep-serverless models download {wanted}"
        return f"no weights of {wanted}{here}{flaws}; looked in {looked}; run: {mend}"


def places(options: EngineOptions) -> tuple[Place, ...]:
    """List the places of the search in their order; a place that is not there is left out, but for the setting's."""
    listed = [Place(options.models_dir, False, "models_dir")] if options.models_dir is not None else []
    if options.hub is not None:
        listed.append(Place(options.hub, True, "Hugging Face cache"))
    for volume in options.volumes:
        listed.append(Place(volume / RUNPOD_CACHE, True, "Runpod's cached models"))
        listed += [Place(volume / name, False, "Runpod's network volume") for name in VOLUME_FOLDERS]
    once: dict[Path, Place] = {}
    for place in listed:
        if place.folder == options.models_dir or place.folder.is_dir():
            once.setdefault(place.folder, place)
    return tuple(once.values())


def find(options: EngineOptions) -> Found:
    """Search all places, once. Raises nothing: a folder that cannot be read is a flaw among the found."""
    looked = places(options)
    flaws: list[str] = []
    pieces = [(place, piece) for place in looked for piece in _pieces(place, flaws)]
    models: dict[str, FoundModel] = {}
    for place, piece in pieces:
        if piece.kind in (Kind.PIPELINE, Kind.MODEL) and piece.name not in models:
            try:
                models[piece.name] = _whole(piece, place, pieces)
            except EngineUnavailable as error:
                flaws.append(str(error))
    planners = {
        piece.name: FoundPlanner(piece.name, place.words, piece.folder)
        for place, piece in reversed(pieces)
        if piece.kind is Kind.PLANNER
    }
    return Found(tuple(models.values()), tuple(reversed(planners.values())), tuple(flaws), looked)


def _pieces(place: Place, flaws: list[str]) -> Iterator[Piece]:
    for name, folder in _cached(place.folder) if place.is_hub else _plain(place.folder):
        try:
            piece = recognise(folder, name)
        except EngineUnavailable as error:
            flaws.append(str(error))
            continue
        if piece is not None:
            yield piece


def _plain(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give a folder and those in it, by name; a pipeline's own parts are not models by themselves."""
    yield folder.resolve().name, folder
    yield from ((inner.name, inner) for inner in _folders(folder))


def _cached(hub: Path) -> Iterator[tuple[str, Path]]:
    """Give each cached repository's snapshot and the folders in it."""
    for repository in _folders(hub):
        words = repository.name.split("--")
        if words[0] != "models" or not any(word in repository.name.lower() for word in INTERESTING):
            continue
        snapshot = _snapshot(repository)
        if snapshot is not None:
            yield words[-1], snapshot
            yield from ((inner.name, inner) for inner in _folders(snapshot))


def _snapshot(repository: Path) -> Path | None:
    """Give the snapshot that `refs/main` names, else the newest; a ref is a file that holds a commit's hash."""
    try:
        named = repository / "snapshots" / (repository / "refs" / "main").read_text(encoding="ascii").strip()[:64]
        if named.is_dir() and named.parent == repository / "snapshots":
            return named
    except (OSError, ValueError):
        pass  # No such branch was fetched: a pinned revision lies there under its hash alone.
    return max(_folders(repository / "snapshots"), key=lambda path: path.stat().st_mtime, default=None)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in islice(folder.iterdir(), MOST_FOLDERS) if path.is_dir())
    except OSError:
        return []


def _whole(piece: Piece, place: Place, pieces: Sequence[tuple[Place, Piece]]) -> FoundModel:
    if piece.kind is Kind.PIPELINE:
        return _pipeline(piece, place)
    shape = from_original(read_object(piece.folder / CONFIG), str(piece.folder / CONFIG))
    others = [other for _, other in sorted(pieces, key=lambda pair: pair[1].folder.parent != piece.folder.parent)]
    parts = {"model": piece.folder}
    for kind, name in ((Kind.CODEC, published.CODEC_FOLDER), (Kind.TEXT, published.TEXT_FOLDER)):
        folder = next((other.folder for other in others if other.kind is kind), None)
        if folder is None:
            raise EngineUnavailable(
                f"{piece.name} lies in {piece.folder}, but {name} is nowhere: "
                f"run acestep-serverless models download {name}"
            )
        parts[kind.value] = folder
    parts["tokenizer"] = parts["text_encoder"]
    return FoundModel(piece.name, "checkpoints", place.words, MappingProxyType(parts), shape)


def _pipeline(piece: Piece, place: Place) -> FoundModel:
    """Put a diffusers folder together; older ones lack the two parts for audio codes."""
    index = read_object(piece.folder / "model_index.json")
    named = [*PARTS, "vae", "text_encoder", "tokenizer"]
    listed = [part for part in named if isinstance(index.get(part), list) and None not in index[part]]
    absent = [part for part in named if part not in listed and not part.startswith("audio_")]
    absent += [part for part in listed if not (piece.folder / part).is_dir()]
    if absent:
        raise EngineUnavailable(f"{piece.folder}: incomplete, it lacks {', '.join(absent)}")
    parts = {part: piece.folder / part for part in listed}
    configs = {part: read_object(parts[part] / CONFIG) if part in parts else {} for part in PARTS}
    return FoundModel(piece.name, "diffusers", place.words, MappingProxyType(parts), from_diffusers(configs))
