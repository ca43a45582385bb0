"""Which sounds may a request bring or name, and what is left of a request that is refused? Nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_parts import Running
from edge_parts import AbleEngine, bomb, edge, files_in, first_item, tone

from acestep_serverless.acestep_api import sounds

SOON = 20.0
COVER = {"task_type": "cover", "prompt": "a cover", "batch_size": "1"}


async def send(server: Running, files: Any, **fields: str) -> httpx.Response:
    return await server.http.post("/release_task", data={**COVER, **fields}, files=files)


async def made(server: Running, response: httpx.Response) -> Any:
    """Wait for the task; give the request that its engine got."""
    assert response.status_code == 200, response.text
    [entry] = await server.query(response.json()["data"]["task_id"])
    assert entry["status"] == 1, entry
    return server.engine.requests[-1]


@pytest.mark.parametrize("field", ["src_audio", "ctx_audio"])
async def test_a_source_reaches_the_engine_as_sound_and_is_gone_after_the_task(field: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {field: ("in.wav", tone(0.5, 44_100), "audio/wav")})
        request = await made(server, response)
        assert [name.partition("-")[0] for name in files_in(tmp_path)] == ["song"]
    assert request.editing.task_type == "cover"
    assert (request.editing.source.samples.shape, request.editing.source.sample_rate) == ((2, 24_000), 48_000)
    assert (request.editing.reference, request.duration) == (None, 1.0)


@pytest.mark.parametrize("field", ["ref_audio", "reference_audio"])
async def test_a_reference_reaches_the_engine_beside_the_words(field: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {field: ("in.wav", tone())}, task_type="text2music")
        request = await made(server, response)
    assert request.editing.reference is not None
    assert (request.editing.source, request.duration) == (None, 90.0)


async def test_source_and_reference_may_come_together_and_a_file_goes_before_a_path(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        files = {"src_audio": ("a.wav", tone(2)), "reference_audio": ("b.wav", tone(1))}
        request = await made(server, await send(server, files, src_audio_path="/etc/passwd"))
    assert (request.editing.source.seconds, request.editing.reference.seconds, request.duration) == (2.0, 1.0, 2.0)


@pytest.mark.parametrize("name", ["file", "url", "bare"])
async def test_a_song_of_this_server_can_be_worked_on_by_its_name(name: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        [entry] = await server.query(await server.release(audio_format="wav"))
        item = first_item(entry)
        given = item["file"].rpartition("=")[2] if name == "bare" else item[name]
        response = await server.http.post("/release_task", json={**COVER, "ctxAudioPath": given})
        request = await made(server, response)
        assert len(files_in(tmp_path)) == 2
    assert request.editing.source.seconds == pytest.approx(0.25)


async def test_a_named_song_may_be_forgotten_before_its_task_begins(tmp_path: Path) -> None:
    engine = AbleEngine()
    async with edge(tmp_path, engine) as server:
        [entry] = await server.query(await server.release(audio_format="wav"))
        engine.go.clear()
        held = await server.release()
        response = await server.http.post("/release_task", json={**COVER, "src_audio_path": first_item(entry)["file"]})
        (tmp_path / first_item(entry)["file"].rpartition("=")[2]).unlink()
        engine.go.set()
        await server.query(held)
        assert (await made(server, response)).editing.source.seconds == pytest.approx(0.25)


@pytest.mark.parametrize(
    "given",
    [
        "/etc/passwd",
        "/etc/hostname",
        "../song-secret.wav",
        "..",
        ".",
        "song-link.wav",
        "song-none.wav",
        "song-dir.wav",
        "upload-1.audio",
        "notes.txt",
        "http://127.0.0.1:1/song-a.wav",
        "file:///etc/passwd",
        "data:audio/wav;base64,AAAA",
        "C:\\music\\a.wav",
        "\\\\host\\share\\a.wav",
        "/v1/audio?path=../song-secret.wav",
        "/v1/audio?path=%2Fetc%2Fpasswd",
        "/v1/audio?path=song-link.wav",
        "/v1/audio?" + "&" * 100,
        "song-a.wav\0",
        "x" * 10_000,
    ],
)
@pytest.mark.parametrize("field", ["src_audio_path", "referenceAudioPath"])
async def test_no_other_name_leads_to_a_file(field: str, given: str, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    async with edge(folder) as server:
        (tmp_path / "song-secret.wav").write_bytes(tone())
        (folder / "song-link.wav").symlink_to(tmp_path / "song-secret.wav")
        (folder / "song-dir.wav").mkdir()
        (folder / "upload-1.audio").write_bytes(tone())
        before = files_in(folder)
        task_type = "cover" if field.startswith("src") else "text2music"
        response = await server.http.post("/release_task", json={"task_type": task_type, field: given})
        assert files_in(folder) == before
    assert response.status_code == 400
    name = "src_audio_path" if field.startswith("src") else "reference_audio_path"
    assert f"{name}: must be the `file` of a song that this server made" in response.json()["detail"]
    assert str(tmp_path) not in response.text


WAV = tone(0.2)
JUNK = bytes(range(256)) * 16_384


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("song.mp3", b"These are words, not music.\n" * 40),
        ("song.mp3", b"#EXTM3U\n/etc/passwd\n"),
        ("song.wav", WAV[:30]),
        ("song.wav", WAV[: len(WAV) // 2]),
        ("song.wav", b""),
        ("junk.flac", JUNK),
        ("bomb.flac", bomb()),
        ("../../../etc/cron.d/song.wav", b"nothing"),
        ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ],
    ids=["text", "playlist", "header", "cut", "empty", "junk", "bomb", "path", "svg"],
)
async def test_what_is_no_sound_is_refused_by_its_field_and_leaves_no_file(
    name: str, content: bytes, tmp_path: Path
) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {"src_audio": (name, content, "audio/mpeg")})
        assert files_in(tmp_path) == []
    assert response.status_code == 400
    assert response.json()["detail"].startswith("src_audio: must be a sound file of at most 600 s (")
    assert response.json()["error"] == response.json()["detail"]
    assert "upload-" not in response.text
    assert str(tmp_path) not in response.text


async def test_two_broken_files_are_both_named(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {"src_audio": ("a", b"x"), "ref_audio": ("b", b"y")})
        assert files_in(tmp_path) == []
    assert response.json()["detail"].count("must be a sound file") == 2


@pytest.mark.parametrize("form", [True, False])
async def test_a_file_over_its_limit_is_refused_while_it_arrives(form: bool, tmp_path: Path) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="src_audio"; filename="a.wav"\r\n\r\n'
        for _ in range(100):
            sent += 1 << 16
            yield b"x" * (1 << 16)

    kind = "multipart/form-data; boundary=b" if form else 'multipart/form-data; boundary="b"; charset=UTF-8'
    async with edge(tmp_path, largest_upload=1 << 20) as server:
        response = await server.http.post("/release_task", content=body(), headers={"content-type": kind})
        assert files_in(tmp_path) == []
    assert (response.status_code, response.json()["detail"]) == (
        413,
        "src_audio: the file is over its limit of 1,048,576 bytes",
    )
    assert sent <= (1 << 20) + (1 << 16)


async def test_when_too_much_audio_waits_no_more_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "MOST_WAITING", len(WAV) - 1)
    engine = AbleEngine()
    engine.go.clear()
    async with edge(tmp_path, engine) as server:
        first = await send(server, {"src_audio": ("a.wav", WAV)})
        waiting = files_in(tmp_path)
        second = await send(server, {"src_audio": ("a.wav", WAV)})
        assert files_in(tmp_path) == waiting
        engine.go.set()
        await made(server, first)
        third = await send(server, {"src_audio": ("a.wav", WAV)})
    assert (second.status_code, second.json()["error"]) == (
        429,
        "Server busy: too much audio is waiting for its task",
    )
    assert third.status_code == 200


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file of this process grows beyond a megabyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [(1 << 20) + 100, 3 << 20])
@pytest.mark.usefixtures("small_disk")
async def test_a_file_that_finds_no_room_is_asked_for_later_and_removed(size: int, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {"src_audio": ("a.wav", b"x" * size)})
        assert files_in(tmp_path) == []
    assert (response.status_code, response.json()["error"]) == (503, "the file could not be stored; try again later")


async def test_a_file_of_several_megabytes_is_taken(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        request = await made(server, await send(server, {"src_audio": ("a.wav", tone(60))}))
    assert request.editing.source.seconds == 60.0


PART = b'--b\r\nContent-Disposition: form-data; name="src_audio"; filename="a.wav"\r\n\r\n'


@pytest.mark.parametrize(
    "body",
    [
        PART + WAV,
        PART + WAV + b"\r\n--b",
        PART + WAV + b"\r\n--bx\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="\xff"; filename="a"\r\n\r\nx\r\n--b--\r\n',
        PART + WAV + b"\r\n" + (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1100) + b"--b--\r\n",
        PART + WAV + b'\r\n--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n\xff\r\n--b--\r\n',
    ],
    ids=["no end", "half an end", "wrong end", "no name", "no text", "many", "bad text"],
)
async def test_a_malformed_body_leaves_no_file(body: bytes, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        response = await server.http.post("/release_task", content=body, headers=headers)
        assert files_in(tmp_path) == []
    assert response.status_code == 400
    assert response.json()["detail"].startswith("Malformed multipart body")


async def test_a_client_that_goes_away_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    messages = [{"type": "http.request", "body": PART + WAV, "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        assert len(messages) > 1 or any(name.startswith("upload-") for name in files_in(tmp_path))
        return messages.pop(0)

    async def write(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"host", b"x")]
    scope = {"type": "http", "method": "POST", "path": "/release_task", "headers": headers, "query_string": b""}
    async with edge(tmp_path) as server:
        await server.app({**scope, "http_version": "1.1", "scheme": "http", "root_path": ""}, receive, write)
        assert files_in(tmp_path) == []
    assert sent[0]["status"] == 400


async def test_a_request_that_is_cancelled_while_its_file_arrives_leaves_none(tmp_path: Path) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield PART + WAV
        arrived.set()
        await never.wait()

    async with edge(tmp_path) as server:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        posting = asyncio.create_task(server.http.post("/release_task", content=body(), headers=headers))
        await asyncio.wait_for(arrived.wait(), SOON)
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
        assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"bpm": "9000"}, "bpm"),
        ({"task_type": "text2music"}, "src_audio_path: must be absent: task_type text2music works on no source"),
        ({"task_type": "repaint", "repainting_start": "1"}, "repainting_start: must be within the source"),
        ({"task_type": "repaint", "repainting_start": ".3", "repainting_end": ".2"}, "repainting_end: must be after"),
        ({"reference_audio_path": "/etc/passwd"}, "reference_audio_path"),
        ({"model": "none"}, "model"),
    ],
)
async def test_a_request_refused_for_another_reason_leaves_no_file(
    fields: dict[str, str], word: str, tmp_path: Path
) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, {"src_audio": ("a.wav", WAV)}, **fields)
        assert files_in(tmp_path) == []
    assert response.status_code == 400
    assert response.json()["detail"].startswith(word)


async def test_a_full_queue_leaves_no_file(tmp_path: Path) -> None:
    engine = AbleEngine()
    engine.go.clear()
    async with edge(tmp_path, engine, queue_maximum=1) as server:
        await server.release()
        await asyncio.to_thread(engine.started.wait, SOON)
        await server.release()
        response = await send(server, {"src_audio": ("a.wav", WAV)})
        assert files_in(tmp_path) == []
        engine.go.set()
    assert response.status_code == 429
