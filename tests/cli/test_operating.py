"""Do `jobs`, `workers`, `endpoints` and `keys` show and do what they say? The program in this process, over real rows.

`tests/endpoint/test_operating_a_gateway.py` has the same commands beside a running gateway.
"""

import asyncio
import io
import json
import os
import re
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from acestep_serverless.access.keys import digest
from acestep_serverless.assembly.office import DATABASE_FILE, Office, in_office
from acestep_serverless.cli import main
from acestep_serverless.cli.program import PROGRAM
from acestep_serverless.cli.words import length, moment, printable
from acestep_serverless.contract.job import JobRequest
from acestep_serverless.contract.worker_protocol import JobResult
from acestep_serverless.database.migrate import KNOWN
from acestep_serverless.database.tables import API_KEYS, ARTIFACTS, WORKERS
from acestep_serverless.settings import PREFIX, Settings


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        (line,) = self.out.splitlines()
        return json.loads(line)


Program = Callable[..., Said]


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


def do(work: Callable[[Office], Awaitable[Any]]) -> Any:
    """Do something to the database of this folder's settings, which is made if need be."""
    return asyncio.run(in_office(Settings.load(), work, may_make=True))


def submit(*job_ids: str, endpoint_id: str = "ace-step") -> None:
    async def work(office: Office) -> None:
        for job_id in job_ids:
            await office.desk.submit(endpoint_id, job_id, JobRequest({"n": 1}), 600_000)

    do(work)


def hire(worker_id: str = "w1", endpoint_id: str = "ace-step", *, polls: bool = True) -> None:
    async def work(office: Office) -> None:
        await office.workers.enrol(endpoint_id, worker_id, fleet_id=None)
        if polls:
            await office.workers.polls(worker_id, 1)

    do(work)


def take(worker_id: str = "w1", endpoint_id: str = "ace-step", result: JobResult | None = None) -> str:
    """Let a worker take the next job and, if a result is given, finish it."""

    async def work(office: Office) -> str:
        texts = await office.desk.take(endpoint_id, worker_id)
        assert texts
        job_id: str = json.loads(texts[0])["id"]
        assert result is None or await office.desk.finish(worker_id, job_id, result)
        return job_id

    return str(do(work))


def ids(listed: Any) -> list[str]:
    return [row["id"] for row in listed]


@pytest.mark.parametrize(
    "words",
    [("jobs", "list"), ("jobs", "cancel", "j"), ("workers", "list"), ("endpoints", "list"), ("keys", "list")],
)
def test_where_nothing_was_served_nothing_is_made_and_one_line_says_so(
    program: Program, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = program(*words)
    assert (said.code, said.out) == (1, "")
    assert f"nothing has been served from {tmp_path / 'data'} yet: start 'acestep-serverless serve'" in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_and_one_of_another_version_are_named(program: Program, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / DATABASE_FILE).write_text("this is a letter to my aunt" * 100)
    assert "the database cannot be opened: file is not a database" in program("jobs", "list").err
    (tmp_path / "data" / DATABASE_FILE).unlink()
    submit("j1")
    for revision, said in ((KNOWN[0], "older version"), ("9999", "newer version")):
        statement = sa.text(f"UPDATE alembic_version SET version_num = '{revision}'")
        engine = sa.create_engine(f"sqlite:///{tmp_path}/data/{DATABASE_FILE}")
        with engine.begin() as connection:
            connection.execute(statement)
        engine.dispose()
        found = program("jobs", "list")
        assert (found.code, len(found.err.splitlines())) == (1, 1)
        assert said in found.err


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("jobs", "frobnicate"),
        ("jobs", "cancel"),
        ("jobs", "purge"),
        ("jobs", "list", "--status", "DONE"),
        ("jobs", "list", "--limit", "0"),
        ("workers", "drain"),
        ("keys", "create"),
    ],
)
def test_a_wrong_command_line_ends_with_2(program: Program, words: tuple[str, ...]) -> None:
    assert program(*words).code == 2


