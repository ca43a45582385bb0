"""Is the Dockerfile sound? A linter reads it, what it copies exists, and the image would run as nobody special."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging_parts import ROOT, instructions, refused_variables, settings_from

from acestep_serverless.assembly.engine import RUNPOD_VOLUME, hub_folder
from acestep_serverless.engines import EXTRA
from acestep_serverless.engines.acestep.search import RUNPOD_CACHE

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
ALL = instructions(DOCKERFILE)
LAST_STAGE = ALL[max(number for number, (word, _) in enumerate(ALL) if word == "FROM") :]


def environment() -> dict[str, str]:
    """The ENV of the image, where nothing is baked."""
    pairs = [pair for word, rest in LAST_STAGE if word == "ENV" for pair in rest.split()]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def test_the_linter_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM ubuntu:24.04\nRUN apt-get install python3\nCMD python3\n")
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, tmp_path / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "DL3015" in done.stdout


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    sources = {
        source.removeprefix("./")
        for word, rest in ALL
        if word in {"COPY", "ADD"} and "--from=" not in rest
        for source in rest.split()[:-1]
    }
    assert sources == let_through
    assert [name for name in sources if not (ROOT / name).exists()] == []


def test_stages_copy_only_from_stages_that_are_there() -> None:
    stages = {rest.split(" AS ")[1] for word, rest in ALL if word == "FROM" and " AS " in rest}
    assert stages == {"python", "builder", "weights"}
    assert {rest.split()[0].removeprefix("--from=") for word, rest in ALL if "--from=" in rest} <= stages


def test_every_variable_is_read_and_its_value_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment()
    assert refused_variables(set(given)) == set()
    own = {name: value for name, value in given.items() if name.startswith("ACESTEP_")}
    settings = settings_from(own, monkeypatch, tmp_path)
    assert (settings.engine, settings.data_dir) == ("auto", Path("/data"))


def test_weights_are_looked_for_on_the_volume_unless_they_are_baked() -> None:
    assert environment()["HF_HOME"] == "${BAKED_HOME:-/runpod-volume/huggingface-cache}"
    assert ("ARG", "BAKED_HOME=${WEIGHTS:+/opt/weights}") in LAST_STAGE
    assert ("COPY", "--from=weights /weights /opt/weights") in LAST_STAGE
    hub = hub_folder({"HF_HOME": "/runpod-volume/huggingface-cache"})
    assert hub == RUNPOD_VOLUME / RUNPOD_CACHE  # what the platform fills, and what the engine searches


def test_the_image_brings_the_model_s_libraries_unless_it_is_told_not_to() -> None:
    assert ("ARG", 'EXTRAS="acestep"') in ALL
    assert ("ARG", "BASE_IMAGE=nvidia/cuda:12.8.1-base-ubuntu24.04") in ALL


def test_the_image_starts_the_handler_as_a_user_without_rights() -> None:
    words = dict(LAST_STAGE)
    assert int(words["USER"]) > 0
    assert f"--uid {words['USER']} " in next(rest for word, rest in LAST_STAGE if word == "RUN")
    *python, script = json.loads(words["CMD"])
    assert python == ["python", "-u"]
    assert words["WORKDIR"] == str(Path(script).parent)
    assert Path(script).name in next(rest for word, rest in LAST_STAGE if word == "COPY" and rest.startswith("handler"))
    order = [word for word, _ in LAST_STAGE]
    assert order.index("USER") < order.index("CMD")


def test_the_requirements_of_the_image_are_those_of_the_project(tmp_path: Path) -> None:
    """The one line of Python in the Dockerfile, run as it stands there."""
    rest = next(rest for word, rest in ALL if word == "RUN" and "tomllib" in rest)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    code = rest.split('python3 -c "')[1].split('" "${EXTRAS}"')[0]
    for extras, brought, left in (("acestep", EXTRA, ()), ("postgresql,acestep", EXTRA, ()), ("", (), EXTRA)):
        subprocess.run([sys.executable, "-c", code, extras], cwd=tmp_path, check=True, timeout=60)
        written = (tmp_path / "requirements.txt").read_text().splitlines()
        names = {re.split(r"[\[<>=]", line)[0] for line in written}
        assert {"runpod", "av", *brought} <= names
        assert not {"pytest", "ruff", *left} & names
        assert ("psycopg" in names) == ("postgresql" in extras)
