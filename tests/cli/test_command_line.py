"""What does the command line say, and how does it fail? Every command as a user starts it, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from acestep_serverless import __version__
from acestep_serverless.settings import PREFIX, Settings

Program = subprocess.CompletedProcess[str]


def program(folder: Path, *words: str, **environ: str) -> Program:
    """Run `acestep-serverless WORDS` in a folder, without settings from outside."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "RUNPOD"))}
    command = [sys.executable, "-m", "acestep_serverless", *words]
    environment = {**clean, "NO_COLOR": "1", "COLUMNS": "200", **environ}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command(tmp_path: Path) -> None:
    done = program(tmp_path, "--help")
    assert done.returncode == 0
    commands = "serve worker acestep-api generate doctor jobs workers endpoints keys models bench"
    for command in commands.split():
        assert f"\n  {command} " in done.stdout
        assert program(tmp_path, command, "--help").returncode == 0


def test_version_is_the_packages(tmp_path: Path) -> None:
    assert program(tmp_path, "--version").stdout.split() == ["acestep-serverless", __version__]


def test_bench_says_what_it_needs_before_it_takes_minutes(tmp_path: Path) -> None:
    done = program(tmp_path, "bench", "engine")
    assert done.returncode == 1
    assert "bench engine measures with random weights only: add --random-weights" in done.stderr
    done = program(tmp_path, "bench", "engine", "--duration", "30,long")
    assert "duration: must be numbers from 1 to 600 with commas between them, got '30,long'" in done.stderr


def test_serves_help_names_every_setting_with_its_meaning(tmp_path: Path) -> None:
    said = " ".join(program(tmp_path, "serve", "--help").stdout.split())
    for name, field in Settings.model_fields.items():
        assert f"{PREFIX}{name.upper()} {field.description}" in said
    for flag in ("--host", "--port", "--data-dir", "--engine", "--workers", "--endpoint-id"):
        assert flag in said
    assert f"{PREFIX}CONFIG" in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("serve", "--prot", "3"), 2, "No such option: --prot"),
        (("serve", "--port", "many"), 2, "--port"),
        (("frobnicate",), 2, "No such command 'frobnicate'"),
        (("serve", "--port", "70000"), 1, "port"),
        (("serve", "--engine", "violin"), 1, "engine"),
        (("serve", "--endpoint-id", "Not/A/Name"), 1, "endpoint_id"),
        (("serve", "--workers", "-1"), 1, "workers"),
        (("worker",), 1, "--gateway"),
        (("worker", "--gateway", "ftp://nowhere"), 1, "gateway"),
        (("serve", "--engine", "acestep"), 1, "no weights of acestep-v15-turbo"),
        (("generate", "x", "--engine", "acestep"), 1, "no weights of acestep-v15-turbo"),
        (("worker", "--gateway", "http://127.0.0.1:9", "--key", "k", "--engine", "acestep"), 1, "no weights of"),
        (("generate", "x", "--duration", "601"), 1, "duration: must be a whole number from 1 to 600, got 601"),
        (("acestep-api", "--host", "0.0.0.0"), 1, f"{PREFIX}ACESTEP_API_KEY"),
        (("serve", "--host", "0.0.0.0"), 1, f"{PREFIX}API_KEYS"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_ends_the_program(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = program(tmp_path, *words)
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert said in lines[-1]
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(lines) == 1, done.stderr
    assert list(tmp_path.iterdir()) == []  # nothing was made


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "many"), ("WORKERS", "65"), ("LEASE_SECONDS", "5"), ("HOST", "0.0.0.0")]
)
def test_a_wrong_variable_is_said_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    done = program(tmp_path, "serve", **{f"{PREFIX}{name}": value})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert name.lower() in done.stderr or f"listening on {value}" in done.stderr


def test_a_settings_file_that_is_not_there_or_not_toml_is_said_in_one_line(tmp_path: Path) -> None:
    absent = program(tmp_path, "doctor", **{f"{PREFIX}CONFIG": "nowhere.toml"})
    (tmp_path / "broken.toml").write_text("port = = 3")
    broken = program(tmp_path, "doctor", **{f"{PREFIX}CONFIG": "broken.toml"})
    (tmp_path / "broken.toml").write_text("prot = 3")
    unknown = program(tmp_path, "doctor", **{f"{PREFIX}CONFIG": "broken.toml"})
    for done, said in ((absent, "nowhere.toml"), (broken, "settings file"), (unknown, "prot")):
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_doctor_finds_this_machine_fit_and_says_which_engine_is_used(tmp_path: Path) -> None:
    done = program(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine in use: sketch: auto takes it: the acestep engine is not available here (see above)" in done.stdout
    assert "engine acestep" in done.stdout
    assert done.stdout.count("no weights of") == 1


def test_doctor_speaks_json_on_one_line(tmp_path: Path) -> None:
    done = program(tmp_path, "doctor", "--json")
    (line,) = done.stdout.splitlines()
    findings = {finding["name"]: finding for finding in json.loads(line)}
    assert findings["engine sketch"]["well"] is True
    assert findings["engine acestep"]["well"] is False
    assert findings["engine acestep"]["needed"] is False
    assert set(findings["program"]) == {"name", "well", "text", "mend", "needed"}


def test_doctor_fails_when_the_engine_that_was_asked_for_is_missing(tmp_path: Path) -> None:
    assert program(tmp_path, "doctor", **{f"{PREFIX}ENGINE": "acestep"}).returncode == 1


def test_generate_writes_the_song_it_names(tmp_path: Path) -> None:
    done = program(tmp_path, "generate", "rainy lo-fi", "--duration", "2", "--seed", "5", "--output", "songs")
    assert done.returncode == 0, done.stderr
    (song,) = (tmp_path / "songs").glob("*.mp3")
    assert done.stdout.startswith(f"songs/{song.name}  (2 s, engine sketch, seed 5, ")
    assert song.stat().st_size > 10_000


def test_a_batch_is_numbered(tmp_path: Path) -> None:
    done = program(tmp_path, "generate", "rainy lo-fi", "--duration", "1", "--batch-size", "2", "--seed", "5")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "seed 5" in first
    assert "seed 6" in second
    assert len(list((tmp_path / "outputs").glob("*.mp3"))) == 2
