"""Does the SDK always get an answer, whatever goes wrong around the handler?"""

from pathlib import Path

import httpx
from handler_studio import Studio
from recording_server import Recorded, Reply, recording_server
from structlog.testing import capture_logs

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.worker.delivery import FolderSink, GatewaySink
from acestep_serverless.worker.link import GatewayLink
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


class BrokenTransport(httpx.AsyncBaseTransport):
    """Fails as no server does: with an error that is none of httpx's."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"no sound card for {request.url.path}")


async def test_an_unexpected_failure_is_at_the_gateway_before_the_handler_returns() -> None:
    """The SDK posts a result once and drops it when the connection fails: an error deserves the same patience."""
    replies = [Reply(503), Reply(200)]

    def gateway(_request: Recorded) -> Reply:
        return replies.pop(0)

    async with (
        recording_server(gateway) as server,
        httpx.AsyncClient(transport=BrokenTransport(), base_url="http://acestep") as http,
    ):
        sink = GatewaySink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)

        async def open_tools() -> Tools:
            return Tools(AceStepClient(http, clock=SYSTEM_CLOCK), sink)

        handler = JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
        output = await handler({"id": "job-1", "input": {"caption": "a calm tone", "duration": 1}})
        await sink.aclose()
    assert "no sound card" in str(output["error"])
    assert [request.path for request in server.requests] == ["/v2/ace-step/job-done/w-1/job-1"] * 2
    assert server.requests[-1].json() == output


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
