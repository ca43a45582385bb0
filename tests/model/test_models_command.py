"""Do weights come here whole? Downloads from a hub on loopback, into a folder or the cache, and what `verify` says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub, serving
from tiny import tiny, tiny_planner
from typer.testing import CliRunner

from acestep_serverless.assembly.weights import models_list, models_verify
from acestep_serverless.cli.models import MODELS
from acestep_serverless.engines.acestep.downloading import download, is_used
from acestep_serverless.engines.acestep.published import MAIN_REPOSITORY
from acestep_serverless.errors import EngineUnavailable, NotFound, PeerUnreachable
from acestep_serverless.settings import Settings

TURBO = "acestep-v15-turbo"


def quiet(done: int, total: int, name: str) -> None:
    pass


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("published")
    main = tiny().save_checkpoints(folder / "main")
    (main / TURBO / "modeling.py").write_text("raise SystemExit('code of a repository was run')")
    (main / "README.md").write_text("words")
    own = tiny_planner().save(folder)
    return {MAIN_REPOSITORY: main, f"ACE-Step/{own.name}": own}


@pytest.fixture
def hub(repositories: dict[str, Path]) -> Iterator[Hub]:
    with serving(Hub(repositories)) as served:
        yield served


def test_a_model_is_fetched_with_what_it_needs_and_verified(hub: Hub, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    models, cache = tmp_path / "models", tmp_path / "hub"
    names = [TURBO, "acestep-5Hz-lm-0.6B"]
    download(names, models, cache, lambda done, total, name: heard.append((done, total)), endpoint=hub.url)
    assert sorted(path.name for path in models.iterdir() if path.name != ".cache") == [
        "Qwen3-Embedding-0.6B",
        "acestep-5Hz-lm-0.6B",
        TURBO,
        "vae",
    ]
    assert not list(models.rglob("*.py"))
    assert not (models / "README.md").exists()
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert (
        heard[-1][0]
        == heard[-1][1]
        == sum(path.stat().st_size for path in models.rglob("*") if path.is_file() and ".cache" not in path.parts)
    )
    settings = Settings.load(models_dir=models)
    rows = models_verify(settings, (), lambda text: None, {"HF_HUB_CACHE": str(cache)})
    assert [(row["name"], row["problems"], row["unrecorded"]) for row in rows] == [(name, [], []) for name in names]
    assert [row["hashed"] for row in rows] == [4, 1]
    here = {row["name"]: row["here"] for row in models_list(settings, {"HF_HUB_CACHE": str(cache)})}
    assert (here[TURBO], here["acestep-v15-base"]) == ("models_dir", None)


def test_the_cache_is_used_when_no_folder_is_set_and_nothing_is_fetched_twice(hub: Hub, tmp_path: Path) -> None:
    download([TURBO], None, tmp_path, quiet, endpoint=hub.url)
    fetched = len(hub.asked)
    download([TURBO], None, tmp_path, quiet, endpoint=hub.url)
    assert len(hub.asked) == fetched
    [row] = models_verify(Settings.load(), (), lambda text: None, {"HF_HUB_CACHE": str(tmp_path)})
    assert (row["name"], row["problems"], row["unrecorded"], row["hashed"]) == (TURBO, [], [], 4)


def test_a_changed_byte_is_found(hub: Hub, tmp_path: Path) -> None:
    download([TURBO], tmp_path, tmp_path / "hub", quiet, endpoint=hub.url)
    weights = tmp_path / TURBO / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    [row] = models_verify(Settings.load(models_dir=tmp_path), (TURBO,), lambda text: None, {})
    assert row["problems"] == [f"{weights} is not what was published: remove it and download it again"]


def test_files_without_a_record_are_checked_by_shape_and_said(repositories: dict[str, Path]) -> None:
    settings = Settings.load(models_dir=repositories[MAIN_REPOSITORY])
    [row] = models_verify(settings, (), lambda text: None, {})
    assert (row["problems"], row["hashed"], len(row["unrecorded"])) == ([], 0, 4)


def test_a_connection_that_breaks_off_is_no_end(hub: Hub, tmp_path: Path) -> None:
    name = f"{TURBO}/model.safetensors"
    hub.cut.add(name)
    download([TURBO], tmp_path, tmp_path / "hub", quiet, endpoint=hub.url)
    assert [file for file, _ in hub.asked].count(name) == 2
    [row] = models_verify(Settings.load(models_dir=tmp_path), (TURBO,), lambda text: None, {})
    assert row["problems"] == []


def test_a_hub_that_is_away_is_said_with_what_to_do(tmp_path: Path) -> None:
    with serving(Hub({})) as gone:
        pass
    with pytest.raises(PeerUnreachable, match="run the command again: what is here already is kept"):
        download([TURBO], tmp_path, tmp_path / "hub", quiet, endpoint=gone.url)


def test_a_file_that_is_not_what_was_published_is_removed_and_said(hub: Hub, tmp_path: Path) -> None:
    name = f"{TURBO}/model.safetensors"
    size = (hub.repositories[MAIN_REPOSITORY] / name).stat().st_size
    hub.lies[name] = bytes(size)
    with pytest.raises(EngineUnavailable, match="came out damaged and was removed"):
        download([TURBO], tmp_path, tmp_path / "hub", quiet, endpoint=hub.url)
    assert not (tmp_path / name).exists()
    hub.lies.clear()
    download([TURBO], tmp_path, tmp_path / "hub", quiet, endpoint=hub.url)
    assert (tmp_path / name).stat().st_size == size


def test_what_is_not_there_is_said(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="models: banjo is not one of acestep-v15-turbo"):
        download(["banjo"], tmp_path, tmp_path, quiet, endpoint=hub.url)
    with pytest.raises(NotFound, match="ACE-Step/acestep-v15-base is not there for you"):
        download(["acestep-v15-base"], tmp_path, tmp_path, quiet, endpoint=hub.url)
    (hub.repositories[MAIN_REPOSITORY] / "vae").rename(hub.repositories[MAIN_REPOSITORY] / "codec")
    try:
        with pytest.raises(NotFound, match="has no weights of vae any more"):
            download(["vae"], tmp_path, tmp_path, quiet, endpoint=hub.url)
    finally:
        (hub.repositories[MAIN_REPOSITORY] / "codec").rename(hub.repositories[MAIN_REPOSITORY] / "vae")


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acestep_serverless.engines.acestep.downloading.SPARE", 10**18)
    with pytest.raises(EngineUnavailable, match="set models_dir to another disk"):
        download([TURBO], tmp_path, tmp_path, quiet, endpoint=hub.url)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("vae/config.json", True),
        ("vae/model.safetensors", True),
        ("vae/silence_latent.pt", True),
        ("vae/model.bin", False),
        ("vae/code.py", False),
        ("vae/../../outside.json", False),
        ("/vae/config.json", False),
        ("vae/.hidden.json", False),
        ("other/config.json", False),
        ("config.json", False),
    ],
)
def test_only_files_of_use_are_fetched(name: str, used: bool) -> None:
    assert is_used(name, "vae") == used


def test_the_command_fetches_as_the_environment_says(hub: Hub, tmp_path: Path) -> None:
    environ = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "acestep_serverless", "models", "download", "acestep-5Hz-lm-0.6B"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    repository = tmp_path / "hub" / "models--ACE-Step--acestep-5Hz-lm-0.6B"
    assert f"{repository}/snapshots/{COMMIT}/model.safetensors\n" in done.stdout


def test_the_commands_say_what_is_here_and_whether_it_is_whole(repositories: dict[str, Path]) -> None:
    folder = repositories["ACE-Step/acestep-5Hz-lm-0.6B"].parent
    here = ["--models-dir", str(folder)]
    listed = json.loads(CliRunner().invoke(MODELS, ["list", *here, "--json"]).stdout)
    assert [row["name"] for row in listed if row["here"]] == ["acestep-5Hz-lm-0.6B"]
    verified = CliRunner().invoke(MODELS, ["verify", "acestep-5Hz-lm-0.6B", *here])
    said = "acestep-5Hz-lm-0.6B: names and shapes fit, 0 of 1 files hashed, 1 without a recorded hash\n"
    assert (verified.exit_code, verified.stdout) == (0, f"ok      {said}")


def test_the_command_fails_when_a_file_is_cut(repositories: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(repositories["ACE-Step/acestep-5Hz-lm-0.6B"], tmp_path / "acestep-5Hz-lm-0.6B")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    verified = CliRunner().invoke(MODELS, ["verify", "--models-dir", str(tmp_path)])
    assert verified.exit_code == 1
    assert verified.stdout.startswith(f"WRONG   acestep-5Hz-lm-0.6B: {weights}: not a whole safetensors file")
