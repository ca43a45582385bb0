"""Does `acestep-api` without a key keep web pages out? The command as a user starts it, on a free port."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acestep_serverless.settings import PREFIX

URL = re.compile(r"http://127\.0\.0\.1:\d+")
LINES_AT_MOST = 200


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Start the command with the parameter as its key; gives its URL as its log names it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "RUNPOD"))}
    environment = {**clean, "NO_COLOR": "1", f"{PREFIX}ACESTEP_API_KEY": request.param}
    command = [sys.executable, "-m", "acestep_serverless", "acestep-api", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = [process.stderr.readline()]
            while URL.search(lines[-1]) is None and lines[-1] and len(lines) < LINES_AT_MOST:
                lines.append(process.stderr.readline())
            found = URL.search(lines[-1])
            assert found is not None, "".join(lines)
            yield found[0]
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.parametrize("started", [""], indirect=True)
def test_without_a_key_it_answers_this_machine_and_no_web_page(started: str) -> None:
    with httpx.Client(base_url=started, timeout=20, trust_env=False) as http:
        assert http.get("/health").status_code == 200
        assert http.get("/health", headers={"Origin": "https://evil.example"}).status_code == 403
        assert http.get("/health", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("started", ["a-key"], indirect=True)
def test_with_a_key_any_name_may_lead_to_it(started: str) -> None:
    """A key is what no web page has; the server may stand behind a name of its own."""
    with httpx.Client(base_url=started, timeout=20, trust_env=False) as http:
        assert http.get("/health", headers={"Host": "songs.example"}).status_code == 200
        assert http.post("/release_task", json={}, headers={"Host": "songs.example"}).status_code == 401
