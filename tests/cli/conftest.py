"""The fixture of the operator's commands: the program in an empty folder."""

import os
import sys
from pathlib import Path

import pytest
from program_here import Program, Said

from acestep_serverless.cli import main
from acestep_serverless.settings import PREFIX


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run the program in an empty folder, without settings from outside."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["acestep-serverless", *words])
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capsys.readouterr()
        # A text is what the interpreter prints on standard error before it ends with 1.
        return Said(code, out, err) if isinstance(code, int) else Said(1, out, f"{err}{code}\n")

    return run
