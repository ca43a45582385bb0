"""Does an agent make music without an endpoint? The tools over the engine of this machine; nothing is left behind."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp_types import TextContent

from acestep_serverless.assembly.local import open_local
from acestep_serverless.client import StillRunning
from acestep_serverless.errors import NotFound
from acestep_serverless.mcp.acting import Acting
from acestep_serverless.mcp.server import build_server
from acestep_serverless.settings import Settings


async def test_songs_are_made_cancelled_edited_and_saved_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    loading: list[str] = []
    async with (
        open_local(Settings.load(engine="sketch", data_dir=tmp_path), loading.append) as songs,
        Client(build_server(Acting(songs, tmp_path / "songs"))) as agent,
    ):

        async def call(tool: str, **arguments: Any) -> Any:
            return await agent.call_tool(tool, arguments)

        assert loading == []
        made = await call("generate_song", caption="piano", duration=1, seed=3, wait_seconds=300)
        assert loading
        job = made.structured_content["job"]
        saved = await call("fetch_songs", job=job, name="evening")
        assert Path(saved.structured_content["files"][0]).read_bytes()[:3] == b"ID3"
        assert saved.structured_content["files"] == [str(tmp_path / "songs" / "evening.mp3")]

        edited = await call("edit_song", job=job, task_type="cover", caption="x", wait_seconds=300)
        (said,) = [block.text for block in edited.content if isinstance(block, TextContent)]
        assert edited.is_error
        assert "task_type" in said

        long = (await call("generate_song", caption="x", duration=60, wait_seconds=0)).structured_content["job"]
        with pytest.raises(StillRunning):
            await songs.wait(long, timeout=0.01)
        assert (await call("cancel_job", job=long)).structured_content["state"] == "CANCELLED"
        listed = (await call("list_jobs")).structured_content["jobs"]
        assert [each["state"] for each in listed] == ["CANCELLED", "FAILED", "COMPLETED"]
        with pytest.raises(NotFound, match="no job of the id"):
            await songs.status("another")
    assert list(scratch.iterdir()) == []
