"""How is a job at an endpoint looked at, cancelled, and its songs fetched? Over HTTP, with a key; ours or Runpod's."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from acestep_serverless.assembly.many import Made
from acestep_serverless.assembly.reach import access_to
from acestep_serverless.cli.exits import ends_with_code
from acestep_serverless.cli.flags import AsJson
from acestep_serverless.cli.generating import Endpoint, KeyFile, Output, RemoteId
from acestep_serverless.cli.making import Bars, say_made
from acestep_serverless.cli.words import length, say_json, say_table
from acestep_serverless.client import Client, Job, generation_of

JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="ids of jobs, as /run and generate tell them")]
Wait = Annotated[bool, typer.Option("--wait", help="wait until they have ended")]
Timeout = Annotated[float | None, typer.Option(min=0, help="with --wait: seconds to wait for each at most")]


def _client(endpoint: str | None, endpoint_id: str | None, key_file: Path | None) -> Client:
    return Client(access_to(os.environ, endpoint, endpoint_id, key_file))


@ends_with_code
def status(
    ids: JobIds,
    wait: Wait = False,
    timeout: Timeout = None,
    endpoint: Endpoint = None,
    endpoint_id: RemoteId = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show jobs at an endpoint: state, progress, times, and the reason of one that failed."""
    with _client(endpoint, endpoint_id, key_file) as client:
        _show((_ended(client, name, timeout) if wait else client.status(name) for name in ids), as_json=as_json)


@ends_with_code
def cancel(
    ids: JobIds,
    endpoint: Endpoint = None,
    endpoint_id: RemoteId = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs at an endpoint, waiting or running; one that has ended keeps its state."""
    with _client(endpoint, endpoint_id, key_file) as client:
        _show(map(client.cancel, ids), as_json=as_json)


@ends_with_code
def download(
    ids: JobIds,
    output: Output = Path("outputs"),
    wait: Wait = False,
    timeout: Timeout = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace other files of the same names")] = False,
    endpoint: Endpoint = None,
    endpoint_id: RemoteId = None,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Save the songs of jobs at an endpoint; files are named after their job, and checked."""
    with _client(endpoint, endpoint_id, key_file) as client:
        for name in ids:
            generation = generation_of(_ended(client, name, timeout) if wait else client.status(name))
            files = client.save(generation, output, overwrite=overwrite)
            say_made(Made(0, files, generation, job_id=name), as_json=as_json, listed=False)


def _ended(client: Client, name: str, timeout: float | None) -> Job:
    with Bars([name], listed=False) as bars:
        for job in client.follow(name, timeout=timeout):
            bars.see(0, job)
    return job


def _show(jobs: Iterable[Job], *, as_json: bool) -> None:
    """Print each job; what was looked at is told even when a later one cannot be."""
    seen: list[Job] = []
    try:
        seen.extend(jobs)
    finally:
        if as_json:
            for job in seen:
                say_json(_plain(job))
        elif seen:
            heads = ("id", "state", "progress", "stage", "waited", "ran", "reason")
            say_table(heads, [_row(job) for job in seen])


def _row(job: Job) -> tuple[object, ...]:
    progress = None if job.progress is None else f"{job.progress:.0%}"
    return (
        job.id,
        job.state,
        progress,
        job.stage or None,
        length(job.delay_ms),
        length(job.execution_ms),
        job.error or None,
    )


def _plain(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": job.state,
        "progress": job.progress,
        "stage": job.stage or None,
        "delay_ms": job.delay_ms,
        "execution_ms": job.execution_ms,
        "worker_id": job.worker_id or None,
        "error": job.error or None,
        "output": job.output,
    }
