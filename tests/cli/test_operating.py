"""Do `jobs`, `workers`, `endpoints` and `keys` show and do what they say? The program in this process, over real rows.

`tests/endpoint/test_operating_a_gateway.py` has the same commands beside a running gateway.
"""

import io
import json
import re
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from program_here import Program, do, hire, ids, submit, take

from acestep_serverless.assembly.office import DATABASE_FILE, Office
from acestep_serverless.cli.words import length, moment, printable
from acestep_serverless.contract.worker_protocol import JobResult
from acestep_serverless.database.migrate import KNOWN
from acestep_serverless.database.tables import ARTIFACTS, WORKERS


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
