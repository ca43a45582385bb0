"""Does the SDK always get an answer, whatever goes wrong around the handler?"""

from pathlib import Path

from handler_studio import Studio
from structlog.testing import capture_logs

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.worker.delivery import FolderSink
from acestep_serverless.worker.loop import JobHandler, Tools
from acestep_serverless.worker.sink import AudioFile


async def test_what_fails_unexpectedly_becomes_a_sentence_without_a_traceback() -> None:
    async def open_tools() -> Tools:
        raise RuntimeError("no sound card at http://gateway/?token=secret")

    handler = JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
    with capture_logs() as logs:
        output = await handler({"id": "job-1", "input": {}})
    assert output == {
        "error": "the worker failed unexpectedly: RuntimeError: no sound card at http://gateway/?token=..."
    }
    assert logs[0]["job"] == "job-1"


async def test_songs_wait_in_the_scratch_folder_and_leave_it_empty(studio: Studio, tmp_path: Path) -> None:
    """Whoever removes a worker's scratch folder removes with it what a killed worker leaves there."""
    scratch, seen = tmp_path / "scratch", []
    scratch.mkdir()

    class Watching(FolderSink):
        async def store(self, job_id: str, index: int, audio: AudioFile) -> str:
            seen.append(audio.path)
            return await FolderSink.store(self, job_id, index, audio)

    async def open_tools() -> Tools:
        return Tools(AceStepClient(studio.http, clock=SYSTEM_CLOCK), Watching(tmp_path / "songs"), scratch)

    handler = JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
    output = await handler({"id": "job-1", "input": {"caption": "a calm tone", "duration": 1}})
    assert "error" not in output
    assert [path.is_relative_to(scratch) for path in seen] == [True]
    assert list(scratch.iterdir()) == []
