"""Does `acestep-api` without a key keep web pages out, and lose no task? The command as a user starts it, on a free
port."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from acestep_serverless.assembly import serve
from acestep_serverless.assembly.standalone import serve_api
from acestep_serverless.errors import SettingsError
from acestep_serverless.settings import PREFIX, Settings

URL = re.compile(r"http://127\.0\.0\.1:\d+")
LINES_AT_MOST = 200


@contextmanager
def command(folder: Path, key: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the command in a folder; gives its process and its URL as its log names it. It is terminated at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "RUNPOD"))}
    environment = {**clean, "NO_COLOR": "1", f"{PREFIX}ACESTEP_API_KEY": key}
    words = [sys.executable, "-m", "acestep_serverless", "acestep-api", "--engine", "sketch", "--port", "0"]
    with subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = [process.stderr.readline()]
            while URL.search(lines[-1]) is None and lines[-1] and len(lines) < LINES_AT_MOST:
                lines.append(process.stderr.readline())
            found = URL.search(lines[-1])
            assert found is not None, "".join(lines)
            yield process, found[0]
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def started(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Start the command with the parameter as its key."""
    with command(tmp_path, request.param) as (_, url):
        yield url


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


def test_what_was_acknowledged_before_a_kill_is_made_after_it_and_kept(tmp_path: Path) -> None:
    """The first task is being made when the process is killed, the second one waits."""
    songs = [{"prompt": "house", "audio_duration": 20, "seed": 5}, {"prompt": "folk", "audio_duration": 2, "seed": 6}]
    with command(tmp_path, "") as (process, url), httpx.Client(base_url=url, timeout=90, trust_env=False) as http:
        bodies = [{**song, "batch_size": 1, "use_random_seed": False} for song in songs]
        ids = [http.post("/release_task", json=body).json()["data"]["task_id"] for body in bodies]
        process.kill()
        process.wait(30)
    with command(tmp_path, "") as (_, url), httpx.Client(base_url=url, timeout=90, trust_env=False) as http:
        asked = [http.post("/query_result", json={"task_id_list": [task_id], "wait": 60}).json() for task_id in ids]
        items = [json.loads(answer["data"][0]["result"])[0] for answer in asked]
        files = [http.get(item["file"]) for item in items]
    assert [(item["status"], item["seed"], round(item["seconds"])) for item in items] == [(1, 5, 20), (1, 6, 2)]
    assert [len(file.content) for file in files] == [item["bytes"] for item in items]


def test_two_of_them_do_not_work_with_one_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "CLAIM_PATIENCE", 0.1)
    settings = Settings(data_dir=tmp_path)
    wrong = pytest.raises(SettingsError, match="another acestep-api works with the data folder")
    with serve.claim(tmp_path, "acestep-api"), serve.claim(tmp_path), wrong:
        serve_api(settings, "127.0.0.1", 0)
