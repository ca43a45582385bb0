"""Does the tutorial work? Its blocks are run in their order, in an empty folder, against the endpoint it starts."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from doc_endpoint import KEY, PROGRAMS, clean_environment, free_port, wait_until_up
from documents import ROOT, missing_keys
from fences import Fence, fences

PAGE = "docs/tutorial.md"
SERVE = f"ACESTEP_SERVERLESS_API_KEYS={KEY} make serve"


@dataclass(slots=True)
class Reader:
    """Somebody who follows the page: a folder, a free port, and what the latest command said."""

    folder: Path
    port: int
    said: dict[str, str] = field(default_factory=dict)

    def run(self, script: str) -> None:
        """Give commands as they stand there, at the address of this endpoint."""
        script = script.replace(":8000", f":{self.port}").replace(".venv/bin", str(PROGRAMS))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env=clean_environment(NO_PROXY="127.0.0.1"),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        self.said["stdout"] = done.stdout

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Leave the endpoint running, as in the page's first terminal."""
        log = self.folder / "log.txt"
        command = [sys.executable, "-m", "acestep_serverless", "serve", "--port", str(self.port)]
        environ = clean_environment(ACESTEP_SERVERLESS_API_KEYS=KEY)
        with log.open("wb") as out:
            parent = subprocess.Popen(command, cwd=self.folder, env=environ, stdout=out, stderr=out)
            try:
                wait_until_up(f"http://127.0.0.1:{self.port}", parent, log)
                yield
            finally:
                parent.send_signal(signal.SIGINT)
                parent.wait(60)

    def follow(self, block: Fence) -> None:
        """Do what one block says."""
        match block.language:
            case "bash":
                self.run(block.text)
            case "python":
                (self.folder / "songs.py").write_text(block.text.replace(":8000", f":{self.port}"), "utf-8")
            case "json":
                shown, real = json.loads(block.text), json.loads(self.said["stdout"])
                assert missing_keys(shown, real) == missing_keys(real, shown) == []
            case _:
                mistake = json.loads((self.folder / "mistake.json").read_text("utf-8"))
                assert (mistake["status"], mistake["error"]) == ("FAILED", block.text.strip())


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The page, followed from its first block to its last."""
    reader = Reader(tmp_path_factory.mktemp("tutorial"), free_port())
    with contextlib.ExitStack() as terminals:
        for block in fences(ROOT / PAGE)[2:]:  # The first two: test_the_first_song_is_the_readmes
            if block.text.strip() == SERVE:
                terminals.enter_context(reader.serving())
            else:
                reader.follow(block)
    return reader


def test_the_first_song_is_the_readmes() -> None:
    """Its command is run by test_readme.py; it starts an endpoint of its own, which takes as long as all of this."""
    wish, shown, *_ = (block.text for block in fences(ROOT / PAGE))
    readme = [block.text for block in fences(ROOT / "README.md")]
    assert wish in readme
    assert [line.split()[:1] for line in shown.splitlines()[1:]] in [
        [line.split()[:1] for line in text.splitlines()[1:]] for text in readme
    ]


def test_the_page_starts_an_endpoint() -> None:
    assert SERVE in [block.text.strip() for block in fences(ROOT / PAGE)]


def test_the_song_over_http_is_the_one_of_its_job(followed: Reader) -> None:
    job = json.loads((followed.folder / "job.json").read_text("utf-8"))
    assert job["status"] == "COMPLETED"
    assert (followed.folder / "song.mp3").stat().st_size == job["output"]["results"][0]["bytes"]


def test_the_program_saves_its_song(followed: Reader) -> None:
    assert (followed.folder / "songs" / "rain.mp3").stat().st_size > 10_000


def test_the_command_line_knows_all_three_jobs(followed: Reader) -> None:
    states = [state for state in followed.said["stdout"].split() if state in {"COMPLETED", "FAILED"}]
    assert sorted(states) == ["COMPLETED", "COMPLETED", "FAILED"]
