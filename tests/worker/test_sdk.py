"""Does the unmodified Runpod SDK do what a worker needs? It runs in its own process, against a recording server."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from recording_server import Recorded, RecordingServer, Reply, recording_server

from acestep_serverless.errors import SettingsError
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.sdk import API_KEY_WORD, RedactedStream, on_runpod, prepare_environment

TOKEN = "very-secret-token-of-w-1"
PLATFORM_KEY = "rpa_the_users_own_platform_key"
LINK = GatewayLink("http://gateway:8000/", "ace-step", "w-1", TOKEN)


@dataclass
class Gateway:
    """Hands out what is put into `jobs` and `stops`, holding the polls until then; `down` makes it answer 500."""

    jobs: asyncio.Queue[object] = field(default_factory=asyncio.Queue)
    stops: asyncio.Queue[object] = field(default_factory=asyncio.Queue)
    down: bool = False

    async def __call__(self, request: Recorded) -> Reply:
        if self.down:
            return Reply(500)
        if "/job-take/" in request.path:
            return Reply(200, await self.jobs.get())
        if "/job-take-batch/" in request.path:
            return Reply(200, [await self.jobs.get()])
        if "/job-stop/" in request.path:
            return Reply(200, {"jobsToStop": [await self.stops.get()]})
        if "/artifacts/" in request.path:
            return Reply(200, {"file": "/v1/audio?filename=x.mp3"})
        return Reply(200, {})

    def give(self, job_id: str, **given: object) -> None:
        self.jobs.put_nowait({"id": job_id, "input": {"duration": 1, "poll_interval": 1} | given})


@dataclass
class Worker:
    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            async with self.news:
                self.lines.append(line.decode())
                self.news.notify_all()

    async def printed(self, text: str) -> None:
        async with asyncio.timeout(60), self.news:
            await self.news.wait_for(lambda: any(text in line for line in self.lines))


@asynccontextmanager
async def running_worker(url: str, folder: Path, *flags: str, jobs: int = 1) -> AsyncIterator[Worker]:
    """Start `sdk_worker.py` with a home directory that holds the user's own platform key; it holds `jobs` at once."""
    config = folder / "home" / ".runpod" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[default]\napi_key = "{PLATFORM_KEY}"\n')
    environ = {**os.environ, "HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1", "JOBS_AT_ONCE": str(jobs)}
    for variable in [name for name in environ if name.startswith("RUNPOD_")]:
        del environ[variable]
    script = str(Path(__file__).with_name("sdk_worker.py"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, script, url, TOKEN, str(folder / "audio"), *flags),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    worker = Worker(process)
    reading = asyncio.create_task(worker.read())
    try:
        yield worker
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.wait_for(process.wait(), 60)
        await asyncio.wait_for(reading, 60)


def final(job_id: str) -> Callable[[Recorded], bool]:
    return lambda request: request.path.endswith(f"/job-done/w-1/{job_id}") and b"IN_PROGRESS" not in request.body


async def test_a_job_travels_through_the_sdk_with_our_key_and_is_delivered_before_and_by_it(tmp_path: Path) -> None:
    gateway = Gateway()
    async with recording_server(gateway) as server, running_worker(server.url, tmp_path) as worker:
        gateway.give("job-1", caption="hold until seen")
        first = await server.arrived(final("job-1"))
        second = await server.arrived(lambda request: final("job-1")(request) and request is not first)
        ping = await server.arrived(lambda request: "/ping/" in request.path)
        await server.arrived(lambda request: "IN_PROGRESS" in request.body.decode("latin-1"))
    assert first.json() == second.json()
    assert first.json()["output"]["results"][0]["file"] == "/v1/audio?filename=x.mp3"
    assert first.headers["content-type"] == "application/json", "ours comes first"
    assert second.headers["content-type"] == "application/x-www-form-urlencoded", "then the SDK's"
    assert first.query == second.query == f"token={TOKEN}&isStream=false"
    (put,) = server.to("/artifacts/")
    assert put.path == "/v2/ace-step/artifacts/w-1/job-1/0.mp3"
    progress = next(request for request in server.to("/job-done/") if b"IN_PROGRESS" in request.body)
    assert progress.json()["status"] == "IN_PROGRESS"
    assert list(progress.json()["output"]) == ["progress", "stage"]
    assert ping.path == "/v2/ace-step/ping/w-1"
    assert all(f"token={TOKEN}" in request.query for request in server.requests)
    _assert_only_our_key(server)
    assert f"home: {tmp_path / 'home'} {tmp_path / 'home'}" in worker.output, "everybody else sees the real home"
    assert TOKEN not in worker.output
    assert "hold until seen" not in worker.output, "the log level prints no job"


def _assert_only_our_key(server: RecordingServer) -> None:
    for part in ("/job-take/", "/job-stop/", "/ping/"):
        assert {request.headers["authorization"] for request in server.to(part)} == {API_KEY_WORD}
    for request in server.requests:
        assert PLATFORM_KEY not in repr(request)


async def test_a_stopped_job_ends_the_song_and_the_worker_takes_the_next(tmp_path: Path) -> None:
    gateway = Gateway()
    async with recording_server(gateway) as server, running_worker(server.url, tmp_path) as worker:
        gateway.give("held", caption="hold")
        await server.arrived(lambda request: b"tuning" in request.body)
        gateway.stops.put_nowait("held")
        gateway.give("next", caption="a tone")
        result = await server.arrived(final("next"))
    assert result.json()["output"]["status"] == "completed"
    assert not [request for request in server.requests if final("held")(request)], "a stopped job posts nothing"
    assert "Job stopped." in worker.output


async def test_the_next_job_is_there_before_the_last_ends_and_says_nothing_until_its_turn(tmp_path: Path) -> None:
    """Stopping the one that is made leaves the one that waits alone; from then on there is a third."""
    gateway = Gateway()
    async with recording_server(gateway) as server, running_worker(server.url, tmp_path, jobs=2):
        gateway.give("held", caption="hold")
        await server.arrived(lambda request: b"tuning" in request.body)
        gateway.give("next", caption="a tone")
        await server.arrived(lambda request: set(listed(request)) == {"held", "next"})
        ping = len(server.to("/ping/"))
        await server.arrived(lambda request: len(server.to("/ping/")) > ping + 1)
        assert server.to("/job-done/w-1/next") == [], "its first word would start its clock"
        gateway.stops.put_nowait("held")
        gateway.give("third", caption="another tone")
        results = [await server.arrived(final(job_id)) for job_id in ("next", "third")]
    assert [result.json()["output"]["status"] for result in results] == ["completed", "completed"]
    assert not [request for request in server.requests if final("held")(request)], "a stopped job posts nothing"
    assert "batch_size=2" in server.to("/job-take-batch/")[0].query, "before the first take the SDK knew how many"


def listed(request: Recorded) -> list[str]:
    """The job ids of a heartbeat."""
    return parse_qs(request.query).get("job_id", [""])[0].split(",") if "/ping/" in request.path else []


async def test_no_line_of_a_worker_shows_the_token_while_its_gateway_fails_and_goes_away(tmp_path: Path) -> None:
    gateway = Gateway(down=True)
    async with recording_server(gateway) as server, running_worker(server.url, tmp_path) as worker:
        await worker.printed("Failed to get job. | Error Type: ClientResponseError")
        await worker.printed("monitor_stop_signals | Error Type")
        await server.arrived(lambda request: "/ping/" in request.path)
        await server.stop()
        await worker.printed("Error Type: ClientConnectorError")
        await worker.printed("Retrying (Retry(")
    assert "token=..." in worker.output, "the SDK does print its URLs"
    assert TOKEN not in worker.output


async def test_the_sdks_local_test_runs_one_job_without_a_gateway_or_a_home_for_progress(tmp_path: Path) -> None:
    job = '{"input": {"caption": "a tone", "duration": 1}}'
    async with running_worker("", tmp_path, "--test_input", job) as worker:
        assert await asyncio.wait_for(worker.process.wait(), 60) == 0
    assert "Job local_test completed successfully." in worker.output
    assert "/v1/audio?filename=local_test-0.mp3" in worker.output
    assert "ERROR" not in worker.output
    assert PLATFORM_KEY not in worker.output


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no parent-death signal")
async def test_the_heartbeat_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    gateway = Gateway()
    async with recording_server(gateway) as server, running_worker(server.url, tmp_path) as worker:
        await server.arrived(lambda request: "/ping/" in request.path)
        (heartbeat,) = _children(worker.process.pid)
        watched = os.pidfd_open(heartbeat)
        worker.process.send_signal(signal.SIGKILL)
        ready, _, _ = await asyncio.to_thread(select.select, [watched], [], [], 5)
        os.close(watched)
        if not ready:
            os.kill(heartbeat, signal.SIGKILL)
    assert ready, "the heartbeat outlived its worker"


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # a process that ended while we looked
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def test_the_environment_off_runpod_is_complete_and_ours() -> None:
    environ = {"RUNPOD_REALTIME_PORT": "8080", "RUNPOD_AI_API_KEY": PLATFORM_KEY, "OTHER": "stays"}
    prepare_environment(environ, LINK)
    base = "http://gateway:8000/v2/ace-step"
    assert environ == {
        "OTHER": "stays",
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?token={TOKEN}",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?token={TOKEN}",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?token={TOKEN}",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?token={TOKEN}",
        "RUNPOD_PING_INTERVAL": "4000",
        "RUNPOD_AI_API_KEY": API_KEY_WORD,
        "RUNPOD_POD_ID": "w-1",
        "RUNPOD_ENDPOINT_ID": "ace-step",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_DEBUG_LEVEL": "INFO",
    }


def test_on_runpod_only_the_missing_log_level_is_set() -> None:
    platform = {"RUNPOD_WEBHOOK_GET_JOB": "https://platform/job-take/$ID?gpu=x", "RUNPOD_AI_API_KEY": "theirs"}
    environ = dict(platform)
    assert on_runpod(environ)
    prepare_environment(environ, None)
    assert environ == platform | {"RUNPOD_DEBUG_LEVEL": "INFO"}
    prepare_environment(environ | {"RUNPOD_DEBUG_LEVEL": "ERROR"}, None)
    assert not on_runpod({})


def test_an_interval_that_would_kill_the_heartbeat_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1000 ms, got 999"):
        prepare_environment({}, LINK, ping_interval_ms=999)


def test_a_link_never_shows_its_token_by_accident() -> None:
    assert TOKEN not in f"{LINK} {LINK!r}"


def test_a_redacted_stream_is_the_stream_it_covers_but_for_credentials(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as file:
        stream = RedactedStream(file)
        text = f"GET http://g/v2/e/ping/w?token={TOKEN}&job_id=1\n"
        assert stream.write(text) == len(text)
        stream.writelines([f"?token={TOKEN}\n", "plain\n"])
        stream.flush()
        file.seek(0)
        assert file.read() == "GET http://g/v2/e/ping/w?token=...&job_id=1\n?token=...\nplain\n"
        assert stream.name == file.name
