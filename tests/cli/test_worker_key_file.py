"""Does a worker find its key in a file, so that no list of processes shows it?"""

from pathlib import Path

import pytest
from test_command_line import program

from acestep_serverless.cli.serving import worker_key_from
from acestep_serverless.errors import SettingsError
from acestep_serverless.settings import PREFIX


def test_the_key_is_the_files_text_without_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "worker.key"
    file.write_text(" a-secret-key\n")
    assert worker_key_from(None, file) == "a-secret-key"
    assert worker_key_from("given", None) == "given"
    assert worker_key_from(None, None) is None


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b" \n", "is empty"), (b"\xff", "it is no text")]
)
def test_a_key_file_that_gives_no_key_is_named_with_its_reason(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "worker.key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        worker_key_from(None, file)
    assert str(file) in str(caught.value)


def test_two_flags_for_one_key_are_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give one of them") as caught:
        worker_key_from("a-secret-key", tmp_path / "worker.key")
    assert "a-secret-key" not in str(caught.value)


def test_the_command_reads_the_file_and_without_one_names_it_first(tmp_path: Path) -> None:
    (tmp_path / "worker.key").write_text("a-secret-key\n")
    words = ("worker", "--gateway", "http://127.0.0.1:9")
    here = program(tmp_path, *words, "--key-file", "worker.key", "--engine", "acestep")
    assert "no weights of acestep-v15-turbo" in here.stderr  # which is asked only once there is a key
    without = program(tmp_path, *words)
    assert without.returncode == 1
    assert "--key-file" in without.stderr
    assert f"{PREFIX}WORKER_KEY" in without.stderr
