"""Which files may a request bring at all, and when does the key have to stand before them?"""

from pathlib import Path
from typing import Any

import pytest
from acestep_parts import SineEngine
from edge_parts import HEADER, KEY, edge, files_in
from test_acestep_uploads import COVER, PART, WAV, send


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({}, {}, 401),
        ({}, {"Authorization": "Bearer bad"}, 401),
        ({"ai_token": "bad"}, HEADER, 401),
        ({}, HEADER, 200),
        ({"ai_token": KEY}, {}, 200),
    ],
)
async def test_no_byte_of_a_file_is_stored_without_the_key(
    fields: dict[str, str], headers: dict[str, str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with edge(tmp_path, api_key=KEY) as server:
        folder, begun = server.app.state.tasks.folder, []
        new_upload = folder.new_upload
        monkeypatch.setattr(folder, "new_upload", lambda suffix: begun.append(suffix) or new_upload(suffix))
        files = {"src_audio": ("a.wav", WAV)}
        response = await server.http.post("/release_task", data={**COVER, **fields}, files=files, headers=headers)
    assert response.status_code == status
    assert len(begun) == (1 if status == 200 else 0)


async def test_the_key_must_stand_before_the_file(tmp_path: Path) -> None:
    token = b'\r\n--b\r\nContent-Disposition: form-data; name="ai_token"\r\n\r\nsk-test\r\n--b--\r\n'
    async with edge(tmp_path, api_key=KEY) as server:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        response = await server.http.post("/release_task", content=PART + WAV + token, headers=headers)
        assert files_in(tmp_path) == []
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("song", ("a.wav", WAV))], "song: must be a text; files are taken as ref_audio, reference_audio, ctx_audio"),
        ([("src_audio", ("a.wav", WAV)), ("ctx_audio", ("b.wav", WAV))], "ctx_audio: must be one file, for src_audio_"),
    ],
)
async def test_other_and_further_files_are_refused(files: Any, said: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await send(server, files)
        assert files_in(tmp_path) == []
    assert response.status_code == 400
    assert response.json()["detail"].startswith(said)


async def test_the_unused_file_field_of_a_browsers_form_is_no_file(tmp_path: Path) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="src_audio"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    async with edge(tmp_path) as server:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        response = await server.http.post("/release_task", content=body, headers=headers)
        assert [name for name in files_in(tmp_path) if name.startswith("upload")] == []
    assert response.status_code == 200


async def test_an_engine_without_sources_says_so_before_it_looks_into_the_file(tmp_path: Path) -> None:
    async with edge(tmp_path, SineEngine()) as server:
        response = await send(server, {"src_audio": ("a.wav", b"x"), "ref_audio": ("b.wav", b"x")})
        assert files_in(tmp_path) == []
    assert response.status_code == 400
    assert response.json()["detail"] == (
        'task_type: must be text2music with the sine engine, got "cover"; '
        "reference_audio_path: must be empty: the sine engine takes no reference audio, got an upload; "
        "src_audio_path: must be empty: the sine engine takes no source audio, got an upload"
    )


@pytest.mark.parametrize("route", ["/query_result", "/cancel_task", "/format_input", "/v1/chat/completions"])
async def test_other_routes_take_no_files(route: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await server.http.post(route, files={"src_audio": ("a.wav", WAV)})
        assert files_in(tmp_path) == []
    assert (response.status_code, response.json()["detail"]) == (
        400,
        '"src_audio": must be a text, no file is taken here',
    )
