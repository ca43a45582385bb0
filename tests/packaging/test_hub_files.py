"""Would the Hub take our files? Each is valid, names what exists, and says which engine its users will hear."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hub_schemas import HUB, TESTS
from packaging_parts import ROOT, refused_variables, settings_from

from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.engines.acestep.published import CATALOGUE
from acestep_serverless.worker.bucket import bucket_of


def loaded(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / name).read_text("utf-8"))
    return content


def variables(rows: list[dict[str, Any]]) -> dict[str, str]:
    """What a worker gets when its user changes nothing."""
    return {row["key"]: str(row.get("value", row.get("input", {}).get("default", ""))) for row in rows}


def test_both_files_are_what_the_publishing_guide_describes() -> None:
    jsonschema_rs.validator_for(HUB).validate(loaded(".runpod/hub.json"))
    jsonschema_rs.validator_for(TESTS).validate(loaded(".runpod/tests.json"))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["category"], "music"),
        (["tagline"], "a field that nobody reads"),
        (["config", "cpuFlavor"], "cpu5c"),
        (["config", "runsOn"], "CPU"),
        (["config", "env", 0, "input", "type"], "text"),
        (["config", "env", 0, "value"], "both a value and an input"),
    ],
)
def test_the_schema_refuses_what_the_guide_does_not_know(place: list[Any], value: object) -> None:
    content = loaded(".runpod/hub.json")
    target: Any = content
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    assert not jsonschema_rs.validator_for(HUB).is_valid(content)


@pytest.mark.parametrize("name", [".runpod/hub.json", ".runpod/tests.json"])
def test_every_variable_is_read_and_its_default_is_allowed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = variables(loaded(name)["config"]["env"])
    assert refused_variables(set(given)) == set()
    settings_from(given, monkeypatch, tmp_path)
    assert bucket_of(given, now_ms=0) is None


def test_every_choice_of_a_variable_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in loaded(".runpod/hub.json")["config"]["env"]:
        options = row.get("input", {}).get("options", [])
        for option in options:
            settings_from({row["key"]: option["value"]}, monkeypatch, tmp_path)
        assert not options or row["input"]["default"] in [option["value"] for option in options]


def test_every_input_is_one_that_the_handler_takes() -> None:
    inputs = [test["input"] for test in loaded(".runpod/tests.json")["tests"]]
    for given in (*inputs, loaded("test_input.json")["input"]):
        assert parse_music_input(given).caption


def test_the_hub_finds_what_it_needs_beside_its_files() -> None:
    assert all((ROOT / name).is_file() for name in ("handler.py", "Dockerfile", "README.md"))


def test_presets_name_published_models_and_set_what_the_listing_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = loaded(".runpod/hub.json")["config"]
    asked = {row["key"] for row in config["env"] if "input" in row}
    models = []
    for preset in config["presets"]:
        assert preset["defaults"].keys() <= asked
        settings = settings_from(preset["defaults"], monkeypatch, tmp_path)
        monkeypatch.delenv("ACESTEP_SERVERLESS_MODEL", raising=False)
        if settings.engine == "acestep":
            models.append(settings.model)
    assert set(models) <= {one.name for one in CATALOGUE.values() if one.kind == "model"}
    assert {"acestep-v15-turbo", "acestep-v15-base"} <= set(models)


def test_the_listing_says_where_the_model_comes_from_and_what_plays_without_it() -> None:
    hub = loaded(".runpod/hub.json")
    given = variables(hub["config"]["env"])
    assert (hub["config"]["runsOn"], given["ACESTEP_SERVERLESS_ENGINE"]) == ("GPU", "auto")
    assert "Weights come from a cached model or a network volume" in hub["description"]
    assert "without them the built-in engine 'sketch'" in hub["description"]
    label = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if "image.description" in line)
    assert "when its weights are found, else of the built-in engine sketch" in label
    tests = loaded(".runpod/tests.json")["config"]
    assert (variables(tests["env"])["ACESTEP_SERVERLESS_ENGINE"], "gpuTypeId" in tests) == ("sketch", False)
