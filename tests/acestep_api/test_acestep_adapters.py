"""Which adapters may be loaded, and what do the routes say about them? Names in one folder, never paths."""

import json
from pathlib import Path
from typing import Any

import pytest
from acestep_parts import SineEngine
from edge_parts import AbleEngine, edge, first_item


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with an adapter, something that is none, and a link out."""
    folder = tmp_path / "adapters"
    for name in ("voice", "choir"):
        (folder / name).mkdir(parents=True)
        (folder / name / "adapter.safetensors").write_bytes(b"x")
    (folder / "empty").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "adapter.safetensors").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "outside")
    return folder


async def test_an_adapter_lives_from_its_loading_to_its_unloading(shelf: Path, tmp_path: Path) -> None:
    async with edge(tmp_path / "songs", adapters=shelf) as server:

        async def post(path: str, **body: Any) -> Any:
            response = await server.http.post(f"/v1/lora/{path}", json=body)
            assert (response.status_code, response.json()["code"]) == (200, 200), response.text
            return response.json()["data"]

        async def status() -> Any:
            return (await server.http.get("/v1/lora/status")).json()["data"]

        assert (await status())["lora_loaded"] is False
        loaded = await post("load", lora_path="voice")
        assert (loaded["lora_path"], loaded["adapter_name"]) == ("voice", "voice")
        await post("load", lora_path="choir", adapter_name="many")
        assert (await post("scale", scale="0.5", adapter_name="many"))["scale"] == 0.5
        assert (await status())["scales"] == {"voice": 1.0, "many": 0.5}
        assert (await post("scale", scale=0.25))["scale"] == 0.25
        assert await status() == {
            "lora_loaded": True,
            "use_lora": True,
            "lora_scale": 0.25,
            "adapter_type": "lora",
            "scales": {"voice": 0.25, "many": 0.25},
            "active_adapter": "voice",
            "adapters": ["voice", "many"],
            "synthetic_default_mode": False,
        }
        assert (await post("toggle", use_lora=False))["use_lora"] is False
        assert ((await status())["use_lora"], (await status())["active_adapter"]) == (False, None)
        [entry] = await server.query(await server.release(lora="many", lora_scale=0.5))
        assert first_item(entry)["error"] is None
        assert (await server.http.post("/v1/lora/unload")).json()["code"] == 200
        assert (await status())["adapters"] == []
    assert (server.engine.requests[0].sampling.lora, server.engine.requests[0].sampling.lora_scale) == ("many", 0.5)


@pytest.mark.parametrize(
    "given", ["link", "../outside", "/etc", "none", "", None, 5, ".", "..", "voice/", "a\0b", "x" * 500, ["voice"]]
)
async def test_no_path_and_no_link_is_an_adapter(given: object, shelf: Path, tmp_path: Path) -> None:
    async with edge(tmp_path / "songs", adapters=shelf) as server:
        response = await server.http.post("/v1/lora/load", json={"lora_path": given})
    assert response.status_code == 400
    assert response.json()["error"].startswith("lora_path: must be the name of a file or folder in the adapters folder")
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("load", {"lora_path": "empty"}, "lora_path: must hold adapter.safetensors"),
        ("load", {"lora_path": "voice", "adapter_name": "../x"}, "adapter_name: must be letters"),
        ("scale", {"scale": 2}, "scale: must be a number from 0 to 1, got 2"),
        ("scale", {}, "scale: must be a number"),
        ("scale", {"scale": 1, "adapter_name": "\ud800"}, "adapter_name: must be letters"),
        ("scale", {"scale": 1, "adapter_name": ["voice"]}, "adapter_name: must be letters"),
        ("toggle", {"use_lora": "maybe"}, "use_lora: must be true or false"),
    ],
)
async def test_what_cannot_be_read_or_loaded_is_a_400(
    path: str, body: dict[str, Any], said: str, shelf: Path, tmp_path: Path
) -> None:
    async with edge(tmp_path / "songs", adapters=shelf) as server:
        headers = {"content-type": "application/json"}
        response = await server.http.post(f"/v1/lora/{path}", content=json.dumps(body), headers=headers)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(said)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("toggle", {"use_lora": True}, "no adapter is loaded"),
        ("scale", {"scale": 1, "adapter_name": "none"}, "adapter_name: must be loaded, got none"),
    ],
)
async def test_a_change_that_fails_is_a_soft_error(path: str, body: dict[str, Any], said: str, tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        response = await server.http.post(f"/v1/lora/{path}", json=body)
    assert (response.status_code, response.json()["code"], response.json()["error"]) == (200, 400, said)


async def test_an_engine_without_adapters_says_so_in_each_route(shelf: Path, tmp_path: Path) -> None:
    async with edge(tmp_path / "songs", SineEngine(), adapters=shelf) as server:
        load = await server.http.post("/v1/lora/load", json={"lora_path": "voice"})
        soft = [
            (await server.http.post(f"/v1/lora/{path}", json=body)).json()
            for path, body in (("unload", {}), ("toggle", {"use_lora": True}), ("scale", {"scale": 1}))
        ]
        status = (await server.http.get("/v1/lora/status")).json()["data"]
    assert (load.status_code, load.json()["detail"]) == (400, "the sine engine wears no adapters")
    assert {(answer["code"], answer["error"]) for answer in soft} == {(400, "the sine engine wears no adapters")}
    assert (status["lora_loaded"], status["adapters"], status["adapter_type"]) == (False, [], None)


async def test_without_a_folder_nothing_can_be_loaded(tmp_path: Path) -> None:
    async with edge(tmp_path, AbleEngine()) as server:
        response = await server.http.post("/v1/lora/load", json={"lora_path": "voice"})
    assert response.status_code == 400
    assert "adapters_dir" in response.json()["detail"]
