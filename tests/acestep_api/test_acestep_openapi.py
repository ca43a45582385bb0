"""Does the ACE-Step server's `/openapi.json` name every error that a route answers with, and none that never comes?"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_parts import Running, SineEngine, new_app
from edge_parts import KEY, AbleEngine, edge

from acestep_serverless.acestep_api import body, create_app, desk, routes_chat
from acestep_serverless.clock import Clock
from described_operations import Description, Operation

WISHES: dict[str, dict[str, Any]] = {
    "/cancel_task": {"task_id": "x"},
    "/release_task": {"prompt": "x"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/lora/load": {"lora_path": "soft"},
    "/v1/lora/toggle": {"use_lora": True},
    "/v1/lora/scale": {"scale": 1},
}
"""What a route needs to come to its work."""


async def see(http: httpx.AsyncClient, seen: Description, operation: Operation, **sent: Any) -> str:
    wish = (
        {}
        if sent.keys() & {"content", "json"} or operation.method == "get"
        else {"json": WISHES.get(operation.path, {})}
    )
    return seen.see(operation, await http.request(operation.method, operation.path, **wish, **sent))


async def see_all(
    http: httpx.AsyncClient, seen: Description, code: str, asked: Sequence[Operation] = (), **sent: Any
) -> None:
    """Ask every route that is said to answer so; all of them must."""
    answers = {one.path: await see(http, seen, one, **sent) for one in asked or seen if code in one.errors}
    assert [path for path, said in answers.items() if said != code] == []


@asynccontextmanager
async def asked(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
        yield http


class Never:
    """A body that does not come, however often it is asked for."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


async def bad_bodies(server: Running, seen: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = [one for one in seen if "408" in one.errors]
    await see_all(server.http, seen, "400", readers, content=b"{", headers={"Content-Type": "application/json"})
    await see_all(server.http, seen, "415", content=b"hello", headers={"Content-Type": "text/plain"})
    with monkeypatch.context() as patch:
        patch.setattr(body, "LARGEST_BODY", 4)
        await see_all(server.http, seen, "413", content=b"x" * 5)
        patch.setattr(body, "BODY_SECONDS", 0.001)
        await see_all(server.http, seen, "408", content=Never())


async def bad_names(server: Running, seen: Description) -> None:
    (audio,) = [one for one in seen if one.path == "/v1/audio"]
    (server.folder / "song-a.mp3").write_bytes(bytes(100))
    for name, asked, code in (
        ({}, None, "422"),
        ({"path": ".."}, None, "403"),
        ({"path": "song-b.mp3"}, None, "404"),
        ({"path": "song-a.mp3"}, "bytes=0-9", "206"),
        ({"path": "song-a.mp3"}, "bytes=x", "400"),
        ({"path": "song-a.mp3"}, "bytes=100-", "416"),
    ):
        headers = {} if asked is None else {"Range": asked}
        assert await see(server.http, seen, audio, params=name, headers=headers) == code


async def a_crowd(folder: Path, seen: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "adapters" / "soft").mkdir(parents=True)
    async with edge(folder / "crowd", queue_maximum=0, adapters=folder / "adapters") as server:
        with monkeypatch.context() as patch:
            patch.setattr(desk, "MOST_WAITING", 0)
            await see_all(server.http, seen, "429")


async def nothing_to_give(folder: Path, seen: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without a language model, no free id for a task, and a song that takes too long."""
    app = new_app(folder, engine := SineEngine())
    engine.go.clear()
    app.state.tasks.start()
    chat = {"messages": WISHES["/v1/chat/completions"]["messages"]}
    (talk,) = [one for one in seen if one.path == "/v1/chat/completions"]
    try:
        async with asked(app) as http:
            monkeypatch.setattr(routes_chat, "LONGEST_ANSWER", 0.0)
            monkeypatch.setattr(routes_chat, "HEARTBEAT", 0.01)
            assert await see(http, seen, talk, json=chat) == "504"
            monkeypatch.setattr(app.state.tasks, "_new_id", lambda: "id-1")
            await see_all(http, seen, "503")
    finally:
        app.state.tasks.stop()


async def broken(folder: Path, seen: Description) -> None:
    """Take away what every route needs: what nobody foresees."""
    app = create_app(
        engine=(engine := AbleEngine()),
        folder=folder / "broken",
        clock=Clock(now_ms=[0].pop, monotonic=lambda: 0.0),  # It tells the time of the start, and then no more.
        new_id=lambda: "id-1",
        new_seed=lambda: 1,
        adapters=folder / "adapters",
    )
    engine.task_types, engine.adapters, app.state.tasks.folder = None, object(), None
    async with asked(app) as http:
        await see_all(http, seen, "500", params={"path": "song-a.mp3"})


async def test_what_is_described_and_what_is_answered_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = new_app(tmp_path / "guarded", AbleEngine(), guarded=True)
    seen = Description(app.openapi())
    async with asked(app) as http:
        await see_all(http, seen, "403")
    async with edge(tmp_path / "closed", api_key=KEY) as server:
        await see_all(server.http, seen, "401")
    async with edge(tmp_path / "open") as server:
        await bad_bodies(server, seen, monkeypatch)
        await bad_names(server, seen)
    await a_crowd(tmp_path, seen, monkeypatch)
    await nothing_to_give(tmp_path / "little", seen, monkeypatch)
    await broken(tmp_path, seen)
    assert seen.lacking() == {}


async def test_the_body_is_described_as_required_where_it_is(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        for one in Description(server.app.openapi()):
            if one.method == "post":
                answer = await server.http.post(one.path)
                assert (answer.status_code == 415) == one.about["requestBody"]["required"], one.path


def test_no_answer_of_the_frameworks_own_is_described(tmp_path: Path) -> None:
    seen = Description(new_app(tmp_path, AbleEngine()).openapi())
    assert [one.path for one in seen if "422" in one.errors] == ["/v1/audio"], "upstream's own refusal"
    assert set(seen.components["schemas"]) == {"Error", "Guarded"}
