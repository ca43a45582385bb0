"""Does a download go on where its connection broke, and only while the server still has the same file?"""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from breaking_line import BreakingLine, SongHouse

from acestep_serverless.cli.program import main
from acestep_serverless.client import Generation, Patience, RefusedByEndpoint, generation_of
from acestep_serverless.client.songs import read_job
from acestep_serverless.errors import PeerUnreachable, TooLarge
from scripted_endpoint import SONG, Answer, Asked, Awaited, Blocking, ScriptedEndpoint, completed, song

SIZE = 600_000
LONG_SONG, OTHER_SONG = random.Random(1).randbytes(SIZE), random.Random(2).randbytes(SIZE - 1_000)
QUICK = Patience(attempts=4, strange=4, first=0.001)
PLACE = "GET /v1/audio"

Make = Callable[[str], Any]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SongHouse]:
    opened = SongHouse(tmp_path / "data", LONG_SONG)
    yield opened
    opened.close()


@pytest.fixture(params=[Blocking, Awaited])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Gives a client of each kind for a URL, and closes it."""
    clients: list[Any] = []

    def made(url: str) -> Any:
        clients.append(request.param(url, patience=QUICK))
        return clients[-1]

    yield made
    for client in clients:
        client.close()


def plain(house: SongHouse) -> Generation:
    """What the guide's own worker says of a song: its place only."""
    return generation_of(read_job(completed({"file": house.filed["file"]})))


def test_a_download_goes_on_where_the_connection_broke(make: Make, house: SongHouse, tmp_path: Path) -> None:
    house.finish()
    with closing(BreakingLine(house.port, 300_000, 200_000)) as line:
        client = make(line.url)
        made = generation_of(make(f"http://127.0.0.1:{house.port}").status(house.job_id))
        (path,) = client.save(made, tmp_path / "songs")
    assert path.read_bytes() == LONG_SONG
    starts = [int((asked or "bytes=0-").removeprefix("bytes=").removesuffix("-")) for asked in line.asked]
    assert len(starts) == 3
    assert starts[0] == 0
    assert 250_000 < starts[1] <= 300_000 < starts[2] <= 500_000
    assert list((tmp_path / "songs").iterdir()) == [path]


def test_the_commands_download_goes_on_as_well(
    house: SongHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.finish()
    with closing(BreakingLine(house.port, 300_000)) as line:
        words = ["download", house.job_id, "--endpoint", line.url, "--output", str(tmp_path / "songs")]
        monkeypatch.setattr("sys.argv", ["acestep-serverless", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    assert (tmp_path / "songs" / f"{house.job_id}.mp3").read_bytes() == LONG_SONG
    assert re.fullmatch(r"bytes=\d{6}-", line.asked[-1] or "")


def test_a_song_that_was_made_anew_meanwhile_comes_whole(make: Make, house: SongHouse, tmp_path: Path) -> None:
    with closing(BreakingLine(house.port, 300_000, on_cut=lambda: house.file(OTHER_SONG))) as line:
        (path,) = make(line.url).save(plain(house), tmp_path / "songs")
    assert path.read_bytes() == OTHER_SONG
    assert [asked is None for asked in line.asked] == [True, False]


def test_a_line_that_breaks_every_time_is_given_up(make: Make, house: SongHouse, tmp_path: Path) -> None:
    with (
        closing(BreakingLine(house.port, *[1_000] * 20)) as line,
        pytest.raises(PeerUnreachable, match="song 1 did not come over"),
    ):
        make(line.url).save(plain(house), tmp_path / "songs")
    assert len(line.asked) == QUICK.attempts
    assert list((tmp_path / "songs").iterdir()) == []


TAG = {"ETag": '"one"', "Accept-Ranges": "bytes"}
CUT = Answer(SONG, headers=TAG, hang_up=40_000)
WHOLE = Answer(SONG, headers=TAG)


def start_of(asked: Asked) -> int:
    return int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def rest(
    *, length: int | None = None, shift: int = 0, total: object = len(SONG), tag: str = '"one"', flaw: bytes = b""
) -> Callable[[Asked], Answer]:
    """Answer with the rest of the song, or `length` bytes of it; and with whatever is wrong about it."""

    def answer(asked: Asked) -> Answer:
        first = start_of(asked) + shift
        body = flaw + SONG[first + len(flaw) :][:length]
        place = f"bytes {first}-{first + len(body) - 1}/{total}"
        return Answer(body, 206, {"ETag": tag, "Content-Range": place})

    return answer


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([CUT, rest()], [False, True]),
        ([CUT, rest(total="*")], [False, True]),
        ([CUT, rest(length=1_000), rest()], [False, True, True]),
        ([CUT, Answer({"error": "not now"}, 503), rest()], [False, True, True]),
        ([CUT, WHOLE], [False, True]),
        ([CUT, rest(tag='"two"'), WHOLE], [False, True, False]),
        ([CUT, rest(total=5), WHOLE], [False, True, False]),
        ([CUT, rest(shift=-1), WHOLE], [False, True, False]),
        ([CUT, rest(flaw=b"not of this song"), WHOLE], [False, True, False]),
        ([CUT, Answer(b"", 416, {"Content-Range": "bytes */5"}), WHOLE], [False, True, False]),
        ([CUT, Answer(SONG, 206, TAG), WHOLE], [False, True, False]),
        ([Answer(SONG, 206, TAG), WHOLE], [False, False]),
        ([Answer(SONG, headers={"ETag": 'W/"one"'}, hang_up=40_000), WHOLE], [False, False]),
        ([Answer(SONG, hang_up=40_000), WHOLE], [False, False]),
        ([Answer(SONG, headers={**TAG, "Accept-Ranges": "none"}, hang_up=40_000), WHOLE], [False, False]),
        ([Answer(SONG, headers=TAG, hang_up=60), WHOLE], [False, False]),
    ],
)
def test_whatever_a_server_says_the_song_comes_whole(
    make: Make, tmp_path: Path, answers: list[Any], ranges: list[bool]
) -> None:
    with closing(ScriptedEndpoint()) as endpoint:
        endpoint.says(PLACE, *answers)
        (path,) = make(endpoint.url).save(generation_of(read_job(completed(song()))), tmp_path)
    assert path.read_bytes() == SONG
    assert ["range" in asked.headers for asked in endpoint.asked] == ranges
    assert all(asked.headers["if-range"] == '"one"' for asked in endpoint.asked if "range" in asked.headers)


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        ([CUT, rest(tag='"two"')], PeerUnreachable, "another part came than was asked for"),
        ([Answer(SONG, headers=TAG, hang_up=40_000), Answer({"error": "gone"}, 410)], RefusedByEndpoint, "gone"),
        ([CUT, rest(total=len(SONG) + 1)], PeerUnreachable, "the file has changed"),
        ([Answer(SONG, headers=TAG, length=1 << 31, hang_up=40_000)], TooLarge, "over the limit"),
    ],
)
def test_what_does_not_fit_in_any_attempt_leaves_no_file(
    make: Make, tmp_path: Path, answers: list[Any], kind: type[Exception], said: str
) -> None:
    with closing(ScriptedEndpoint()) as endpoint:
        endpoint.says(PLACE, *answers * QUICK.attempts)
        with pytest.raises(kind, match=said):
            make(endpoint.url).save(generation_of(read_job(completed({"file": "/v1/audio?filename=a.mp3"}))), tmp_path)
    assert list(tmp_path.iterdir()) == []
