"""How does a song become a file here? From the output or from its place, checked, whole or not at all.

A song is written beside its name and renamed when length and checksum fit; names are made here, of safe letters, and
nothing that an endpoint says becomes a path. A file that is there already is kept if it is that very song.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from acestep_serverless.client.answers import (
    TRANSFER_SECONDS,
    Body,
    in_time,
    is_success,
    refusal,
    retry_after,
    worth_another,
)
from acestep_serverless.client.conversation import Conversation
from acestep_serverless.client.songs import Generation, Song, StoredFile
from acestep_serverless.client.steps import Broken, Do, Steps
from acestep_serverless.clock import Clock
from acestep_serverless.contract.media import suffix_of_file
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import Conflict, FieldProblem, InputError, NotFound, PeerError, PeerUnreachable, TooLarge

LARGEST_SONG = 1 << 30
"""Bytes of one file unless the caller says otherwise: over the largest that a gateway takes."""

ERROR_BYTES = 64 << 10
"""What is read of an answer that is no file."""

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
    while True:
        with Part(path, song, largest, conversation.clock) as part:
            try:
                yield from conversation.exchanged("GET", place.url, part, with_key=place.with_key)
                if is_success(part.answer.status):
                    part.keep()
                    return
                error, asked = (
                    refusal(part.answer, conversation.clock),
                    retry_after(part.answer.headers, conversation.clock),
                )
                if not worth_another(part.answer.status, repeatable=True):
                    raise error
            except Broken as broken:
                error, asked = PeerUnreachable(f"song {song.index + 1} did not come over: {broken}"), None
        yield from conversation.pause(attempt, error, asked)
        attempt += 1


@dataclass(slots=True)
class Part:
    """A file that is being received, beside its final name; leaving without `keep` removes it."""

    path: Path
    song: StoredFile
    largest: int
    clock: Clock
    answer: Body = field(init=False)
    received: int = 0
    _file: IO[bytes] | None = None
    _digest: Any = field(default_factory=hashlib.sha256)
    _ends: float = 0.0

    def __post_init__(self) -> None:
        self.answer = Body(self.clock, ERROR_BYTES)

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """See the head of the answer; only a success has a file."""
        self.answer.begin(status, headers)
        self._ends = self.clock.monotonic() + TRANSFER_SECONDS
        if is_success(status):
            self.open()

    def open(self) -> None:
        """Make the file, and its folder. Raises InputError."""
        unfinished = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = unfinished.open("xb")
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None

    def take(self, piece: bytes) -> None:
        """Write a piece: 64 KiB take 0.1 ms, which an event loop can spare. Raises TooLarge, Broken, InputError."""
        if self._file is None:
            self.answer.take(piece)
            return
        self.received += len(piece)
        if self.received > self.largest:
            raise TooLarge(f"{self.path.name} is over the limit of {self.largest:,} bytes")
        in_time(self.clock, self._ends)
        self._digest.update(piece)
        try:
            self._file.write(piece)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None

    def keep(self) -> None:
        """Give the file its name. Raises PeerError when it is not the one that the result describes."""
        assert self._file is not None
        _check(self.song, self.received, self._digest.hexdigest())
        try:
            self._file.close()
            Path(self._file.name).replace(self.path)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None
        self._file = None


def _check(song: StoredFile, received: int, sha256: str) -> None:
    if received == 0:
        raise PeerError(f"song {song.index + 1} came without a single byte")
    if song.bytes is not None and received != song.bytes:
        raise PeerError(f"song {song.index + 1} came with {received:,} bytes, announced were {song.bytes:,}")
    if song.sha256 and sha256 != song.sha256:
        raise PeerError(f"song {song.index + 1} came with another SHA-256 than announced: {sha256}")


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


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        [FieldProblem("folder", str(folder), f"must be a folder that can be written to ({error.strerror})")]
    )
