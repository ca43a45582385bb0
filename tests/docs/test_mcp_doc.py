"""Is docs/mcp.md the server for agents? An agent's client starts it as the page says, over a real endpoint."""

import json
from pathlib import Path
from typing import Any

import pytest
from doc_endpoint import KEY, PROGRAMS, Served
from documents import blocks, commands, read, table
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import TextContent

from acestep_serverless.mcp import acting, tools

PAGE = "docs/mcp.md"


def configured(served: Served, folder: Path) -> StdioServerParameters:
    """What an agent reads in the page's configuration, at the address and in the folder of a test."""
    (text,) = blocks(PAGE, "json")
    here = json.loads(served.here(text).replace("/home/me/songs", str(folder)))["mcpServers"]["music"]
    assert here["env"] == {"ACESTEP_SERVERLESS_API_KEY": KEY}
    return StdioServerParameters(
        command=str(PROGRAMS / Path(here["command"]).name), args=here["args"], env=here["env"], cwd=folder
    )


async def test_an_agent_makes_follows_edits_fetches_and_cancels(served: Served, tmp_path: Path) -> None:
    heard: list[float] = []
    (tmp_path / "mcp.py").write_text("raise SystemExit('a module of the folder was taken')")

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with Client(stdio_client(configured(served, tmp_path))) as agent:

        async def call(tool: str, **arguments: Any) -> Any:
            return await agent.call_tool(tool, arguments, progress_callback=hear)

        made = await call("generate_song", caption="slow strings", duration=2, seed=1, wait_seconds=300)
        assert not made.is_error, made.content
        job = made.structured_content["job"]
        assert made.structured_content["songs"][0]["engine"] == "sketch"
        assert heard == sorted(heard)
        assert heard[-1] == 1.0

        fetched = await call("fetch_songs", job=job, name="evening")
        assert fetched.structured_content["files"] == [str(tmp_path / "evening.mp3")]
        assert (tmp_path / "evening.mp3").stat().st_size > 10_000

        edited = await call("edit_song", job=job, task_type="repaint", caption="x", repainting_end=1, wait_seconds=300)
        assert edited.is_error  # the song came as far as the engine, which makes songs from words only
        (said,) = [block.text for block in edited.content if isinstance(block, TextContent)]
        assert "task_type" in said

        long = await call("generate_song", caption="x", duration=600, wait_seconds=0)
        cancelled = await call("cancel_job", job=long.structured_content["job"])
        assert cancelled.structured_content["state"] == "CANCELLED"
        listed = await call("list_jobs", limit=3)
        states = [each["state"] for each in listed.structured_content["jobs"]]
        assert states == ["CANCELLED", "FAILED", "COMPLETED"]


def test_the_pages_tools_and_numbers_are_the_servers() -> None:
    assert [row[0].strip("`") for row in table(PAGE, "Tool")] == [tool.name for tool in tools.TOOLS]
    text = read(PAGE)
    assert f"{tools.DEFAULT_WAIT:g} unless given and at most {tools.LONGEST_WAIT:,.0f}" in text
    assert f"up to {acting.LARGEST_INLINE // 1_000_000} MB" in text


def test_the_pages_flags_are_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from acestep_serverless.mcp.program import PROGRAM

    command: Any = typer.main.get_command(PROGRAM)
    flags = {option for parameter in command.params for option in parameter.opts}
    assert {row[0].strip("`").split()[0] for row in table(PAGE, "Flag")} == flags - {"--help"}


def test_what_the_page_installs_is_an_extra() -> None:
    (command,) = commands(PAGE)
    assert command == "make install EXTRAS=mcp"
    assert "--editable '.$(if $(EXTRAS),[$(EXTRAS)])'" in read("Makefile")
    assert "\nmcp = [" in read("pyproject.toml")
