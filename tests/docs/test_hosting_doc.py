"""Do the pages about machines say what works? Settings are loaded, units and commands read, backup and move are run."""

import configparser
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from doc_endpoint import KEY, Served, clean_environment, run_python
from documents import ROOT, blocks, read
from fences import fences
from shell_words import understood

from acestep_serverless.contract.job import DIGITS_LIMIT, JSON_DEPTH_LIMIT
from acestep_serverless.jobs.outbox import TRIES
from acestep_serverless.outbound.fetching import LARGEST_FILE, LONGEST_SECONDS, MOST_REDIRECTS
from acestep_serverless.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, PREFIX, Settings
from acestep_serverless.worker.bucket import LINK_SECONDS
from acestep_serverless.worker.link import GatewayLink

PAGES = ("docs/one-machine.md", "docs/several-machines.md", "docs/moving.md")
CLI = (sys.executable, "-m", "acestep_serverless")


def settings_of(page: str) -> list[str]:
    return [fence.text for fence in fences(ROOT / page) if fence.language == "toml"]


def units() -> list[configparser.ConfigParser]:
    found = []
    for page in PAGES:
        for fence in fences(ROOT / page):
            if fence.language == "systemd":
                unit = configparser.ConfigParser(strict=False, interpolation=None)
                unit.optionxform = str  # type: ignore[assignment]  # systemd's names have capitals
                unit.read_string(fence.text)
                found.append(unit)
    return found


@pytest.mark.parametrize("text", [text for page in PAGES for text in settings_of(page)])
def test_the_settings_of_the_pages_are_accepted(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    (tmp_path / DEFAULT_CONFIG).write_text(text)
    Settings.load()


def test_the_units_start_commands_that_there_are_and_leave_time_for_songs() -> None:
    assert len(units()) == 2
    for unit in units():
        service = unit["Service"]
        understood(service["ExecStart"].split())
        assert service["KillMode"] == "mixed"
        assert float(service["TimeoutStopSec"]) > 60  # drain_seconds of the pages
    text = read(PAGES[0]) + read(PAGES[1])
    assert "drain_seconds = 60.0" in text
    assert f"Environment={PREFIX}DRAIN_SECONDS=60" in text


def test_every_variable_of_the_pages_is_a_setting() -> None:
    known = {CONFIG_VARIABLE, *(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)}
    words = " ".join(read(page) for page in PAGES).replace("=", " ").replace("`", " ").split()
    assert {word for word in words if word.startswith(PREFIX)} <= known


def test_the_backup_holds_what_a_new_data_folder_needs(tmp_path: Path) -> None:
    data, backups = tmp_path / "data", tmp_path / "backups"
    made = subprocess.run(
        [*CLI, "keys", "create", "--name", "before", "--data-dir", str(data)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (data / "artifacts").mkdir()
    (data / "artifacts" / "song.mp3").write_bytes(b"song")
    (data / "worker.key").write_text("key")
    script = next(text for text in blocks(PAGES[0], "bash") if "VACUUM INTO" in text)
    for theirs, mine in (
        ("/var/lib/acestep-serverless", str(data)),
        ("/var/backups", str(backups)),
        ("/opt/acestep-serverless/bin/python", sys.executable),
    ):
        script = script.replace(theirs, mine)
    subprocess.run(["bash", "-euc", script], env=dict(os.environ), check=True, timeout=120)
    (kept,) = backups.iterdir()
    assert (kept / "artifacts" / "song.mp3").read_bytes() == b"song"
    assert (kept / "worker.key").read_text() == "key"
    assert made.stdout.startswith("acs_")
    with sqlite3.connect(kept / "acestep-serverless.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT name FROM api_keys").fetchall() == [("before",)]


def test_the_program_that_moves_makes_its_song_here(served: Served, tmp_path: Path) -> None:
    code, _ = blocks("docs/moving.md", "python")
    run_python(code, tmp_path, SONGS_KEY=KEY, SONGS_AT=f"{served.url}/v2/ace-step")
    assert [path.suffix for path in (tmp_path / "songs").iterdir() if path.suffix == ".mp3"] == [".mp3"]


def test_the_program_that_connects_a_handler_sets_the_workers_own_urls() -> None:
    _, code = blocks("docs/moving.md", "python")
    link = GatewayLink("https://gateway", "mine", "w", "token")
    for name, url in link.sdk_urls().items():
        template = url.replace("https://gateway/v2/mine", "{gateway}").replace("=token", "={token}")
        assert f'{name}=f"{template}"' in code


def test_the_bounds_of_the_page_about_security_are_the_codes() -> None:
    text = " ".join(read("docs/security.md").split())
    assert f"at most {MOST_REDIRECTS} redirects, {LARGEST_FILE:,} bytes, {LONGEST_SECONDS:g} s" in text
    assert f"{JSON_DEPTH_LIMIT} levels deep, no numbers of more than {DIGITS_LIMIT:,} digits" in text
    assert f"for {LINK_SECONDS // 86_400} days" in text
    assert TRIES == 3
    assert "three tries" in text
