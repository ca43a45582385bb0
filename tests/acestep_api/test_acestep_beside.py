"""Do the files beside a song live as it does? Named in its item, served with it, gone with it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from acestep_parts import Running, SineEngine, new_app, running
from batch_engine import order

from acestep_serverless.acestep_api import Keeping
from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.encoder import store_song
from acestep_serverless.acestep_api.task import Task
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import GenerationRequest, SideFile

MIDI, LRC = b"MThd and so on", "[00:00.50]Grüße\n".encode()
BESIDE = (SideFile("midi", MIDI), SideFile("lrc", LRC))


def scored() -> SineEngine:
    return SineEngine(beside=BESIDE)


async def items(server: Running, **fields: object) -> list[dict[str, Any]]:
    [entry] = await server.query(await server.release(**fields))
    assert entry["status"] == 1, entry
    found: list[dict[str, Any]] = json.loads(str(entry["result"]))
    return found


async def test_an_item_names_them_and_they_are_served_like_their_song(tmp_path: Path) -> None:
    async with running(tmp_path, engine=scored()) as server:
        first, second = await items(server, batch_size=2)
        for kind, content, media_type in (("midi", MIDI, "audio/midi"), ("lrc", LRC, "text/plain")):
            named = second[kind]
            assert (named["bytes"], named["media_type"]) == (len(content), media_type)
            assert named["sha256"] == hashlib.sha256(content).hexdigest()
            answer = await server.http.get(named["file"])
            assert (answer.status_code, answer.content) == (200, content)
            assert answer.headers["content-type"].partition(";")[0] == media_type
            part = await server.http.get(named["file"], headers={"Range": "bytes=0-3"})
            assert (part.status_code, part.content) == (206, content[:4])
        assert first["midi"]["file"] != second["midi"]["file"]


async def test_an_engine_without_them_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        (item,) = await items(server)
    assert not {"midi", "lrc"} & set(item)


async def test_a_key_opens_them_as_it_opens_songs(tmp_path: Path) -> None:
    async with running(tmp_path, engine=scored(), api_key="secret") as server:
        server.http.headers["Authorization"] = "Bearer secret"
        (item,) = await items(server)
        del server.http.headers["Authorization"]
        assert (await server.http.get(item["midi"]["file"])).status_code == 401


async def test_the_client_finds_them_and_takes_another_servers_words_for_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, engine=scored()) as server:
        client, got = AceStepClient(server.http, clock=SYSTEM_CLOCK), bytearray()
        report = await client.query(await client.release({"prompt": "a tone"}), 20.0)
        assert set(report.items[0].beside) == {"midi", "lrc"}
        await client.download(report.items[0].beside["lrc"], got.extend, limit=100)
    assert got == LRC


async def test_they_go_with_their_song(tmp_path: Path) -> None:
    async with running(tmp_path, engine=scored(), keeping=Keeping(tasks=1)) as server:
        for _ in range(3):
            await items(server)
        await server.query(await server.release())
        assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted([".lrc", ".mid", ".mp3"] * 2)


async def test_a_new_process_keeps_them_and_removes_what_no_task_names(tmp_path: Path) -> None:
    keeping, songs = Keeping(records=tmp_path / "tasks"), tmp_path / "songs"
    async with running(songs, engine=scored(), keeping=keeping) as server:
        (item,) = await items(server)
    (songs / "song-stray.mid").write_bytes(b"x")
    async with running(songs, engine=scored(), keeping=keeping) as server:
        assert (await server.http.get(item["midi"]["file"])).content == MIDI
        assert not (songs / "song-stray.mid").exists()


@pytest.mark.parametrize("beside", [BESIDE, ()])
def test_a_song_that_cannot_be_stored_leaves_nothing(tmp_path: Path, beside: tuple[SideFile, ...]) -> None:
    """A folder stands where one of the files is to be written."""
    engine = SineEngine()
    new_app(tmp_path, engine)
    ids = iter(("a", "b", "c"))
    folder = AudioFolder(tmp_path, lambda: next(ids))

    class Blocking(AudioFolder):
        def new_path(self, suffix: str) -> Path:
            path = folder.new_path(suffix)
            if suffix == (".lrc" if beside else ".wav"):
                path.mkdir()
            return path

        def remove(self, name: str) -> None:
            folder.remove(name)

    song = engine._song(GenerationRequest("x", "", 1.0, (1,)), 0, 1)
    with pytest.raises(Exception, match="directory"):
        store_song(Task("t", order(), 0), replace(song, beside=beside), Blocking(tmp_path, str), engine)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
