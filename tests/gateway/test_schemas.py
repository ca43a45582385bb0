"""Do the two routes beside the platform's tell what may be asked? Endpoints of a key, and the input as JSON Schema."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from gateway_house import open_house

from acestep_serverless.assembly.studio import SKETCH, known_engine
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_fields import FIELDS
from acestep_serverless.engines.abilities import abilities_of
from acestep_serverless.engines.sketch.engine import SketchEngine
from acestep_serverless.errors import InputError
from acestep_serverless.settings import Settings

TWO_ENDPOINTS = {"api_keys": "one,other:two", "endpoints": {"other": {"acestep_api_url": "http://127.0.0.1:9"}}}

INPUTS = [
    {"caption": "rain"},
    {"caption": "rain", "duration": None, "seed": [1, 2], "batch_size": 2},
    {"caption": "rain", "bpm": 120, "key_scale": "Am", "time_signature": 4, "audio_format": "flac", "shift": 1.5},
    {"sample_query": "something slow"},
    {"task_type": "extract", "track_name": "drums", "src_audio": "https://example.org/song.mp3"},
    {"task_type": "complete", "caption": "x", "track_classes": ["drums"], "src_audio": "https://example.org/a.mp3"},
    {},
    {"caption": ""},
    {"caption": "rain", "duration": 0},
    {"caption": "rain", "duration": 2.5},
    {"caption": "rain", "bpm": 301},
    {"caption": "rain", "guidance_scale": -1},
    {"caption": "rain", "audio_format": "ogg"},
    {"caption": "rain", "task_type": "dance"},
    {"caption": "rain", "seed": -1},
    {"caption": "rain", "model": "../weights"},
    {"caption": "rain", "thinking": "yes"},
    {"caption": "rain", "tempo": 90},
]


def accepted(value: dict) -> bool:
    try:
        parse_music_input(value)
    except InputError:
        return False
    return True


async def schema_of(house, endpoint="ace-step", key="one") -> dict:
    answer = await house.http.get(f"/v2/{endpoint}/schema", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_describes_every_field_and_judges_as_the_handler_does(tmp_path: Path):
    async with open_house(tmp_path / "data", workers=0) as house:
        schema = await schema_of(house)
    assert list(schema["properties"]) == [spec.name for spec in FIELDS]
    validator = jsonschema_rs.validator_for(schema)
    judged = {json.dumps(value): validator.is_valid(value) for value in INPUTS}
    assert judged == {json.dumps(value): accepted(value) for value in INPUTS}
    assert schema["properties"]["duration"] == {
        "description": "Target duration in seconds",
        "type": ["integer", "null"],
        "default": 90,
        "minimum": 1,
        "maximum": 600,
        "x-allowed": "a whole number from 1 to 600",
    }


async def test_it_says_what_the_engine_makes_nothing_of_where_that_is_known(tmp_path: Path):
    async with open_house(tmp_path / "data", engine="sketch", **TWO_ENDPOINTS) as house:
        ours, theirs = await schema_of(house), await schema_of(house, "other", "two")
    assert ours["x-engine"] == {
        "name": "sketch",
        "task_types": ["text2music"],
        "task_types_by_model": {"": ["text2music"], "sketch": ["text2music"]},
        "uses": [],
    }
    assert ours["properties"]["task_type"]["enum"] == ["text2music", None]
    assert {name for name in ("caption", "bpm", "seed") if ours["properties"][name]["x-used"]} == {
        "caption",
        "bpm",
        "seed",
    }
    assert not any(ours["properties"][name]["x-used"] for name in ("src_audio", "thinking", "shift", "lora"))
    assert theirs["x-engine"] == {"name": None, "task_types": None, "task_types_by_model": None, "uses": None}
    assert "x-used" not in theirs["properties"]["shift"]


def test_what_is_said_of_the_built_in_engine_is_what_it_does():
    assert abilities_of(SketchEngine()) == SKETCH


@pytest.mark.parametrize(
    ("given", "name"),
    [({"engine": "auto"}, "sketch"), ({"engine": "acestep"}, None), ({"engine": "sketch", "workers": 0}, None)],
)
def test_an_engine_is_named_only_if_the_workers_here_will_have_it(tmp_path: Path, given: dict, name: str | None):
    assert known_engine(Settings.load(data_dir=tmp_path, **given)).name == name


async def test_a_key_sees_the_endpoints_that_it_opens_and_no_key_sees_none(tmp_path: Path):
    async with open_house(tmp_path / "data", **TWO_ENDPOINTS) as house:
        listed = {
            key: (await house.http.get("/v2", headers={"Authorization": f"Bearer {key}"})).json()
            for key in ("one", "two")
        }
        refused = [(await house.http.get(path)).status_code for path in ("/v2", "/v2/ace-step/schema")]
        other = await house.http.get("/v2/ace-step/schema", headers={"Authorization": "Bearer two"})
    seen = {key: [endpoint["id"] for endpoint in answer["endpoints"]] for key, answer in listed.items()}
    assert seen == {"one": ["ace-step"], "two": ["other"]}
    assert refused == [401, 401]
    assert other.status_code == 401


async def test_without_keys_every_endpoint_is_listed(tmp_path: Path):
    async with open_house(tmp_path / "data", endpoints={"other": {}}) as house:
        listed = (await house.http.get("/v2")).json()
    assert [endpoint["id"] for endpoint in listed["endpoints"]] == ["ace-step", "other"]
