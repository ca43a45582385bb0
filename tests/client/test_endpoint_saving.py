"""Do songs become files here: whole, checked, under names of our own, and from wherever the result says they are?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acestep_serverless.client import Generation, Patience, Song, generation_of
from acestep_serverless.client.songs import read_job
from acestep_serverless.errors import (
    AcestepServerlessError,
    Conflict,
    InputError,
    NotFound,
    PeerError,
    PeerUnreachable,
    TooLarge,
)
from scripted_endpoint import (
    JOB_ID,
    SONG,
    SONG_SHA256,
    Answer,
    Awaited,
    Blocking,
    ScriptedEndpoint,
    completed,
    inline,
    song,
)

AUDIO = Answer(SONG, headers={"Content-Type": "audio/mpeg"})
PLACE = "GET /v1/audio"


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    served = ScriptedEndpoint()
    served.says(PLACE, AUDIO)
    yield served
    served.close()


@pytest.fixture(params=[Blocking, Awaited])
def client(request: pytest.FixtureRequest, endpoint: ScriptedEndpoint) -> Iterator[Any]:
    made = request.param(endpoint.url, key="my-key", patience=Patience(attempts=3, first=0.001))
    yield made
    made.close()


def made(*results: dict[str, Any], **more: Any) -> Generation:
    return generation_of(read_job(completed(*results, **more)))


def test_songs_are_fetched_with_the_key_and_named_after_their_job(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    paths = client.save(made(song(), song(file="x.flac", content_type="audio/flac")), tmp_path / "new" / "songs")
    assert [path.name for path in paths] == [f"{JOB_ID}.mp3", f"{JOB_ID}-2.flac"]
    assert [path.read_bytes() for path in paths] == [SONG, SONG]
    assert sorted((tmp_path / "new" / "songs").iterdir()) == sorted(paths)
    assert {asked.headers["authorization"] for asked in endpoint.asked} == {"Bearer my-key"}


def test_a_final_job_is_saved_as_its_output_is(client: Any, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.says(f"GET status/{JOB_ID}", completed(song()))
    (path,) = client.save(client.status(JOB_ID), tmp_path, stem="evening")
    assert path == tmp_path / "evening.mp3"


@pytest.mark.parametrize("entry", [inline(), inline()["base64"]], ids=["an entry", "bare base64"])
def test_a_song_inside_the_output_needs_no_request(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path, entry: Any
) -> None:
    (path,) = client.save(made(song(url=None), audio=[entry]), tmp_path)
    assert path.read_bytes() == SONG
    assert endpoint.asked == []


def test_a_song_at_another_server_is_fetched_without_our_key(client: Any, tmp_path: Path) -> None:
    bucket = ScriptedEndpoint()
    bucket.says("GET /songs/a.mp3", AUDIO)
    (path,) = client.save(made(song(url=f"{bucket.url}/songs/a.mp3?signature=s")), tmp_path)
    bucket.close()
    assert path.read_bytes() == SONG
    assert "authorization" not in bucket.asked[0].headers


def test_a_transfer_that_broke_is_made_again_from_the_start(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.says(PLACE, Answer(SONG, hang_up=5_000), Answer(b"", 503), AUDIO)
    (path,) = client.save(made(song()), tmp_path)
    assert path.read_bytes() == SONG
    assert endpoint.times(PLACE) == 3


@pytest.mark.parametrize(
    ("result", "answers", "kind", "said"),
    [
        (song(sha256="0" * 64), [AUDIO], PeerError, "another SHA-256"),
        (song(bytes=5), [AUDIO], PeerError, "announced were 5"),
        (song(bytes=None, sha256=None), [Answer(b"")], PeerError, "without a single byte"),
        (song(), [Answer({"error": "it is gone"}, 404)], NotFound, "it is gone"),
        (song(), [Answer(SONG, hang_up=5_000)], PeerUnreachable, "did not come over"),
        (song(url=None), [AUDIO], NotFound, "nobody keeps song 1"),
        (song(url="file:///etc/passwd"), [AUDIO], PeerError, "cannot be fetched"),
        (song(url="//elsewhere.example/v1/audio"), [AUDIO], PeerError, "cannot be fetched"),
        (song(url="http://user:password@elsewhere.example/a.mp3"), [AUDIO], PeerError, "cannot be fetched"),
    ],
)
def test_what_is_not_the_announced_song_leaves_no_file(
    client: Any,
    endpoint: ScriptedEndpoint,
    tmp_path: Path,
    result: dict[str, Any],
    answers: list[Answer],
    kind: type[AcestepServerlessError],
    said: str,
) -> None:
    endpoint.says(PLACE, *answers)
    with pytest.raises(kind, match=said):
        client.save(made(result), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_song_inside_the_output_leaves_no_file(client: Any, tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="base64 that cannot be read"):
        client.save(made(song(), audio=["SUQz!!"]), tmp_path)
    with pytest.raises(PeerError, match="announced were"):
        client.save(made(song(), audio=["SUQz"]), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("result", [song(), song(bytes=None)], ids=["announced", "as it comes"])
def test_a_file_over_the_limit_is_refused(client: Any, tmp_path: Path, result: dict[str, Any]) -> None:
    with pytest.raises(TooLarge, match="limit"):
        client.save(made(result), tmp_path, largest=1_000)
    with pytest.raises(TooLarge, match="limit"):
        client.save(made(song(bytes=None), audio=[inline()]), tmp_path, largest=1_000)
    assert list(tmp_path.iterdir()) == []


def test_the_very_song_that_is_there_is_kept_and_another_file_is_not_replaced(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    for _ in range(2):
        (path,) = client.save(made(song()), tmp_path)
    assert endpoint.times(PLACE) == 1
    path.write_bytes(b"something of somebody's")
    with pytest.raises(Conflict, match="is there already and is not this song"):
        client.save(made(song()), tmp_path)
    assert path.read_bytes() == b"something of somebody's"
    client.save(made(song()), tmp_path, overwrite=True)
    assert path.read_bytes() == SONG


def test_a_link_in_the_folder_is_replaced_and_never_written_through(client: Any, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"untouched")
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / f"{JOB_ID}.mp3").symlink_to(target)
    with pytest.raises(Conflict):
        client.save(made(song()), folder)
    (path,) = client.save(made(song()), folder, overwrite=True)
    assert target.read_bytes() == b"untouched"
    assert path.read_bytes() == SONG


@pytest.mark.parametrize("stem", ["../evil", "a/b", ".hidden", "a\x00b", "x" * 121, "é"])
def test_a_stem_that_leads_elsewhere_is_refused(client: Any, tmp_path: Path, stem: str) -> None:
    with pytest.raises(InputError, match="stem"):
        client.save(made(song()), tmp_path, stem=stem)


@pytest.mark.parametrize("job_id", ["../../evil", "a/b", "..", "x" * 300])
def test_a_job_id_that_leads_elsewhere_names_no_path(client: Any, tmp_path: Path, job_id: str) -> None:
    job = read_job(completed(song(file="../../x.sh", content_type="text/x-shellscript")) | {"id": job_id})
    (path,) = client.save(generation_of(job), tmp_path)
    assert path.parent == tmp_path
    assert path.suffix == ".bin"


def test_a_folder_that_cannot_be_written_to_is_named(client: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="folder: must be a folder that can be written to"):
        client.save(made(song()), tmp_path / "file")


def test_an_analysis_has_findings_and_no_songs(client: Any, tmp_path: Path) -> None:
    found = {"analysis": "analysis_only", "prompt": "slow strings", "metas": {"bpm": 70}}
    generation = made(found)
    assert (generation.songs, generation.findings) == ((), (found,))
    assert client.save(generation, tmp_path) == ()


def test_the_guides_own_worker_names_only_a_file(client: Any, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    generation = made({"file": "/v1/audio?filename=03bd.mp3"})
    assert generation.songs == (Song(0, "/v1/audio?filename=03bd.mp3", "/v1/audio?filename=03bd.mp3"),)
    (path,) = client.save(generation, tmp_path)
    assert path.read_bytes() == SONG


def test_runpod_keeps_no_files_and_is_not_asked_for_any(tmp_path: Path) -> None:
    runpods = Blocking("https://api.runpod.ai/v2/abc123", key="k")
    with pytest.raises(NotFound, match="ask for it with return_audio_base64"):
        runpods.save(made({"file": "/v1/audio?filename=03bd.mp3"}), tmp_path)
    with pytest.raises(PeerError, match="unprotected place"):
        runpods.save(made(song(url="http://169.254.169.254/latest")), tmp_path)
    runpods.close()


def test_a_song_and_a_file_of_this_machine_can_be_worked_on(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    endpoint.says("POST run", {"id": JOB_ID, "status": "IN_QUEUE"})
    (earlier,) = made(song()).songs
    (tmp_path / "take.mp3").write_bytes(SONG)
    client.submit(caption="x", task_type="cover", src_audio=earlier, reference_audio=tmp_path / "take.mp3")
    sent = endpoint.asked[0].json["input"]
    assert sent["src_audio"] == "/v1/audio?filename=03bd.mp3"
    assert sent["reference_audio"] == inline()["base64"]
    with pytest.raises(InputError, match="src_audio: must be a file that can be read"):
        client.submit(caption="x", task_type="cover", src_audio=tmp_path / "none.mp3")
    with (tmp_path / "large.wav").open("wb") as large:
        large.truncate(8 << 20)
    with pytest.raises(InputError, match="give it as an https URL or as the file of an earlier job"):
        client.submit(caption="x", task_type="cover", src_audio=tmp_path / "large.wav")


def test_what_lies_beside_a_song_is_saved_under_its_name(
    client: Any, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    notes = {"file": "/v1/audio?filename=04ce.mid", "url": "/v1/audio?filename=04ce.mid", "bytes": len(SONG)}
    words = {"file": "x.lrc", "url": None, "base64": "WzAwOjAxXQ==", "bytes": 7}
    (path,) = client.save(made(song(midi=notes, lrc=words)), tmp_path, stem="evening")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["evening.lrc", "evening.mid", "evening.mp3"]
    assert path.with_suffix(".mid").read_bytes() == SONG
    assert path.with_suffix(".lrc").read_text() == "[00:01]"


def test_the_checksum_is_that_of_the_file() -> None:
    assert made(song()).songs[0].sha256 == SONG_SHA256
