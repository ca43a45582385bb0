"""What do `keys` and the page of all the operator's commands say? Secrets once, digests only, every flag."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from program_here import Program, do, ids

from acestep_serverless.access.keys import digest
from acestep_serverless.assembly.office import DATABASE_FILE
from acestep_serverless.cli.program import PROGRAM
from acestep_serverless.database.tables import API_KEYS


def test_a_keys_secret_is_printed_once_alone_and_kept_as_a_digest(program: Program, tmp_path: Path) -> None:
    made = program("keys", "create", "--name", "alice's laptop")
    (secret,) = made.out.splitlines()
    assert re.fullmatch(r"acs_[A-Za-z0-9_-]{43}", secret)
    assert secret not in made.err
    file = tmp_path / "data" / DATABASE_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert secret.encode() not in b"".join(path.read_bytes() for path in file.parent.iterdir())
    digests = do(
        lambda office: office.database.read(
            lambda connection: list(connection.execute(sa.select(API_KEYS.c.digest)).scalars())
        )
    )
    assert digests == [digest(secret)]
    for said in (program("keys", "list"), program("keys", "list", "--json")):
        assert "alice's laptop" in said.out
        assert secret not in said.out
        assert digests[0] not in said.out


def test_keys_are_scoped_listed_and_revoked_once(program: Program, tmp_path: Path) -> None:
    (tmp_path / "acestep-serverless.toml").write_text("[endpoints.drafts]\nworkers = 0\n")
    first = program("keys", "create", "--name", "one", "--json").json
    second = program("keys", "create", "--name", "two", "--endpoint", "drafts", "--endpoint", "drafts", "--json").json
    assert (first["endpoints"], second["endpoints"]) == (["*"], ["drafts"])
    assert first["key"] != second["key"]
    assert program("keys", "revoke", first["id"]).code == 0
    listed = program("keys", "list", "--json").json
    assert ids(listed) == [first["id"], second["id"]]
    assert [set(key) for key in listed] == [{"id", "name", "endpoints", "createdAt", "revokedAt"}] * 2
    assert listed[0]["revokedAt"] >= listed[0]["createdAt"]
    assert listed[1]["revokedAt"] is None
    for key_id in (first["id"], "key-nobody"):
        said = program("keys", "revoke", key_id)
        assert (said.code, f"there is no key '{key_id}' that still holds" in said.err) == (1, True)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "\x1b[31mred"])
def test_a_name_that_cannot_be_shown_is_refused(program: Program, name: str) -> None:
    said = program("keys", "create", f"--name={name}")
    assert (said.code, said.out) == (1, "")
    assert "--name: must be 1 to 100 characters that can be printed" in said.err


def below(command: object) -> dict[str, Any]:
    """The commands of a group by name."""
    assert isinstance(command, typer.core.TyperGroup)
    return dict(command.commands)


def test_the_page_of_the_commands_names_each_of_them_and_its_flags() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    named = {row[1]: row[2] for row in re.finditer(r"^\| `(\w+ \w+)[^`]*` \| (.*) \|$", page, re.MULTILINE)}
    commands = below(typer.main.get_command(PROGRAM))
    groups = {name: below(commands[name]) for name in ("jobs", "workers", "endpoints", "keys")}
    assert set(named) == {f"{group} {name}" for group, found in groups.items() for name in found}
    for group, found in groups.items():
        for name, command in found.items():
            flags = {flag for option in command.params for flag in option.opts if flag.startswith("--")}
            assert {"--data-dir", "--json"} <= flags
            for flag in flags - {"--data-dir", "--json", "--help"}:
                assert f"`{flag}" in named[f"{group} {name}"], f"{group} {name} {flag}"
