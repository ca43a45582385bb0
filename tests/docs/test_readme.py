"""Does the README tell the truth? Every command in it is run or read by the program, every answer is compared."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import documents
import httpx
import pytest
import typer
from doc_endpoint import KEY, PROGRAMS, Served, clean_environment, run_python
from documents import ROOT, blocks, commands, missing_keys, parse_curl, read

from acestep_serverless.assembly.song import wish_from
from acestep_serverless.cli.program import PROGRAM

GUIDE = (
    """curl -X POST "https://api.runpod.ai/v2/<ENDPOINT_ID>/runsync" \\
  -H "Authorization: Bearer <RUNPOD_API_KEY>" \\
  -H "Content-Type: application/json" \\
  -d '{
    "input": {
      "caption": "Upbeat electronic instrumental with bright synths",
      "lyrics": "",
      "duration": 30,
      "batch_size": 1
    }
  }'
""",
    """curl -X POST "https://api.runpod.ai/v2/<ENDPOINT_ID>/run" \\
  -H "Authorization: Bearer <RUNPOD_API_KEY>" \\
  -H "Content-Type: application/json" \\
  -d '{
    "input": {
      "caption": "Cinematic orchestral trailer music",
      "duration": 45
    }
  }'
""",
    """curl -X GET "https://api.runpod.ai/v2/<ENDPOINT_ID>/status/<JOB_ID>" \\
  -H "Authorization: Bearer <RUNPOD_API_KEY>"
""",
)
"""The three commands of the guide that this project keeps to."""


def ours(command: str) -> str:
    """A command of the guide with host, endpoint id and key replaced, and nothing else."""
    for theirs, mine in (
        ("https://api.runpod.ai", "http://127.0.0.1:8000"),
        ("<ENDPOINT_ID>", "ace-step"),
        ("<RUNPOD_API_KEY>", KEY),
    ):
        command = command.replace(theirs, mine)
    return command


def curl(part: str, served: Served, **filled: str) -> httpx.Response:
    """Send the README's curl command that holds `part`, its placeholders filled."""
    command = next(line for line in commands("README.md") if line.startswith("curl") and part in line)
    for name, value in filled.items():
        command = command.replace(f"<{name}>", value)
    answer = parse_curl(served.here(command)).send(served.http)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("command", GUIDE)
def test_the_guides_commands_stand_in_the_readme(command: str) -> None:
    assert ours(command) in read("README.md")


def test_runsync_answers_as_shown_and_its_file_can_be_fetched(served: Served) -> None:
    job = curl("/runsync", served).json()
    shown = json.loads(blocks("README.md", "json")[0])
    assert missing_keys(shown, job) == []
    assert job["status"] == "COMPLETED"
    song = job["output"]["results"][0]
    assert song["engine"] == shown["output"]["results"][0]["engine"] == "sketch"
    audio = curl("<NAME>", served, NAME=song["file"].partition("filename=")[2])
    assert audio.headers["content-type"] == "audio/mpeg"
    assert len(audio.content) == song["bytes"]


def test_run_and_status_work_as_shown(served: Served) -> None:
    submitted = curl('/run"', served).json()
    assert set(submitted) == {"id", "status"}
    shown = curl("<JOB_ID>", served, JOB_ID=submitted["id"]).json()
    assert shown["id"] == submitted["id"]
    assert shown["status"] in {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}


def test_the_python_snippet_prints_what_the_readme_says(served: Served, tmp_path: Path) -> None:
    name, value = served.here(next(line for line in commands("README.md") if line.startswith("export"))).split("=", 1)
    snippet = blocks("README.md", "python")[0]
    printed = run_python(snippet, tmp_path, **{name.removeprefix("export ").strip(): value}).splitlines()
    promised = next(text for text in blocks("README.md", "text") if "CANCELLED" in text).splitlines()
    assert len(printed) == len(promised)
    assert re.sub(r"=\w+\.", "=.", printed[0]) == re.sub(r"=\w+\.", "=.", promised[0])
    assert printed[1] in {"IN_QUEUE", "IN_PROGRESS"}
    assert printed[2:5] == promised[2:5]
    assert int(printed[5]) >= int(promised[5])  # other tests share the endpoint


def test_the_snippet_with_our_own_client_saves_its_song(served: Served, tmp_path: Path) -> None:
    printed = run_python(served.here(blocks("README.md", "python")[1]), tmp_path)
    [song] = (tmp_path / "outputs").glob("*.mp3")
    assert song.name in printed


def test_a_song_with_the_readmes_wish_is_told_as_shown(tmp_path: Path) -> None:
    wish = next(line for line in commands("README.md") if line.endswith("make song") and "CAPTION" in line)
    script = wish.replace("make song", f"exec {sys.executable} -m acestep_serverless.assembly.song")
    done = subprocess.run(
        ["bash", "-c", script], env=clean_environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    shown = next(text for text in blocks("README.md", "text") if "timings" in text)
    labels = [line.split()[0] for line in done.stdout.splitlines()[1:5]]
    assert labels == [line.split()[0] for line in shown.splitlines()[1:5]]
    assert f"seed {wish.partition('SEED=')[2].split()[0]}" in done.stdout
    assert len(list((tmp_path / "outputs").glob("song-*.mp3"))) == 1


def test_the_first_song_is_the_guides_first_example() -> None:
    guide = json.loads(parse_curl(GUIDE[0].replace("\\\n", " ")).body or "")
    assert wish_from({}) == guide["input"]


def test_generate_and_handler_run_as_shown(tmp_path: Path) -> None:
    for part, said in ((" generate ", "engine sketch, seed 3"), ("handler.py", "completed successfully")):
        line = next(line for line in commands("README.md") if part in line)
        line = line.replace(".venv/bin", str(PROGRAMS)).replace("handler.py", str(ROOT / "handler.py"))
        done = subprocess.run(
            ["bash", "-c", line], env=clean_environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert said in done.stdout + done.stderr


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/api.md", "docs/configuration.md"])
def test_every_command_line_of_ours_is_understood(document: str) -> None:
    program = typer.main.get_command(PROGRAM)
    for line in re.findall(r"\.venv/bin/acestep-serverless (.+)", read(document)):
        name, *words = documents.shlex.split(line.rstrip("`"))
        command = program.get_command(typer.Context(program), name)  # type: ignore[attr-defined]  # a group
        assert command is not None, line
        command.make_context(name, words)


def test_every_make_target_in_the_documents_exists() -> None:
    makefile = read("Makefile")
    for path in documents.DOCUMENTS:
        code = re.findall(r"```bash\n.*?```|`(?:\w+=\S+ )*make [^`\n]+`", path.read_text("utf-8"), re.DOTALL)
        for target in re.findall(r"\bmake ([a-z-]+)", "\n".join(code)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{path.name}: make {target}"


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=lambda path: path.name)
def test_every_link_in_the_documents_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in _anchors(other), f"{path.name} links to {target}"


def test_the_readme_names_the_engine_honestly() -> None:
    assert "It is not the ACE-Step model" in read("README.md")
    assert os.fspath(ROOT) not in read("README.md")
