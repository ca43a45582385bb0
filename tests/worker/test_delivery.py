"""Does every file and result reach the gateway, and only the gateway learns the token? Over real sockets."""

import base64
import hashlib
import logging
import socket
from pathlib import Path

import httpx
import pytest
from recording_server import Recorded, RecordingServer, Reply, recording_server
from structlog.testing import capture_logs

from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.contract.worker_protocol import DONE_BODY_LIMIT, JobResult, parse_done
from acestep_serverless.errors import AcestepServerlessError, Conflict, PeerError, PeerUnreachable, TooLarge
from acestep_serverless.worker.delivery import GatewaySink, gateway_client, result_body
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.patience import Patience, deliver
from acestep_serverless.worker.sink import AudioFile

TOKEN = "very-secret-token"
DATA = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = "/v1/audio?filename=abc.mp3"


def song(folder: Path) -> AudioFile:
    path = folder / "0"
    path.write_bytes(DATA)
    return AudioFile(path, ".mp3", "audio/mpeg", len(DATA), SHA256)


def sink_at(url: str, seconds: float = 5.0) -> GatewaySink:
    patience = Patience(total=seconds, first=0.01, longest=0.05)
    return GatewaySink(GatewayLink(url, "ace-step", "w-1", TOKEN), SYSTEM_CLOCK, gateway_client, patience)


def stores(_request: Recorded) -> Reply:
    return Reply(body={"file": FILE, "bytes": len(DATA), "sha256": SHA256})


class Failing:
    """Answers with each of `replies` in turn, then as a healthy gateway."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, request: Recorded) -> Reply:
        return self.replies.pop(0) if self.replies else stores(request)


async def store(server: RecordingServer, folder: Path, seconds: float = 5.0) -> str:
    sink = sink_at(server.url, seconds)
    try:
        return (await sink.store("job-1", 0, song(folder))).file
    finally:
        await sink.aclose()


async def test_a_file_is_put_whole_with_its_length_type_and_checksum(tmp_path: Path) -> None:
    async with recording_server(stores) as server:
        assert await store(server, tmp_path) == FILE
    (request,) = server.requests
    assert (request.method, request.path) == ("PUT", "/v2/ace-step/artifacts/w-1/job-1/0.mp3")
    assert request.query == f"token={TOKEN}"
    assert request.body == DATA
    assert request.headers["content-length"] == str(len(DATA))
    assert request.headers["content-type"] == "audio/mpeg"
    expected = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert request.headers["content-digest"] == f"sha-256=:{expected}:"
    assert "transfer-encoding" not in request.headers


async def test_a_file_is_sent_again_after_broken_answers_and_server_errors(tmp_path: Path) -> None:
    script = Failing(Reply(503), Reply(200, drop=True), Reply(500), Reply(429), Reply(408))
    async with recording_server(script) as server:
        assert await store(server, tmp_path) == FILE
    assert [len(request.body) for request in server.requests] == [len(DATA)] * 6


async def test_a_gateway_that_comes_back_within_the_patience_gets_the_file(tmp_path: Path) -> None:
    """The port is bound but refuses connections until the gateway is back on it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        sink = sink_at(f"http://127.0.0.1:{reserved.getsockname()[1]}", seconds=0.2)
        with capture_logs() as logs, pytest.raises(PeerUnreachable) as caught:
            await sink.store("job-1", 0, song(tmp_path))
        await sink.aclose()
    assert "song 1 for 0.2 s" in str(caught.value)
    assert len(logs) > 2
    assert all(entry["problem"] == "no connection (ConnectError)" for entry in logs)


async def test_patience_begins_at_the_first_failure_however_long_the_attempt_took() -> None:
    """A large file may be on its way for minutes before its connection fails; it is sent again all the same."""
    now, attempts = [0.0], []

    async def send() -> httpx.Response:
        attempts.append(now[0])
        if len(attempts) > 1:
            return httpx.Response(200)
        now[0] += 1_000.0
        raise httpx.WriteError("broken")

    clock = Clock(now_ms=lambda: 0, monotonic=lambda: now[0])
    await deliver(send, what="a song", patience=Patience(total=600.0, first=0.001), clock=clock)
    assert attempts == [0.0, 1_000.0]


async def test_patience_ends_its_total_after_the_first_failure() -> None:
    now = [0.0]

    async def send() -> httpx.Response:
        now[0] += 250.0
        raise httpx.WriteError("broken")

    clock = Clock(now_ms=lambda: 0, monotonic=lambda: now[0])
    with pytest.raises(PeerUnreachable):
        await deliver(send, what="a song", patience=Patience(total=600.0, first=0.001), clock=clock)
    assert now[0] == 1_000.0  # failures at 250 (the first), 500, 750 and 1000: only the last is 600 s after the first


