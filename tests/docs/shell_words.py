"""Is a shell command of the documents one that can be given? Each is read by the program that it names."""

import json
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import typer
import yaml
from documents import ROOT, parse_curl, read

from acestep_serverless.assembly.core import build
from acestep_serverless.cli.program import PROGRAM
from acestep_serverless.contract.job import load_client_json, parse_job_body
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.settings import Settings

OURS = ("127.0.0.1:8000", "10.0.0.5:8000", "api.runpod.ai")
BESIDE = frozenset({"/openapi.json", "/livez", "/readyz", "/metrics", "/"})
"""Paths that the description of the routes leaves out."""

FOREIGN: Mapping[str, str] = {
    "cd": "changes the folder",
    "cp": "copies files",
    "createdb": "PostgreSQL's own",
    "createuser": "PostgreSQL's own",
    "cut": "shortens lines",
    "date": "says the day",
    "export": "sets a variable",
    "git": "fetches the project",
    "mkdir": "makes a folder",
    "install": "makes folders of the system",
    "openssl": "draws a key",
    "pg_dump": "PostgreSQL's own",
    "pip": "installs",
    "python3": "Python's own modules",
    "systemctl": "the machine's services",
    "useradd": "the machine's users",
}
"""Programs that are not this project's, and why their words are taken as they are."""


def ours(words: list[str]) -> None:
    """Let the program's own parser read the words, down to the innermost command."""
    command, name = typer.main.get_command(PROGRAM), words[0]
    words = words[1:]
    while hasattr(command, "commands"):
        assert words, f"{name} needs a command"
        (name, *words), group = words, command
        assert name in group.commands, f"there is no command {name}"
        command = group.commands[name]
    command.make_context(name, words)


def make(words: list[str]) -> None:
    """A target of the Makefile."""
    assert re.search(rf"^{re.escape(words[1])}:", read("Makefile"), re.MULTILINE), f"no target {words[1]}"


@cache
def known_paths() -> tuple[re.Pattern[str], ...]:
    """Every path of the gateway's description, as a pattern."""
    with tempfile.TemporaryDirectory() as folder:
        paths = build(Settings(data_dir=Path(folder)), first_start=True).openapi()["paths"]
    return tuple(re.compile(re.sub(r"[{]\w+[}]", "[^/]+", path)) for path in paths)


def curl(words: list[str]) -> None:
    """A request with options that are known here; one to this gateway has a known path and a body that is accepted."""
    asked = parse_curl(shlex.join(word for word in words if word not in {"-s", "-f", "-sS", "-fsS", "--fail"}))
    place = urlsplit(asked.url)
    if place.netloc not in OURS:
        return
    assert place.path in BESIDE or any(path.fullmatch(place.path) for path in known_paths()), asked.url
    if asked.body and place.path.rpartition("/")[2] in {"run", "runsync"}:
        parse_music_input(parse_job_body(load_client_json(asked.body.encode())).input)
    elif asked.body:
        json.loads(asked.body)


def docker(words: list[str]) -> None:
    """A command of Docker; the profiles and services that it names are those of the compose file."""
    compose = yaml.safe_load(read("docker-compose.yml"))["services"]
    assert words[1] in {"build", "run", "push", "compose", "inspect", "volume"}, words
    profiles = {profile for service in compose.values() for profile in service.get("profiles", ())}
    for flag, value in pairwise(words):
        assert flag != "--profile" or value in profiles, value
        assert flag != "--scale" or value.partition("=")[0] in compose, value


def python(words: list[str]) -> None:
    """A file of the repository, a module, or a line of Python."""
    if words[1] == "-c":
        compile(words[2], "<document>", "exec")
    elif words[1] != "-m":
        assert (ROOT / words[1]).exists(), words[1]


def file_of_the_repository(words: list[str]) -> None:
    """A script of the repository."""
    assert (ROOT / words[0]).is_file(), words[0]


READERS: Mapping[str, Callable[[list[str]], None]] = {
    "acestep-serverless": ours,
    "make": make,
    "curl": curl,
    "docker": docker,
    "python": python,
    ".ci/run": file_of_the_repository,
}
"""Who reads a command, by its program without the folder of an environment."""


def understood(words: list[str]) -> None:
    """Read a command. Raises AssertionError, or the reader's own error, for one that cannot be given."""
    program = re.sub(r"^(\.venv|/opt/acestep-serverless)/bin/", "", words[0])
    if program == "sudo":
        rest = words[1:]
        while rest[0] == "-u" or "=" in rest[0]:
            rest = rest[2:] if rest[0] == "-u" else rest[1:]
        understood(rest)
        return
    assert program in READERS or program in FOREIGN, f"{program} is known to no reader"
    if program in READERS:
        READERS[program](words)
