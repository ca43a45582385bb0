"""How does a task live, seen from outside? Released, asked about, cancelled."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from acestep_serverless.acestep_api.body import received
from acestep_serverless.acestep_api.items import STATUSES, UNKNOWN_STAGE, task_entry, unknown_entry
from acestep_serverless.acestep_api.keys import caller_of, check_body
from acestep_serverless.acestep_api.openapi import body, task_body
from acestep_serverless.acestep_api.orders import read_order
from acestep_serverless.acestep_api.scheduler import Ticket
from acestep_serverless.acestep_api.server import Answer, Server
from acestep_serverless.acestep_api.sounds import Sounds
from acestep_serverless.contract.acestep import LONGEST_WAIT, TaskStatus
from acestep_serverless.contract.acestep_values import number
from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.errors import FieldProblem, InputError

MOST_TASKS_ASKED = 1000

_QUERY = {
    "task_id_list": "an array of task ids, or the JSON text of one",
    "wait": f"seconds, 0 to {LONGEST_WAIT:g}: how long to hold the answer back until one of the tasks is final (ours)",
}


def task_routes(server: Server) -> APIRouter:
    """Give the routes of a task's life."""
    router = APIRouter(tags=["tasks"])

    @router.post("/release_task", openapi_extra=task_body(), summary="Queue a task of one to eight songs")
    async def release_task(request: Request) -> Answer:
        """Answers with the task's id at once; refuses what would not be done as asked. 429: the queue is full."""
        sounds = server.new_sounds()
        async with received(request, sounds, lambda fields: check_body(request, fields, server.api_key)) as fields:
            task_id, waiting = await queue_task(server, request, fields, sounds)
        return server.answer({"task_id": task_id, "status": "queued", "queue_position": waiting})

    @router.post("/query_result", openapi_extra=body(_QUERY), summary="Ask how tasks are doing")
    async def query_result(request: Request) -> Answer:
        """One entry for each id, in the same order; `result` is a JSON text. An unknown id has status 2."""
        fields = await server.fields(request)
        task_ids = _task_ids(fields.get("task_id_list"))
        await server.tasks.waits.until_any(task_ids, _wait_seconds(fields), server.tasks.is_final)
        return server.answer([entry_of(server, task_id) for task_id in task_ids])

    cancel_body = body({"task_id": "the id of a task"}, "task_id")

    @router.post("/cancel_task", openapi_extra=cancel_body, summary="End a task that waits or runs")
    async def cancel_task(request: Request) -> Answer:
        """Upstream has no such route. A task that is final stays as it is: `cancelled` is then false."""
        task_id = _task_id(await server.fields(request))
        cancelled = await asyncio.to_thread(server.tasks.cancel, task_id)  # It may wait for the disk.
        task = server.tasks.table.get(task_id)
        status = TaskStatus.FAILED if task is None else STATUSES[task.state]
        stage = UNKNOWN_STAGE if task is None else task.state.value
        data = {"task_id": printable(task_id), "cancelled": cancelled, "status": int(status), "stage": stage}
        return server.answer(data)

    return router


async def queue_task(server: Server, request: Request, fields: Mapping[str, Any], sounds: Sounds) -> Ticket:
    """Check what was asked, in a thread (sound files are looked into), and queue it with its files.

    Raises InputError, TooLarge when the queue is full, Unavailable when the disk does not take the task.
    """
    caller = caller_of(request)

    def queued() -> Ticket:
        order = read_order(fields, server.engine, server.new_seed, sounds=sounds, lenient=server.lenient, caller=caller)
        with sounds.handed_over():
            return server.tasks.submit(order)

    # Files are looked into by threads of their own: however slow some are, requests without files go on.
    return await asyncio.get_running_loop().run_in_executor(server.lookers if sounds.uploads else None, queued)


def entry_of(server: Server, task_id: str) -> Mapping[str, object]:
    """Give what `/query_result` says about one id."""
    task = server.tasks.table.get(task_id)
    if task is None:
        return unknown_entry(task_id, server.clock.now_ms(), server.engine)
    return task_entry(task, server.tasks.table.position(task_id), server.engine, server.tasks.estimate(task_id))


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