@pytest.mark.parametrize(
    ("status", "error"), [(409, Conflict), (413, TooLarge), (400, PeerError), (401, PeerError), (404, PeerError)]
)
async def test_a_refusal_ends_the_delivery_at_once_with_the_gateways_sentence(
    status: int, error: type[AcestepServerlessError], tmp_path: Path
) -> None:
    refusal = Reply(status, {"error": f"no: see http://gateway/?token={TOKEN}&a=1"})
    async with recording_server(Failing(refusal)) as server:
        with pytest.raises(error) as caught:
            await store(server, tmp_path)
    assert type(caught.value) is error
    assert f"HTTP {status} (no: see" in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [None, [], {"file": ""}, {"file": FILE, "sha256": "other"}])
async def test_an_answer_without_the_file_or_with_another_checksum_is_an_error(body: object, tmp_path: Path) -> None:
    async with recording_server(lambda _request: Reply(200, body)) as server:
        with pytest.raises(PeerError):
            await store(server, tmp_path)


async def test_no_log_line_and_no_error_shows_the_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = [Reply(503, {"error": f"token={TOKEN}"}), Reply(409, {"detail": f"?token={TOKEN}"})]
    with caplog.at_level(logging.WARNING), capture_logs() as logs:
        async with recording_server(Failing(*answers)) as server:
            with pytest.raises(Conflict) as caught:
                await store(server, tmp_path)
        away = sink_at(server.url, seconds=0.05)
        with pytest.raises(PeerUnreachable) as unreachable:
            await away.store("job-1", 0, song(tmp_path))
        assert await away.announce("job-1", {"error": "x"}) is False
        broken = sink_at("http://[not-an-address", seconds=0.05)
        with pytest.raises(PeerError) as invalid:
            await broken.store("job-1", 0, song(tmp_path))
    seen = [caplog.text, repr(logs), repr(away)]
    for error in (caught.value, unreachable.value, invalid.value):
        seen += [str(error), repr(error.__cause__)]
    assert TOKEN not in "".join(seen)


async def test_a_result_is_posted_where_and_as_the_sdk_posts_it_until_it_is_taken() -> None:
    script = Failing(Reply(503), Reply(200, drop=True), Reply(200, {"status": "COMPLETED"}))
    async with recording_server(script) as server:
        sink = sink_at(server.url)
        assert await sink.announce("job-1", {"task_id": "é", "results": []}) is True
        await sink.aclose()
    assert len(server.requests) == 3
    last = server.requests[-1]
    assert (last.method, last.path) == ("POST", "/v2/ace-step/job-done/w-1/job-1")
    assert last.query == f"token={TOKEN}&isStream=false"
    assert last.json() == {"output": {"task_id": "é", "results": []}}


@pytest.mark.parametrize(
    ("body", "final"),
    [
        *(({"status": state}, True) for state in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")),
        *(({"status": state}, False) for state in ("IN_QUEUE", "IN_PROGRESS", "", None, ["COMPLETED"], {})),
        *((body, False) for body in ({}, None, [], "COMPLETED")),
    ],
)
async def test_a_job_is_over_only_when_the_gateway_says_so(body: object, final: bool) -> None:
    async with recording_server(lambda _request: Reply(200, body)) as server:
        sink = sink_at(server.url)
        assert await sink.announce("job-1", {"task_id": "t", "results": []}) is final
        await sink.aclose()


async def test_a_result_that_the_gateway_refuses_is_not_repeated() -> None:
    async with recording_server(lambda _request: Reply(404)) as server:
        sink = sink_at(server.url)
        assert await sink.announce("job-1", {"error": "x"}) is False
        await sink.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("output", "read"),
    [
        ({"error": "no"}, JobResult(None, "no")),
        ({"error": "no", "extra": 1}, JobResult('{"extra":1}', "no")),
        ({"a": float("nan")}, JobResult('{"a":null}', None)),
        ({"text": "\ud800"}, JobResult('{"text":"\\\\ud800"}', None)),
    ],
)
def test_a_result_body_is_read_by_the_gateway_as_the_sdks_own_would_be(
    output: dict[str, object], read: JobResult
) -> None:
    assert parse_done(result_body(output)) == read


def test_an_output_may_be_as_large_as_the_gateway_reads() -> None:
    assert sink_at("http://gateway").output_limit("any") == DONE_BODY_LIMIT


async def test_each_event_loop_gets_its_own_connections() -> None:
    """The client is made at the first delivery: nothing belongs to a loop before that."""
    made: list[httpx.AsyncClient] = []

    def connect() -> httpx.AsyncClient:
        made.append(gateway_client())
        return made[-1]

    sink = GatewaySink(GatewayLink("http://127.0.0.1:9", "e", "w", TOKEN), SYSTEM_CLOCK, connect, Patience(0.0))
    assert made == []
    await sink.announce("job-1", {"error": "x"})
    await sink.announce("job-1", {"error": "x"})
    await sink.aclose()
    assert len(made) == 1
