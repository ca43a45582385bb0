"""What does an ACE-Step server look like? One FastAPI app around an engine, its tasks and their audio folder."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from acestep_serverless.access.loopback import LoopbackGuard
from acestep_serverless.access.methods import headers_of
from acestep_serverless.access.telemetry import NO_TELEMETRY
from acestep_serverless.acestep_api.desk import Desk
from acestep_serverless.acestep_api.openapi import described
from acestep_serverless.acestep_api.pages import LOCAL_PAGES, LocalPages
from acestep_serverless.acestep_api.routes import all_routes
from acestep_serverless.acestep_api.scheduler import Keeping, Scheduler
from acestep_serverless.acestep_api.server import Server
from acestep_serverless.acestep_api.sounds import LARGEST_UPLOAD
from acestep_serverless.clock import Clock
from acestep_serverless.contract.acestep import SERVICE, VERSION, refusal
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import AcestepServerlessError, InputError, TooLarge, Unavailable

LOOKERS = 4
"""How many requests with sound files are looked into at the same time; what they bring may take a minute each."""
FAILED = "the server could not answer this request; its log says why"
STATUS_CODES: Mapping[type[AcestepServerlessError], int] = {InputError: 400, TooLarge: 429, Unavailable: 503}


class AcestepApi(FastAPI):
    """The app, whose description says what its routes answer when they refuse."""

    def openapi(self) -> dict[str, Any]:
        """Describe the routes in OpenAPI 3.1."""
        return described(super().openapi())


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
    lenient: bool = False,
    adapters: Path | None = None,
    largest_upload: int = LARGEST_UPLOAD,
) -> FastAPI:
    """Build the server of a loaded engine, with its songs in `folder`.

    `new_id` gives unguessable ids of letters, digits, "-" and "_"; `new_seed` gives 0 to 4,294,967,295; `api_key` None
    leaves the server open; one that listens on a socket is then to be `guarded`, so that no web page can drive it
    (off, it is reached under any name, as inside a process). `lenient` reads requests as upstream does (orders.py),
    `adapters` is the folder that adapters are loaded from, `largest_upload` is in bytes. Interactive pages are off:
    they would load scripts from another host. The app's lifespan starts and stops `app.state.tasks`; whoever mounts
    the app where no lifespan runs calls `app.state.tasks.start()` first.
    """
    tasks = Scheduler(
        engine=engine,
        folder=folder,
        clock=clock,
        new_id=new_id,
        queue_maximum=queue_maximum,
        keeping=keeping or Keeping(),
    )
    desk, lookers = Desk(clock), ThreadPoolExecutor(LOOKERS, thread_name_prefix="acestep-sounds")
    app = AcestepApi(
        title=SERVICE,
        version=VERSION,
        openapi_url=None,  # routes_models.py has a route for it, which asks for the key
        lifespan=_lifespan(tasks, desk, lookers),
        telemetry=NO_TELEMETRY,
    )
    app.state.tasks = tasks
    server = Server(
        engine=engine,
        tasks=tasks,
        clock=clock,
        new_id=new_id,
        new_seed=new_seed,
        api_key=api_key,
        lenient=lenient,
        largest_upload=largest_upload,
        adapters=adapters,
        desk=desk,
        lookers=lookers,
        started=clock.now_ms() // 1000,
    )
    app.include_router(all_routes(server))
    _add_failures(app)
    app.add_middleware(LocalPages, files_too=api_key is not None)
    if guarded:
        app.add_middleware(LoopbackGuard, pages=LOCAL_PAGES)
    return app


def _lifespan(
    tasks: Scheduler, desk: Desk, lookers: ThreadPoolExecutor
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks.start()
        try:
            yield
        finally:
            desk.close()
            lookers.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(tasks.stop)

    return lifespan


def _add_failures(app: FastAPI) -> None:
    """Give every error the same body; what nobody expected says nothing of itself."""
    app.add_exception_handler(HTTPException, _refused)
    for kind in STATUS_CODES:
        app.add_exception_handler(kind, _spoken)
    app.add_exception_handler(Exception, _failed)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(refusal(error.detail), error.status_code, headers_of(request, error))


async def _spoken(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(
        refusal(str(error)), next(code for kind, code in STATUS_CODES.items() if isinstance(error, kind))
    )


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse(refusal(FAILED), 500)
