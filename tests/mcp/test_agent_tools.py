"""Does an agent get what it asks for? The SDK's own client calls the tools, over an endpoint that is scripted."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.client.client import Client
from mcp_types import AudioContent, ResourceLink, TextContent

from acestep_serverless.assembly.reach import access_of
from acestep_serverless.client import AsyncClient, Patience
from acestep_serverless.contract.music_fields import SPECS
from acestep_serverless.mcp.acting import Acting
from acestep_serverless.mcp.server import build_server
from acestep_serverless.mcp.tools import HANDLERS_OWN, TOOLS
from mcp import MCPError
from scripted_endpoint import JOB_ID, SONG, Answer, ScriptedEndpoint, completed, song

QUEUED = {"id": JOB_ID, "status": "IN_QUEUE"}
RUNNING = {"id": JOB_ID, "status": "IN_PROGRESS", "output": {"progress": 0.25, "stage": "diffusing"}}


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    served = ScriptedEndpoint()
    served.says("POST run", QUEUED)
    served.says(f"GET status/{JOB_ID}", completed(song(), warnings=["short lyrics"]))
    served.says("GET /v1/audio", Answer(SONG, headers={"Content-Type": "audio/mpeg"}))
    yield served
    served.close()


@asynccontextmanager
async def agent(endpoint: ScriptedEndpoint, folder: Path) -> AsyncIterator[Client]:
    """An agent's client, connected in this process."""
    quick = Patience(first=0.001, strange=2, attempts=2)
    async with (
        AsyncClient(endpoint.url, interval=0.1, patience=quick) as songs,
        Client(build_server(Acting(songs, folder))) as client,
    ):
        yield client


def words(result: Any) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


