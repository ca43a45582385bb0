"""Servers that answer as the upstream project's do, over real sockets: that of February 2026, a newer one, and the one
inside Gradio. Routes, shapes and defects are those of recorded exchanges; the songs are small files on disk.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

Kind = Literal["february", "newer", "gradio"]
SONG = b"RIFF" + bytes(range(256)) * 40


@dataclass
class Upstream:
    """One server. `released` holds what it was asked for and `uploads` the files it got, both by submission; a test
    sets the rest: how many questions a task stays running for, the reason it fails with, how many queues are full."""

    kind: Kind
    folder: Path
    key: str = ""
    cache: bool = True
    running_for: int = 1
    failure: str = ""
    full_for: int = 0
    loaded: list[str] = field(default_factory=lambda: ["acestep-v15-turbo"])
    adapters: dict[str, Any] = field(default_factory=lambda: {"lora_loaded": False})
    finish: asyncio.Event | None = None
    released: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[dict[str, bytes]] = field(default_factory=list)
    refused: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        post, get = ["POST"], ["GET"]
        routes = [
            Route("/health", self.health, methods=get),
            Route("/release_task", self.release, methods=post),
            Route("/query_result", self.query, methods=post),
            Route("/v1/audio", self.audio, methods=get),
            Route("/v1/models", self.models, methods=get),
        ]
        if self.kind == "newer":
            routes += [
                Route("/v1/model_inventory", self.inventory, methods=get),
                Route("/v1/init", self.init, methods=post),
                Route("/v1/lora/status", self.lora, methods=get),
            ]
        return Starlette(routes=routes)

    async def health(self, request: Request) -> Response:
        service = "ACE-Step Gradio API" if self.kind == "gradio" else "ACE-Step API"
        return enveloped({"status": "ok", "service": service, "version": "1.0"})

    async def release(self, request: Request) -> Response:
        if request.headers["content-type"].startswith("multipart/form-data"):
            fields, files = await self._form(request)
        else:
            fields, files = await request.json(), {}
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"detail": "Missing ai_token or Authorization header"}, 401)
        if self.full_for > 0:
            self.full_for, self.refused = self.full_for - 1, self.refused + 1
            return JSONResponse({"detail": "Server busy: queue is full"}, 429)
        self.released.append(fields)
        self.uploads.append(files)
        task_id = f"task-{len(self.released)}"
        if self.kind == "gradio":
            if self.finish is not None:
                await self.finish.wait()
            if self.failure:
                return JSONResponse({"detail": self.failure}, 500)
            return enveloped({"task_id": task_id, "status": "succeeded"})
        return enveloped({"task_id": task_id, "status": "queued", "queue_position": len(self.released)})

    async def _form(self, request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
        fields: dict[str, Any] = {}
        files: dict[str, bytes] = {}
        async with request.form() as form:
            if self.kind != "newer":
                raise TypeError("got multiple values for keyword argument 'reference_audio_path'")
            for name in form:
                values = form.getlist(name)
                texts = [value for value in values if isinstance(value, str)]
                for file in (value for value in values if isinstance(value, UploadFile)):
                    files[f"{name}:{file.filename}"] = await file.read()
                if texts:
                    fields[name] = texts[0] if len(texts) == 1 else texts
        return fields, files

    async def query(self, request: Request) -> Response:
        return enveloped([self._entry(task_id) for task_id in (await request.json())["task_id_list"]])

    def _entry(self, task_id: str) -> dict[str, Any]:
        number = int(task_id.removeprefix("task-")) if task_id.startswith("task-") else 0
        if not 1 <= number <= len(self.released):
            return {"task_id": task_id, "result": "[]", "status": 0}
        self.asked[task_id] = self.asked.get(task_id, 0) + 1
        if self.kind != "gradio" and self.asked[task_id] <= self.running_for:
            item: dict[str, Any] = {"file": "", "wave": "", "status": 0, "create_time": 1, "env": "development"}
            item |= {"progress": 0.52, "stage": "Generating music (batch size: 1)..."}
            return {"task_id": task_id, "result": json.dumps([item]), "status": 0, "progress_text": "somebody's words"}
        if self.failure:
            item = {"file": "", "wave": "", "status": 2, "progress": 0.0, "stage": "failed"}
            item |= {"error": self.failure} if self.kind == "newer" else {}
            return {"task_id": task_id, "result": json.dumps([item]), "status": 2, "progress_text": "Traceback ..."}
        return {"task_id": task_id, "result": json.dumps(self._items(self.released[number - 1])), "status": 1}

    def _items(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        if str(asked.get("full_analysis_only", "")).lower() == "true":
            found = {"bpm": 96, "keyscale": "A minor", "timesignature": "4", "duration": 30.0, "genre": "folk"}
            found |= {"prompt": "a folk song", "lyrics": "la", "language": "en", "audio_paths": [], "metas": {}}
            return [{"status_message": "Full Hardware Analysis Success", **found}]
        items = [self._item(asked, index) for index in range(int(asked.get("batch_size") or 2))]
        seeds = ",".join(str(2_105_167_196 + index) for index in range(len(items)))
        return [item | ({"seed_value": seeds} if "generation_info" in item else {}) for item in items]

    def _item(self, asked: dict[str, Any], index: int) -> dict[str, Any]:
        path = self.folder / f"song {index}.wav"
        path.write_bytes(SONG)
        url = f"/v1/audio?path={quote(str(path), safe='')}"
        if self.kind == "gradio":
            return {"file": str(path), "url": url, "status": 1, "create_time": 1}
        item: dict[str, Any] = {"file": url, "wave": "", "status": 1, "create_time": 1, "env": "development"}
        item |= {"prompt": asked["prompt"], "lyrics": asked["lyrics"], "metas": {"bpm": 96, "duration": 30.0}}
        if not self.cache:
            return item
        item |= {"generation_info": "**Total Time: 1.60s**", "lm_model": "acestep-5Hz-lm-0.6B"}
        return item | {"dit_model": self.loaded[0] if self.loaded else "", "progress": 1.0, "stage": "succeeded"}

    async def audio(self, request: Request) -> Response:
        path = Path(request.query_params["path"])
        if path.parent != self.folder:
            return JSONResponse({"detail": "Access denied: path outside allowed directory"}, 403)
        return FileResponse(path, media_type="audio/wav")

    async def models(self, request: Request) -> Response:
        if self.kind == "gradio":
            models = [{"name": name, "is_default": not index} for index, name in enumerate(self.loaded)]
            return enveloped({"models": models, "default_model": self.loaded[0]})
        listed = [{"id": f"acestep/{name}", "name": f"ACE-Step {name}", "pricing": {}} for name in self.loaded]
        return JSONResponse({"object": "list", "data": listed})

    async def inventory(self, request: Request) -> Response:
        every = {"acestep-v15-base": ALL_TASKS, "acestep-v15-turbo": ALL_TASKS[:3]}
        models = [
            {"name": name, "is_default": name.endswith("turbo"), "is_loaded": name in self.loaded}
            | {"supported_task_types": tasks}
            for name, tasks in every.items()
        ]
        return enveloped({"models": models, "default_model": "acestep-v15-turbo", "lm_models": []})

    async def init(self, request: Request) -> Response:
        name = (await request.json())["model"]
        if self.failure:
            return enveloped(None, 500, self.failure)
        self.loaded.append(name)
        return enveloped({"message": "loaded", "slot": 1, "loaded_model": name})

    async def lora(self, request: Request) -> Response:
        return enveloped(self.adapters)


ALL_TASKS = ["text2music", "cover", "repaint", "lego", "extract", "complete"]


def enveloped(data: object, code: int = 200, error: str | None = None) -> JSONResponse:
    return JSONResponse({"data": data, "code": code, "error": error, "timestamp": 1795411771988, "extra": None})


@asynccontextmanager
async def upstream_server(upstream: Upstream) -> AsyncIterator[Upstream]:
    """Serve on a free loopback port until the block ends. What a route raises is answered with the bare text
    "Internal Server Error", and the connection is closed, as upstream's framework does it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream.port = listener.getsockname()[1]
        config = uvicorn.Config(
            upstream.app(), log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=0
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield upstream
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 10)
