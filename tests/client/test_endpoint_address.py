"""Is an endpoint found in whatever shape it is named, is a key sent only to its own server, and is the client light?"""

import subprocess
import sys
from typing import get_args, get_type_hints

import pytest

from acestep_serverless.client import MusicFields, access_from, read_address
from acestep_serverless.contract.music_fields import SPECS
from acestep_serverless.errors import InputError


@pytest.mark.parametrize(
    ("url", "endpoint_id", "base"),
    [
        ("http://127.0.0.1:8000", None, "http://127.0.0.1:8000/v2/ace-step"),
        ("http://127.0.0.1:8000/", "drafts", "http://127.0.0.1:8000/v2/drafts"),
        ("http://127.0.0.1:8000/v2", None, "http://127.0.0.1:8000/v2/ace-step"),
        ("http://127.0.0.1:8000/v2/drafts/", None, "http://127.0.0.1:8000/v2/drafts"),
        ("https://music.example/songs/v2/drafts", "drafts", "https://music.example/songs/v2/drafts"),
        ("https://api.runpod.ai/v2/abc123", None, "https://api.runpod.ai/v2/abc123"),
        ("https://api.runpod.ai/v2", "abc123", "https://api.runpod.ai/v2/abc123"),
        ("http://[::1]:8000", None, "http://[::1]:8000/v2/ace-step"),
    ],
)
def test_every_usual_shape_of_a_url_is_read(url: str, endpoint_id: str | None, base: str) -> None:
    assert read_address(url, endpoint_id).base == base


@pytest.mark.parametrize(
    ("url", "endpoint_id", "said"),
    [
        ("127.0.0.1:8000", None, "endpoint: must be a URL such as"),
        ("ftp://127.0.0.1", None, "endpoint: must be a URL such as"),
        ("http://", None, "endpoint: must be a URL such as"),
        ("http://user:secret@127.0.0.1", None, "endpoint: must be a URL such as"),
        ("http://127.0.0.1/v2/a?key=secret", None, "endpoint: must be a URL such as"),
        ("http://127.0.0.1/v2/a/run", None, "must end with /v2 or /v2/ENDPOINT_ID"),
        ("http://127.0.0.1/v2/a", "b", 'endpoint_id: must be "a", as in the URL, or absent'),
        ("http://127.0.0.1", "a/b", "endpoint_id: must be letters"),
        ("https://api.runpod.ai", None, "endpoint_id: must be given"),
    ],
)
def test_any_other_is_refused_without_showing_a_secret(url: str, endpoint_id: str | None, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_address(url, endpoint_id)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


OURS = {"ACESTEP_SERVERLESS_ENDPOINT": "http://127.0.0.1:8000", "ACESTEP_SERVERLESS_API_KEY": "ours"}
RUNPODS = {"RUNPOD_ENDPOINT_ID": "abc123", "RUNPOD_API_KEY": "theirs"}


@pytest.mark.parametrize(
    ("environ", "base", "key"),
    [
        (OURS, "http://127.0.0.1:8000/v2/ace-step", "ours"),
        ({**OURS, "ACESTEP_SERVERLESS_ENDPOINT_ID": "drafts"}, "http://127.0.0.1:8000/v2/drafts", "ours"),
        (RUNPODS, "https://api.runpod.ai/v2/abc123", "theirs"),
        ({**OURS, **RUNPODS}, "http://127.0.0.1:8000/v2/ace-step", "ours"),
        ({"ACESTEP_SERVERLESS_ENDPOINT": "http://127.0.0.1:8000/v2/x", **RUNPODS}, "http://127.0.0.1:8000/v2/x", ""),
        ({"RUNPOD_ENDPOINT_BASE_URL": "http://127.0.0.1:9/v2", **RUNPODS}, "http://127.0.0.1:9/v2/abc123", "theirs"),
        (
            {"ACESTEP_SERVERLESS_ENDPOINT": "https://api.runpod.ai/v2/xyz", **RUNPODS},
            "https://api.runpod.ai/v2/xyz",
            "theirs",
        ),
    ],
)
def test_variables_name_the_endpoint_and_runpods_key_goes_to_nobody_else(
    environ: dict[str, str], base: str, key: str
) -> None:
    access = access_from(environ)
    assert (access.address.base, access.key) == (base, key)
    assert key not in repr(access) or not key


def test_arguments_go_before_variables() -> None:
    access = access_from({**OURS, **RUNPODS}, "http://127.0.0.1:9", "drafts")
    assert access.address.base == "http://127.0.0.1:9/v2/drafts"


def test_an_environment_that_names_nothing_is_told_what_to_set() -> None:
    with pytest.raises(InputError, match="ACESTEP_SERVERLESS_ENDPOINT"):
        access_from({})


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    with pytest.raises(InputError, match="key: must be printable ASCII") as caught:
        access_from({**OURS, "ACESTEP_SERVERLESS_API_KEY": "two words"})
    assert "two words" not in str(caught.value)


def test_keyword_fields_are_the_handlers_with_their_types() -> None:
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool, "array of strings": list[str]}
    hints = get_type_hints(MusicFields)
    assert list(hints) == list(SPECS)
    for name, spec in SPECS.items():
        if spec.type in kinds:
            assert kinds[spec.type] in get_args(hints[name]), name


def test_importing_the_client_imports_nothing_heavy() -> None:
    code = "import sys, acestep_serverless.client; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    heavy = {
        "torch",
        "numpy",
        "runpod",
        "fastapi",
        "starlette",
        "pydantic",
        "sqlalchemy",
        "typer",
        "mcp",
    }  # rich comes with httpx
    assert loaded & heavy == set()
