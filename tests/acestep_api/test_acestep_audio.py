"""Which bytes does `/v1/audio` give out? Songs of one folder by their names, in ranges; nothing else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from acestep_parts import Running, running

BYTES = bytes(range(256)) * 4


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose folder holds one song and a link, beside a file that is none of its business."""
    folder = tmp_path / "songs"
    async with running(folder) as started:
        (folder / "song-a.mp3").write_bytes(BYTES)
        (folder / "notes.txt").write_text("private")
        (tmp_path / "song-secret.mp3").write_text("private")
        (folder / "song-link.mp3").symlink_to(tmp_path / "song-secret.mp3")
        (folder / "song-dir.mp3").mkdir()
        yield started


@pytest.mark.parametrize("parameter", ["path", "filename"])
async def test_a_song_is_found_by_its_name(server: Running, parameter: str) -> None:
    response = await server.http.get("/v1/audio", params={parameter: "song-a.mp3"})
    assert (response.status_code, response.content) == (200, BYTES)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("song-none.mp3", 404),
        ("song-link.mp3", 404),
        ("song-dir.mp3", 404),
        ("notes.txt", 403),
        ("../song-secret.mp3", 403),
        ("..%2Fsong-secret.mp3", 403),
        ("song-../../song-secret.mp3", 403),
        ("song-a.mp3/../../song-secret.mp3", 403),
        ("/etc/passwd", 403),
        ("file:///etc/passwd", 403),
        ("song-a.mp3\0", 403),
        ("song-a.mp3\n", 403),
        ("song-a.mp3.", 403),
        ("song-ä.mp3", 403),
        (".", 403),
        ("\\\\host\\share", 403),
        ("song-" + "a" * 5000 + ".mp3", 403),
    ],
)
async def test_no_name_leads_out_of_the_folder(server: Running, name: str, status: int) -> None:
    response = await server.http.get("/v1/audio", params={"path": name})
    assert response.status_code == status
    assert b"private" not in response.content
    assert response.json()["detail"] == response.json()["error"]


async def test_the_absolute_path_of_a_song_is_no_name(server: Running) -> None:
    response = await server.http.get("/v1/audio", params={"path": str(server.folder / "song-a.mp3")})
    assert response.status_code == 403


async def test_asking_for_nothing_is_refused(server: Running) -> None:
    assert (await server.http.get("/v1/audio")).status_code == 422


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-9", 0, 9), ("bytes=1000-", 1000, 1023), ("bytes=-5", 1019, 1023)]
)
async def test_a_range_is_cut_out(server: Running, asked: str, first: int, last: int) -> None:
    response = await server.http.get("/v1/audio?path=song-a.mp3", headers={"Range": asked})
    assert (response.status_code, response.content) == (206, BYTES[first : last + 1])
    assert response.headers["content-range"] == f"bytes {first}-{last}/1024"


async def test_a_range_beyond_the_end_is_unsatisfiable(server: Running) -> None:
    response = await server.http.get("/v1/audio?path=song-a.mp3", headers={"Range": "bytes=1024-"})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */1024")


async def test_a_range_of_another_version_gives_the_whole_file(server: Running) -> None:
    tag = (await server.http.get("/v1/audio?path=song-a.mp3")).headers["etag"]
    statuses = []
    for known in (tag, '"other"'):
        headers = {"Range": "bytes=0-0", "If-Range": known}
        statuses.append((await server.http.get("/v1/audio?path=song-a.mp3", headers=headers)).status_code)
    assert statuses == [206, 200]


async def test_head_tells_the_size_without_the_bytes(server: Running) -> None:
    response = await server.http.head("/v1/audio?path=song-a.mp3")
    assert (response.status_code, response.headers["content-length"], response.content) == (200, "1024", b"")


KEY = "sk-test"


@pytest.mark.parametrize(
    ("body", "header", "status", "detail"),
    [
        ({}, None, 401, "Missing ai_token or Authorization header"),
        ({"ai_token": "bad"}, f"Bearer {KEY}", 401, "Invalid ai_token"),
        ({"ai_token": ["bad"]}, f"Bearer {KEY}", 401, "Invalid ai_token"),
        ({}, "Bearer bad", 401, "Invalid API key"),
        ({}, "Bearer", 401, "Invalid API key"),
        ({"ai_token": KEY}, None, 200, None),
        ({"ai_token": KEY}, "Bearer bad", 200, None),
        ({}, f"Bearer {KEY}", 200, None),
        ({}, KEY, 200, None),
    ],
)
@pytest.mark.parametrize("route", ["/release_task", "/query_result", "/cancel_task"])
async def test_a_task_needs_the_key_in_its_body_or_header(
    tmp_path: Path, route: str, body: dict[str, object], header: str | None, status: int, detail: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with running(tmp_path, api_key=KEY) as server:
        response = await server.http.post(route, json={"task_id": "x", **body}, headers=headers)
    assert (response.status_code, response.json().get("detail")) == (status, detail)


async def test_audio_needs_the_key_in_its_header_and_health_needs_none(tmp_path: Path) -> None:
    async with running(tmp_path, api_key=KEY) as server:
        (tmp_path / "song-a.mp3").write_bytes(BYTES)
        without = await server.http.get(f"/v1/audio?path=song-a.mp3&ai_token={KEY}")
        with_key = await server.http.get("/v1/audio?path=song-a.mp3", headers={"Authorization": f"Bearer {KEY}"})
        health = await server.http.get("/health")
    assert (without.status_code, without.json()["detail"]) == (401, "Missing Authorization header")
    assert with_key.status_code == health.status_code == 200


async def test_what_is_not_there_is_refused_in_the_shape_of_all_errors(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        missing, wrong = await server.http.get("/v1/none"), await server.http.get("/release_task")
    assert (missing.status_code, json.loads(missing.content)) == (404, {"detail": "Not Found", "error": "Not Found"})
    assert (wrong.status_code, wrong.json()["error"]) == (405, "Method Not Allowed")
