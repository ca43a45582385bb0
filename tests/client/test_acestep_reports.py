"""Does the client understand every shape in which servers report a task?"""

import json
from typing import Any

import pytest

from acestep_serverless.client.reports import NO_REASON, TaskReport, read_report

CACHED_SONG = {
    "file": "/v1/audio?path=%2Fsrv%2Facestep%2Ftmp%2Fapi_audio%2F367be0ea.mp3",
    "wave": "",
    "status": 1,
    "create_time": 1795411771,
    "env": "development",
    "prompt": "upbeat pop",
    "lyrics": "[Verse]\nhello",
    "metas": {"bpm": 96, "duration": 30.0, "keyscale": "A minor", "timesignature": "4", "prompt": "p", "lyrics": "l"},
    "generation_info": "**Total Time: 1.60s**",
    "seed_value": "2105167196",
    "lm_model": "acestep-5Hz-lm-0.6B",
    "dit_model": "acestep-v15-turbo",
    "progress": 1.0,
    "stage": "succeeded",
}
STORED_SONG = {
    "file": "/v1/audio?path=%2Fsrv%2Fac93444a.mp3",
    "wave": "",
    "status": 1,
    "create_time": 1795411789,
    "prompt": "",
    "lyrics": "",
    "metas": {"bpm": "N/A", "duration": "N/A"},
}
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/acestep/x.py", line 1\nRuntimeError: CUDA out of memory\n'


def report(result: object, status: object = 1, **entry: object) -> TaskReport:
    answer = {"data": [{"task_id": "t", "result": result, "status": status, **entry}], "code": 200}
    return read_report("t", answer)


def test_a_song_from_the_disk_cache_has_all_its_fields() -> None:
    done = report(json.dumps([CACHED_SONG]))
    [song] = done.items
    assert (done.state, done.final, done.progress, done.error) == ("succeeded", True, 1.0, "")
    assert (song.file, song.prompt, song.lyrics) == (CACHED_SONG["file"], "upbeat pop", "[Verse]\nhello")
    assert (song.seed_value, song.lm_model, song.dit_model) == (
        "2105167196",
        "acestep-5Hz-lm-0.6B",
        "acestep-v15-turbo",
    )
    assert (song.metas["bpm"], song.engine, song.warnings) == (96, "", ())
    assert song.raw["generation_info"] == "**Total Time: 1.60s**"


def test_songs_from_the_job_store_lack_fields_and_are_read_all_the_same() -> None:
    done = report([STORED_SONG, STORED_SONG])
    assert (done.state, len(done.items)) == ("succeeded", 2)
    assert (done.items[0].seed_value, done.items[0].dit_model) == ("", "")


@pytest.mark.parametrize(
    ("item", "file"),
    [
        ({"file": "/srv/a b.mp3", "url": "/v1/audio?path=u"}, "/v1/audio?path=u"),
        ({"file": "/srv/a b.mp3", "url": ""}, "/v1/audio?path=%2Fsrv%2Fa%20b.mp3"),
        ({"file": "//evil.example/a.mp3"}, "/v1/audio?path=%2F%2Fevil.example%2Fa.mp3"),
        ({"file": "job/audio.flac"}, "/v1/audio?path=job%2Faudio.flac"),
        ({"file": "http://host/v1/audio?path=x"}, "http://host/v1/audio?path=x"),
    ],
)
def test_the_audio_is_under_url_or_file_or_behind_a_bare_path(item: dict[str, str], file: str) -> None:
    assert report([item]).items[0].file == file


@pytest.mark.parametrize("result", ['[{"file": ""}]', "[]", "broken", None, [5], {}])
def test_a_success_without_audio_is_a_failure(result: object) -> None:
    done = report(result)
    assert (done.state, done.items) == ("failed", ())
    assert "no audio" in done.error


def test_a_success_of_which_one_song_has_no_audio_names_it() -> None:
    assert "song 2 of 2" in report([STORED_SONG, {**STORED_SONG, "file": ""}]).error


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"stage": "failed", "progress": 0.0}, NO_REASON),
        ({"error": "no room"}, "no room"),
        ({"error": TRACEBACK}, "RuntimeError: CUDA out of memory"),
        ({"error": "x" * 9000}, "x" * 500),
    ],
)
def test_a_failed_task_says_why_in_one_sentence(item: dict[str, Any], reason: str) -> None:
    failed = report(json.dumps([item]), 2, progress_text="somebody else's log line")
    assert (failed.state, failed.stage, failed.error) == ("failed", "failed", reason)


def test_a_running_task_tells_progress_and_stage_and_never_the_log_of_the_server() -> None:
    running = report('[{"file": "", "status": 0, "progress": 0.52, "stage": "Generating"}]', 0, progress_text="secret")
    assert (running.state, running.final, running.known) == ("running", False, True)
    assert (running.progress, running.stage, running.queue_position) == (0.52, "Generating", None)


def test_an_empty_running_result_is_a_task_of_which_the_server_knows_nothing() -> None:
    unknown = report("[]", 0)
    assert (unknown.state, unknown.known) == ("running", False)


@pytest.mark.parametrize(("status", "state"), [("0", "running"), ("1", "succeeded"), (3, "failed"), ("odd", "failed")])
def test_statuses_are_numbers_or_their_texts(status: object, state: str) -> None:
    assert report([STORED_SONG], status).state == state


@pytest.mark.parametrize("progress", [None, "half", -1, float("nan")])
def test_a_progress_that_is_none_is_nothing(progress: object) -> None:
    assert report([{"progress": progress}], 0).progress == 0.0


@pytest.mark.parametrize("answer", [None, [], {"data": None}, {"data": []}, {"data": ["x"]}, {"data": {}}])
def test_an_answer_without_an_entry_is_an_error(answer: object) -> None:
    with pytest.raises(ValueError, match="no entry"):
        read_report("t", answer)