def test_jobs_are_listed_newest_first_by_page_endpoint_and_status(program: Program) -> None:
    submit("j1", "j2", "j3")
    submit("other", endpoint_id="drafts")
    hire()
    assert take() == "j1"
    page = program("jobs", "list", "--json").json
    assert ids(page["jobs"]) == ["other", "j3", "j2", "j1"]
    assert page["jobs"][3].items() >= {"endpoint": "ace-step", "status": "IN_PROGRESS", "workerId": "w1"}.items()
    assert not page["hasMore"]
    second = program("jobs", "list", "--limit", "2", "--offset", "1", "--json").json
    assert (ids(second["jobs"]), second["hasMore"]) == (["j3", "j2"], True)
    assert ids(program("jobs", "list", "--endpoint", "drafts", "--json").json["jobs"]) == ["other"]
    assert ids(program("jobs", "list", "--status", "in_progress", "--json").json["jobs"]) == ["j1"]
    in_words = program("jobs", "list", "--limit", "3")
    assert [line.split()[:3] for line in in_words.out.splitlines()] == [
        ["id", "endpoint", "status"],
        ["other", "drafts", "IN_QUEUE"],
        ["j3", "ace-step", "IN_QUEUE"],
        ["j2", "ace-step", "IN_QUEUE"],
    ]
    assert "--offset 3" in in_words.err


def test_an_unknown_endpoint_is_refused_with_those_there_are(program: Program) -> None:
    submit("j1", endpoint_id="drafts")
    for words in (("jobs", "list"), ("jobs", "purge", "--yes"), ("workers", "list"), ("keys", "create", "--name", "x")):
        said = program(*words, "--endpoint", "draft")
        assert said.code == 1
        assert "there is no endpoint 'draft' here; known are ace-step, drafts" in said.err


def test_a_job_is_shown_with_its_times_its_history_and_its_songs(program: Program) -> None:
    submit("j1")
    hire()
    take(result=JobResult('{"made": "caf\\u00e9"}', None))
    song = {"job_id": "j1", "endpoint_id": "ace-step", "media_type": "audio/mpeg", "sha256": "00", "created_at": 1}
    row = song | {"name": "song.mp3", "position": 0, "bytes": 321}
    do(lambda office: office.database.write(lambda connection: connection.execute(ARTIFACTS.insert().values(row))))
    shown = program("jobs", "show", "j1", "--json").json
    assert shown["output"] == {"made": "café"}
    assert [(move["move"], move["workerId"]) for move in shown["history"]] == [
        ("submit", None),
        ("take", "w1"),
        ("complete", "w1"),
    ]
    assert shown["history"][0]["at"] == shown["submittedAt"] <= shown["takenAt"] <= shown["finishedAt"]
    assert shown["keptUntil"] == shown["finishedAt"] + 7 * 24 * 3600 * 1000
    assert shown["artifacts"] == [{"name": "song.mp3", "mediaType": "audio/mpeg", "bytes": 321}]
    said = program("jobs", "show", "j1").out
    for text in ("status      COMPLETED", "worker      w1", '{"made": "café"}', "complete", "song.mp3", "(in 7.0 d)"):
        assert text in said
    assert "there is no job 'j2'" in program("jobs", "show", "j2").err


def test_a_long_output_is_measured_not_printed_and_an_error_cannot_drive_the_terminal(program: Program) -> None:
    submit("long", "wicked")
    hire()
    take(result=JobResult(json.dumps("x" * 5_000), None))
    take(result=JobResult(None, "\x1b[2Jgone\nstatus COMPLETED"))
    assert "5,002 characters of JSON" in program("jobs", "show", "long").out
    said = program("jobs", "show", "wicked").out
    assert "\x1b" not in said
    assert "\N{REPLACEMENT CHARACTER}[2Jgone\N{REPLACEMENT CHARACTER}status COMPLETED" in said
    assert program("jobs", "show", "wicked", "--json").json["error"].startswith("\x1b[2J")


def test_jobs_are_cancelled_each_for_itself_and_what_failed_is_one_line(program: Program) -> None:
    submit("j1", "j2")
    said = program("jobs", "cancel", "j1", "nobody", "j2")
    assert said.code == 1
    assert [line.split() for line in said.out.splitlines()[1:]] == [
        ["j1", "ace-step", "CANCELLED"],
        ["j2", "ace-step", "CANCELLED"],
    ]
    assert len(said.err.splitlines()) == 1
    assert "there is no job 'nobody'" in said.err
    again = program("jobs", "cancel", "j1", "--json")
    assert again.json == [{"id": "j1", "endpoint": "ace-step", "status": "CANCELLED"}]


def test_only_failed_jobs_are_retried(program: Program) -> None:
    submit("j1", "j2")
    hire()
    take(result=JobResult(None, "it broke"))
    said = program("jobs", "retry", "j1", "j2", "--json")
    outcomes = json.loads(said.out)
    assert outcomes[0] == {"id": "j1", "endpoint": "ace-step", "status": "IN_QUEUE"}
    assert "only FAILED and TIMED_OUT jobs can be retried" in outcomes[1]["error"]
    assert said.code == 1
    assert program("jobs", "show", "j1", "--json").json["history"][-1]["move"] == "retry"


