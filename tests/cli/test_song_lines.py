"""What does a terminal show of a song? What is known of it, and nothing about what nobody said."""

from pathlib import Path

import pytest

from acestep_serverless.assembly.song import OUT, tell
from acestep_serverless.cli.making import song_lines


def output(**metas: object) -> dict[str, object]:
    song = {"file": "song.mp3", "seconds": 30, "engine": "acestep", "seed": 7, "metas": metas}
    return {"duration": 30, "results": [song]}


def test_known_metas_are_shown_and_unknown_ones_are_not() -> None:
    assert song_lines(output(bpm=96, keyscale="A minor")) == [
        "song.mp3  (30 s, engine acestep, seed 7, 96 bpm, A minor)"
    ]
    assert song_lines(output(bpm="N/A", keyscale="N/A")) == ["song.mp3  (30 s, engine acestep, seed 7)"]


@pytest.mark.parametrize(
    ("metas", "shown"),
    [
        ({"bpm": 96, "keyscale": "A minor"}, "(96 bpm, A minor, seed 7)"),
        ({"bpm": "N/A", "keyscale": "N/A"}, "(seed 7)"),
    ],
)
def test_a_song_of_the_whole_endpoint_is_told_likewise(metas: dict[str, object], shown: str, tmp_path: Path) -> None:
    with OUT.capture() as told:
        tell(tmp_path, {"output": output(**metas), "delayTime": 0, "executionTime": 0}, {"up": 1.0, "all": 2.0})
    assert shown in told.get()
