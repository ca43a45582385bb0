"""How does a song become a file here? From the output or from its place, checked, whole or not at all.

A song is written beside its name and renamed when length and checksum fit; names are made here, of safe letters, and
nothing that an endpoint says becomes a path. A file that is there already is kept if it is that very song.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acestep_serverless.client.answers import refusal, retry_after, worth_another
from acestep_serverless.client.conversation import Conversation
from acestep_serverless.client.part import Part
from acestep_serverless.client.songs import Generation, Song, StoredFile
from acestep_serverless.client.steps import Broken, Do, Steps
from acestep_serverless.clock import Clock
from acestep_serverless.contract.media import suffix_of_file
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import (
    AcestepServerlessError,
    Conflict,
    FieldProblem,
    InputError,
    NotFound,
    PeerError,
    PeerUnreachable,
    TooLarge,
)

LARGEST_SONG = 1 << 30
"""Bytes of one file unless the caller says otherwise: over the largest that a gateway takes."""

STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Saving:
    """How songs are saved: `stem` names the files ("" for the job's id), `overwrite` replaces other files of the same
    names, `largest` bounds one file in bytes."""

    folder: Path
    stem: str = ""
    overwrite: bool = False
    largest: int = LARGEST_SONG


def save(conversation: Conversation, generation: Generation, saving: Saving) -> Steps[tuple[Path, ...]]:
    """Save every song of a generation and give their paths, in order: `{stem}.mp3`, `{stem}-2.mp3`, ...

    Raises NotFound (nobody keeps the song), Conflict (another file has the name), TooLarge, InputError (stem, folder),
    PeerError (what came is not what was announced) and PeerUnreachable.
    """
    paths = []
    for stored, path in planned(generation, saving):
        if not (yield Do(partial(is_there, path, stored, overwrite=saving.overwrite))):
            yield from _fetched(conversation, stored, path, saving.largest)
        if isinstance(stored, Song):
            paths.append(path)
    return tuple(paths)


def planned(generation: Generation, saving: Saving) -> list[tuple[StoredFile, Path]]:
    """Say which file goes where: each song, then what lies beside it under the same stem. Raises InputError."""
    stem = _checked_stem(saving.stem) if saving.stem else _safe(generation.job.id)
    plan: list[tuple[StoredFile, Path]] = []
    for song in generation.songs:
        suffix = suffix_of_file(song.file or song.url, song.content_type) or "bin"
        own = f"{stem}{f'-{song.index + 1}' if song.index else ''}"
        plan.append((song, saving.folder / f"{own}.{suffix}"))
        plan += [(stored, saving.folder / f"{own}.{kind}") for kind, stored in song.beside.items()]
    return plan


def _fetched(conversation: Conversation, stored: StoredFile, path: Path, largest: int) -> Steps[None]:
    if stored.bytes is not None and stored.bytes > largest:
        raise TooLarge(f"{path.name} has {stored.bytes:,} bytes, the limit is {largest:,}")
    if stored.inline:
        yield Do(partial(_write_inline, stored, path, largest, conversation.clock))
    else:
        yield from _downloaded(conversation, stored, path, largest)


def _downloaded(conversation: Conversation, song: StoredFile, path: Path, largest: int) -> Steps[None]:
    address = conversation.access.address
    if not song.url or (address.is_runpod and song.url.startswith("/")):
        why = f" ({song.skipped})" if song.skipped else ""
        raise NotFound(
            f"nobody keeps song {song.index + 1} of the job{why}: ask for it with return_audio_base64, or name a bucket"
        )
    place = address.of_file(song.url)
    attempt = 0
    with Part(path, song, largest, conversation.clock) as part:
        while True:
            error: AcestepServerlessError
            asked = None
            try:
                yield from conversation.exchanged("GET", place.url, part, with_key=place.with_key, more=part.headers())
                if part.is_whole():
                    part.keep()
                    return
                error = refusal(part.answer, conversation.clock)
                if not worth_another(part.answer.status, repeatable=True):
                    raise error
                asked = retry_after(part.answer.headers, conversation.clock)
            except Broken as broken:
                error = PeerUnreachable(f"song {song.index + 1} did not come over: {broken}")
            yield from conversation.pause(attempt, error, asked)
            attempt += 1


def write(pieces: Iterable[bytes], song: StoredFile, path: Path, largest: int, clock: Clock) -> None:
    """Write a file whole or not at all. Raises TooLarge, InputError (folder), PeerError (not what was announced)."""
    with Part(path, song, largest, clock) as part:
        part.begin(200, {})
        for piece in pieces:
            part.take(piece)
        part.keep()


def _write_inline(song: StoredFile, path: Path, largest: int, clock: Clock) -> None:
    if len(song.inline) * 3 // 4 - 2 > largest:
        raise TooLarge(f"{path.name} is over the limit of {largest:,} bytes")
    try:
        content = base64.b64decode(song.inline, validate=True)
    except binascii.Error:
        raise PeerError(f"song {song.index + 1} came as base64 that cannot be read") from None
    write((content,), song, path, largest, clock)


def is_there(path: Path, song: StoredFile, *, overwrite: bool) -> bool:
    """Tell whether the very file lies there. Raises Conflict for another file, unless it may be replaced."""
    if not (path.is_symlink() or path.exists()):
        return False
    if song.sha256 and path.is_file() and _sha256(path) == song.sha256:
        return True
    if overwrite and not path.is_dir():
        return False
    raise Conflict(f"{path} is there already and is not this song: name another folder or stem, or say overwrite")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked_stem(stem: str) -> str:
    if STEM.fullmatch(stem) is None:
        allowed = "must be 1 to 120 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
        raise InputError([FieldProblem("stem", shown(stem), allowed)])
    return stem


def _safe(job_id: str) -> str:
    return job_id if STEM.fullmatch(job_id) else hashlib.sha256(job_id.encode("utf-8", "replace")).hexdigest()[:40]
