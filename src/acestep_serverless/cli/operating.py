"""What do `jobs`, `workers` and `endpoints` show and do? They work on the database of the settings, so they need no key
and no running gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from acestep_serverless.cli.flags import AsJson, DataDir
from acestep_serverless.cli.words import ago, length, moment, say, say_json, say_table
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.job import JobState
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.settings import Settings

if TYPE_CHECKING:  # The office brings the database's packages, which `--help` does without.
    from pathlib import Path

    from acestep_serverless.assembly.office import Office

Result = TypeVar("Result")

JOBS = typer.Typer(help="Look at jobs; cancel, retry and purge them.", no_args_is_help=True)
WORKERS = typer.Typer(help="Look at workers; drain them.", no_args_is_help=True)
ENDPOINTS = typer.Typer(help="Look at endpoints: their queues and workers.", no_args_is_help=True)

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="job ids")]
EndpointFilter = Annotated[str | None, typer.Option("--endpoint", help="only this endpoint's")]

OUTPUT_SHOWN = 2_000
"""Characters of an output that `jobs show` prints; a longer one is only measured."""


def in_office(
    data_dir: "Path | None", work: "Callable[[Office], Awaitable[Result]]", *, may_make: bool = False
) -> Result:
    """Do a piece of work in an office over the settings, and close it."""
    from acestep_serverless.assembly.office import in_office as do

    return asyncio.run(do(Settings.load(data_dir=data_dir), work, may_make=may_make))


@JOBS.command("list")
def jobs_list(
    endpoint: EndpointFilter = None,
    status: Annotated[
        JobState | None, typer.Option(case_sensitive=False, help="only jobs in this state", show_choices=True)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="how many")] = 50,
    offset: Annotated[int, typer.Option(min=0, max=1_000_000, help="how many newer ones to pass over")] = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from acestep_serverless.assembly.operating import jobs_page

    page = in_office(data_dir, lambda office: jobs_page(office, endpoint, status, offset, limit))
    if as_json:
        say_json(page)
        return
    now = SYSTEM_CLOCK.now_ms()
    heads = ("id", "endpoint", "status", "submitted", "waited", "ran", "worker")
    say_table(heads, [_job_row(job, now) for job in page["jobs"]])
    if page["hasMore"]:
        say(f"older ones: --offset {offset + limit}", aside=True)


@JOBS.command("show", short_help="Show all of a job.")
def jobs_show(
    job_id: Annotated[str, typer.Argument(metavar="ID")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show all of a job: its state, its times, its history and its files."""
    from acestep_serverless.assembly.operating import job_details

    job = in_office(data_dir, lambda office: job_details(office, job_id))
    if as_json:
        say_json(job)
        return
    now = SYSTEM_CLOCK.now_ms()
    for name, value in _job_facts(job, now):
        if value is not None:
            say(f"{name:12}{value}")
    say("")
    say_table(("when", "move", "worker"), [(moment(m["at"], now), m["move"], m["workerId"]) for m in job["history"]])
    if job["artifacts"]:
        say("")
        say_table(("file", "kind", "bytes"), [(f["name"], f["mediaType"], f["bytes"]) for f in job["artifacts"]])


