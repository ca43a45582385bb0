"""Does the command line make songs at an endpoint, one or many, go on where it stopped, and end with the right code?"""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from program_here import Program

from acestep_serverless.assembly.ledger import LEDGER_FILE, Entry, Ledger, Step, keys_of
from acestep_serverless.assembly.many import Run
from acestep_serverless.cli import exits
from acestep_serverless.client import AsyncClient, Patience
from acestep_serverless.errors import Conflict, InputError
from scripted_endpoint import JOB_ID, SONG, Answer, ScriptedEndpoint, completed, inline, song

QUEUED = {"id": JOB_ID, "status": "IN_QUEUE"}
FAILED = {"id": JOB_ID, "status": "FAILED", "error": "the GPU is gone"}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedEndpoint]:
    """An endpoint with a finished song, named by the environment; attempts follow each other without pauses."""
    for name in ("RUNPOD_API_KEY", "RUNPOD_ENDPOINT_ID", "RUNPOD_ENDPOINT_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Patience, "pause", lambda self, attempt, chance: 0.0)
    served = ScriptedEndpoint()
    served.says("POST run", QUEUED)
    served.says(f"GET status/{JOB_ID}", completed(song()))
    served.says("GET /v1/audio", Answer(SONG, headers={"Content-Type": "audio/mpeg"}))
    yield served
    served.close()


def at(endpoint: ScriptedEndpoint, *more: str) -> tuple[str, ...]:
    return ("--endpoint", endpoint.url, *more)


def test_one_song_is_made_saved_and_told_without_its_key(
    program: Program, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("my-secret-key\n")
    words = ("slow strings", "--duration", "3", "--set", "bpm=70", "--set", "key_scale=C major", "--key-file", "key")
    said = program("generate", *words, *at(endpoint))
    assert said.code == 0, said.err
    assert said.out == f"outputs/{JOB_ID}.mp3  (3 s, engine sketch, seed 7)\n"
    assert said.err == f"job {JOB_ID} at {endpoint.url}/v2/ace-step\n"
    assert (tmp_path / "outputs" / f"{JOB_ID}.mp3").read_bytes() == SONG
    wish = {"caption": "slow strings", "duration": 3, "bpm": 70, "key_scale": "C major"}
    assert endpoint.asked[0].json == {"input": wish}
    assert {asked.headers["authorization"] for asked in endpoint.asked} == {"Bearer my-secret-key"}
    assert "secret" not in said.out + said.err


def test_every_input_field_is_a_flag(program: Program, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    words = ("x", "--bpm", "70", "--key-scale=C major", "--thinking", "true", "--lyrics", "--bpm", "-o", "songs")
    assert program("generate", *words, *at(endpoint)).code == 0
    sent = endpoint.asked[0].json["input"]
    assert (sent["bpm"], sent["key_scale"], sent["thinking"], sent["lyrics"]) == (70, "C major", True, "--bpm")
    assert (tmp_path / "songs" / f"{JOB_ID}.mp3").read_bytes() == SONG
    words = ("x", "--use-format", "-o", "songs", "--repainting-end", "-1")
    assert program("generate", *words, *at(endpoint)).code == 0
    sent = [asked.json["input"] for asked in endpoint.asked if asked.method == "POST"][-1]
    assert (sent["use_format"], sent["repainting_end"]) == (True, -1)
    assert "must be NAME=VALUE" in program("generate", "x", "--bpm", *at(endpoint)).err
    assert "No such option: --tempo" in program("generate", "x", "--tempo", "70").err


def test_a_file_of_this_machine_is_worked_on(program: Program, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    (tmp_path / "take.mp3").write_bytes(SONG)
    said = program("generate", "x", "--task-type", "cover", "--src-audio", "take.mp3", "--json", *at(endpoint))
    assert said.json["file"] == f"outputs/{JOB_ID}.mp3"
    assert base64.b64decode(endpoint.asked[0].json["input"]["src_audio"]) == SONG


def test_an_input_of_a_foreign_handler_goes_out_unchecked(program: Program, endpoint: ScriptedEndpoint) -> None:
    assert program("generate", "--set", "prompt=a cat", "--no-check", *at(endpoint)).code == 0
    assert endpoint.asked[0].json == {"input": {"prompt": "a cat"}}
    endpoint.says(f"GET status/{JOB_ID}", {"id": JOB_ID, "status": "COMPLETED", "output": {"image": "meow"}})
    words = ("generate", "--set", "prompt=a cat", "--no-check", *at(endpoint))
    assert program(*words, "--json").json["output"] == {"image": "meow"}
    assert program(*words).out == '{"image": "meow"}\n'


LIST = "- caption: one\n- caption: two\n  duration: 5\n- input: {caption: three}\n"


def test_a_list_is_made_and_a_second_run_makes_only_what_is_left(
    program: Program, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "list.yaml").write_text(LIST)
    endpoint.says(f"GET status/{JOB_ID}", completed(song()), FAILED, completed(song()))
    words = ("generate", "--from", "list.yaml", "--duration", "3", "--jobs", "1", *at(endpoint))
    first = program(*words)
    assert first.code == exits.SOME.code
    assert f"item 2: job {JOB_ID} ended FAILED: the GPU is gone" in first.err
    assert "2 of 3 made, 0 of them before" in first.err
    sent = [asked.json["input"] for asked in endpoint.asked if asked.method == "POST"]
    assert [(wish["caption"], wish["duration"]) for wish in sent] == [("one", 3), ("two", 5), ("three", 3)]
    again = program(*words, "--json")
    lines = [json.loads(line) for line in again.out.splitlines()]
    assert sorted((line["item"], line.get("made_before", False)) for line in lines) == [
        (1, True),
        (2, False),
        (3, True),
    ]
    assert "3 of 3 made, 2 of them before" in again.err
    assert endpoint.times("POST run") == 4
    assert len(list((tmp_path / "outputs").glob("*.mp3"))) == 3


def test_a_wish_in_doubt_is_not_sent_again_unless_that_is_said(
    program: Program, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "list.json").write_text('[{"caption": "one"}]')
    endpoint.says("POST run", Answer(hang_up=0), QUEUED)
    words = ("generate", "--from", "list.json", *at(endpoint))
    assert "item 1: the job may have been queued, or not" in program(*words).err
    second = program(*words)
    assert second.code == exits.SOME.code
    assert "run again with --resend" in second.err
    assert endpoint.times("POST run") == 1
    assert program(*words, "--resend").code == 0
    assert endpoint.times("POST run") == 2


def test_a_job_that_an_earlier_run_queued_is_waited_for(
    program: Program, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "list.jsonl").write_text('{"caption": "one"}\n\n')
    ledger = Ledger(tmp_path / "outputs")
    (key,) = keys_of([{"caption": "one"}])
    ledger.note(Entry(key, "queued", f"{endpoint.url}/v2/ace-step", JOB_ID))
    ledger.close()
    assert program("generate", "--from", "list.jsonl", *at(endpoint)).code == 0
    assert endpoint.times("POST run") == 0


@pytest.mark.parametrize("step", ["sending", "queued"])
async def test_what_an_ended_process_was_making_itself_is_made_again(
    endpoint: ScriptedEndpoint, tmp_path: Path, step: Step
) -> None:
    """Its jobs ended with it, so there is no doubt and nothing to wait for."""
    ledger, wish = Ledger(tmp_path), {"caption": "one"}
    ledger.note(Entry(*keys_of([wish]), step, "", "local-1"))
    async with AsyncClient(endpoint.url) as songs:
        (made,) = await Run(songs, "", ledger).make([wish], lambda made: None)
    assert made.error is None
    assert ledger.has_all(keys_of([wish]))
    assert endpoint.times("POST run") == 1
    ledger.close()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("list.yaml", "- caption: [", "must be YAML or JSON"),
        ("list.json", "{", "must be JSON"),
        ("list.yaml", "- just words", "item 1: must be an object of input fields"),
        ("list.yaml", "- {caption: x, duration: 0}\n- {caption: ''}", "item 1: duration: must be a whole number"),
        ("list.yaml", "- {caption: x}\n- {caption: ''}", "item 2: caption: must be a non-blank string"),
        ("list.yaml", "[]", "must be a list of 1 to 10,000"),
        ("none.yaml", None, "must be a file that can be read (No such file or directory)"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_before_anything_is_made(
    program: Program, tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    done = program("generate", "--from", name)
    assert done.code == 1
    assert said in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "answers", "code", "said"),
    [
        (("generate", "x", "--duration", "0"), {}, 1, "duration: must be"),
        (("generate", "x", "--set", "bpm"), {}, 1, "must be NAME=VALUE"),
        (("generate", "x", "--engine", "sketch"), {}, 1, "must be absent with --endpoint"),
        (("generate", "x"), {"POST run": Answer({"error": "wrong key"}, 401)}, 1, "wrong key"),
        (("generate", "x", "--jobs", "0"), {}, 2, "--jobs"),
        (("generate", "x"), {f"GET status/{JOB_ID}": Answer(FAILED)}, 3, "the GPU is gone"),
        (("status", JOB_ID), {f"GET status/{JOB_ID}": Answer(hang_up=0)}, 4, "does not answer"),
        (("generate", "x"), {"POST run": Answer(hang_up=0)}, 5, "may have been queued"),
        (("download", JOB_ID, "--wait", "--timeout", "0"), {f"GET status/{JOB_ID}": Answer(QUEUED)}, 6, "goes on"),
        (("status", ".."), {}, 1, "job id"),
        (("cancel", "unknown"), {}, 1, "no"),
        (("generate", "x", "--key-file", "none"), {}, 1, "--key-file none cannot be read"),
    ],
)
def test_each_end_has_its_code_and_one_line(
    program: Program,
    endpoint: ScriptedEndpoint,
    words: tuple[str, ...],
    answers: dict[str, Answer],
    code: int,
    said: str,
) -> None:
    for what, answer in answers.items():
        endpoint.says(what, answer)
    done = program(*words, *at(endpoint))
    assert done.code == code, done.err
    assert said in done.err
    assert code == 2 or len([line for line in done.err.splitlines() if not line.startswith("job ")]) == 1


def test_jobs_are_shown_cancelled_and_fetched(program: Program, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    running = {
        "id": JOB_ID,
        "status": "IN_PROGRESS",
        "delayTime": 1500,
        "output": {"progress": 0.25, "stage": "mixing"},
    }
    endpoint.says(f"GET status/{JOB_ID}", running)
    endpoint.says(f"POST cancel/{JOB_ID}", {"id": JOB_ID, "status": "CANCELLED"})
    shown = program("status", JOB_ID, *at(endpoint)).out
    assert all(word in shown for word in (JOB_ID, "IN_PROGRESS", "25%", "mixing", "1.5 s"))
    assert program("status", JOB_ID, "--json", *at(endpoint)).json["progress"] == 0.25
    assert program("cancel", JOB_ID, "--json", *at(endpoint)).json["state"] == "CANCELLED"
    endpoint.says(f"GET status/{JOB_ID}", QUEUED, completed(song(url=None), audio=[inline()]))
    assert program("download", JOB_ID, "--wait", "--output", "songs", *at(endpoint)).code == 0
    assert (tmp_path / "songs" / f"{JOB_ID}.mp3").read_bytes() == SONG


def test_the_environment_can_name_the_endpoint(
    program: Program, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACESTEP_SERVERLESS_ENDPOINT", endpoint.url)
    monkeypatch.setenv("ACESTEP_SERVERLESS_API_KEY", "from-the-environment")
    assert program("generate", "x").code == 0
    assert endpoint.asked[0].headers["authorization"] == "Bearer from-the-environment"


def test_ctrl_c_ends_the_command_and_leaves_the_job(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.says(f"GET status/{JOB_ID}", QUEUED)
    installed = Path(sys.executable).with_name("acestep-serverless")
    command = [installed, "generate", "x", *at(endpoint)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(f"job {JOB_ID} at ")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == exits.INTERRUPTED.code
    assert "interrupted" in said
    assert "Traceback" not in said
    assert endpoint.times(f"POST cancel/{JOB_ID}") == 0


def test_every_error_has_a_code() -> None:
    assert [row.code for row in exits.EXITS] == sorted(row.code for row in exits.EXITS)
    assert exits.code_of(InputError([])) == 1


def test_a_ledger_torn_by_a_power_cut_goes_on_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.note(Entry("a", "sending", "http://x"))
    with pytest.raises(Conflict, match="another run is at work"):
        Ledger(tmp_path)
    ledger.close()
    path = tmp_path / LEDGER_FILE
    path.write_bytes(path.read_bytes() + b'{"key": "b", "st')
    again = Ledger(tmp_path)
    assert again.of("a") == Entry("a", "sending", "http://x")
    again.note(Entry("c", "done", files=("gone.mp3",)))
    assert again.of("c") is None
    again.close()
    path.write_bytes(path.read_bytes() + b"scribble\n")
    with pytest.raises(InputError, match="line 3 of"):
        Ledger(tmp_path)
    path.write_bytes(json.dumps({"key": "a", "step": "done", "files": ["../../x"]}).encode() + b"\n")
    with pytest.raises(InputError, match="line 1 of"):
        Ledger(tmp_path)


def test_the_shell_completes_values() -> None:
    environ = {**os.environ, "_ACESTEP_SERVERLESS_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    environ["COMP_WORDS"] = "acestep-serverless generate --task-type rep"
    installed = Path(sys.executable).with_name("acestep-serverless")
    done = subprocess.run([installed], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["repaint"]
