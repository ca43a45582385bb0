"""What can an OpenAI client do? Send its requests to `/openai/v1/...`: each becomes a job and waits for its end.

A job lives no longer than its request, since nobody else knows its id: who hangs up cancels it, as with any server of
this protocol. Errors have OpenAI's shape, {"error": {"message", "type", "code"}}, which its clients read.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from acestep_serverless.contract import openai as wire
from acestep_serverless.contract.job import FINAL_STATES, JobView, runsync_id
from acestep_serverless.errors import AcestepServerlessError, TooManyRequests, Unavailable
from acestep_serverless.gateway.answered import SENDS_EVENTS
from acestep_serverless.gateway.bodies import read_body
from acestep_serverless.gateway.client_plane import EndpointHere
from acestep_serverless.gateway.failures import STATUS_CODES
from acestep_serverless.gateway.parts import Parts, PartsHere
from acestep_serverless.gateway.polls import hold
from acestep_serverless.registry.endpoints import Endpoint

LOOK_AGAIN = 1.0
"""Seconds after which a client that has hung up is noticed at the latest, while its job says nothing."""
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Headers that keep proxies (the second is nginx's) from holding events back."""

Found = TypeVar("Found")
Batch = tuple[list[str], JobView | None]
"""Chunks (JSON texts), and the job once it is final and these are its last."""


def _refusal(error: AcestepServerlessError) -> Response:
    status = next((code for kind, code in STATUS_CODES.items() if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequests | Unavailable) else None
    return _answer(wire.failure(status, str(error)), headers)


def _answer(failure: wire.OpenAIFailure, headers: dict[str, str] | None = None) -> Response:
    return Response(failure.as_json(), failure.status, headers, "application/json")


class OpenAIRoute(APIRoute):
    """A route whose deliberate errors, those of key and rate limit included, are answered in OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the route's handler with its errors caught."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except AcestepServerlessError as error:
                return _refusal(error)

        return answer


ROUTES = APIRouter(prefix="/v2/{endpoint_id}", route_class=OpenAIRoute)


class Waiting:
    """A request and its job, which ends with it."""

    def __init__(self, parts: Parts, request: Request, endpoint: Endpoint, job_id: str) -> None:
        self._parts, self._request, self._endpoint, self._job_id = parts, request, endpoint, job_id
        self._has_ended = False
        self._run: tuple[str | None, int | None] | None = None

    async def end(self) -> JobView:
        """Wait for the job's end. Raises ClientDisconnect or Unavailable; the job is cancelled then."""

        async def look() -> JobView | None:
            view = await self._parts.desk.view(self._endpoint.id, self._job_id)
            return view if view.state in FINAL_STATES else None

        view = await self._hold(look)
        self._has_ended = True
        return view

    async def next_chunks(self) -> Batch:
        """Wait for what the job says next. Raises as `end` does, and Unavailable when the job was handed out again
        after chunks were given: the next worker begins anew, which cannot be told inside one stream."""

        async def look() -> Batch | None:
            state, chunks = await self._parts.streams.read(self._endpoint.id, self._job_id)
            view = await self._parts.desk.view(self._endpoint.id, self._job_id)
            if self._run not in (None, (view.worker_id, view.taken_at)):
                raise Unavailable("the worker was lost in the middle of this answer: send the request again")
            if chunks:
                self._run = (view.worker_id, view.taken_at)
            final = view if state in FINAL_STATES and view.state in FINAL_STATES else None
            return (chunks, final) if chunks or final else None

        chunks, final = await self._hold(look)
        self._has_ended = final is not None
        return chunks, final

    async def leave(self) -> None:
        """Cancel the job unless its end was seen: nobody will ask for it again."""
        if not self._has_ended:
            self._has_ended = True
            with suppress(AcestepServerlessError):  # Without a database its own limits end the job.
                await self._parts.desk.cancel(self._endpoint.id, self._job_id)

    async def _hold(self, look: Callable[[], Awaitable[Found | None]]) -> Found:
        found = None
        try:
            found = await hold(
                self._parts, self._request, f"job:{self._job_id}", look, seconds=float("inf"), look_again=LOOK_AGAIN
            )
        finally:
            if found is None:
                await self.leave()
        if found is not None:
            return found
        if self._parts.wakeup.closed:
            raise Unavailable("the server is ending: send the request again in a moment")
        raise ClientDisconnect


class EventStream(StreamingResponse):
    """Chunks written through as they come. Only `Waiting` watches for the client's leaving: two readers of one
    request's messages would take them from each other."""

    def __init__(self, waiting: Waiting, first: Batch) -> None:
        super().__init__(_events(waiting, first), headers=UNBUFFERED, media_type="text/event-stream")
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything; however this ends, the job does not outlast it."""
        try:
            await self.stream_response(send)
        finally:
            await self._waiting.leave()


async def _events(waiting: Waiting, batch: Batch) -> AsyncIterator[bytes]:
    chunks, final = batch
    try:
        while True:
            for chunk in chunks:
                # A lone half of a character, which JSON can spell and UTF-8 cannot, goes out as a question mark.
                yield wire.event_text(chunk).encode(errors="replace")
            if final is not None:
                failed = wire.failure_of(final)
                break
            chunks, final = await waiting.next_chunks()
    except ClientDisconnect:
        return
    except AcestepServerlessError as error:
        failed = wire.failure(503 if isinstance(error, Unavailable) else 500, str(error))
    if failed is not None:
        # The empty line ends a piece that a worker left unfinished; between events it means nothing.
        yield f"\n\ndata: {failed.as_json()}\n\n".encode()


@ROUTES.api_route("/openai/v1/{path:path}", methods=["GET", "PUT", "PATCH", "DELETE"], include_in_schema=False)
@ROUTES.post("/openai/v1/{path:path}", responses=SENDS_EVENTS)
async def openai(path: str, request: Request, parts: PartsHere, endpoint: EndpointHere) -> Response:
    """Run an OpenAI request as a job and answer with its output, or with `"stream": true` event by event. The job ends
    with the request."""
    job, streams = wire.read_request(path, await read_body(request, wire.BODY_LIMIT))
    job_id = runsync_id(parts.new_uuid)
    await parts.desk.submit(endpoint.id, job_id, job, endpoint.execution_timeout_ms)
    waiting = Waiting(parts, request, endpoint, job_id)
    if streams:
        return await _streamed(waiting)
    view = await waiting.end()
    failed = wire.failure_of(view)
    return _answer(failed) if failed else Response(wire.answer_text(view.output), media_type="application/json")


async def _streamed(waiting: Waiting) -> Response:
    chunks, final = await waiting.next_chunks()
    failed = None if chunks or final is None else wire.failure_of(final)
    if failed is not None:
        return _answer(failed)
    if not chunks and final is not None:
        chunks = wire.output_chunks(final.output)
    return EventStream(waiting, (chunks, final))
