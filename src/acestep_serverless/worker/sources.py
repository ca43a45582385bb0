"""Where does the audio come from that a request works on? From a URL, from the request itself, or from the gateway.

Every file is looked into before it is handed on: an ACE-Step server may believe whatever it is sent.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.contract.music_sources import AudioAtUrl, AudioInline, AudioOfJob, AudioSource
from acestep_serverless.errors import AcestepServerlessError, AudioError, FieldProblem, InputError
from acestep_serverless.outbound.fetching import LARGEST_FILE, Fetcher

AUDIO_FIELDS = ("src_audio", "reference_audio")
"""The input fields that hold audio. They are named as the file fields of the ACE-Step API."""

_SUFFIXES = {"mp4": "m4a", "adts": "aac"}
"""Suffixes of containers whose own name is none."""

Sink = Callable[[bytes], None]


class EarlierFiles(Protocol):
    """Where the files of earlier jobs are kept."""

    async def fetch_file(self, name: str, sink: Sink, *, limit: int) -> None:
        """Hand the bytes of a file to `sink`. Raises NotFound, TooLarge, PeerError."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Brings audio onto this machine's disk. `earlier` None: this endpoint keeps no files of earlier jobs."""

    fetcher: Fetcher = field(default_factory=Fetcher)
    earlier: EarlierFiles | None = None

    async def bring(self, request: MusicInput, folder: Path) -> dict[str, Path]:
        """Put the audio that a request names into `folder`; gives the files by field. Raises InputError
        with a problem for each source that cannot be had or holds no sound."""
        files: dict[str, Path] = {}
        problems: list[FieldProblem] = []
        for name in AUDIO_FIELDS:
            source: AudioSource | None = getattr(request, name)
            if source is None:
                continue
            try:
                files[name] = await self._brought(source, folder / name)
            except AudioError as error:
                problems.append(FieldProblem(name, _shown(source), str(error)))
            except AcestepServerlessError as error:
                problems.append(FieldProblem(name, _shown(source), f"could not be fetched: {error}"))
        if problems:
            raise InputError(problems)
        return files

    async def _brought(self, source: AudioSource, path: Path) -> Path:
        with await asyncio.to_thread(path.open, "xb") as file:
            await self._written(source, file)
        return await asyncio.to_thread(_checked, path)

    async def _written(self, source: AudioSource, file: IO[bytes]) -> None:
        def sink(piece: bytes) -> None:
            file.write(piece)

        match source:
            case AudioInline(data):
                await asyncio.to_thread(file.write, data)
            case AudioAtUrl(url):
                await self.fetcher.fetch(url, sink)
            case AudioOfJob(name):
                if self.earlier is None:
                    raise AudioError(
                        "must be an https URL, a data: URI or base64 here: this endpoint keeps no files of earlier jobs"
                    )
                await self.earlier.fetch_file(name, sink, limit=LARGEST_FILE)


def _checked(path: Path) -> Path:
    """Look into a file and give it the suffix of what it holds. Raises AudioError without a word about its place."""
    from acestep_serverless.audio.decode import probe  # FFmpeg and NumPy, which only a request with audio needs

    try:
        facts = probe(path)
    except AudioError as error:
        reason = str(error).replace(str(path), "the file").replace(path.name, "the file")
        raise AudioError(f"must be a sound file ({reason})") from None
    suffix = _SUFFIXES.get(facts.container, facts.container)
    return path.rename(path.with_suffix(f".{suffix}"))


def _shown(source: AudioSource) -> str:
    """A source for an error: of a URL only the place, since its query may hold a signature."""
    match source:
        case AudioAtUrl(url):
            parts = urlsplit(url)
            return shown(f"{parts.scheme}://{parts.netloc}{parts.path}")
        case AudioOfJob(name):
            return shown(name)
    return f"{len(source.data):,} bytes"
