"""What does an operator see of jobs? Reads over all endpoints, and everything that is known of one job."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.database.tables import ARTIFACTS, JOBS, TALLIES
from acestep_serverless.jobs import looks
from acestep_serverless.jobs.depths import depths

_COLUMNS = ("endpoint_id", "id", "state", "submitted_at", "taken_at", "finished_at", "worker_id", "error", "started_at")


@dataclass(frozen=True, slots=True)
class FiledSong:
    """An audio file of a job; `bytes` is its size."""

    name: str
    media_type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Particulars:
    """A job with its endpoint, until when it is kept once final (ms; None: it is not final), its moves after its
    submission (when in ms, which, its worker) and its files in their order."""

    endpoint_id: str
    view: JobView
    kept_until: int | None
    moves: list[tuple[int, str, str | None]]
    songs: list[FiledSong]


def page(
    connection: sa.Connection, endpoint_id: str | None, state: JobState | None, offset: int, limit: int
) -> list[tuple[str, JobView]]:
    """Read a page of one endpoint's jobs or (None) of all, each with its endpoint: newest first, without outputs."""
    where = [JOBS.c.endpoint_id == endpoint_id] if endpoint_id is not None else []
    where += [JOBS.c.state == state.value] if state is not None else []
    query = sa.select(*(JOBS.c[name] for name in _COLUMNS)).where(*where)
    rows = connection.execute(query.order_by(JOBS.c.number.desc()).offset(offset).limit(limit))
    return [
        (endpoint, JobView(job, JobState(word), submitted, taken, finished, worker, None, error, started))
        for endpoint, job, word, submitted, taken, finished, worker, error, started in rows
    ]


def endpoints_of(connection: sa.Connection, job_ids: Sequence[str]) -> dict[str, str]:
    """Read which endpoint each of these jobs belongs to; one that does not exist is absent."""
    query = sa.select(JOBS.c.id, JOBS.c.endpoint_id).where(JOBS.c.id.in_(job_ids))
    return {row.id: row.endpoint_id for row in connection.execute(query)}


def particulars(connection: sa.Connection, job_id: str) -> Particulars | None:
    """Read all that is known of a job; None when there is none of this id."""
    query = sa.select(JOBS.c.endpoint_id, JOBS.c.purge_at).where(JOBS.c.id == job_id)
    row = connection.execute(query).first()
    view = looks.view(connection, row.endpoint_id, job_id) if row is not None else None
    if row is None or view is None:
        return None
    columns = (ARTIFACTS.c.name, ARTIFACTS.c.media_type, ARTIFACTS.c.bytes)
    files = sa.select(*columns).where(ARTIFACTS.c.job_id == job_id).order_by(ARTIFACTS.c.position)
    songs = [FiledSong(*found) for found in connection.execute(files)]
    return Particulars(row.endpoint_id, view, row.purge_at, looks.history(connection, job_id), songs)


def endpoints_seen(connection: sa.Connection) -> set[str]:
    """Name the endpoints that have jobs, open or ended."""
    ended = connection.execute(sa.select(TALLIES.c.endpoint_id).distinct()).scalars()
    return {*ended, *depths(connection)}