def test_a_queue_is_purged_only_after_a_yes_and_its_running_job_goes_on(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit("j1", "j2", "j3")
    submit("other", endpoint_id="drafts")
    hire()
    take()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    refused = program("jobs", "purge", "--endpoint", "ace-step")
    assert refused.code == 1
    assert "Cancel the 2 job(s)" in refused.err
    assert len(program("jobs", "list", "--status", "IN_QUEUE", "--json").json["jobs"]) == 3
    purged = program("jobs", "purge", "--endpoint", "ace-step", "--yes", "--json").json
    assert purged == {"endpoint": "ace-step", "removed": 2}
    left = program("jobs", "list", "--json").json["jobs"]
    assert [(job["id"], job["status"]) for job in left] == [
        ("other", "IN_QUEUE"),
        ("j3", "CANCELLED"),
        ("j2", "CANCELLED"),
        ("j1", "IN_PROGRESS"),
    ]


def test_workers_are_listed_in_the_words_of_health_and_drained(program: Program) -> None:
    submit("j1")
    for worker_id in ("busy", "idle", "silent", "ended"):
        hire(worker_id)
    hire("new", polls=False)
    hire("far", "drafts")
    take("busy")

    async def pass_time(office: Office) -> None:
        async def write(worker_id: str, **values: object) -> None:
            statement = WORKERS.update().where(WORKERS.c.id == worker_id).values(**values)
            await office.database.write(lambda connection: connection.execute(statement))

        await write("silent", polled_at=1)
        await write("ended", state="GONE")

    do(pass_time)
    listed = program("workers", "list", "--json").json
    assert {worker["id"]: worker["state"] for worker in listed} == {
        "busy": "running",
        "idle": "idle",
        "silent": "unhealthy",
        "new": "initializing",
        "far": "idle",
    }
    counted = {endpoint["id"]: endpoint["workers"] for endpoint in program("endpoints", "list", "--json").json}
    assert counted["ace-step"] == {"idle": 1, "running": 1, "initializing": 1, "draining": 0, "unhealthy": 1}
    assert ids(program("workers", "list", "--endpoint", "drafts", "--json").json) == ["far"]
    drained = program("workers", "drain", "far", "--json").json
    assert drained == {"id": "far", "endpoint": "drafts", "state": "draining", "jobs": 0}
    assert "far  drafts    draining" in program("workers", "list", "--endpoint", "drafts").out
    assert "has 1 job(s) to finish" in program("workers", "drain", "busy").out
    gone = program("workers", "drain", "ended")
    assert (gone.code, "there is no worker 'ended'" in gone.err) == (1, True)


def test_endpoints_are_those_of_the_settings_and_of_the_rows_with_their_counts(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "acestep-serverless.toml").write_text("[endpoints.planned]\nworkers = 0\n")
    submit("j1", "j2", "j3", "j4")
    submit("old", endpoint_id="former")
    hire()
    take(result=JobResult("1", None))
    take(result=JobResult(None, "it broke"))
    take()
    first, second, third = program("endpoints", "list", "--json").json
    assert (first["id"], second["id"], third["id"]) == ("ace-step", "planned", "former")
    counts = [first[name] for name in ("inQueue", "inProgress", "completed", "failed", "cancelled", "timedOut")]
    assert counts == [1, 1, 1, 1, 0, 0]
    assert (second["inQueue"], second["oldestWaitMs"], third["inQueue"]) == (0, 0, 1)
    assert re.search(r"^ace-step\s+1\s+\d.*1 running", program("endpoints", "list").out, re.MULTILINE)


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


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(None, None), (0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (90_000, "1.5 min"), (5_400_000, "1.5 h")],
)
def test_lengths_of_time_are_said_in_their_largest_unit(milliseconds: int | None, said: str | None) -> None:
    assert length(milliseconds) == said


def test_moments_are_in_utc_with_their_distance_and_texts_are_harmless() -> None:
    assert moment(0, 2_000) == "1970-01-01 00:00:00 UTC (2.0 s ago)"
    assert moment(86_400_000, 0) == "1970-01-02 00:00:00 UTC (in 1.0 d)"
    assert printable("a\tb\x9bc\u202ed é 歌") == "a\ufffdb\ufffdc\ufffdd é 歌"


def below(command: object) -> dict[str, typer.core.TyperCommand]:
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