@JOBS.command("cancel", short_help="End jobs at once and for good.")
def jobs_cancel(job_ids: Ids, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End jobs at once and for good; one that has ended already keeps its state."""
    from acestep_serverless.assembly.operating import cancel_jobs

    _say_outcomes(in_office(data_dir, lambda office: cancel_jobs(office, job_ids)), as_json=as_json)


@JOBS.command("retry", short_help="Put FAILED and TIMED_OUT jobs back in their queues.")
def jobs_retry(job_ids: Ids, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Put FAILED and TIMED_OUT jobs back in their queues, with their ids and inputs."""
    from acestep_serverless.assembly.operating import retry_jobs

    _say_outcomes(in_office(data_dir, lambda office: retry_jobs(office, job_ids)), as_json=as_json)


@JOBS.command("purge", short_help="Cancel every job that waits in an endpoint's queue.")
def jobs_purge(
    endpoint: Annotated[str, typer.Option(help="the endpoint whose queue is emptied")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Cancel every job that waits in an endpoint's queue; running ones go on."""
    from acestep_serverless.assembly.operating import purge_queue, waiting_jobs

    if not yes:
        waiting = in_office(data_dir, lambda office: waiting_jobs(office, endpoint))
        typer.confirm(
            f"Cancel the {waiting} job(s) that wait at endpoint {endpoint!r}? (--yes does not ask)",
            abort=True,
            err=True,
        )
    purged = in_office(data_dir, lambda office: purge_queue(office, endpoint))
    if as_json:
        say_json(purged)
    else:
        say(f"{purged['removed']} job(s) of endpoint {endpoint!r} cancelled")


@WORKERS.command("list")
def workers_list(endpoint: EndpointFilter = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the workers that have not ended, oldest first."""
    from acestep_serverless.assembly import operating

    workers = in_office(data_dir, lambda office: operating.workers_list(office, endpoint))
    if as_json:
        say_json(workers)
        return
    now = SYSTEM_CLOCK.now_ms()
    heads = ("id", "endpoint", "state", "jobs", "enrolled", "last seen", "problem")
    say_table(heads, [_worker_row(worker, now) for worker in workers])


@WORKERS.command("drain", short_help="Feed a worker no more; its fleet ends it.")
def workers_drain(
    worker_id: Annotated[str, typer.Argument(metavar="ID")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Feed a worker no more: it finishes the jobs it has, then its fleet ends it (and starts another if one is
    wanted)."""
    from acestep_serverless.assembly.operating import drain_worker

    worker = in_office(data_dir, lambda office: drain_worker(office, worker_id))
    if as_json:
        say_json(worker)
    else:
        say(f"worker {worker_id} of endpoint {worker['endpoint']!r} drains; it has {worker['jobs']} job(s) to finish")


@ENDPOINTS.command("list")
def endpoints_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List every endpoint with its jobs and workers by state."""
    from acestep_serverless.assembly import operating

    endpoints = in_office(data_dir, operating.endpoints_list)
    if as_json:
        say_json(endpoints)
        return
    heads = ("id", "waiting", "oldest", "running", "completed", "failed", "cancelled", "timed out", "workers")
    say_table(heads, [_endpoint_row(endpoint) for endpoint in endpoints])


def _job_row(job: dict[str, Any], now: int) -> tuple[object, ...]:
    waited, ran = length(job.get("delayTime")), length(job.get("executionTime"))
    return job["id"], job["endpoint"], job["status"], ago(job["submittedAt"], now), waited, ran, job.get("workerId")


def _job_facts(job: dict[str, Any], now: int) -> list[tuple[str, object]]:
    return [
        ("job", job["id"]),
        ("endpoint", job["endpoint"]),
        ("status", job["status"]),
        ("submitted", moment(job["submittedAt"], now)),
        ("waited", length(job.get("delayTime"))),
        ("ran", length(job.get("executionTime"))),
        ("finished", moment(job["finishedAt"], now)),
        ("kept until", moment(job["keptUntil"], now)),
        ("worker", job.get("workerId")),
        ("error", job.get("error")),
        ("output", _output(job)),
    ]


def _output(job: dict[str, Any]) -> str | None:
    if "output" not in job:
        return None
    import json

    text = json.dumps(job["output"], ensure_ascii=False)
    return text if len(text) <= OUTPUT_SHOWN else f"{len(text):,} characters of JSON; --json shows them"


def _worker_row(worker: dict[str, Any], now: int) -> tuple[object, ...]:
    times = ago(worker["enrolledAt"], now), ago(worker["seenAt"], now)
    return worker["id"], worker["endpoint"], worker["state"], worker["jobs"], *times, worker["unhealthy"]


def _endpoint_row(endpoint: dict[str, Any]) -> tuple[object, ...]:
    counts = [endpoint[name] for name in ("inProgress", "completed", "failed", "cancelled", "timedOut")]
    workers = ", ".join(f"{count} {state}" for state, count in endpoint["workers"].items() if count)
    oldest = length(endpoint["oldestWaitMs"]) if endpoint["inQueue"] else None
    return endpoint["id"], endpoint["inQueue"], oldest, *counts, workers or None


def _say_outcomes(outcomes: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print what became of each job. Raises with all that went wrong in one line."""
    if as_json:
        say_json(outcomes)
    elif done := [outcome for outcome in outcomes if "error" not in outcome]:
        say_table(("id", "endpoint", "status"), [(job["id"], job["endpoint"], job["status"]) for job in done])
    if wrong := [outcome["error"] for outcome in outcomes if "error" in outcome]:
        raise AcestepServerlessError("; ".join(wrong))
