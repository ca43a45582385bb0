"""Does a job become the guide's answer? The real handler, client and ACE-Step server in one process, no network."""

import asyncio
import base64
import hashlib
import itertools
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from handler_studio import Studio
from structlog.testing import capture_logs
from tone_engine import READ_CHARACTERS

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.worker.delivery import FolderSink, InlineSink
from acestep_serverless.worker.handler import handle
from acestep_serverless.worker.sink import AudioFile
from acestep_serverless.worker.submission import release_parameters

SOON = 30.0
"""Seconds: what a busy machine may take for what needs no waiting."""

SHORT = {"caption": "a calm tone", "duration": 1}


def results_of(output: dict[str, Any]) -> list[dict[str, Any]]:
    assert "error" not in output, output
    results: list[dict[str, Any]] = output["results"]
    return results


async def test_a_job_becomes_the_guides_answer_with_a_file_that_is_there(studio: Studio) -> None:
    output = await studio.ask(SHORT | {"lyrics": "la", "seed": 7})
    (song,) = results_of(output)
    assert {name: output[name] for name in ("task_id", "status", "duration", "batch_size")} == {
        "task_id": "task-1",
        "status": "completed",
        "duration": 1,
        "batch_size": 1,
    }
    data = Path(song["file"]).read_bytes()
    assert (song["bytes"], song["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert Path(song["file"]).suffix == ".mp3"
    assert (song["engine"], song["dit_model"], song["lm_model"], song["seed"]) == ("tone", "tone-1", "", 7)
    assert (song["prompt"], song["lyrics"], song["content_type"]) == ("a calm tone", "la", "audio/mpeg")
    assert song["seconds"] == pytest.approx(1.0, abs=0.05)
    assert song["metas"]["bpm"] == 120
    assert "warnings" not in output
    assert "audio" not in output


async def test_a_batch_of_n_gives_n_songs_with_seeds_that_follow_the_first(studio: Studio) -> None:
    output = await studio.ask(SHORT | {"batch_size": 3, "seed": 4_294_967_294})
    assert [song["seed"] for song in results_of(output)] == [4_294_967_294, 4_294_967_295, 0]
    assert len({song["file"] for song in results_of(output)}) == 3


async def test_without_a_seed_the_server_draws_one_per_song_and_the_answer_names_them(studio: Studio) -> None:
    output = await studio.ask(SHORT | {"batch_size": 2})
    assert [song["seed"] for song in results_of(output)] == [1000, 1001]


async def test_wrong_input_is_answered_before_any_work(studio: Studio) -> None:
    output = await studio.ask({"caption": " ", "duration": "30", "tempo": 1})
    assert list(output) == ["error"]
    assert [part.partition(":")[0] for part in str(output["error"]).split("; ")] == ["caption", "duration", "tempo"]
    assert studio.engine.requests == []
    assert studio.progress == []


async def test_text_beyond_what_the_engine_reads_is_said_once(studio: Studio) -> None:
    output = await studio.ask(SHORT | {"lyrics": "l" * (READ_CHARACTERS + 1), "batch_size": 2})
    (warning,) = output["warnings"]  # type: ignore[misc]  # the output is plain JSON
    assert f"reads the first {READ_CHARACTERS}" in warning


async def test_an_engine_that_fails_gives_the_guides_error_payload(studio: Studio) -> None:
    studio.engine.failure = "the string broke; put on a new one"
    assert await studio.ask(SHORT) == {"error": "the string broke; put on a new one"}


async def test_progress_is_reported_at_once_and_then_every_poll_interval_while_the_song_is_made(studio: Studio) -> None:
    studio.engine.hold.set()
    times: list[float] = []
    job = asyncio.create_task(studio.ask(SHORT | {"poll_interval": 1}))
    studio.progress = _Timed(times)
    await asyncio.to_thread(studio.engine.held.wait, SOON)
    async with asyncio.timeout(SOON):
        await studio.progress.reached(3)
    studio.engine.hold.clear()
    assert "error" not in await job
    assert studio.progress[0]["stage"] in ("running", "tuning"), "nothing is said of a task that waits"
    assert studio.progress[1] == {"progress": 0.25, "stage": "tuning"}
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(times))


async def test_a_finished_song_waits_for_no_interval(studio: Studio) -> None:
    studio.engine.hold.set()
    job = asyncio.create_task(studio.ask(SHORT | {"poll_interval": 60, "timeout_seconds": 90}))
    studio.progress = _Timed([])
    async with asyncio.timeout(SOON):
        await studio.progress.reached(1)
    studio.engine.hold.clear()
    assert "error" not in await asyncio.wait_for(job, SOON)


async def test_no_progress_is_reported_before_the_interval_is_over_however_often_the_server_is_asked(
    studio: Studio,
) -> None:
    """The handler's clock stands still while the client goes on asking by the real one."""
    now = time.monotonic()
    studio.engine.hold.set()
    stopped = Clock(now_ms=lambda: 0, monotonic=lambda: now)
    asked = asyncio.Event()

    async def note(request: httpx.Request) -> None:
        if request.url.path == "/query_result":
            asked.set()

    studio.http.event_hooks["request"].append(note)
    job = asyncio.create_task(studio.ask(SHORT | {"poll_interval": 1}, clock=stopped))
    assert await asyncio.to_thread(studio.engine.held.wait, SOON)
    asked.clear()
    for _ in range(2):  # the second question is asked only after the answer to the first
        async with asyncio.timeout(SOON):
            await asked.wait()
        asked.clear()
    studio.engine.hold.clear()
    assert "error" not in await job
    assert len(studio.progress) == 1


class _Timed(list[Any]):
    """A list that notes when each item came and lets a test wait for a length."""

    def __init__(self, times: list[float]) -> None:
        super().__init__()
        self._times, self._news = times, asyncio.Event()

    def append(self, item: Any) -> None:
        super().append(item)
        self._times.append(time.monotonic())
        self._news.set()

    async def reached(self, length: int) -> None:
        while len(self) < length:
            self._news.clear()
            await self._news.wait()


async def test_a_song_that_takes_too_long_is_ended_and_the_message_names_the_limit(studio: Studio) -> None:
    studio.engine.hold.set()
    output = await studio.ask(SHORT | {"timeout_seconds": 1})
    assert str(output["error"]).startswith("timeout_seconds: the generation was not finished within 1 s")
    assert await asyncio.to_thread(studio.engine.stopped.wait, SOON), "the engine still works"


async def test_a_job_behind_another_says_nothing_and_counts_no_time_until_its_task_begins(studio: Studio) -> None:
    """The first word starts its clock at the gateway, and `timeout_seconds` is for the generation alone."""
    studio.engine.hold.set()
    first = asyncio.create_task(studio.ask(SHORT, job_id="first"))
    assert await asyncio.to_thread(studio.engine.held.wait, SOON)
    waits = Studio(studio.engine, studio.app, studio.http, studio.outputs)
    asked = asyncio.Event()

    async def note(request: httpx.Request) -> None:
        if b"task-2" in request.content:
            asked.set()

    studio.http.event_hooks["request"].append(note)
    second = asyncio.create_task(waits.ask(SHORT | {"timeout_seconds": 1}, job_id="second"))
    for _ in range(9):  # the four first looks take 0.7 s, the next ones half a second each: thrice its timeout_seconds
        await asyncio.wait_for(asked.wait(), SOON)
        asked.clear()
    assert waits.progress == []
    studio.engine.hold.clear()
    assert "error" not in await first
    results_of(await second)


async def test_a_job_that_fails_or_is_cancelled_behind_or_before_another_leaves_that_one_alone(studio: Studio) -> None:
    studio.engine.hold.set()
    jobs = [asyncio.create_task(studio.ask(SHORT, job_id=f"job-{number}")) for number in range(4)]
    assert await asyncio.to_thread(studio.engine.held.wait, SOON)
    wrong = asyncio.create_task(studio.ask(SHORT | {"duration": -1}))
    assert "duration" in str((await wrong)["error"])
    for index in (2, 0):  # one that waits, then the one that is made
        jobs[index].cancel()
        with pytest.raises(asyncio.CancelledError):
            await jobs[index]
    studio.engine.hold.clear()
    for index in (1, 3):
        results_of(await jobs[index])
    assert len(studio.engine.requests) == 3, "the cancelled one that waited was never begun"


async def test_cancelling_the_job_stops_the_engine(studio: Studio) -> None:
    studio.engine.hold.set()
    job = asyncio.create_task(studio.ask(SHORT))
    assert await asyncio.to_thread(studio.engine.held.wait, SOON)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert await asyncio.to_thread(studio.engine.stopped.wait, SOON)


async def test_a_job_cancelled_while_its_task_is_being_submitted_leaves_no_task_behind(studio: Studio) -> None:
    studio.engine.hold.set()
    submitting = asyncio.Event()

    async def note(request: httpx.Request) -> None:
        if request.url.path == "/release_task":
            submitting.set()

    studio.http.event_hooks["request"].append(note)
    job = asyncio.create_task(studio.ask(SHORT))
    await asyncio.wait_for(submitting.wait(), SOON)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert not studio.engine.requests or await asyncio.to_thread(studio.engine.stopped.wait, SOON)


async def test_a_server_that_cannot_cancel_is_named_in_the_log(studio: Studio) -> None:
    """Upstream's server has no /cancel_task: its answer is 404."""

    class Upstream(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/cancel_task":
                return httpx.Response(404, json={"detail": "Not Found"})
            return await super().handle_async_request(request)

    studio.engine.hold.set()
    async with httpx.AsyncClient(transport=Upstream(app=studio.app), base_url="http://acestep") as studio.http:
        with capture_logs() as logs:
            output = await studio.ask(SHORT | {"timeout_seconds": 1})
    assert "timeout_seconds" in str(output["error"])
    assert any("could not be stopped" in entry["event"] and entry["task"] == "task-1" for entry in logs)


async def test_a_server_that_is_away_gives_an_error_payload(studio: Studio, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:  # the discard port: nobody listens
        output = await handle(
            {"id": "j", "input": SHORT},
            acestep=AceStepClient(http, clock=SYSTEM_CLOCK),
            artifacts=FolderSink(tmp_path),
            report=studio.progress.append,
            clock=SYSTEM_CLOCK,
        )
    assert list(output) == ["error"]


async def test_base64_carries_exactly_the_delivered_file(studio: Studio) -> None:
    output = await studio.ask(SHORT | {"batch_size": 2, "return_audio_base64": True})
    for index, (song, entry) in enumerate(zip(results_of(output), _audio(output), strict=True)):
        assert list(entry) == ["index", "file", "content_type", "base64"]
        assert (entry["index"], entry["file"], entry["content_type"]) == (index, song["file"], "audio/mpeg")
        assert base64.b64decode(entry["base64"], validate=True) == Path(song["file"]).read_bytes()


async def test_a_file_over_max_base64_bytes_is_skipped_and_one_at_the_limit_is_not(studio: Studio) -> None:
    size = results_of(await studio.ask(SHORT | {"seed": 1}))[0]["bytes"]
    wanted = SHORT | {"seed": 1, "return_audio_base64": True}
    (entry,) = _audio(await studio.ask(wanted | {"max_base64_bytes": size - 1}))
    file = entry.pop("file")
    assert file.endswith(".mp3")
    assert entry == {"index": 0, "skipped": True, "reason": "file_too_large", "bytes": size}
    (entry,) = _audio(await studio.ask(wanted | {"max_base64_bytes": size}))
    assert "base64" in entry


async def test_where_outputs_are_bounded_later_songs_are_skipped_as_response_too_large(studio: Studio) -> None:
    class Narrow(InlineSink):
        def output_limit(self, job_id: str) -> int | None:
            return limit

    wanted = SHORT | {"seed": 1, "batch_size": 3, "return_audio_base64": True}
    limit = 10_000_000
    whole = len(_json(await studio.ask(wanted, artifacts=Narrow())))
    one = len(_audio(await studio.ask(wanted, artifacts=Narrow()))[0]["base64"])
    limit = whole - one // 2
    output = await studio.ask(wanted, artifacts=Narrow())
    assert ["base64" in entry for entry in _audio(output)] == [True, True, False]
    assert _audio(output)[2]["reason"] == "response_too_large"
    assert len(_json({"output": output})) <= limit


async def test_texts_that_alone_would_burst_the_output_are_left_out_and_said(studio: Studio) -> None:
    class Narrow(InlineSink):
        def output_limit(self, job_id: str) -> int | None:
            return 5_000

    output = await studio.ask(SHORT | {"lyrics": "la " * 5_000, "return_audio_base64": True}, artifacts=Narrow())
    assert results_of(output)[0]["lyrics"] == ""
    assert any("left out" in warning for warning in output["warnings"])  # type: ignore[attr-defined]  # plain JSON
    assert len(_json({"output": output})) <= 5_000


def test_runpods_own_bounds_depend_on_how_the_job_was_asked_for() -> None:
    assert InlineSink().output_limit("abc-u1") == 10_000_000
    assert InlineSink().output_limit("sync-abc-u1") == 20_000_000


async def test_a_folder_gets_whole_files_under_safe_names(tmp_path: Path) -> None:
    source = tmp_path / "song"
    source.write_bytes(b"music")
    audio = AudioFile(source, ".mp3", "audio/mpeg", 5, "")
    folder = tmp_path / "new" / "outputs"
    stored = [Path((await FolderSink(folder).store(job_id, 1, audio)).file) for job_id in ("job-1", "../../up", "..")]
    named = [Path((await FolderSink(folder, "calm").store("j", index, audio)).file).name for index in range(2)]
    assert named == ["calm.mp3", "calm-2.mp3"]
    assert all(path.parent == folder and path.read_bytes() == b"music" for path in stored)
    assert stored[0].name == "job-1-1.mp3"
    assert len(list(folder.iterdir())) == 5, "nothing unfinished is left"


async def test_a_full_disk_gives_an_error_payload_and_keeps_nothing(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be")
    output = await studio.ask(SHORT, artifacts=FolderSink(tmp_path / "occupied"))
    assert str(output["error"]).startswith("the worker could not keep the audio on its disk")


def test_a_task_is_asked_for_in_words_that_every_version_of_the_server_reads() -> None:
    given = parse_music_input({"caption": "c", "lyrics": "l", "duration": 30.0, "seed": 5})
    assert release_parameters(given) == {
        "prompt": "c",
        "lyrics": "l",
        "audio_duration": 30,
        "batch_size": 1,
        "use_random_seed": False,
        "seed": 5,
        "audio_format": "mp3",
    }
    several = release_parameters(parse_music_input({"caption": "c", "batch_size": 2, "seed": 5}))
    assert several["seed"] == "5,6"
    drawn = release_parameters(parse_music_input({"caption": "c"}))
    assert (drawn["use_random_seed"], drawn["seed"]) == (True, -1)


def _audio(output: dict[str, Any]) -> list[dict[str, Any]]:
    audio: list[dict[str, Any]] = output["audio"]
    return audio


def _json(output: object) -> bytes:
    return json.dumps(output, ensure_ascii=False).encode()
