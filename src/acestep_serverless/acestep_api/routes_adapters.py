"""What does the engine wear? Adapters (LoRA) are loaded from one folder by name, switched, scaled and taken off."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from stat import S_ISLNK
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.openapi import body
from acestep_serverless.acestep_api.server import Answer, Server
from acestep_serverless.contract.acestep_values import Misread, Reader, number, switch
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.engines.extras import Adapter, AdapterShelf
from acestep_serverless.errors import EngineError, FieldProblem, InputError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_LOAD = {"lora_path": "the name of a file or folder in the server's adapters folder", "adapter_name": "its name here"}
_SCALE = {"scale": "0 to 1: how strongly it takes part", "adapter_name": "which one; absent for all"}


def adapter_routes(server: Server) -> APIRouter:
    """Give the routes of adapters. An engine that wears none refuses, softly where upstream does."""
    router = APIRouter(prefix="/v1/lora", tags=["adapters"])

    @router.post("/load", openapi_extra=body(_LOAD, "lora_path"), summary="Load an adapter")
    async def load_lora(request: Request) -> Answer:
        """Takes effect with the next task; 400 when there is no such adapter or the engine wears none."""
        fields = await server.fields(request)
        shelf, path = _shelf(server), _path(server, fields.get("lora_path"))
        name = _name(fields.get("adapter_name") or path.stem)
        adapter = await server.desk.ask(lambda _cancelled: shelf.load(path, name))
        message = f"adapter {adapter.name} is loaded"
        return server.answer({"message": message, "lora_path": path.name, "adapter_name": adapter.name})

    @router.post("/unload", openapi_extra=body({}, optional=True), summary="Take all adapters off")
    async def unload_lora(request: Request) -> Answer:
        """Takes effect with the next task."""
        await server.fields(request, optional=True)
        return await _soft(server, lambda shelf: shelf.unload(), {"message": "all adapters are unloaded"})

    @router.post("/toggle", openapi_extra=body({"use_lora": "true or false"}, "use_lora"), summary="Use them or not")
    async def toggle_lora(request: Request) -> Answer:
        """Takes effect with the next task."""
        active = bool(_read(await server.fields(request), "use_lora", switch))
        data = {"message": f"adapters are {'on' if active else 'off'}", "use_lora": active}
        return await _soft(server, lambda shelf: shelf.switch(active=active), data)

    @router.post("/scale", openapi_extra=body(_SCALE, "scale"), summary="Set how strongly one takes part")
    async def scale_lora(request: Request) -> Answer:
        """Takes effect with the next task."""
        fields = await server.fields(request)
        scale = float(str(_read(fields, "scale", number(0, 1))))
        given = fields.get("adapter_name")
        name = None if given in (None, "") else _name(given)
        data = {"message": f"scale is {scale:g}", "scale": scale, **({"adapter_name": name} if name else {})}
        return await _soft(server, lambda shelf: shelf.scale(name, scale), data)

    @router.get("/status", summary="List the loaded adapters")
    async def lora_status(request: Request) -> Answer:
        """An engine that wears none has none loaded."""
        server.check_header(request)
        shelf = server.engine.adapters
        return server.answer(_status(() if shelf is None else tuple(shelf.list())))

    return router


def _none(server: Server) -> str:
    return f"the {server.engine.name} engine wears no adapters"


def _shelf(server: Server) -> AdapterShelf:
    if server.engine.adapters is None:
        raise HTTPException(400, _none(server))
    return server.engine.adapters


async def _soft(server: Server, change: Callable[[AdapterShelf], None], data: Mapping[str, object]) -> Answer:
    shelf = server.engine.adapters
    if shelf is None:
        return server.soft(400, _none(server))
    try:
        await server.desk.ask(lambda _cancelled: change(shelf))
    except (InputError, EngineError) as error:
        return server.soft(400, str(error))
    return server.answer(dict(data))


def _name(given: object) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise _wrong("adapter_name", given, "must be letters, digits, '.', '_' and '-'")
    return given


def _path(server: Server, given: Any) -> Path:
    """The adapter of a name in the adapters folder: no path, no link. Raises InputError."""
    if server.adapters is None:
        raise _wrong("lora_path", given, "must be absent: this server has no adapters folder (`adapters_dir`)")
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise _wrong("lora_path", given, "must be the name of a file or folder in the adapters folder, not a path")
    path = server.adapters / given
    try:
        linked = S_ISLNK(path.lstat().st_mode)
    except OSError:
        linked = True
    if linked:
        raise _wrong("lora_path", given, "must be the name of a file or folder in the adapters folder; there is none")
    return path


def _read(fields: Mapping[str, Any], name: str, reader: Reader) -> object:
    given = fields.get(name)
    try:
        return reader(given)
    except Misread as error:
        raise _wrong(name, given, str(error)) from None


def _wrong(name: str, given: object, allowed: str) -> InputError:
    return InputError([FieldProblem(name, shown(given), allowed)])


def _status(adapters: tuple[Adapter, ...]) -> dict[str, object]:
    active = [adapter for adapter in adapters if adapter.active]
    return {
        "lora_loaded": bool(adapters),
        "use_lora": bool(active),
        "lora_scale": active[0].scale if active else 1.0,
        "adapter_type": "lora" if adapters else None,
        "scales": {adapter.name: adapter.scale for adapter in adapters},
        "active_adapter": active[0].name if active else None,
        "adapters": [adapter.name for adapter in adapters],
        "synthetic_default_mode": False,
    }
