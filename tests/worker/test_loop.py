"""Does the SDK always get an answer, whatever goes wrong around the handler?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from handler_studio import Studio
from recording_server import Recorded, Reply, recording_server
from structlog.testing import capture_logs

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.worker.delivery import FolderSink, GatewaySink
from acestep_serverless.worker.kept import KeptBounds, KeptOutputs
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.loop import JobHandler, Tools
from acestep_serverless.worker.sink import AudioFile, Stored


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
        async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
            seen.append(audio.path)
            return await FolderSink.store(self, job_id, index, audio)

    async def open_tools() -> Tools:
        return Tools(AceStepClient(studio.http, clock=SYSTEM_CLOCK), Watching(tmp_path / "songs"), scratch)

    handler = JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
    output = await handler({"id": "job-1", "input": {"caption": "a calm tone", "duration": 1}})
    assert "error" not in output
    assert [path.is_relative_to(scratch) for path in seen] == [True]
    assert list(scratch.iterdir()) == []


class Desk:
    """A gateway's job-done, as far as this side can tell: every answer is the next of `states`."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def __call__(self, request: Recorded) -> Reply:
        return Reply(200, {"status": self.states.pop(0)})


KEPT = KeptBounds(outputs=10, bytes=1 << 20, age_ms=3_600_000)
JOB = {"id": "job-1", "input": {"caption": "a calm tone", "duration": 1}}


class DeskSink(GatewaySink):
    """Results go to a gateway, songs only into the output: what this test looks at is the memory."""

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        return Stored(f"/v1/audio?filename={job_id}-{index}{audio.suffix}")


@asynccontextmanager
async def remembering(studio: Studio, kept: KeptOutputs, *states: str) -> AsyncIterator[JobHandler]:
    async with recording_server(Desk(*states)) as server:
        sink = DeskSink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)

        async def open_tools() -> Tools:
            return Tools(AceStepClient(studio.http, clock=SYSTEM_CLOCK), sink, None, kept)

        yield JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
        await sink.aclose()


async def test_a_job_that_comes_back_unfinished_is_answered_with_the_same_output(
    studio: Studio, tmp_path: Path
) -> None:
    kept = KeptOutputs(tmp_path / "kept", KEPT)
    async with remembering(studio, kept, "IN_QUEUE", "COMPLETED", "COMPLETED") as handler:
        first = await handler(JOB)
        assert await handler(JOB) == first
        assert len(studio.engine.requests) == 1
        assert list((tmp_path / "kept").iterdir()) == []  # the second answer was final: nobody will ask again
        again = await handler(JOB)
    assert again["results"] != first["results"]
    assert len(studio.engine.requests) == 2


async def test_the_same_id_with_another_input_is_another_song(studio: Studio, tmp_path: Path) -> None:
    kept = KeptOutputs(tmp_path / "kept", KEPT)
    async with remembering(studio, kept, "IN_PROGRESS", "COMPLETED") as handler:
        await handler(JOB)
        await handler(JOB | {"input": {"caption": "another tone", "duration": 1}})
    assert [request.caption for request in studio.engine.requests] == ["a calm tone", "another tone"]


async def test_a_failure_is_never_kept(studio: Studio, tmp_path: Path) -> None:
    kept = KeptOutputs(tmp_path / "kept", KEPT)
    async with remembering(studio, kept, "IN_PROGRESS", "COMPLETED") as handler:
        studio.engine.failure = "out of memory"
        assert "out of memory" in str((await handler(JOB))["error"])
        studio.engine.failure = ""
        assert "error" not in await handler(JOB)


async def test_audio_inside_the_output_comes_back_with_it(studio: Studio, tmp_path: Path) -> None:
    kept = KeptOutputs(tmp_path / "kept", KEPT)
    job = {"id": "job-1", "input": {"caption": "a calm tone", "duration": 1, "return_audio_base64": True}}
    async with remembering(studio, kept, "IN_QUEUE", "IN_QUEUE") as handler:
        first, second = await handler(job), await handler(job)
    assert first == second
    assert len(first["audio"][0]["base64"]) > 1_000
