"""Do MIDI and LRC files go where their song goes, and never in its way?"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from handler_studio import Studio
from recording_server import Recorded, Reply, recording_server

from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import SideFile
from acestep_serverless.errors import Conflict, PeerError
from acestep_serverless.worker.beside import LEFT_OUT
from acestep_serverless.worker.delivery import FolderSink, GatewaySink, InlineSink
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.notices import NOWHERE_TO_FETCH, ONLY_IN_THE_OUTPUT
from acestep_serverless.worker.places import without_gateway
from acestep_serverless.worker.sink import AudioFile, Stored

MIDI, LRC = b"MThd-not-really", "[00:01.00]Grüße\n".encode()
SHORT = {"caption": "a calm tone", "duration": 1, "seed": 7}


@pytest.fixture
def scored(studio: Studio) -> Studio:
    """A handler whose engine writes a score and words beside each song."""
    studio.engine.beside = (SideFile("midi", MIDI), SideFile("lrc", LRC))
    return studio


def results_of(output: Mapping[str, Any]) -> list[dict[str, Any]]:
    assert "error" not in output, output
    found: list[dict[str, Any]] = output["results"]
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_they_lie_in_the_folder_beside_their_song_and_are_named_last(scored: Studio, tmp_path: Path) -> None:
    output = await scored.ask(SHORT | {"batch_size": 2}, artifacts=FolderSink(tmp_path / "out", "calm"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("calm-2.lrc", "calm-2.mid", "calm-2.mp3", "calm.lrc", "calm.mid", "calm.mp3")
    ]
    first, second = results_of(output)
    assert list(first)[-2:] == ["midi", "lrc"]
    assert Path(second["midi"]["file"]).read_bytes() == MIDI
    assert first["lrc"] == {
        "file": str(tmp_path / "out" / "calm.lrc"),
        "url": None,
        "content_type": "text/plain",
        "bytes": len(LRC),
        "sha256": sha256(LRC),
    }
    assert "warnings" not in output


async def test_a_song_without_them_names_none(studio: Studio) -> None:
    (song,) = results_of(await studio.ask(SHORT))
    assert not {"midi", "lrc"} & set(song)


async def test_the_gateway_gets_each_under_the_number_of_its_song(scored: Studio) -> None:
    def answer(request: Recorded) -> Reply:
        return Reply(body={"file": f"/v1/audio?filename={Path(request.path).name}"})

    async with recording_server(answer) as server:
        sink = GatewaySink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)
        output = await scored.ask(SHORT, artifacts=sink)
        await sink.aclose()
    sent = [(Path(request.path).name, request.headers["content-type"]) for request in server.requests]
    assert sent == [("0.mp3", "audio/mpeg"), ("0.mid", "audio/midi"), ("0.lrc", "text/plain")]
    (song,) = results_of(output)
    assert song["midi"]["url"] == song["midi"]["file"] == "/v1/audio?filename=0.mid"


async def test_a_gateway_that_does_not_know_them_keeps_the_song_and_a_warning_says_so(scored: Studio) -> None:
    def answer(request: Recorded) -> Reply:
        if request.path.endswith(".mp3"):
            return Reply(body={"file": "/v1/audio?filename=a.mp3"})
        return Reply(422, body={"error": "file name: must be <index>.<suffix>"})

    async with recording_server(answer) as server:
        sink = GatewaySink(GatewayLink(server.url, "ace-step", "w-1", "a-token"), SYSTEM_CLOCK)
        output = await scored.ask(SHORT, artifacts=sink)
        await sink.aclose()
    (song,) = results_of(output)
    assert song["file"] == "/v1/audio?filename=a.mp3"
    assert not {"midi", "lrc"} & set(song)
    first, second = output["warnings"]  # type: ignore[misc]  # plain JSON
    assert first.startswith(
        "midi: the file of song 1 could not be delivered: the gateway refused the .mid file of song 1"
    )
    assert second.startswith("lrc: ")


async def test_a_worker_that_lost_the_job_on_the_way_ends_it(scored: Studio) -> None:
    @dataclass(frozen=True)
    class Losing(InlineSink):
        async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
            if audio.suffix == ".mid":
                raise Conflict("the job is no longer this worker's")
            return await super().store(job_id, index, audio)

    output = await scored.ask(SHORT, artifacts=Losing())
    assert output == {"error": "the job is no longer this worker's"}


async def test_what_a_bucket_did_not_take_is_not_brought_there_again(scored: Studio) -> None:
    """A dead bucket costs its attempts once: the files beside a song go where the song went."""

    @dataclass(frozen=True)
    class Broken(InlineSink):
        async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
            if audio.suffix != ".mp3":
                raise PeerError("asked again")
            return Stored("name.mp3", kept=False, warning="the bucket is away", place=InlineSink())

    output = await scored.ask(SHORT, artifacts=Broken())
    (song,) = results_of(output)
    assert base64.b64decode(song["midi"]["base64"]) == MIDI
    assert output["warnings"] == ["the bucket is away", ONLY_IN_THE_OUTPUT]


async def test_where_nothing_keeps_files_they_travel_as_the_audio_does(scored: Studio) -> None:
    (song,) = results_of(await scored.ask(SHORT, artifacts=without_gateway(None)))
    assert (base64.b64decode(song["midi"]["base64"]), base64.b64decode(song["lrc"]["base64"])) == (MIDI, LRC)
    assert (song["midi"]["file"], song["midi"]["url"]) == ("/v1/audio?filename=job-1-0.mid", None)

    declined = await scored.ask(SHORT | {"return_audio_base64": False}, artifacts=InlineSink())
    assert "base64" not in results_of(declined)[0]["midi"]
    assert declined["warnings"] == [NOWHERE_TO_FETCH]


async def test_what_is_over_max_base64_bytes_is_named_only_and_said(scored: Studio) -> None:
    wanted = SHORT | {"return_audio_base64": True, "max_base64_bytes": len(MIDI)}
    output = await scored.ask(wanted)
    (song,) = results_of(output)
    assert base64.b64decode(song["midi"]["base64"]) == MIDI
    assert "base64" not in song["lrc"]
    assert output["warnings"] == [LEFT_OUT]


async def test_they_take_no_room_from_the_audio_whatever_the_limit(scored: Studio) -> None:
    @dataclass(frozen=True)
    class Narrow(InlineSink):
        def output_limit(self, job_id: str) -> int | None:
            return limit

    limit = None
    whole = _size(await scored.ask(SHORT, artifacts=Narrow()))
    seen, embedded = set(), []
    for limit in range(whole - 700, whole + 1_000, 100):
        output = await scored.ask(SHORT, artifacts=Narrow())
        assert _size({"output": output}) <= limit
        (song,) = results_of(output)
        carried = [("base64" in song[kind]) if kind in song else None for kind in ("midi", "lrc")]
        assert (LEFT_OUT in output["warnings"]) == (carried != [True, True])  # type: ignore[operator]  # plain JSON
        embedded.append("base64" in output["audio"][0])  # type: ignore[index]  # plain JSON
        seen.add((embedded[-1], *carried))
    assert embedded == sorted(embedded), "more room never costs the audio its place"
    assert {(True, None, None), (True, True, True)} <= seen


def _size(output: object) -> int:
    return len(json.dumps(output, ensure_ascii=False).encode())
