"""Does the client drive every server that is met, over real sockets: upstream's of February, a newer one, Gradio's?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from upstream_server import ALL_TASKS, SONG, Kind, Upstream, upstream_server

from acestep_serverless.client import acestep, exchange, wire
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.inventory import Adapters, Model, read_adapters, read_models
from acestep_serverless.client.reports import TaskReport
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.errors import PeerError, PeerUnreachable, TaskFailed

ASKED = {"prompt": "a tone", "lyrics": "", "batch_size": 1}


@asynccontextmanager
async def driven(upstream: Upstream, api_key: str = "") -> AsyncIterator[AceStepClient]:
    async with upstream_server(upstream), httpx.AsyncClient(base_url=upstream.url, trust_env=False) as http:
        yield AceStepClient(http, clock=SYSTEM_CLOCK, api_key=api_key)


async def followed(client: AceStepClient, task_id: str, *, audio: bool = True) -> list[TaskReport]:
    deadline = SYSTEM_CLOCK.monotonic() + 20
    return [report async for report in client.follow(task_id, interval=0.01, deadline=deadline, audio=audio)]


@pytest.mark.parametrize("kind", ["february", "newer", "gradio"])
@pytest.mark.parametrize("cache", [True, False])
async def test_a_song_is_asked_for_followed_and_fetched(kind: Kind, cache: bool, tmp_path: Path) -> None:
    async with driven(Upstream(kind, tmp_path, cache=cache)) as client:
        reports = await followed(client, await client.release({**ASKED, "batch_size": 2}))
        bodies = []
        for song in reports[-1].items:
            body = bytearray()
            got = await client.download(song.file, body.extend, limit=1_000_000)
            bodies.append((bytes(body), got.media_type))
    assert bodies == [(SONG, "audio/wav")] * 2
    assert [report.state for report in reports[:-1]] == ([] if kind == "gradio" else ["running"])


@pytest.mark.parametrize("kind", ["february", "newer"])
async def test_a_key_goes_to_every_protected_route(kind: Kind, tmp_path: Path) -> None:
    async with driven(Upstream(kind, tmp_path, key="sk-test"), "sk-test") as client:
        assert (await followed(client, await client.release(ASKED)))[-1].state == "succeeded"
    async with driven(Upstream(kind, tmp_path, key="sk-test"), "sk-wrong") as client:
        with pytest.raises(PeerError, match="refused the key"):
            await client.release(ASKED)


async def test_files_and_parameters_arrive_together_as_a_form(tmp_path: Path) -> None:
    sound, style = tmp_path / "src_audio.wav", tmp_path / "reference_audio.flac"
    sound.write_bytes(SONG * 30)
    style.write_bytes(b"fLaC")
    given = {**ASKED, "bpm": 90, "thinking": False, "guidance_scale": 7.0, "repainting_end": None}
    given |= {"track_classes": ["drums", "bass"], "lyrics": "ü\nla", "seed": "1,2"}
    upstream = Upstream("newer", tmp_path)
    async with driven(upstream) as client:
        await client.release(given, {"src_audio": sound, "reference_audio": style})
    assert upstream.uploads == [{"src_audio:src_audio.wav": SONG * 30, "reference_audio:reference_audio.flac": b"fLaC"}]
    assert upstream.released == [
        {"prompt": "a tone", "lyrics": "ü\nla", "batch_size": "1", "bpm": "90", "thinking": "false"}
        | {"guidance_scale": "7.0", "track_classes": ["drums", "bass"], "seed": "1,2"}
    ]


async def test_a_server_that_takes_no_files_is_named_as_one_and_the_next_request_is_answered(tmp_path: Path) -> None:
    """The server of February answers 500 in plain text and closes the connection."""
    sound = tmp_path / "src_audio.wav"
    sound.write_bytes(SONG)
    async with driven(Upstream("february", tmp_path)) as client:
        with pytest.raises(PeerError, match=r"Internal Server Error; .*February 2026 takes none"):
            await client.release(ASKED, {"src_audio": sound})
        assert (await followed(client, await client.release(ASKED)))[-1].state == "succeeded"


async def test_a_server_that_answers_only_with_the_songs_is_waited_for_and_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.2)
    upstream = Upstream("gradio", tmp_path, finish=asyncio.Event())
    async with driven(upstream) as client:
        with pytest.raises(PeerUnreachable):
            await client.release(ASKED)
        releasing = asyncio.create_task(client.release(ASKED, patience=20))
        while len(upstream.released) < 2:
            await asyncio.sleep(0.01)
        assert upstream.finish is not None
        upstream.finish.set()
        assert (await followed(client, await releasing))[-1].state == "succeeded"
    assert len(upstream.released) == 2


async def test_a_failure_of_the_server_inside_gradio_is_its_own_sentence(tmp_path: Path) -> None:
    trace = 'Traceback (most recent call last):\n  File "/srv/x.py", line 1\nRuntimeError: CUDA out of memory'
    async with driven(Upstream("gradio", tmp_path, failure=trace)) as client:
        with pytest.raises(PeerError, match=r"failed: RuntimeError: CUDA out of memory$"):
            await client.release(ASKED)


@pytest.mark.parametrize(("kind", "reason"), [("february", "gave no reason"), ("newer", "^no room$")])
async def test_a_failed_task_says_why_where_the_server_does(kind: Kind, reason: str, tmp_path: Path) -> None:
    async with driven(Upstream(kind, tmp_path, failure="no room")) as client:
        last = (await followed(client, await client.release(ASKED)))[-1]
    assert last.state == "failed"
    with pytest.raises(TaskFailed, match=reason):
        raise TaskFailed(last.error)


async def test_a_full_queue_is_asked_again_while_there_is_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acestep, "BUSY_PAUSE", 0.01)
    upstream = Upstream("february", tmp_path, full_for=3)
    async with driven(upstream) as client:
        assert await client.release(ASKED, patience=20) == "task-1"
        assert (len(upstream.released), upstream.refused) == (1, 3)
        upstream.full_for = 9
        with pytest.raises(PeerError, match="queue is full"):
            await client.release(ASKED)
    assert (len(upstream.released), upstream.refused) == (1, 4)


class NotThereYet(httpx.AsyncBaseTransport):
    """Refuses the first connections, or takes a request and breaks."""

    def __init__(self, failures: list[Exception], then: httpx.AsyncBaseTransport) -> None:
        self.failures, self.then, self.tried = failures, then, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        return await self.then.handle_async_request(request)


@pytest.mark.parametrize(
    ("failures", "tried"),
    [
        ([httpx.ConnectError("refused"), httpx.ConnectTimeout("")], 3),
        ([httpx.ReadError("reset")], 1),
        ([httpx.ReadTimeout("")], 1),
        ([httpx.RemoteProtocolError("closed")], 1),
        ([httpx.WriteError("broken pipe")], 1),
        ([httpx.ConnectError("refused") for _ in range(9)], 4),
    ],
)
async def test_a_submission_is_repeated_only_when_no_connection_was_made(
    failures: list[Exception], tried: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acestep, "PAUSES", (0.0, 0.0, 0.0))
    transport = NotThereYet(list(failures), httpx.ASGITransport(Upstream("february", tmp_path).app()))
    async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
        client = AceStepClient(http, clock=SYSTEM_CLOCK)
        if tried == 3:
            assert await client.release(ASKED) == "task-1"
        else:
            with pytest.raises(PeerUnreachable):
                await client.release(ASKED)
    assert transport.tried == tried


async def test_an_analysis_succeeds_without_a_song_and_a_song_does_not(tmp_path: Path) -> None:
    async with driven(Upstream("newer", tmp_path)) as client:
        task_id = await client.release({**ASKED, "full_analysis_only": True})
        heard = (await followed(client, task_id, audio=False))[-1]
        assert (heard.state, heard.items, heard.finding["bpm"], heard.finding["genre"]) == ("succeeded", (), 96, "folk")
        assert "no audio" in (await followed(client, task_id))[-1].error


TURBO, BASE = "acestep-v15-turbo", "acestep-v15-base"


async def test_models_are_read_from_every_servers_list_the_default_first(tmp_path: Path) -> None:
    lists = {}
    for kind in ("february", "newer", "gradio"):
        async with driven(Upstream(kind, tmp_path, loaded=[TURBO])) as client:
            lists[kind] = await client.models()
    assert lists["february"] == lists["gradio"] == (Model(TURBO, default=True),)
    assert lists["newer"] == (
        Model(TURBO, default=True, loaded=True, task_types=frozenset(ALL_TASKS[:3])),
        Model(BASE, default=False, loaded=False, task_types=frozenset(ALL_TASKS)),
    )


async def test_a_model_is_loaded_or_the_servers_reason_said(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path, loaded=[])
    async with driven(upstream) as client:
        await client.load_model(BASE, patience=5)
        assert upstream.loaded == [BASE]
        upstream.failure = "slot 2 is not configured"
        with pytest.raises(TaskFailed, match=r"^slot 2 is not configured$"):
            await client.load_model(TURBO, patience=5)


async def test_adapters_are_told_where_there_are_any(tmp_path: Path) -> None:
    worn = {"lora_loaded": True, "use_lora": True, "lora_scale": 0.7, "active_adapter": "voice", "adapters": ["voice"]}
    async with driven(Upstream("newer", tmp_path, adapters=worn)) as client:
        assert await client.adapters() == Adapters(active=True, scales={"voice": 0.7}, chosen="voice")
    async with driven(Upstream("february", tmp_path)) as client:
        assert await client.adapters() is None


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"models": 5}}, {"data": {"models": None}}])
def test_an_answer_that_lists_no_models_is_an_error(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no models"):
        read_models(answer)


def test_odd_entries_of_a_list_are_passed_over() -> None:
    assert read_models({"data": [5, {}, {"id": ""}, {"id": "acestep/a"}]}) == (Model("a", default=True),)
    assert read_models({"models": [None, {"name": 5}, {"name": "b", "supported_task_types": [1, "cover"]}]}) == (
        Model("b", task_types=frozenset({"", "cover"})),
    )
    assert read_models({"data": []}) == ()


def test_adapters_of_any_shape_are_read_or_refused() -> None:
    given = {"lora_loaded": True, "use_lora": False, "scales": {"a": 0.5, "b": "x"}, "adapters": [{"name": "c"}, 5]}
    assert read_adapters({"data": given}) == Adapters(active=False, scales={"a": 0.5, "b": 1.0, "c": 1.0}, chosen=None)
    with pytest.raises(ValueError, match="adapters"):
        read_adapters({"data": {"lora_loaded": "yes"}})


async def test_an_error_without_a_reason_in_an_envelope_is_an_error(tmp_path: Path) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": None, "code": 500, "error": None})

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://acestep") as http:
        with pytest.raises(TaskFailed, match="code 500, but not why"):
            await AceStepClient(http, clock=SYSTEM_CLOCK).release(ASKED)


async def test_an_answer_over_the_limit_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LARGEST_ANSWER", 100)
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 50
                yield b" " * 50

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
        with pytest.raises(PeerError, match="over the limit of 100 bytes"):
            await AceStepClient(http, clock=SYSTEM_CLOCK).health()
    assert sent == 150


async def test_a_server_that_sends_a_byte_now_and_then_is_left_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is never silent for long, so that no time-out of a connection ends it."""
    for module, name in ((wire, "ANSWER_SECONDS"), (wire, "TRANSFER_SECONDS"), (acestep, "DOWNLOAD_SECONDS")):
        monkeypatch.setattr(module, name, 0.15)
    ended, serving = asyncio.Event(), set[asyncio.Task[None] | None]()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while not ended.is_set():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as http:
        client = AceStepClient(http, clock=SYSTEM_CLOCK)
        with pytest.raises(PeerUnreachable, match=r"not answered within 0\.3 s"):
            await client.release(ASKED)
        with pytest.raises(PeerUnreachable, match=r"within 0\.15 s"):
            await client.download("/v1/audio?path=a", bytearray().extend, limit=1_000_000)
        ended.set()
        await asyncio.gather(*filter(None, serving))
