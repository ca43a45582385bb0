"""What does an ACE-Step server look like? One FastAPI app around an engine, its tasks and their audio folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from acestep_serverless.access.loopback import LoopbackGuard
from acestep_serverless.access.telemetry import NO_TELEMETRY
from acestep_serverless.acestep_api.routes import Server, task_routes
from acestep_serverless.acestep_api.scheduler import Keeping, Scheduler
from acestep_serverless.clock import Clock
from acestep_serverless.contract.acestep import SERVICE, VERSION, refusal
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import InputError, TooLarge


def create_app(
    *,
    engine: Engine,
    folder: Path,
    clock: Clock,
    new_id: Callable[[], str],
    new_seed: Callable[[], int],
    api_key: str | None = None,
    queue_maximum: int = 200,
    keeping: Keeping | None = None,
    guarded: bool = False,
) -> FastAPI:
    """Build the server of a loaded engine, with its songs in `folder`.

    `new_id` gives unguessable ids of letters, digits, "-" and "_"; `new_seed` gives 0 to 4,294,967,295; `api_key` None
    leaves the server open; one that listens on a socket is then to be `guarded`, so that no web page can drive it
    (off, it is reached under any name, as inside a process). Interactive pages are off: they would load scripts from
    another host. The app's lifespan starts and stops `app.state.tasks`; whoever mounts the app where no
    lifespan runs calls `app.state.tasks.start()` first.
    """
    tasks = Scheduler(
        engine=engine,
        folder=folder,
        clock=clock,
        new_id=new_id,
        queue_maximum=queue_maximum,
        keeping=keeping or Keeping(),
    )
    app = FastAPI(
        title=SERVICE,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(tasks),
        telemetry=NO_TELEMETRY,
    )
    app.state.tasks = tasks
    app.include_router(task_routes(Server(engine, tasks, clock, new_seed, api_key)))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(InputError, _wrong)
    app.add_exception_handler(TooLarge, _busy)
    if guarded:
        app.add_middleware(LoopbackGuard)
    return app


def _lifespan(tasks: Scheduler) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks.start()
        try:
            yield
        finally:
            await asyncio.to_thread(tasks.stop)

    return lifespan


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(refusal(error.detail), error.status_code, error.headers)


async def _wrong(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(refusal(str(error)), 400)


async def _busy(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(refusal(str(error)), 429)
