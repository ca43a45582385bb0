"""Does the handler answer an analysis with all that was found, in one shape, whichever of the three it was?"""

import pytest

from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_analysis import analysis_output

AUDIO = "AAAA" * 20
METAS = {"bpm": 96, "duration": 30.0, "keyscale": "A minor", "timesignature": "4", "genres": "folk"}
WORDS = {"prompt": "a folk song", "lyrics": "la"}
FOUND = {
    "analysis_only": {"file": "", "status": 1, **WORDS, "metas": {**METAS, "prompt": "x"}, "lm_model": "planner"},
    "full_analysis_only": {**METAS, "genre": "folk", "genres": None, **WORDS, "language": "en", "metas": {"bpm": 5}},
    "extract_codes_only": {"audio_codes": "<|audio_code_1|>", "audio_paths": [], "metas": {}, "bpm": "N/A"},
}
RESULTS = {
    "analysis_only": {**WORDS, "metas": METAS, "lm_model": "planner"},
    "full_analysis_only": {**WORDS, "metas": METAS, "vocal_language": "en"},
    "extract_codes_only": {"metas": {}, "audio_codes": "<|audio_code_1|>"},
}


@pytest.mark.parametrize("wish", FOUND)
def test_what_was_found_is_one_result(wish: str) -> None:
    source = {} if wish == "analysis_only" else {"src_audio": AUDIO}
    request = parse_music_input({"caption": "x", wish: True, **source})
    output = analysis_output("t", request, FOUND[wish])
    assert output["results"] == [{"analysis": wish, **RESULTS[wish]}]
    assert (output["task_id"], output["status"], "warnings" in output) == ("t", "completed", False)


def test_warnings_are_said_once_and_what_json_cannot_carry_is_left_out() -> None:
    request = parse_music_input({"caption": "x", "analysis_only": True})
    finding = {"warnings": ["a", "a", "b"], "metas": {"bpm": float("nan")}, "prompt": "\ud800"}
    output = analysis_output("t", request, finding)
    assert output["warnings"] == ["a", "b"]
    assert output["results"] == [{"analysis": "analysis_only", "prompt": "\\ud800", "metas": {"bpm": None}}]
