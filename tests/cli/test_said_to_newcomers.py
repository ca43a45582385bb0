"""What does somebody read who slips at the first try? A misspelt variable, a folder that is none, a missing key."""

from pathlib import Path

import pytest
from program_here import Program

from acestep_serverless.cli.serving import unknown_variables
from acestep_serverless.client.address import ID_VARIABLE, KEY_VARIABLE, URL_VARIABLE
from acestep_serverless.settings import CONFIG_VARIABLE, PREFIX, Settings
from scripted_endpoint import Answer, ScriptedEndpoint


def test_every_variable_that_somebody_reads_is_known() -> None:
    known = [*(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)]
    known += [CONFIG_VARIABLE, URL_VARIABLE, ID_VARIABLE, KEY_VARIABLE]
    assert unknown_variables(dict.fromkeys([*known, "PATH", "RUNPOD_API_KEY"], "1")) == []


def test_a_misspelt_variable_is_noted_and_a_data_folder_that_is_a_file_ends_the_program_in_one_line(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"{PREFIX}WROKERS", "hidden")
    (tmp_path / "taken").write_text("")
    said = program("serve", "--data-dir", "taken")
    assert said.code == 1
    assert said.err.splitlines() == [
        f"note: the variable {PREFIX}WROKERS is no setting; did you mean {PREFIX}WORKERS?",
        "acestep-serverless: taken cannot be used: File exists",
    ]


def test_a_missing_key_is_said_with_what_to_do_on_a_command_line(program: Program) -> None:
    endpoint = ScriptedEndpoint()
    endpoint.says("GET status/job-1", Answer({"error": "the API key is missing"}, 401))
    try:
        said = program("status", "job-1", "--endpoint", endpoint.url)
    finally:
        endpoint.close()
    assert said.code == 1
    assert "the API key is missing (here: name a file with the key with --key-file, or set" in said.err
    assert KEY_VARIABLE in said.err
