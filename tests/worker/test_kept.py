"""Is a finished output there when its job comes back, for its own input only, within its bounds, and never broken?"""

import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from acestep_serverless.artifacts.disk import write_whole
from acestep_serverless.worker import kept_file
from acestep_serverless.worker.kept import UNFINISHED_MS, KeptBounds, KeptOutputs

NOW = 1_700_000_000_000
HOUR = 3_600_000
ASKED = {"caption": "a calm tone", "duration": 3}
OUTPUT: dict[str, object] = {"task_id": "é", "results": [{"file": "/v1/audio?filename=a.mp3"}]}
ROOMY = KeptBounds(outputs=100, bytes=1 << 20, age_ms=HOUR)


def memory(folder: Path, bounds: KeptBounds = ROOMY) -> KeptOutputs:
    return KeptOutputs(folder / "kept", bounds)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "kept").iterdir())


def test_another_process_finds_what_was_kept_whatever_the_order_of_the_inputs_members(tmp_path: Path) -> None:
    memory(tmp_path).keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    assert memory(tmp_path).find("job-1", dict(reversed(ASKED.items())), now_ms=NOW + HOUR) == OUTPUT
    assert memory(tmp_path).find("job-2", ASKED, now_ms=NOW) is None


def test_nothing_is_found_and_nothing_is_made_where_nothing_was_kept(tmp_path: Path) -> None:
    here = memory(tmp_path)
    assert here.find("job-1", ASKED, now_ms=NOW) is None
    here.forget("job-1")
    here.tidy(now_ms=NOW)
    assert list(tmp_path.iterdir()) == []


def test_another_input_gets_no_answer_and_the_output_of_the_old_one_goes(tmp_path: Path) -> None:
    here = memory(tmp_path)
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    assert here.find("job-1", ASKED | {"duration": 4}, now_ms=NOW) is None
    assert files(tmp_path) == []


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    here = memory(tmp_path)
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    here.keep("job-2", ASKED, OUTPUT, now_ms=NOW)
    here.forget("job-1")
    assert here.find("job-1", ASKED, now_ms=NOW) is None
    assert here.find("job-2", ASKED, now_ms=NOW) == OUTPUT


