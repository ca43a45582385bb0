"""Are the commands of docs/commands.md the program's? Its exit codes, and a song made at a real endpoint as it says."""

import shlex
import subprocess
from pathlib import Path

from doc_endpoint import KEY, PROGRAMS, Served, clean_environment
from documents import commands, table

from acestep_serverless.assembly.ledger import LEDGER_FILE
from acestep_serverless.cli.exits import EXITS

PAGE = "docs/commands.md"


def test_the_exit_codes_of_the_page_are_the_programs() -> None:
    assert table(PAGE, "Exit code") == [[str(row.code), row.meaning] for row in EXITS]


def test_a_song_is_made_at_an_endpoint_as_the_page_says(served: Served, tmp_path: Path) -> None:
    (line,) = [command for command in commands(PAGE) if "--key-file" in command]
    (tmp_path / "key").write_text(f"{KEY}\n")
    program, *words = shlex.split(served.here(line))
    done = subprocess.run(
        [PROGRAMS / program, *words, "--duration", "2"],
        env=clean_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (song,) = (tmp_path / "outputs").glob("*.mp3")
    assert done.stdout.startswith(f"outputs/{song.name}  (2 s, engine sketch")
    assert KEY not in done.stdout + done.stderr


def test_the_ledgers_name_is_the_pages() -> None:
    assert f"`{LEDGER_FILE}`" in Path(__file__).parents[2].joinpath(PAGE).read_text("utf-8")
