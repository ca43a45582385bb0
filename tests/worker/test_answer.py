"""What does the job's output say of its songs, wherever they went, and does it always fit?"""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_studio import Studio
from recording_server import Recorded, Reply, recording_server
from structlog.testing import capture_logs

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.bucket import Bucket
from acestep_serverless.worker.delivery import FolderSink, GatewaySink, InlineSink
from acestep_serverless.worker.kept import KeptBounds, KeptOutputs
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.loop import JobHandler, Tools
from acestep_serverless.worker.notices import HOW_TO_GET_LINKS, NOWHERE_TO_FETCH, ONLY_IN_THE_OUTPUT
from acestep_serverless.worker.places import without_gateway
from acestep_serverless.worker.sink import ArtifactSink, AudioFile, Stored
from bucket_server import ACCESS_ID, ACCESS_SECRET, Storage, fetched, storage

SHORT = {"caption": "a calm tone", "duration": 1, "seed": 7}
KEPT = KeptBounds(outputs=10, bytes=1 << 20, age_ms=3_600_000)


@pytest.fixture(scope="module")
def store() -> Iterator[Storage]:
    with storage() as found:
        for bucket in ("songs", "own"):
            found.client().create_bucket(Bucket=bucket)
        yield found


def handler_of(studio: Studio, sink: ArtifactSink, kept: KeptOutputs | None = None) -> JobHandler:
    async def open_tools() -> Tools:
        return Tools(AceStepClient(studio.http, clock=SYSTEM_CLOCK), sink, None, kept, private_buckets=True)

    return JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)


def songs_of(output: dict[str, Any]) -> list[dict[str, Any]]:
    assert "error" not in output, output
    results: list[dict[str, Any]] = output["results"]
    return results


async def test_every_item_says_what_the_file_is(studio: Studio) -> None:
    (song,) = songs_of(await studio.ask(SHORT))
    assert next(iter(song)) == "file"
    assert (song["sample_rate"], song["content_type"], song["seed"]) == (48_000, "audio/mpeg", 7)
    assert song["seconds"] == pytest.approx(1.0, abs=0.05)
    assert song["bytes"] == Path(song["file"]).stat().st_size
    assert song["url"] is None, "a path on this machine is no address"


async def test_what_the_gateway_keeps_is_at_a_path_of_the_gateway(studio: Studio) -> None:
    file = "/v1/audio?filename=abc.mp3"
    async with recording_server(lambda _request: Reply(body={"file": file, "status": "COMPLETED"})) as server:
        sink = GatewaySink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)
        output = await handler_of(studio, sink)({"id": "job-1", "input": SHORT})
        await sink.aclose()
    (song,) = songs_of(output)
    assert (song["file"], song["url"]) == (file, file)
    assert "audio" not in output
    assert "warnings" not in output


async def test_a_jobs_own_bucket_goes_before_the_gateway_and_its_secret_is_nowhere(
    studio: Studio, store: Storage, tmp_path: Path
) -> None:
    """Not in the output, a log line, a kept output, a request to the gateway or a parameter of the task."""
    kept = KeptOutputs(tmp_path / "kept", KEPT)
    with capture_logs() as logs:
        async with recording_server(lambda _request: Reply(body={"status": "IN_PROGRESS"})) as server:
            sink = GatewaySink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)
            job = {"id": "job-1", "input": SHORT, "s3Config": store.s3_config()}
            output = await handler_of(studio, sink, kept)(job)
            await sink.aclose()
    (song,) = songs_of(output)
    answer = await asyncio.to_thread(fetched, song["url"])
    assert len(answer.content) == song["bytes"]
    assert server.to("/artifacts/") == []
    assert "audio" not in output
    assert "warnings" not in output
    (file,) = (tmp_path / "kept").iterdir()
    assert "X-Amz-Signature" in file.read_text()
    seen = [repr(output), repr(logs), file.read_text(), repr(server.requests), repr(studio.engine.requests)]
    assert ACCESS_SECRET not in "".join(seen)


async def test_without_a_gateway_songs_go_to_the_workers_own_bucket_unless_the_job_names_one(
    studio: Studio, store: Storage
) -> None:
    sink = without_gateway(Bucket(store.url, "own", ACCESS_ID, ACCESS_SECRET))
    (own,) = songs_of(await handler_of(studio, sink)({"id": "a-u1", "input": SHORT}))
    (theirs,) = songs_of(await handler_of(studio, sink)({"id": "b-u1", "input": SHORT, "s3Config": store.s3_config()}))
    assert "/own/a-u1/0-" in own["url"]
    assert "/songs/b-u1/0-" in theirs["url"]


