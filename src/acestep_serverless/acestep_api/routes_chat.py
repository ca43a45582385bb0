"""How is a song made in a chat? The message becomes a task in the same queue, the finished song the answer."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.openapi import SENDS_EVENTS, body
from acestep_serverless.acestep_api.orders import MODEL_PREFIX
from acestep_serverless.acestep_api.routes_tasks import entry_of, queue_task
from acestep_serverless.acestep_api.server import Server
from acestep_serverless.acestep_api.sounds import REFERENCE, SOURCE, Sounds
from acestep_serverless.contract.acestep_chat import Chat, audio_parts, chunk, completion, content_of, read_chat
from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.errors import FieldProblem, InputError

LONGEST_ANSWER = 600.0
"""Seconds until a chat's answer, as upstream's."""
HEARTBEAT = 2.0
"""Seconds between two signs of life of a streamed answer, and between two looks whether the client is still there."""
LONGEST_ECHO = 200
"""Characters of the model's name that an answer repeats."""
LARGEST_INLINE = 64 << 20
"""Bytes of the songs that one answer carries in itself; beyond that it carries addresses on this server."""

_BODY = {
    "messages": "OpenAI's messages; the last one of the user is the request",
    "model": "a name from /v1/models",
    "stream": "true for server-sent events",
    "audio_config": "duration, format, bpm, key_scale, time_signature, vocal_language, instrumental",
    "seed": "a seed, or several with commas; without one they are random",
    "batch_size": "how many songs, 1 by default",
}


class Unfinished(Exception):
    """A chat that ends without a song: the HTTP status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Talk:
    """One chat's task under way; `deadline` is in the clock's monotonic seconds."""

    server: Server
    task_id: str
    chat_id: str
    model: str
    created: int
    deadline: float


def chat_routes(server: Server) -> APIRouter:
    """Give the chat route."""
    router = APIRouter(tags=["chat"])

    @router.post(
        "/v1/chat/completions",
        openapi_extra=body(_BODY, "messages"),
        summary="Make a song in a chat",
        response_model=None,
        responses=SENDS_EVENTS,
    )
    async def chat_completions(request: Request) -> Response:
        """OpenRouter's shape, whole or streamed; songs travel as data URLs. 429: the queue is full; 504: it took too
        long, and the task was ended."""
        chat = read_chat(await server.fields(request))
        talk = await _begun(server, request, chat)
        if chat.streams:
            return StreamingResponse(_events(talk), media_type="text/event-stream")
        try:
            items = await _finished(talk, request)
        except Unfinished as end:
            raise HTTPException(end.status, end.reason) from None
        urls = await asyncio.to_thread(_urls, server, items)
        return JSONResponse(completion(talk.chat_id, talk.model, talk.created, content_of(items[0]), urls))

    return router


async def _begun(server: Server, request: Request, chat: Chat) -> _Talk:
    """Queue the chat's task."""
    sounds = server.new_sounds()
    try:
        await asyncio.to_thread(_store_sounds, chat, sounds)
        task_id, _ = await queue_task(server, request, _parameters(server, chat), sounds)
    finally:
        sounds.discard()
    now = server.clock.now_ms() // 1000
    model = printable(chat.model[:LONGEST_ECHO]) or f"{MODEL_PREFIX}{server.engine.models[0]}"
    deadline = server.clock.monotonic() + LONGEST_ANSWER
    return _Talk(server, task_id, f"chatcmpl-{server.new_id()}", model, now, deadline)


def _parameters(server: Server, chat: Chat) -> dict[str, Any]:
    """A description is for the language model; where there is none, it is the caption."""
    if not chat.description:
        return dict(chat.parameters)
    name = "sample_query" if "sample_query" in server.engine.uses else "prompt"
    return {**chat.parameters, name: chat.description}


def _store_sounds(chat: Chat, sounds: Sounds) -> None:
    """Write the message's audio to files: the source first for work on one, else the reference alone."""
    task = TASKS.get(str(chat.parameters.get("task_type", "text2music")))
    places = [SOURCE, REFERENCE] if task is not None and task.source else [REFERENCE]
    if len(chat.sounds) > len(places):
        raise _wrong(f"{len(chat.sounds)} sounds", "without a task_type that works on a source, one sound is taken")
    for place, text in zip(places, chat.sounds, strict=False):
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise _wrong(shown(text), "data must be base64") from None
        upload = sounds.begin("src_audio" if place == SOURCE else "ref_audio", "input_audio")
        sounds.write(upload, content)
        sounds.end()


async def _finished(talk: _Talk, request: Request) -> list[Mapping[str, Any]]:
    """Wait for the songs. Raises Unfinished; the task of a client that went away is ended."""
    while not await _over(talk):
        if await request.is_disconnected():
            talk.server.tasks.cancel(talk.task_id)
            raise Unfinished(499, "the client went away")
    return _items(talk)


async def _over(talk: _Talk) -> bool:
    """Wait a little; tell whether the task is final. Raises Unfinished, and ends the task, when the time is over."""
    tasks = talk.server.tasks
    await tasks.waits.until_any([talk.task_id], HEARTBEAT, tasks.is_final)
    if tasks.is_final(talk.task_id):
        return True
    if talk.server.clock.monotonic() > talk.deadline:
        tasks.cancel(talk.task_id)
        raise Unfinished(504, f"the song was not finished within {LONGEST_ANSWER:g} s, and was given up")
    return False


def _items(talk: _Talk) -> list[Mapping[str, Any]]:
    """The finished songs. Raises Unfinished with the task's reason."""
    items: list[Mapping[str, Any]] = json.loads(str(entry_of(talk.server, talk.task_id)["result"]))
    if not items or not items[0].get("file"):
        raise Unfinished(500, str(items[0].get("error") or "the task ended without a song") if items else "no song")
    return items


def _urls(server: Server, items: list[Mapping[str, Any]]) -> list[str]:
    """Each song as a data URL while there is room in the answer, else its address."""
    urls, room = [], LARGEST_INLINE
    for item in items:
        path = server.tasks.folder.find(str(item["file"]).rpartition("=")[2])
        room -= int(item["bytes"])
        if path is None or room < 0:
            urls.append(str(item["file"]))
            continue
        urls.append(f"data:{item['media_type']};base64,{base64.b64encode(path.read_bytes()).decode()}")
    return urls


async def _events(talk: _Talk) -> AsyncIterator[str]:
    """The answer as server-sent events; ends the task when its reader goes away."""
    try:
        yield _event(talk, {"role": "assistant", "content": ""})
        while not await _over(talk):
            yield _event(talk, {"content": "."})
        items = _items(talk)
        yield _event(talk, {"content": f"\n{content_of(items[0])}"})
        urls = await asyncio.to_thread(_urls, talk.server, items)
        yield _event(talk, {"audio": audio_parts(urls)})
        yield _event(talk, {}, "stop")
    except Unfinished as end:
        yield _event(talk, {"content": end.reason}, "error")
    finally:
        talk.server.tasks.cancel(talk.task_id)  # does nothing to a task that is final
    yield "data: [DONE]\n\n"


def _event(talk: _Talk, delta: Mapping[str, object], finish: str | None = None) -> str:
    return f"data: {json.dumps(chunk(talk.chat_id, talk.model, talk.created, delta, finish), ensure_ascii=False)}\n\n"


def _wrong(given: str, allowed: str) -> InputError:
    return InputError([FieldProblem("input_audio", given, allowed)])
