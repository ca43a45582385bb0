"""Does a job's audio reach the engine, and the rest of the REST API as well? Handler, server, engine in one process."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from handler_studio import Studio
from sounds import wav

from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.worker.submission import in_input_fields, release_parameters

COVER = {"caption": "a calm tone", "task_type": "cover", "src_audio": base64.b64encode(wav(1.5)).decode()}
TUNED = {"bpm": 90, "key_scale": "F# minor", "time_signature": 3, "vocal_language": "de"}


@pytest.fixture
def able(studio: Studio) -> Studio:
    """A studio whose engine does covers and hears a reference."""
    studio.engine.task_types = frozenset({"text2music", "cover"})
    studio.engine.uses = frozenset({"reference_audio_path", "audio_cover_strength", "thinking"})
    return studio


def made(output: dict[str, Any]) -> dict[str, Any]:
    assert "error" not in output, output
    return output


async def test_source_and_reference_reach_the_engine_as_sound(able: Studio) -> None:
    given = COVER | {"reference_audio": base64.b64encode(wav(0.75)).decode(), "audio_cover_strength": 0.25}
    output = made(await able.ask(given))
    editing = able.engine.requests[0].editing
    assert (editing.task_type, editing.audio_cover_strength) == ("cover", 0.25)
    assert editing.source is not None
    assert editing.reference is not None
    lengths = [clip.samples.shape[1] / 48_000 for clip in (editing.source, editing.reference)]
    assert lengths == pytest.approx([1.5, 0.75], abs=0.01)
    assert output["results"][0]["seconds"] == pytest.approx(1.5, abs=0.05), "the source says how long"
    assert output["duration"] == 2, "whole seconds of what was made, not the 90 that were not asked for"


async def test_a_named_duration_goes_before_that_of_the_source(able: Studio) -> None:
    output = made(await able.ask(COVER | {"duration": 2}))
    assert output["results"][0]["seconds"] == pytest.approx(2.0, abs=0.05)


async def test_metas_and_seeds_for_each_song_reach_the_engine(studio: Studio) -> None:
    made(await studio.ask({"caption": "x", "duration": 1, "batch_size": 3, "seed": [9, 4, 9], **TUNED}))
    request = studio.engine.requests[0]
    assert (request.seeds, request.bpm, request.key_scale) == ((9, 4, 9), 90, "F# minor")
    assert (request.time_signature, request.vocal_language) == ("3", "de")


@pytest.mark.parametrize(("name", "head"), [("wav", b"RIFF"), ("flac", b"fLaC"), ("MP3", b"ID3")])
async def test_the_file_is_of_the_format_that_was_asked_for(studio: Studio, name: str, head: bytes) -> None:
    output = made(await studio.ask({"caption": "x", "duration": 1, "audio_format": name}))
    file = Path(output["results"][0]["file"])
    assert file.suffix == f".{name.lower()}"
    assert file.read_bytes().startswith(head)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"task_type": "repaint"}, "task_type"),
        ({"task_type": "text2music", "src_audio": None, "thinking": True}, "thinking"),
        ({"task_type": "text2music", "src_audio": None, "model": "acestep-v15-base"}, "model"),
        ({"task_type": "text2music", "src_audio": None, "lora": "voice"}, "lora"),
    ],
)
async def test_what_the_engine_cannot_do_is_an_error_that_names_the_field(
    studio: Studio, given: dict[str, Any], field: str
) -> None:
    studio.engine.task_types = frozenset({"text2music", "cover"})
    output = await studio.ask(COVER | given)
    assert str(output["error"]).startswith(f"{field}: ")
    assert studio.engine.requests == []


async def test_what_only_tunes_and_has_no_effect_is_said(studio: Studio) -> None:
    output = made(await studio.ask({"caption": "x", "duration": 1, "guidance_scale": 3.5}))
    assert any(warning.startswith("guidance_scale has no effect") for warning in output["warnings"])


async def test_no_upload_is_left_behind_when_its_job_is_over(able: Studio, tmp_path: Path) -> None:
    made(await able.ask(COVER))
    kept = [path.name for path in (tmp_path / "api_audio").rglob("*") if path.is_file()]
    assert not any(name.endswith(".audio") for name in kept), kept


async def test_a_refusal_of_the_server_names_the_fields_as_the_caller_did(studio: Studio) -> None:
    output = await studio.ask(COVER | {"task_type": "text2music", "src_audio": None, "repainting_end": -5})
    assert str(output["error"]).startswith("repainting_end: ")
    studio.engine.limits = replace(studio.engine.limits, longest=5)
    output = await studio.ask({"caption": "x", "duration": 6, "reference_audio": COVER["src_audio"]})
    assert [part.partition(":")[0] for part in str(output["error"]).split("; ")] == ["reference_audio", "duration"]


def test_only_names_at_the_start_of_a_refusal_are_replaced() -> None:
    said = 'prompt: must be short, got "x; lyrics"; audio_duration: must be less; see prompt: or src_audio_path'
    assert in_input_fields(said) == (
        'caption: must be short, got "x; lyrics"; duration: must be less; see prompt: or src_audio_path'
    )


def test_a_request_without_further_fields_is_sent_as_ever() -> None:
    given = parse_music_input({"caption": "c", "lyrics": "l", "duration": 30.0, "seed": 5, "batch_size": 2})
    assert release_parameters(given) == {
        "prompt": "c",
        "lyrics": "l",
        "audio_duration": 30,
        "batch_size": 2,
        "use_random_seed": False,
        "seed": "5,6",
        "audio_format": "mp3",
    }