@pytest.mark.parametrize("job_id", ["../../escaped", "/etc/passwd", "a\0b", "", ".", "x" * 5_000, "\ud800"])
def test_no_job_id_leads_out_of_the_folder(tmp_path: Path, job_id: str) -> None:
    here = memory(tmp_path)
    here.keep(job_id, ASKED, OUTPUT, now_ms=NOW)
    assert here.find(job_id, ASKED, now_ms=NOW) == OUTPUT
    (file,) = files(tmp_path)
    assert kept_file.is_file_name(file.name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_songs_of_clients_are_for_the_workers_user_alone(tmp_path: Path) -> None:
    memory(tmp_path).keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    (file,) = files(tmp_path)
    assert (file.stat().st_mode | file.parent.stat().st_mode) & 0o077 == 0


def test_the_oldest_go_first_when_there_are_too_many(tmp_path: Path) -> None:
    here = memory(tmp_path, KeptBounds(outputs=2, bytes=1 << 20, age_ms=HOUR))
    for number in (3, 1, 2):
        here.keep(f"job-{number}", ASKED, OUTPUT, now_ms=NOW + number)
    assert [here.find(f"job-{number}", ASKED, now_ms=NOW) for number in (1, 2, 3)] == [None, OUTPUT, OUTPUT]


def test_the_oldest_go_first_when_they_are_too_large(tmp_path: Path) -> None:
    here = memory(tmp_path, KeptBounds(outputs=100, bytes=25_000, age_ms=HOUR))
    large: dict[str, object] = {"audio": "A" * 10_000}
    for number in (1, 2, 3):
        here.keep(f"job-{number}", ASKED, large, now_ms=NOW + number)
    assert [here.find(f"job-{number}", ASKED, now_ms=NOW) for number in (1, 2, 3)] == [None, large, large]


def test_one_output_beyond_the_bound_costs_no_other_its_place(tmp_path: Path) -> None:
    here = memory(tmp_path, KeptBounds(outputs=100, bytes=5_000, age_ms=HOUR))
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    with capture_logs() as logs:
        here.keep("job-2", ASKED, {"audio": "A" * 5_000}, now_ms=NOW + 1)
    assert here.find("job-1", ASKED, now_ms=NOW) == OUTPUT
    assert here.find("job-2", ASKED, now_ms=NOW) is None
    assert "too large" in logs[0]["event"]


@pytest.mark.parametrize("later", [HOUR + 1, -HOUR - 1])
def test_an_output_older_than_the_bound_or_from_a_clock_set_back_answers_no_more(tmp_path: Path, later: int) -> None:
    here = memory(tmp_path)
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    here.keep("job-2", ASKED, OUTPUT, now_ms=NOW)
    assert here.find("job-1", ASKED, now_ms=NOW + later) is None
    assert len(files(tmp_path)) == 1
    here.tidy(now_ms=NOW + later)
    assert files(tmp_path) == []


def damaged(data: bytes) -> dict[str, bytes]:
    head, _, body = data.partition(b"\n")
    members = json.loads(head)
    return {
        "cut": data[:-1],
        "changed": data.replace(b"filename=a", b"filename=b"),
        "empty": b"",
        "no head": body,
        "deep head": b"[" * 4_000 + b"\n" + body,
        "list for a head": b"[]\n" + body,
        "another format": json.dumps(members | {"format": 2}).encode() + b"\n" + body,
        "another job": json.dumps(members | {"job": "0" * 64}).encode() + b"\n" + body,
    }


@pytest.mark.parametrize("damage", list(damaged(b'{}\n{"a": 1}')))
def test_what_is_damaged_answers_nothing_and_is_removed_with_a_line_in_the_log(tmp_path: Path, damage: str) -> None:
    here = memory(tmp_path)
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    (file,) = files(tmp_path)
    file.write_bytes(damaged(file.read_bytes())[damage])
    os.utime(file, ns=(NOW * 1_000_000, NOW * 1_000_000))
    with capture_logs() as logs:
        assert here.find("job-1", ASKED, now_ms=NOW) is None
    assert [entry["file"] for entry in logs] == [file.name]
    assert files(tmp_path) == []
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    assert here.find("job-1", ASKED, now_ms=NOW) == OUTPUT


def test_foreign_files_and_old_unfinished_ones_are_removed_but_another_workers_unfinished_one_stays(
    tmp_path: Path,
) -> None:
    here = memory(tmp_path)
    here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
    elsewhere = tmp_path / "not-ours.txt"
    elsewhere.write_text("stays")
    folder = tmp_path / "kept"
    (folder / "notes.txt").write_text("foreign")
    link = folder / ("0" * 64 + ".kept")
    link.symlink_to(elsewhere)
    os.utime(link, ns=(NOW * 1_000_000,) * 2, follow_symlinks=False)
    (folder / "subfolder").mkdir()
    for name, age in ((".new.part", UNFINISHED_MS), (".old.part", UNFINISHED_MS + 1)):
        (folder / name).write_text("half")
        os.utime(folder / name, ns=((NOW - age) * 1_000_000,) * 2)
    with capture_logs() as logs:
        here.tidy(now_ms=NOW)
    assert {path.name for path in files(tmp_path)} == {
        ".new.part",
        "subfolder",
        kept_file.file_name("job-1"),
    }
    assert len(logs) == 3
    assert elsewhere.read_text() == "stays"


def test_a_disk_that_takes_nothing_costs_a_line_in_the_log_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    here = memory(tmp_path)
    with capture_logs() as logs:
        here.keep("job-1", ASKED, OUTPUT, now_ms=NOW)
        assert here.find("job-1", ASKED, now_ms=NOW) is None
        here.forget("job-1")
    assert "could not be kept" in logs[0]["event"]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    (folder / kept_file.file_name("job-1")).mkdir(parents=True)  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match="directory"):
        write_whole(folder / kept_file.file_name("job-1"), b"data", dated_ms=NOW)
    assert [path.name for path in files(tmp_path)] == [kept_file.file_name("job-1")]