async def test_tools_are_listed_with_the_contracts_fields_and_what_they_do(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    async with agent(endpoint, tmp_path) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == [tool.name for tool in TOOLS]
    fields = tools["generate_song"].input_schema["properties"]
    assert set(fields) == set(SPECS) - HANDLERS_OWN - {"src_audio"} | {"wait_seconds"}
    assert fields["duration"]["maximum"] == 600
    assert fields["caption"]["type"] == "string"
    edits = tools["edit_song"].input_schema["properties"]["task_type"]["enum"]
    assert "repaint" in edits
    assert "text2music" not in edits
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert hints["follow_job"].read_only_hint
    assert hints["cancel_job"].destructive_hint
    assert all(tool.description and tool.output_schema for tool in tools.values())


async def test_a_song_is_made_with_progress_and_saved(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.says(f"GET status/{JOB_ID}", QUEUED, completed(song(), warnings=["short lyrics"]))
    endpoint.says(f"GET status-sync/{JOB_ID}", RUNNING, completed(song(), warnings=["short lyrics"]))
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with agent(endpoint, tmp_path) as client:
        wish = {"caption": "slow strings", "duration": 3, "wait_seconds": 60}
        made = await client.call_tool("generate_song", wish, progress_callback=hear)
        fetched = await client.call_tool("fetch_songs", {"job": JOB_ID, "name": "evening", "inline": True})
    assert endpoint.asked[0].json == {"input": {"caption": "slow strings", "duration": 3}}
    assert not made.is_error
    assert made.structured_content["state"] == "COMPLETED"
    assert made.structured_content["warnings"] == ["short lyrics"]
    assert made.structured_content["songs"][0]["seed"] == 7
    assert "call fetch_songs" in words(made)
    assert heard == [(0.0, "in queue"), (0.25, "diffusing"), (1.0, "completed")]
    path = tmp_path / "evening.mp3"
    assert path.read_bytes() == SONG
    assert fetched.structured_content == {"job": JOB_ID, "files": [str(path)]}
    (link,) = [block for block in fetched.content if isinstance(block, ResourceLink)]
    assert (link.uri, link.mime_type) == (path.as_uri(), "audio/mpeg")
    assert [block.mime_type for block in fetched.content if isinstance(block, AudioContent)] == ["audio/mpeg"]


async def test_a_job_that_takes_longer_is_an_answer_and_can_be_followed(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    for operation in ("status", "status-sync"):
        endpoint.says(f"GET {operation}/{JOB_ID}", RUNNING)
    async with agent(endpoint, tmp_path) as client:
        made = await client.call_tool("generate_song", {"caption": "x", "wait_seconds": 0})
        seen = await client.call_tool("follow_job", {"job": JOB_ID, "wait_seconds": 0.2})
    assert made.structured_content["state"] == "IN_QUEUE"
    assert f'call follow_job with job "{JOB_ID}"' in words(made)
    assert not seen.is_error
    assert (seen.structured_content["state"], seen.structured_content["progress"]) == ("IN_PROGRESS", 0.25)


async def test_a_song_of_an_earlier_job_is_edited(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    span = {"task_type": "repaint", "caption": "with a solo", "repainting_start": 1, "repainting_end": 2}
    async with agent(endpoint, tmp_path) as client:
        made = await client.call_tool("edit_song", {"job": JOB_ID, **span})
        beyond = await client.call_tool("edit_song", {"job": JOB_ID, "song": 2, **span})
        neither = await client.call_tool("edit_song", span)
        wrong = await client.call_tool("edit_song", {"job": JOB_ID, **span, "task_type": "text2music"})
    assert not made.is_error
    (sent,) = [asked.json["input"] for asked in endpoint.asked if asked.method == "POST"]
    assert sent == {**span, "src_audio": "/v1/audio?filename=03bd.mp3"}
    assert "song: must be from 1 to 1" in words(beyond)
    assert "job: must be given, or src_audio in its place" in words(neither)
    assert "task_type: must be one of cover" in words(wrong)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("generate_song", {"caption": "", "duration": 0}, "duration: must be a whole number from 1 to 600, got 0"),
        ("generate_song", {"caption": "x", "durration": 3}, 'the nearest is "duration"'),
        ("generate_song", {"caption": "x", "wait_seconds": "long"}, 'wait_seconds: type must be number, got "long"'),
        ("follow_job", {}, "job: must be given, got nothing"),
        ("follow_job", {"job": JOB_ID, "jobs": 1}, "jobs: is unknown; follow_job takes job, wait_seconds, got 1"),
        ("follow_job", {"job": "../x"}, "job id"),
        ("fetch_songs", {"job": JOB_ID, "name": "../x"}, "name: pattern must be"),
        ("cancel_job", {"job": "unknown"}, "no"),
        ("list_jobs", {"limit": 0}, "limit: minimum must be 1, got 0"),
        ("list_jobs", {"state": "DONE"}, "state: must be one of IN_QUEUE"),
    ],
)
async def test_what_is_wrong_is_a_tools_error_that_names_the_field(
    endpoint: ScriptedEndpoint, tmp_path: Path, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with agent(endpoint, tmp_path) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert said in words(result)
    assert list(tmp_path.iterdir()) == []


async def test_what_went_wrong_at_the_endpoint_is_a_tools_error(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.says(f"GET status/{JOB_ID}", {"id": JOB_ID, "status": "FAILED", "error": "the GPU is gone"})
    endpoint.says(f"POST cancel/{JOB_ID}", {"id": JOB_ID, "status": "CANCELLED"})
    endpoint.says("GET requests", {"requests": [QUEUED]})
    async with agent(endpoint, tmp_path) as client:
        followed = await client.call_tool("follow_job", {"job": JOB_ID})
        cancelled = await client.call_tool("cancel_job", {"job": JOB_ID})
        listed = await client.call_tool("list_jobs", {"limit": 5})
        endpoint.says("POST run", Answer(hang_up=0))
        lost = await client.call_tool("generate_song", {"caption": "x"})
        with pytest.raises(MCPError, match="there is no tool"):
            await client.call_tool("sing", {})
    assert followed.is_error
    assert f"job {JOB_ID} ended FAILED: the GPU is gone" in words(followed)
    assert cancelled.structured_content["state"] == "CANCELLED"
    assert [job["job"] for job in listed.structured_content["jobs"]] == [JOB_ID]
    assert "may have been queued" in words(lost)


async def test_over_http_agents_of_this_machine_are_served_and_web_pages_of_others_are_not(
    endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "acestep_serverless.mcp", "--http", "0", "--endpoint", endpoint.url]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = await asyncio.to_thread(process.stderr.readline)
        url = line.split()[-1]
        assert url.startswith("http://127.0.0.1:")
        async with Client(url) as client:
            made = await client.call_tool("generate_song", {"caption": "slow strings"})
        assert made.structured_content["state"] == "COMPLETED"
        async with httpx.AsyncClient(trust_env=False, timeout=60) as stranger:
            for headers in ({"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}):
                answer = await stranger.post(url, json={}, headers={**headers, "Accept": "application/json"})
                assert answer.status_code in (403, 421)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("module", ["acestep_serverless.mcp", "acestep_serverless"])
def test_ctrl_c_while_the_program_is_imported_ends_it_quietly(module: str, tmp_path: Path) -> None:
    interrupted = "lambda event, words: event == 'import' and words[0] == 'typer' and os.kill(os.getpid(), 2)"
    run = f"import os, runpy, sys; sys.addaudithook({interrupted}); runpy.run_module({module!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from acestep_serverless.mcp import __main__ as program

    for name in [name for name in sys.modules if name.startswith("acestep_serverless.mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    monkeypatch.setattr(sys, "argv", ["mcp", "--endpoint", "http://127.0.0.1:9"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert f"{sys.executable} -m pip install 'acestep-serverless[mcp]'" in str(ended.value.code)


def test_where_songs_are_made_is_said_by_flags_and_variables() -> None:
    assert access_of({}, None, None, None, None) is None
    named = {"ACESTEP_SERVERLESS_ENDPOINT": "http://127.0.0.1:9"}
    assert access_of(named, None, None, None, "sketch") is None
    found = access_of(named, None, None, None, None)
    assert found is not None
    assert found.address.base == "http://127.0.0.1:9/v2/ace-step"
