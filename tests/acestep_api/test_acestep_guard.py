"""Can a web page drive an ACE-Step server that has no key? Foreign `Host` and `Origin` values against the whole app."""

import json
from pathlib import Path

import httpx
import pytest
from acestep_parts import running

SONG = {"prompt": "a tone"}


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("http://127.0.0.1:8001", "https://evil.example"),
        ("http://evil.example:8001", None),
        ("http://evil.example:8001", "http://evil.example:8001"),
        ("http://127.0.0.1:8001", "http://127.0.0.1.evil.example:9999"),
        ("http://127.0.0.1:8001", "null"),
    ],
)
async def test_a_guarded_server_queues_no_song_for_a_web_page(
    base_url: str, origin: str | None, tmp_path: Path
) -> None:
    headers = {"Content-Type": "text/plain", **({"Origin": origin} if origin else {})}
    async with running(tmp_path, guarded=True) as server:
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as page:
            answer = await page.post("/release_task", content=json.dumps(SONG), headers=headers)
        assert answer.status_code == 403
        assert "error" in answer.json()
        assert not server.engine.started.is_set()


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001"])
async def test_a_guarded_server_answers_programs_of_this_machine(base_url: str, tmp_path: Path) -> None:
    async with running(tmp_path, guarded=True) as server:
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as local:
            assert (await local.post("/release_task", json=SONG)).status_code == 200
            same = {"Origin": base_url}
            assert (await local.post("/release_task", json=SONG, headers=same)).status_code == 200


PAGE = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:9999", "https://localhost"])
@pytest.mark.parametrize("api_key", [None, "sk-test"])
async def test_pages_of_this_machine_may_ask_and_read(origin: str, api_key: str | None, tmp_path: Path) -> None:
    async with running(tmp_path, guarded=api_key is None, api_key=api_key) as server:
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as page:
            asked = await page.options("/release_task", headers={"Origin": origin, **PAGE})
            health = await page.get("/health", headers={"Origin": origin})
            refused = await page.post("/release_task", content=b"{", headers={"Origin": origin})
    assert asked.status_code == 200
    assert {answer.headers["access-control-allow-origin"] for answer in (asked, health, refused)} == {origin}
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize(
    ("api_key", "guarded", "status"), [(None, True, 403), (None, False, 400), ("sk-test", False, 200)]
)
async def test_the_page_of_a_file_needs_a_server_with_a_key(
    api_key: str | None, guarded: bool, status: int, tmp_path: Path
) -> None:
    async with running(tmp_path, guarded=guarded, api_key=api_key) as server:
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as page:
            asked = await page.options("/release_task", headers={"Origin": "null", **PAGE})
    assert asked.status_code == status
    assert asked.headers.get("access-control-allow-origin") == ("null" if status == 200 else None)


async def test_pages_of_the_internet_may_read_nothing_even_with_a_key(tmp_path: Path) -> None:
    async with running(tmp_path, api_key="sk-test") as server:
        headers = {"Origin": "https://evil.example", **PAGE}
        asked = await server.http.options("/release_task", headers=headers)
        health = await server.http.get("/health", headers=headers)
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in {*asked.headers, *health.headers}


async def test_no_page_loads_scripts_from_another_host(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        for path in ("/docs", "/redoc"):
            assert (await server.http.get(path)).status_code == 404
