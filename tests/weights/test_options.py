"""Which wishes and folders reach an engine? The settings' wishes, and what the environment says of its folders."""

from pathlib import Path

import pytest

from acestep_serverless.assembly.engine import build_engine, engine_options, hub_folder
from acestep_serverless.assembly.report import examine
from acestep_serverless.errors import EngineUnavailable
from acestep_serverless.settings import Settings


def test_every_wish_of_the_settings_reaches_the_engine(tmp_path: Path) -> None:
    wishes = {
        "models_dir": tmp_path,
        "model": "acestep-v15-base",
        "planner": "none",
        "device": "cuda:1",
        "precision": "float32",
        "offload": "parts",
        "compile": "off",
    }
    options = engine_options(Settings.load(**wishes), {})
    assert {name: getattr(options, name) for name in wishes} == wishes


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HUGGINGFACE_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/b", "HF_HOME": "/c"}, "/b"),
        ({"HF_HOME": "/c", "XDG_CACHE_HOME": "/d"}, "/c/hub"),
        ({"HF_HUB_CACHE": "", "XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({}, "~/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_its_library_has_it(environ: dict[str, str], folder: str) -> None:
    assert hub_folder(environ) == Path(folder).expanduser()


def test_a_pod_s_volume_is_looked_at_in_a_pod_only() -> None:
    assert [str(volume) for volume in engine_options(Settings.load(), {}).volumes] == ["/runpod-volume"]
    in_a_pod = engine_options(Settings.load(), {"RUNPOD_POD_ID": "x"})
    assert [str(volume) for volume in in_a_pod.volumes] == ["/runpod-volume", "/workspace"]


def test_the_folder_that_was_set_is_named_when_nothing_is_there(tmp_path: Path) -> None:
    settings = Settings.load(engine="acestep", models_dir=tmp_path)
    with pytest.raises(EngineUnavailable, match="models_dir"):
        build_engine(settings, {})
    findings = {finding.name: finding for finding in examine(settings)}
    assert (findings["engine acestep"].well, findings["engine acestep"].needed) == (False, True)
    assert findings["engine in use"].text.startswith("none: see above")
    assert "weights" not in findings
