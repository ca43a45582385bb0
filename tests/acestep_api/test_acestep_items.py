"""What does a caller read about a task? Shapes of upstream's, for analyses too, and what is known of a wait."""

import json
from dataclasses import replace
from typing import Any

import pytest
from acestep_parts import SineEngine
from batch_engine import order

from acestep_serverless.acestep_api.items import task_entry
from acestep_serverless.acestep_api.plain import plain, rebuilt
from acestep_serverless.acestep_api.task import State, StoredSong, Task
from acestep_serverless.engines.base import Analysis, SongMetas

HEARD = Analysis(
    caption="LM caption",
    lyrics="[Verse]\nheard",
    bpm=96,
    duration=120,
    key_scale="A minor",
    time_signature="4",
    vocal_language="en",
    genres="pop",
    audio_codes="<|audio_code_1|><|audio_code_2|>",
    warnings=("not sure",),
)
OURS = {"engine": "sine", "lm_model": "", "warnings": ["not sure"]}


def only_item(task: Task, **known: Any) -> dict[str, Any]:
    entry = task_entry(task, known.pop("position", 0), SineEngine(), **known)
    [item] = json.loads(str(entry["result"]))
    return dict(item)


def analysed(kind: str, found: Analysis = HEARD) -> dict[str, Any]:
    task = Task("t", order("mine", 7, request={"analysis": kind}), 5_000, engine="sine", state=State.SUCCEEDED)
    return only_item(replace(task, stage="succeeded", progress=1.0, analysis=found))


def test_what_was_heard_in_a_source_has_the_recorded_shape() -> None:
    assert analysed("full_analysis_only") == {
        "status_message": "Full Hardware Analysis Success",
        "bpm": 96,
        "keyscale": "A minor",
        "timesignature": "4",
        "duration": 120,
        "genre": "pop",
        "prompt": "LM caption",
        "lyrics": "[Verse]\nheard",
        "language": "en",
        "metas": {
            "bpm": 96,
            "caption": "LM caption",
            "duration": 120,
            "keyscale": "A minor",
            "language": "en",
            "timesignature": "4",
            "lyrics": "[Verse]\nheard",
            "genres": "pop",
        },
        "audio_paths": [],
        **OURS,
    }


def test_codes_come_without_a_song() -> None:
    assert analysed("extract_codes_only") == {
        "status_message": "Audio Codes Extraction Success",
        "audio_codes": "<|audio_code_1|><|audio_code_2|>",
        "audio_paths": [],
        "raw_audio_paths": [],
        "first_audio_path": None,
        "metas": {},
        **OURS,
    }


def test_a_plan_for_words_is_a_songs_item_without_a_file() -> None:
    item = analysed("analysis_only", Analysis(caption="planned", bpm=90))
    assert (item["status"], item["stage"], item["file"], item["error"]) == (1, "succeeded", "", None)
    assert (item["prompt"], item["lyrics"], item["seed_value"]) == ("planned", "", "7")
    assert (item["generation_info"], item["dit_model"]) == ("Analysis Only Mode Complete", "None (Analysis Only)")
    assert item["metas"] == {
        "bpm": 90,
        "duration": "N/A",
        "keyscale": "N/A",
        "timesignature": "N/A",
        "genres": "N/A",
        "prompt": "mine",
        "lyrics": "",
    }


@pytest.mark.parametrize(
    ("metas", "shown"),
    [
        (SongMetas(None, 2.5, "", ""), ("N/A", 2.5, "N/A", "N/A")),
        (SongMetas(96, 2.5, "A minor", "3"), (96, 2.5, "A minor", "3")),
    ],
)
def test_what_nobody_said_of_a_song_is_not_available(metas: SongMetas, shown: tuple[object, ...]) -> None:
    song = StoredSong("song-a.mp3", 1, "", "audio/mpeg", 2.5, 48_000, 7, "", "", metas, ())
    task = Task("t", order("mine", 7), 5_000, engine="sine", state=State.SUCCEEDED, songs=(song,))
    kept = rebuilt(StoredSong, json.loads(json.dumps(plain(song))))
    assert kept == song
    found = only_item(task)["metas"]
    assert tuple(found[name] for name in ("bpm", "duration", "keyscale", "timesignature")) == shown


@pytest.mark.parametrize(
    ("state", "eta", "shown"),
    [(State.QUEUED, 12.345, 12.3), (State.RUNNING, None, None), (State.FAILED, None, "absent")],
)
def test_only_a_task_without_its_end_has_a_place_and_a_guess(state: State, eta: float | None, shown: object) -> None:
    item = only_item(Task("t", order(), 0, state=state), position=3, eta_seconds=eta)
    assert item.get("eta_seconds", "absent") == shown
    assert item.get("queue_position", "absent") == ("absent" if shown == "absent" else 3)
