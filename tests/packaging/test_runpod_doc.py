"""Does docs/runpod.md say what the code does? Its variables, limits, minutes of music and files are the code's."""

import re

from packaging_parts import ROOT, instructions, refused_variables

from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.contract.music_output import RUNPOD_OUTPUT_BYTES, RUNPOD_SYNC_OUTPUT_BYTES
from acestep_serverless.settings import Settings
from acestep_serverless.worker.bucket import LINK_SECONDS

TEXT = (ROOT / "docs" / "runpod.md").read_text("utf-8")
PLATFORM_VARIABLES = {"RUNPOD_INIT_TIMEOUT", "RUNPOD_API_KEY", "ENDPOINT_ID"}


def test_every_variable_is_one_that_something_reads() -> None:
    named = set(re.findall(r"\b(?:ACESTEP|BUCKET|AWS|HF|RUNPOD)_[A-Z_]*[A-Z]\b", TEXT)) | {"ENDPOINT_ID"}
    assert refused_variables(named) == PLATFORM_VARIABLES


def test_every_build_argument_is_one_of_the_dockerfile() -> None:
    known = {rest.partition("=")[0] for word, rest in instructions((ROOT / "Dockerfile").read_text()) if word == "ARG"}
    assert set(re.findall(r"--build-arg (\w+)=", TEXT)) <= known


def test_every_file_of_the_first_table_is_there() -> None:
    table = TEXT.split("## What is in the repository for it")[1].split("## Deploy")[0]
    names = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)]
    assert len(names) == 7
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_the_execution_timeout_is_the_one_that_this_project_uses_itself() -> None:
    assert f"execution timeout to {Settings.model_fields['execution_timeout_seconds'].default} seconds" in TEXT


def test_so_much_music_fits_into_an_output() -> None:
    rows = re.findall(r"^\| (`.*?`).*? \| (\d+) (minutes|seconds) \| (\d+) (minutes|seconds) \|$", TEXT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} | {"aac"} == set(FORMATS)
    for shown, *lengths in rows:
        name = re.findall(r"`(\w+)`", shown)[0]
        bits = {"wav": 16, "wav32": 32}.get(name, 0) * 48_000 * 2 or FORMATS[name].bit_rate or 1_500_000
        for limit, number, unit in (
            (RUNPOD_OUTPUT_BYTES, *lengths[:2]),
            (RUNPOD_SYNC_OUTPUT_BYTES, *lengths[2:]),
        ):
            fits = limit * 3 / 4 * 8 / bits / (60 if unit == "minutes" else 1)
            assert fits * 0.85 <= int(number) <= fits


def test_links_last_as_long_as_said() -> None:
    assert f"signed `url` for {LINK_SECONDS // 86_400} days" in TEXT


def test_the_readme_leads_here() -> None:
    assert "(docs/runpod.md)" in (ROOT / "README.md").read_text("utf-8")
