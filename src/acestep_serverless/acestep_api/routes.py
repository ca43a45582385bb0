"""Which URL does what? Routes translate between HTTP and the scheduler; each is a dozen lines."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.body import read_fields
from acestep_serverless.acestep_api.items import STATUSES, UNKNOWN_STAGE, task_entry, unknown_entry
from acestep_serverless.acestep_api.keys import check_body, check_header
from acestep_serverless.acestep_api.orders import read_order
from acestep_serverless.acestep_api.scheduler import Scheduler
from acestep_serverless.audio.formats import FORMATS
from acestep_serverless.clock import Clock
from acestep_serverless.contract.acestep import AUDIO_ROUTE, LONGEST_WAIT, SERVICE, VERSION, TaskStatus, envelope
from acestep_serverless.contract.acestep_values import number
from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import FieldProblem, InputError

MOST_TASKS_ASKED = 1000
MEDIA_TYPES = {row.suffix: row.media_type for row in FORMATS.values()}


@dataclass(frozen=True, slots=True)
class Server:
    """What every route needs."""

    engine: Engine
    tasks: Scheduler
    clock: Clock
    new_seed: Callable[[], int]
    api_key: str | None

    def answer(self, data: object) -> dict[str, object]:
        """Wrap an answer in the envelope."""
        return envelope(data, self.clock.now_ms())


def task_routes(server: Server) -> APIRouter:
    """Give the routes of a task's life: release, query, cancel, audio; and the server's health."""
    router = APIRouter()

    @router.post("/release_task")
    async def release_task(request: Request) -> dict[str, object]:
        fields = await read_fields(request)
        check_body(request, fields, server.api_key)
        order = read_order(fields, server.engine, server.new_seed)
        task_id, waiting = server.tasks.submit(order)
        return server.answer({"task_id": task_id, "status": "queued", "queue_position": waiting})

    @router.post("/query_result")
    async def query_result(request: Request) -> dict[str, object]:
        fields = await read_fields(request)
        check_body(request, fields, server.api_key)
        task_ids = _task_ids(fields.get("task_id_list"))
        await server.tasks.waits.until_any(task_ids, _wait_seconds(fields), server.tasks.is_final)
        return server.answer([_entry(server, task_id) for task_id in task_ids])

    @router.post("/cancel_task")
    async def cancel_task(request: Request) -> dict[str, object]:
        fields = await read_fields(request)
        check_body(request, fields, server.api_key)
        task_id = _task_id(fields)
        cancelled = server.tasks.table.cancel(task_id)
        task = server.tasks.table.get(task_id)
        status = TaskStatus.FAILED if task is None else STATUSES[task.state]
        stage = UNKNOWN_STAGE if task is None else task.state.value
        data = {"task_id": printable(task_id), "cancelled": cancelled, "status": int(status), "stage": stage}
        return server.answer(data)

    @router.api_route(AUDIO_ROUTE, methods=["GET", "HEAD"])
    async def audio(request: Request, path: str | None = None, filename: str | None = None) -> FileResponse:
        check_header(request, server.api_key)
        name = path or filename
        if not name:
            raise HTTPException(422, "path: must be the name in a song's `file`, got nothing")
        return _file(server, name)

    @router.get("/health")
    async def health() -> dict[str, object]:
        return server.answer(_health(server.engine))

    return router


def _entry(server: Server, task_id: str) -> Mapping[str, object]:
    task = server.tasks.table.get(task_id)
    if task is None:
        return unknown_entry(task_id, server.clock.now_ms(), server.engine)
    return task_entry(task, server.tasks.table.position(task_id), server.engine)


def _task_ids(given: Any) -> list[str]:
    """Read an array, or the JSON text of one; anything else is no list at all, as upstream has it."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return []
    if not isinstance(given, list):
        return []
    if len(given) > MOST_TASKS_ASKED:
        allowed = f"must hold at most {MOST_TASKS_ASKED:,} ids"
        raise InputError([FieldProblem("task_id_list", shown(given), allowed)])
    return [task_id if isinstance(task_id, str) else shown(task_id) for task_id in given]


def _wait_seconds(fields: Mapping[str, Any]) -> float:
    given = fields.get("wait")
    if given is None or given == "":
        return 0.0
    try:
        return float(str(number(0, LONGEST_WAIT)(given)))
    except ValueError as error:
        raise InputError([FieldProblem("wait", shown(given), str(error))]) from None


def _task_id(fields: Mapping[str, Any]) -> str:
    given = fields.get("task_id")
    if not isinstance(given, str) or not given:
        raise InputError([FieldProblem("task_id", shown(given), "must be the id of a task")])
    return given


def _file(server: Server, name: str) -> FileResponse:
    """Stream a song from disk, in ranges if asked; the sentences are upstream's."""
    try:
        path = server.tasks.folder.find(name)
    except ValueError:
        raise HTTPException(403, "Access denied: path outside allowed directory") from None
    if path is None:
        raise HTTPException(404, "Audio file not found")
    return FileResponse(path, media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"))


def _health(engine: Engine) -> dict[str, object]:
    return {
        "status": "ok",
        "service": SERVICE,
        "version": VERSION,
        "models_initialized": True,
        "llm_initialized": bool(engine.language_model),
        "loaded_model": engine.model,
        "loaded_lm_model": engine.language_model or None,
        "engine": engine.name,
    }