async def test_a_wrong_s3_config_is_an_error_before_any_work(studio: Studio) -> None:
    store_config = {"accessId": "x", "accessSecret": "never-shown", "bucketName": "b1"}
    job = {"id": "a-u1", "input": SHORT, "s3Config": store_config}
    output = await handler_of(studio, InlineSink())(job)
    assert output == {
        "error": "s3Config.endpointUrl: must be a base URL such as https://s3.eu-central-1.amazonaws.com, got nothing"
    }
    assert studio.engine.requests == []


async def test_audio_whose_bucket_is_away_is_embedded_where_nothing_else_keeps_it(studio: Studio) -> None:
    def refuses(request: Recorded) -> Reply:
        return Reply(200 if request.path.rpartition("/")[2].startswith("0-") else 403)

    async with recording_server(refuses) as server:
        job = {"id": "a-u1", "input": SHORT | {"batch_size": 2}, "s3Config": Storage(server.url).s3_config()}
        output = await handler_of(studio, InlineSink())(job)
    first, second = songs_of(output)
    assert first["url"].startswith(server.url)
    assert second["url"] is None
    assert [entry["index"] for entry in output["audio"]] == [1]
    assert len(base64.b64decode(output["audio"][0]["base64"])) == second["bytes"]
    assert output["warnings"] == [
        "song 2 could not be put into the bucket of s3Config: the storage refused it: HTTP 403",
        ONLY_IN_THE_OUTPUT,
    ]


async def test_where_nothing_keeps_files_audio_is_in_the_output_unless_it_is_declined(studio: Studio) -> None:
    by_itself = await studio.ask(SHORT, job_id="abc-u1", artifacts=InlineSink())
    (song,) = songs_of(by_itself)
    assert (song["file"], song["url"]) == ("/v1/audio?filename=abc-u1-0.mp3", None)
    assert list(by_itself["audio"][0]) == ["index", "file", "content_type", "base64"]  # type: ignore[index]  # plain JSON
    assert by_itself["warnings"] == [ONLY_IN_THE_OUTPUT]

    declined = await studio.ask(SHORT | {"return_audio_base64": False}, artifacts=InlineSink())
    assert "audio" not in declined
    assert declined["warnings"] == [NOWHERE_TO_FETCH]

    asked = await studio.ask(SHORT | {"return_audio_base64": True}, artifacts=InlineSink())
    assert "warnings" not in asked


async def test_a_song_that_neither_fits_nor_is_kept_is_named_with_the_way_to_links(studio: Studio) -> None:
    wanted = SHORT | {"return_audio_base64": True, "batch_size": 2, "max_base64_bytes": 1}
    output = await studio.ask(wanted, artifacts=InlineSink())
    assert [entry["reason"] for entry in output["audio"]] == ["file_too_large"] * 2  # type: ignore[attr-defined]  # plain JSON
    assert output["warnings"] == [
        f"songs 1, 2 are too large for the response, and nothing else keeps files here; {HOW_TO_GET_LINKS}"
    ]


async def test_an_output_fits_its_limit_whatever_it_has_to_say(studio: Studio) -> None:
    """Its longest sentences come just when there is no room: they are counted before the songs are."""

    class Narrow(InlineSink):
        def output_limit(self, job_id: str) -> int | None:
            return limit

    wanted = SHORT | {"batch_size": 2}
    whole = len(json.dumps(await studio.ask(wanted, artifacts=InlineSink()), ensure_ascii=False).encode())
    for limit in range(whole - 60, whole + 400, 20):
        output = await studio.ask(wanted, artifacts=Narrow())
        assert len(json.dumps({"output": output}, ensure_ascii=False).encode()) <= limit
    assert "base64" in output["audio"][1]  # type: ignore[index]  # plain JSON


async def test_links_of_a_folder_stay_paths(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"music")
    stored = await FolderSink(tmp_path / "songs").store("j", 0, AudioFile(tmp_path / "0", ".mp3", "audio/mpeg", 5, ""))
    assert stored == Stored(str(tmp_path / "songs" / "j-0.mp3"))
