"""Do the answers have the shapes that upstream's clients read?"""

import json

from acestep_serverless.contract.acestep import TaskStatus, audio_url, blank_item, envelope, query_entry, refusal


def test_an_answer_travels_in_the_envelope() -> None:
    answer = {"data": [1], "code": 200, "error": None, "timestamp": 1795411771988, "extra": None}
    assert envelope([1], 1795411771988) == answer


def test_an_error_can_be_read_under_both_names() -> None:
    assert refusal("why") == {"detail": "why", "error": "why"}


def test_the_address_of_a_song_carries_its_name_encoded_under_path() -> None:
    assert audio_url("song-a b.mp3") == "/v1/audio?path=song-a%20b.mp3"


def test_the_result_of_a_task_is_a_text_with_an_array() -> None:
    item = blank_item(status=TaskStatus.ACTIVE, created_ms=1795411771988, progress=0.5, stage="composing", engine="e")
    entry = query_entry("t", TaskStatus.ACTIVE, [item], "composing")
    assert (entry["task_id"], entry["status"], entry["progress_text"]) == ("t", 0, "composing")
    assert isinstance(entry["result"], str)
    [read] = json.loads(entry["result"])
    recorded = {
        "file",
        "wave",
        "status",
        "create_time",
        "env",
        "prompt",
        "lyrics",
        "metas",
        "progress",
        "stage",
        "error",
    }
    assert recorded <= read.keys()
    assert (read["create_time"], read["file"], read["metas"]) == (1795411771, "", {})
