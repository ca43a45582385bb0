"""Does the handler's output have the guide's shape, and is it JSON that every parser takes?"""

import base64
import json
import math

import pytest

from acestep_serverless.contract.music import MusicInput, parse_music_input
from acestep_serverless.contract.music_output import (
    FILE_TOO_LARGE,
    SongResult,
    embedded_audio,
    embedded_bytes,
    error_output,
    json_bytes,
    skipped_audio,
    strict,
    success_output,
)

SONG = SongResult(file="/v1/audio?filename=a.mp3", bytes=5, sha256="ab", content_type="audio/mpeg", seed=7)


def request(**fields: object) -> MusicInput:
    return parse_music_input({"caption": "x", "duration": 30} | fields)


def test_the_success_payload_begins_with_the_guides_fields_in_its_order() -> None:
    output = success_output("task-1", request(), [SONG])
    assert list(output) == ["task_id", "status", "duration", "batch_size", "results"]
    assert (output["task_id"], output["status"], output["duration"], output["batch_size"]) == (
        "task-1",
        "completed",
        30,
        1,
    )
    results = output["results"]
    assert isinstance(results, list)
    assert next(iter(results[0])) == "file"
    assert results[0] == SONG.as_json()


def test_audio_and_warnings_appear_only_when_there_is_something_to_say() -> None:
    assert success_output("t", request(), [SONG], audio=[])["audio"] == []
    assert success_output("t", request(), [SONG], warnings=["one", "two", "one"])["warnings"] == ["one", "two"]


def test_the_error_payload_is_a_message_and_nothing_else() -> None:
    assert error_output("no \ud800") == {"error": "no \\ud800"}
    assert error_output("")["error"]


def test_a_skipped_song_names_its_reason_and_size() -> None:
    assert skipped_audio(2, SONG, FILE_TOO_LARGE) == {
        "index": 2,
        "file": SONG.file,
        "skipped": True,
        "reason": "file_too_large",
        "bytes": 5,
    }


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1000, 1001])
def test_the_size_of_an_embedded_song_is_known_before_it_is_encoded(size: int) -> None:
    song = SongResult(file="é", bytes=size, sha256="", content_type="audio/mpeg")
    text = base64.b64encode(b"x" * size).decode()
    entry = embedded_audio(0, song, text)
    assert embedded_bytes(0, song) == len(json.dumps(entry, ensure_ascii=False).encode()) + 2
    with_two = json_bytes(success_output("t", request(), [], audio=[entry, entry]))
    assert with_two <= json_bytes(success_output("t", request(), [], audio=[])) + 2 * embedded_bytes(0, song)


def test_what_json_cannot_carry_is_replaced_before_the_sdk_sees_it() -> None:
    deep: object = "end"
    for _ in range(100_000):
        deep = {"down": deep}
    given = {"bpm": math.nan, "list": (math.inf, 1.5), "text\udfff": "\ud800", "deep": deep}
    text = json.dumps(strict(given), ensure_ascii=False, allow_nan=False)
    text.encode("utf-8")
    assert strict(given)["bpm"] is None
    assert strict(given)["list"] == [None, 1.5]
