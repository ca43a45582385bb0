"""Does audio that a request names come to this machine, whole, looked into, and from nowhere else?"""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from file_server import answer, file_server
from sounds import wav

from acestep_serverless.contract.music import MusicInput, parse_music_input
from acestep_serverless.errors import InputError, NotFound
from acestep_serverless.outbound.fetching import Fetcher
from acestep_serverless.worker.sources import Sources

SOUND = wav()
BASE64 = base64.b64encode(SOUND).decode()
NAME = "03bd7ac45d0ef596b84175972252f9d657743f01.mp3"
ON_LOOPBACK = Sources(Fetcher(allow_private=True))


def about(**sources: str) -> MusicInput:
    return parse_music_input({"caption": "x", "task_type": "cover", "src_audio": BASE64, **sources})


async def problems_of(sources: Sources, request: MusicInput, folder: Path) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        await sources.bring(request, folder)
    assert str(folder) not in str(caught.value)
    return {problem.field: str(problem) for problem in caught.value.problems}


async def test_audio_in_the_request_is_written_under_the_suffix_of_what_it_is(tmp_path: Path) -> None:
    files = await Sources().bring(about(reference_audio=f"data:audio/mpeg;base64,{BASE64}"), tmp_path)
    assert {name: path.name for name, path in files.items()} == {
        "src_audio": "src_audio.wav",
        "reference_audio": "reference_audio.wav",
    }
    assert all(path.read_bytes() == SOUND for path in files.values())


async def test_audio_at_a_url_is_fetched_and_its_address_is_shown_without_its_signature(tmp_path: Path) -> None:
    async with file_server() as server:
        server.answers |= {"/a.mp3?sig=secret": answer(SOUND), "/page?sig=secret": answer(b"<html>" * 100)}
        base = f"http://127.0.0.1:{server.port}"
        (tmp_path / "one").mkdir()
        files = await ON_LOOPBACK.bring(about(src_audio=f"{base}/a.mp3?sig=secret"), tmp_path / "one")
        assert files["src_audio"].read_bytes() == SOUND
        problems = await problems_of(
            ON_LOOPBACK, about(src_audio=f"{base}/none?sig=secret", reference_audio=f"{base}/page?sig=secret"), tmp_path
        )
    assert (
        problems["src_audio"]
        == f'src_audio: could not be fetched: the server answered with HTTP status 404, got "{base}/none"'
    )
    assert problems["reference_audio"].startswith("reference_audio: must be a sound file")
    assert "secret" not in str(problems)


async def test_what_holds_no_sound_is_refused_whatever_it_calls_itself(tmp_path: Path) -> None:
    text = base64.b64encode(b"this is a text and no music at all, however it is named\n" * 4).decode()
    problems = await problems_of(Sources(), about(src_audio=f"data:audio/mpeg;base64,{text}"), tmp_path)
    assert problems["src_audio"].startswith("src_audio: must be a sound file")
    assert problems["src_audio"].endswith("got 224 bytes")


async def test_private_addresses_are_refused_where_no_setting_allows_them(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "169.254.169.254", "[::1]"):
        problems = await problems_of(Sources(), about(src_audio=f"https://{host}:9/a.wav"), tmp_path / host)
        assert "not on the public internet" in problems["src_audio"]
    assert "https://" in (await problems_of(Sources(), about(src_audio="http://example.org/a"), tmp_path))["src_audio"]


class Shelf:
    """Keeps one file, as a gateway does."""

    async def fetch_file(self, name: str, sink: Callable[[bytes], None], *, limit: int) -> None:
        if name != NAME:
            raise NotFound("there is no such file")
        assert limit == 100_000_000
        sink(SOUND)


async def test_the_file_of_an_earlier_job_comes_from_where_files_are_kept(tmp_path: Path) -> None:
    files = await Sources(earlier=Shelf()).bring(about(src_audio=f"/v1/audio?filename={NAME}"), tmp_path)
    assert files["src_audio"].read_bytes() == SOUND


async def test_an_earlier_job_that_is_gone_is_said_and_where_nothing_is_kept_the_other_ways_are(tmp_path: Path) -> None:
    gone = about(src_audio="/v1/audio?filename=gone.mp3")
    problems = await problems_of(Sources(earlier=Shelf()), gone, tmp_path / "a")
    assert problems["src_audio"] == 'src_audio: could not be fetched: there is no such file, got "gone.mp3"'
    problems = await problems_of(Sources(), gone, tmp_path / "b")
    assert "keeps no files of earlier jobs" in problems["src_audio"]
