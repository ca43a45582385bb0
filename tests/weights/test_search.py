"""Where are weights looked for, and what is made of what lies there? The first place that has a name wins."""

import sys
from pathlib import Path

import pytest
from weight_folders import CONFIGS, SHARED, cached, lay, lay_one, lay_pipeline

from acestep_serverless.engines import choose_engine
from acestep_serverless.engines.acestep.layouts import recognise
from acestep_serverless.engines.acestep.search import find
from acestep_serverless.engines.options import EngineOptions
from acestep_serverless.errors import EngineUnavailable

TURBO = "acestep-v15-turbo"


def test_the_places_are_searched_in_their_order_and_the_first_of_a_name_wins(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    spots = {
        "models_dir": tmp_path / "mine",
        "Hugging Face cache": cached(tmp_path / "hub", "ACE-Step/Ace-Step1.5"),
        "Runpod's cached models": cached(volume / "huggingface-cache" / "hub", "ACE-Step/Ace-Step1.5"),
        "Runpod's network volume": volume / "checkpoints",
    }
    options = EngineOptions(models_dir=spots["models_dir"], hub=tmp_path / "hub", volumes=(volume,))
    for words, folder in reversed(spots.items()):
        lay(folder, TURBO, *SHARED)
        model = find(options).model("")
        assert (model.place, model.parts["model"].parent) == (words, folder)
    assert [place.words for place in find(options).looked][:3] == list(spots)[:3]


def test_a_model_of_its_own_repository_takes_the_shared_parts_from_the_main_one(tmp_path: Path) -> None:
    lay(cached(tmp_path, "ACE-Step/Ace-Step1.5"), TURBO, "acestep-5Hz-lm-1.7B", *SHARED)
    lay_one(cached(tmp_path, "ACE-Step/acestep-v15-base"), CONFIGS["acestep-v15-base"])
    lay_one(cached(tmp_path, "ACE-Step/acestep-5Hz-lm-4B"), CONFIGS["acestep-5Hz-lm-4B"])
    found = find(EngineOptions(hub=tmp_path))
    assert {model.name for model in found.models} == {TURBO, "acestep-v15-base"}
    assert {planner.name for planner in found.planners} == {"acestep-5Hz-lm-1.7B", "acestep-5Hz-lm-4B"}
    base = found.model("acestep-v15-base")
    assert base.shape.guided
    assert base.parts["vae"].parts[-4:] == ("models--ACE-Step--Ace-Step1.5", "snapshots", "abc123", "vae")


def test_shared_parts_beside_a_model_go_before_those_of_an_earlier_place(tmp_path: Path) -> None:
    lay(tmp_path / "mine", *SHARED)
    beside = lay(cached(tmp_path / "hub", "ACE-Step/Ace-Step1.5"), TURBO, *SHARED)
    model = find(EngineOptions(models_dir=tmp_path / "mine", hub=tmp_path / "hub")).model(TURBO)
    assert model.parts["vae"] == beside / "vae"


def test_the_snapshot_that_main_names_is_taken(tmp_path: Path) -> None:
    lay(cached(tmp_path, "ACE-Step/Ace-Step1.5", "named", ref="named"), TURBO, *SHARED)
    lay(cached(tmp_path, "ACE-Step/Ace-Step1.5", "newer", ref="named"), TURBO, *SHARED)
    assert find(EngineOptions(hub=tmp_path)).model("").parts["model"].parent.name == "named"


def test_a_pinned_snapshot_without_a_branch_is_taken(tmp_path: Path) -> None:
    lay(cached(tmp_path, "ACE-Step/Ace-Step1.5", "pinned", ref="gone"), TURBO, *SHARED)
    assert find(EngineOptions(hub=tmp_path)).model("").name == TURBO


def test_a_branch_file_cannot_lead_out_of_the_cache(tmp_path: Path) -> None:
    lay(tmp_path / "elsewhere", TURBO, *SHARED)
    cached(tmp_path / "hub", "ACE-Step/Ace-Step1.5", "empty", ref="../../../elsewhere")
    assert find(EngineOptions(hub=tmp_path / "hub")).models == ()


def test_the_folder_itself_may_be_the_model_in_diffusers_layout(tmp_path: Path) -> None:
    parts = ("transformer", "condition_encoder", "vae", "text_encoder", "tokenizer")
    folder = lay_pipeline(tmp_path / "acestep-v15-xl-turbo-diffusers", parts)
    model = find(EngineOptions(models_dir=folder)).model("")
    assert (model.name, model.layout) == ("acestep-v15-xl-turbo", "diffusers")
    assert set(model.parts) == set(parts)


def test_an_incomplete_pipeline_is_said_with_what_it_lacks(tmp_path: Path) -> None:
    lay_pipeline(tmp_path / TURBO, ("transformer", "condition_encoder", "tokenizer", "text_encoder"))
    with pytest.raises(EngineUnavailable, match="incomplete, it lacks vae"):
        find(EngineOptions(models_dir=tmp_path)).model("")


def test_a_model_without_its_shared_parts_is_said_with_the_command(tmp_path: Path) -> None:
    lay(tmp_path, TURBO, "vae")
    with pytest.raises(EngineUnavailable, match=r"Qwen3-Embedding-0\.6B is nowhere: run acestep-serverless models"):
        find(EngineOptions(models_dir=tmp_path)).model("")


def test_the_usual_model_goes_before_others_and_a_wish_before_it(tmp_path: Path) -> None:
    lay(tmp_path, "acestep-v15-base", TURBO, *SHARED)
    found = find(EngineOptions(models_dir=tmp_path))
    assert found.model("").name == TURBO
    assert found.model("acestep-v15-base").name == "acestep-v15-base"
    with pytest.raises(EngineUnavailable) as raised:
        found.model("acestep-v15-sft")
    assert "no weights of acestep-v15-sft; found: acestep-v15-base, acestep-v15-turbo" in str(raised.value)
    assert str(raised.value).endswith("run: acestep-serverless models download acestep-v15-sft")


def test_a_place_that_is_not_there_is_named_when_it_was_set(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as raised:
        find(EngineOptions(models_dir=tmp_path / "nowhere")).model("")
    assert f"looked in {tmp_path / 'nowhere'} (models_dir)" in str(raised.value)


@pytest.mark.parametrize("config", ["{", "[]", "null"])
def test_a_config_that_is_no_object_is_a_flaw_and_hides_nothing(config: str, tmp_path: Path) -> None:
    lay(tmp_path, TURBO, *SHARED)
    lay_one(tmp_path / "other", {})
    (tmp_path / "other" / "config.json").write_text(config)
    found = find(EngineOptions(models_dir=tmp_path))
    assert found.model("").name == TURBO
    assert len(found.flawed) == 1
    assert str(tmp_path / "other") in found.flawed[0]


def test_a_config_that_lacks_fields_is_a_flaw_that_names_them(tmp_path: Path) -> None:
    lay(tmp_path, *SHARED)
    fields = {name: value for name, value in CONFIGS[TURBO].items() if name not in ("in_channels", "head_dim")}
    lay_one(tmp_path / TURBO, fields)
    with pytest.raises(EngineUnavailable, match="it lacks head_dim, in_channels"):
        find(EngineOptions(models_dir=tmp_path)).model("")


def test_a_folder_without_safetensors_is_not_recognised(tmp_path: Path) -> None:
    folder = lay_one(tmp_path / TURBO, CONFIGS[TURBO])
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert recognise(folder, TURBO) is None


def test_other_repositories_of_a_cache_are_left_alone(tmp_path: Path) -> None:
    lay(cached(tmp_path, "Somebody/something"), TURBO, *SHARED)
    found = find(EngineOptions(hub=tmp_path))
    assert (found.models, found.planners, found.flawed) == ((), (), ())


def test_a_huge_folder_is_looked_at_in_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, TURBO, *SHARED)
    monkeypatch.setattr("acestep_serverless.engines.acestep.search.MOST_FOLDERS", 2)
    assert len([*find(EngineOptions(models_dir=tmp_path)).models]) == 0
    monkeypatch.setattr("acestep_serverless.engines.acestep.search.MOST_FOLDERS", 3)
    assert len([*find(EngineOptions(models_dir=tmp_path)).models]) == 1


def test_auto_says_why_it_takes_the_sketch(tmp_path: Path) -> None:
    nowhere = choose_engine("auto", EngineOptions(models_dir=tmp_path))
    assert nowhere.name == "sketch"
    assert "no weights of acestep-v15-turbo" in nowhere.why


def test_packages_are_asked_for_before_gigabytes_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acestep_serverless.engines.EXTRA", ("json", "no_such_package_here"))
    with pytest.raises(EngineUnavailable, match=r"^no_such_package_here is not .* pip .*; after that: no weights of"):
        choose_engine("acestep", EngineOptions(models_dir=tmp_path))


def test_auto_takes_the_model_when_its_weights_and_its_packages_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, TURBO, *SHARED)
    options = EngineOptions(models_dir=tmp_path)
    monkeypatch.setattr("acestep_serverless.engines.EXTRA", ("json",))
    chosen = choose_engine("auto", options)
    assert (chosen.name, chosen.why) == ("acestep", f"auto takes it: {TURBO} was found (models_dir)")
    assert choose_engine("sketch", options).name == "sketch"
    monkeypatch.setattr("acestep_serverless.engines.EXTRA", ("json", "no_such_package_here"))
    chosen = choose_engine("auto", options)
    assert chosen.name == "sketch"
    assert f"no_such_package_here is not installed; run: {sys.executable} -m pip install" in chosen.why
    with pytest.raises(EngineUnavailable, match="is not installed"):
        choose_engine("acestep", options)
