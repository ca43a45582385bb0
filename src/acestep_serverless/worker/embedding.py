"""Which songs travel inside the output as base64, and which are skipped with a reason?"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acestep_serverless.contract.music_output import (
    FILE_TOO_LARGE,
    RESPONSE_TOO_LARGE,
    SongResult,
    embedded_audio,
    embedded_bytes,
    json_bytes,
    skipped_audio,
)


@dataclass(frozen=True, slots=True)
class DeliveredSide:
    """A file beside a song: its `kind` in results, what the caller is told of it, its content, and whether anything but
    the output keeps it."""

    kind: str
    entry: Mapping[str, object]
    content: bytes
    kept: bool = True


@dataclass(frozen=True, slots=True)
class DeliveredSong:
    """Song `index` of a job, which has its place: what the caller is told of it, the file it can still be read from,
    and whether anything but the output keeps it; `beside` are its MIDI and LRC files, which have theirs."""

    index: int
    result: SongResult
    path: Path
    kept: bool = True
    warnings: tuple[str, ...] = ()
    beside: tuple[DeliveredSide, ...] = ()


async def embed(songs: Sequence[DeliveredSong], *, largest: int, room: int | None) -> list[Mapping[str, object]]:
    """Return one `audio` entry per song, in order.

    A file of more than `largest` bytes is skipped as "file_too_large". `room` is what the output's limit leaves for
    the entries, in bytes of JSON (None: no limit): a song that does not fit any more is skipped as
    "response_too_large". Room for the skipped form of every later song is kept free, so that the whole always fits.
    """
    entries: list[Mapping[str, object]] = []
    reserved = sum(_skipped_bytes(song) for song in songs)
    for song in songs:
        reserved -= _skipped_bytes(song)
        needed = embedded_bytes(song.index, song.result)
        if song.result.bytes > largest:
            entry = skipped_audio(song.index, song.result, FILE_TOO_LARGE)
        elif room is not None and needed + reserved > room:
            entry = skipped_audio(song.index, song.result, RESPONSE_TOO_LARGE)
        else:
            entry = embedded_audio(song.index, song.result, await asyncio.to_thread(_base64, song.path))
        room = None if room is None else room - (needed if "base64" in entry else _skipped_bytes(song))
        entries.append(entry)
    return entries


def entries_bytes(songs: Sequence[DeliveredSong], entries: Sequence[Mapping[str, object]]) -> int:
    """Return how many bytes the `audio` entries of these songs add to the output's JSON."""
    return sum(
        embedded_bytes(song.index, song.result) if "base64" in entry else _skipped_bytes(song)
        for song, entry in zip(songs, entries, strict=True)
    )


def _skipped_bytes(song: DeliveredSong) -> int:
    return json_bytes(skipped_audio(song.index, song.result, RESPONSE_TOO_LARGE)) + len(", ")


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
