"""How does a song become a stored file? Samples in, a tagged and measured file in the audio folder out."""

import hashlib
from pathlib import Path

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.task import StoredSide, StoredSong, Task
from acestep_serverless.artifacts.disk import make_safe
from acestep_serverless.audio.codec import encode
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.audio.tags import song_tags
from acestep_serverless.contract.media import SIDE_FILES
from acestep_serverless.engines.base import Engine, SideFile, Song

TITLE_CHARACTERS = 120


def store_song(task: Task, song: Song, folder: AudioFolder, engine: Engine, *, safe: bool = False) -> StoredSong:
    """Encode one song of a task and write what goes with it; `safe` waits until it would outlive a power cut.

    Raises AudioError, OSError, or GenerationCancelled once the task is to stop.
    """
    row = FORMATS[task.order.audio_format]
    path = folder.new_path(row.suffix)
    beside = [(side, folder.new_path(f".{SIDE_FILES[side.kind].suffix}")) for side in song.beside]
    paths = [path, *(place for _, place in beside)]
    try:
        encode(song.clip, path, row.name, _tags(song, engine.name), task.stop.is_set)
        for side, place in beside:
            place.write_bytes(side.data)
        for place in paths if safe else ():
            make_safe(place)
    except BaseException:
        folder.remove_song(place.name for place in paths)  # nobody else knows these names
        raise
    return StoredSong(
        name=path.name,
        size=path.stat().st_size,
        sha256=_sha256(path),
        media_type=row.media_type,
        seconds=song.clip.seconds,
        sample_rate=song.clip.sample_rate,
        seed=song.seed,
        caption=song.caption,
        lyrics=song.lyrics,
        metas=song.metas,
        model=task.order.request.model or engine.models[0],
        language_model=engine.language_model,
        warnings=tuple(dict.fromkeys((*task.order.warnings, *song.warnings))),
        beside=tuple(_stored(side, place) for side, place in beside),
    )


def _stored(side: SideFile, path: Path) -> StoredSide:
    return StoredSide(side.kind, path.name, len(side.data), hashlib.sha256(side.data).hexdigest())


def _tags(song: Song, engine_name: str) -> dict[str, str]:
    """Title and origin; nothing that changes from run to run, so that the same song gives the same bytes."""
    title = "".join(character for character in " ".join(song.caption.split()) if character.isprintable())
    return song_tags(title[:TITLE_CHARACTERS], engine_name, song.seed)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
