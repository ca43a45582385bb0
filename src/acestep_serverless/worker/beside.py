"""What becomes of the MIDI and LRC files beside a song? They go where the song went, and never stand in its way.

What keeps one from its place is a warning, not an error; and in an output that is bounded they get the room that the
audio leaves.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.reports import SongItem
from acestep_serverless.contract.media import SIDE_FILES
from acestep_serverless.contract.music_output import SongResult, json_bytes, side_entry
from acestep_serverless.errors import AcestepServerlessError, Conflict
from acestep_serverless.worker.embedding import DeliveredSide, DeliveredSong
from acestep_serverless.worker.sink import ArtifactSink, AudioFile

LARGEST_SIDE = 4 << 20
"""Bytes of one such file at most; the MIDI file of ten minutes of drum and bass has 160,000."""

LEFT_OUT = "MIDI and LRC files are left out where they exceed max_base64_bytes or the room that the audio leaves"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BesideOf:
    """Brings what lies beside song `index` of a job to `place`, by way of `folder`."""

    job_id: str
    index: int
    acestep: AceStepClient
    place: ArtifactSink
    folder: Path

    async def deliver(self, item: SongItem) -> tuple[list[DeliveredSide], list[str]]:
        """Return what was delivered and, in sentences, what was not. Raises Conflict once the job is another
        worker's."""
        delivered, warnings = [], []
        for kind, file in item.beside.items():
            try:
                side, warning = await self._one(kind, file)
            except Conflict:
                raise
            except (AcestepServerlessError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                _log.warning("a file beside a song is lost", job=self.job_id, song=self.index + 1, reason=reason)
                warnings.append(f"{kind}: the file of song {self.index + 1} could not be delivered: {reason}")
            else:
                delivered.append(side)
                warnings += [warning] if warning else []
        return delivered, warnings

    async def _one(self, kind: str, file: str) -> tuple[DeliveredSide, str]:
        content, known = bytearray(), SIDE_FILES[kind]
        fetched = await self.acestep.download(file, content.extend, limit=LARGEST_SIDE)
        path = self.folder / f"{self.index}.{known.suffix}"
        path.write_bytes(content)
        described = AudioFile(path, f".{known.suffix}", known.media_type, fetched.bytes, fetched.sha256)
        stored = await self.place.store(self.job_id, self.index, described)
        entry = side_entry(stored.file, stored.url, known.media_type, fetched.bytes, fetched.sha256)
        return DeliveredSide(kind, entry, bytes(content), stored.kept), stored.warning


def with_beside(
    results: Sequence[SongResult],
    songs: Sequence[DeliveredSong],
    *,
    travels: Callable[[bool], bool],
    largest: int,
    room: int | None,
) -> tuple[list[SongResult], bool]:
    """Return the results with what lies beside their songs, and whether all of it is there.

    `travels` says of a file that is kept, or not, whether the output is to carry it; then it does as base64 where it
    has at most `largest` bytes. `room` is what is left of the
    output in bytes of JSON (None: no limit); what does not fit is named without its content, or not at all.
    """
    told, whole = [], True
    for result, song in zip(results, songs, strict=True):
        entries: dict[str, Any] = {}
        for side in song.beside:
            carried = travels(side.kept)
            fitting = _fitting(side, carried=carried and len(side.content) <= largest, room=room)
            whole = whole and fitting is not None and ("base64" in fitting or not carried)
            if fitting is not None:
                entries[side.kind] = fitting
                room = None if room is None else room - _bytes(side.kind, fitting)
        told.append(replace(result, **entries))
    return told, whole


def _fitting(side: DeliveredSide, *, carried: bool, room: int | None) -> Mapping[str, object] | None:
    """Return as much of an entry as there is room for."""
    forms = [side.entry]
    if carried:
        forms.insert(0, {**side.entry, "base64": base64.b64encode(side.content).decode("ascii")})
    return next((form for form in forms if room is None or _bytes(side.kind, form) <= room), None)


def _bytes(kind: str, entry: Mapping[str, object]) -> int:
    """How many bytes an entry adds to its result."""
    return json_bytes({kind: entry})
