"""How does a job become a finished answer? Check the input, have the ACE-Step API make the songs, deliver every file.

`handle` is the whole handler. It knows neither the Runpod SDK nor where it runs: the SDK's loop, the `generate`
command and the SDK's local `--test_input` are callers that hand it an ACE-Step client, a place for files, a report
and a clock.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import Clock
from acestep_serverless.contract.music import MusicInput, parse_music_input
from acestep_serverless.contract.music_analysis import analysis_output
from acestep_serverless.contract.music_output import error_output
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.worker.answer import Answer
from acestep_serverless.worker.generation import Finished, Generation
from acestep_serverless.worker.sink import ArtifactSink, Report
from acestep_serverless.worker.sources import Sources

_log = structlog.get_logger(__name__)


async def handle(
    job: Mapping[str, object],
    *,
    acestep: AceStepClient,
    artifacts: ArtifactSink,
    report: Report,
    clock: Clock,
    scratch: Path | None = None,
    sources: Sources | None = None,
) -> dict[str, object]:
    """Run one job, `{"id": ..., "input": {...}}`, and return the guide's success or error payload.

    `scratch` is an existing folder for audio on its way in and out, by default the system's temporary one; whoever
    names it removes what a killed process leaves in it. `sources` brings the audio that a request works on, by default
    from public https URLs and the request itself. What a caller, a server or a full disk did wrong becomes
    `{"error": ...}`. Being cancelled ends the ACE-Step task (waiting about a second for it at most) and raises
    CancelledError again.
    """
    job_id = str(job.get("id", "local"))
    try:
        request = parse_music_input(job.get("input"))
        with tempfile.TemporaryDirectory(prefix="acestep-serverless-", dir=scratch) as folder:
            files = await (sources or Sources()).bring(request, Path(folder))
            finished = await Generation(request, acestep, report, clock, files).run()
        if request.analysis:
            return analysis_output(finished.task_id, request, finished.finding)
        request = _as_long_as_made(request, finished)
        return await Answer(job_id, request, finished, acestep, artifacts, scratch).build()
    except AcestepServerlessError as error:
        return error_output(str(error))
    except OSError as error:
        if error.errno is None:  # no answer of the operating system, so nothing about this disk
            raise
        _log.exception("the job's audio could not be kept on this disk", job=job_id)
        return error_output(f"the worker could not keep the audio on its disk: {error.strerror or error}")


def _as_long_as_made(request: MusicInput, finished: Finished) -> MusicInput:
    """Where the audio worked on has said how long, the answer's `duration` is the length of what was made."""
    lengths = [item.raw.get("seconds", item.metas.get("duration")) for item in finished.items]
    made = next((length for length in lengths if isinstance(length, int | float) and 0 < length < 1e6), None)
    if request.src_audio is None or "duration" in request.given or made is None:
        return request
    return replace(request, duration=max(1, round(made)))
