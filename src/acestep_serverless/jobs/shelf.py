"""Which file is which? The shelf pairs rows and files: put under a lease, found by name, gone with the job."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from acestep_serverless.artifacts.folder import ArtifactFolder, Received
from acestep_serverless.clock import Clock
from acestep_serverless.contract.media import FILE_TYPES, SIDE_FILES
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import ARTIFACTS, JOBS
from acestep_serverless.database.upsert import upsert
from acestep_serverless.errors import Conflict, FieldProblem, InputError, NotFound
from acestep_serverless.jobs import store

SUFFIXES = FILE_TYPES
"""What may be filed: file suffix and media type."""

MOST_SONGS = 1_000
_ROWS = {kind.suffix: MOST_SONGS * number for number, kind in enumerate(SIDE_FILES.values(), 1)}
"""What lies beside the songs of a job stands in rows behind theirs, a thousand further with each kind."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file belongs: the song at `position` (0 to 999) of the job that this worker holds at this endpoint, or
    with the suffix of such what lies beside it."""

    endpoint_id: str
    worker_id: str
    job_id: str
    position: int
    suffix: str

    @property
    def row(self) -> int:
        """The number of its row among those of the job: a song's own, or one for it and the kind beside it."""
        return self.position + _ROWS.get(self.suffix, 0)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A filed file."""

    name: str
    endpoint_id: str
    media_type: str
    bytes: int
    sha256: str
    path: Path


class Shelf:
    """Rows and files together; `new_name` makes at least 128 random bits as URL-safe text."""

    def __init__(self, database: Database, folder: ArtifactFolder, clock: Clock, new_name: Callable[[], str]) -> None:
        self._database, self._folder, self._clock, self._new_name = database, folder, clock, new_name

    async def put(self, place: Place, chunks: AsyncIterator[bytes], sha256: str | None) -> Artifact:
        """File an upload. The same place keeps its name, so a repeated PUT changes nothing. Raises Conflict when the
        worker does not hold the job (looked at before a byte is read, and again when the file gets its name),
        InputError for a wrong checksum, TooLarge."""
        await self._database.read(lambda connection: _require_lease(connection, place))
        name = f"{self._new_name()}.{place.suffix}"
        received = await self._folder.receive(chunks)
        try:
            if sha256 is not None and sha256 != received.sha256:
                problem = FieldProblem("Content-Digest", f"sha-256 {received.sha256} received", f"announced {sha256}")
                raise InputError([problem])
            return await self._database.write(lambda connection: self._file(connection, place, received, name))
        except Exception:
            # A commit that failed (on a full disk, say) comes after the file got its name: each further attempt would
            # leave another file that no row knows.
            await asyncio.to_thread(self._folder.remove, name)
            raise
        finally:
            received.path.unlink(missing_ok=True)

    def _file(self, connection: sa.Connection, place: Place, received: Received, new_name: str) -> Artifact:
        _require_lease(connection, place)
        row = {
            "name": new_name,
            "endpoint_id": place.endpoint_id,
            "job_id": place.job_id,
            "position": place.row,
            "media_type": SUFFIXES[place.suffix],
            "bytes": received.bytes,
            "sha256": received.sha256,
            "created_at": self._clock.now_ms(),
        }
        measured = {key: row[key] for key in ("media_type", "bytes", "sha256", "created_at")}
        upsert(connection, ARTIFACTS, row, ("job_id", "position"), measured)
        here = (ARTIFACTS.c.job_id == place.job_id, ARTIFACTS.c.position == place.row)
        name = str(connection.execute(sa.select(ARTIFACTS.c.name).where(*here)).scalar_one())
        # Renamed under the same lock that checked the lease: a sender that has lost it can never overwrite its
        # successor.
        self._folder.keep(received, name)
        return Artifact(
            name, place.endpoint_id, str(row["media_type"]), received.bytes, received.sha256, self._folder.path(name)
        )

    async def find(self, name: str, endpoints: frozenset[str]) -> Artifact:
        """Find a file by name among these endpoints. Raises NotFound, the same for a foreign endpoint's file."""
        query = sa.select(ARTIFACTS).where(ARTIFACTS.c.name == name, ARTIFACTS.c.endpoint_id.in_(endpoints))
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None or not (path := self._folder.path(row.name)).is_file():
            raise NotFound("there is no such audio file; files are deleted together with their job")
        return Artifact(row.name, row.endpoint_id, row.media_type, row.bytes, row.sha256, path)

    async def clear(self, job_ids: Sequence[str], *, over_by: int | None = None) -> int:
        """Delete those of these jobs that are final, and their files together. Returns how many files.

        With `over_by` (ms) only those go that need not be kept then: since somebody looked, a client may have queued
        one again or asked for it to be kept for longer, and was told so.
        """
        where = [] if over_by is None else [JOBS.c.purge_at < over_by]

        def work(connection: sa.Connection) -> list[str]:
            gone = store.delete(connection, job_ids, *where)
            statement = ARTIFACTS.delete().where(ARTIFACTS.c.job_id.in_(gone)).returning(ARTIFACTS.c.name)
            return list(connection.execute(statement).scalars())

        names = await self._database.write(work)
        for name in names:
            await asyncio.to_thread(self._folder.remove, name)  # 512 MB take a while; the loop has other guests
        return len(names)

    async def clear_strays(self) -> int:
        """Delete files without a row: a process that was killed between its two steps leaves such. Returns how many.

        Call it before anything is put on the shelf here; what another gateway is filing is young, and stays.
        """
        names = await asyncio.to_thread(self._folder.names, self._clock.now_ms() / 1000)
        known = await self._database.read_aside(
            lambda connection: set(connection.execute(sa.select(ARTIFACTS.c.name)).scalars())
        )
        strays = [name for name in names if name not in known]
        for name in strays:
            await asyncio.to_thread(self._folder.remove, name)
        return len(strays)


def _require_lease(connection: sa.Connection, place: Place) -> None:
    if not store.hold(connection, place.worker_id, place.job_id):
        raise Conflict(f"worker {place.worker_id} does not hold job {place.job_id} (any more)")
