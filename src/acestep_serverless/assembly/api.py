"""How does a process get an ACE-Step API? Its own, in process over an engine, or somebody's at a URL; the client is
the same."""

import secrets
import uuid
from pathlib import Path

import httpx
from fastapi import FastAPI

from acestep_serverless.acestep_api import Keeping, create_app
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import SEED_MAXIMUM, Engine
from acestep_serverless.settings import Settings

IN_PROCESS = "http://acestep.in-process"
"""Base URL of requests that never leave the process; the name resolves nowhere."""


BRIEF = Keeping(seconds=600.0, run_seconds=604_800.0)
"""How a worker's own server keeps songs: the handler fetches each as soon as it is finished, and ends a task itself
when its job's time is over (a week is the longest `executionTimeout`)."""


def build_api(
    engine: Engine,
    folder: Path,
    *,
    api_key: str | None = None,
    keeping: Keeping = BRIEF,
    queue_maximum: int = 200,
    guarded: bool = False,
    lenient: bool = False,
    adapters: Path | None = None,
) -> FastAPI:
    """Build the ACE-Step server of a loaded engine, its songs in `folder`; `guarded` as on a socket without a key.

    `lenient` and `adapters` are the settings of those names; a worker's own server is never lenient, since its
    handler's contract clamps nothing.
    """
    return create_app(
        engine=engine,
        folder=folder,
        clock=SYSTEM_CLOCK,
        new_id=lambda: uuid.uuid4().hex,
        new_seed=lambda: secrets.randbelow(SEED_MAXIMUM + 1),
        api_key=api_key,
        keeping=keeping,
        queue_maximum=queue_maximum,
        guarded=guarded,
        lenient=lenient,
        adapters=adapters,
    )


def client_in_process(app: FastAPI) -> AceStepClient:
    """Open a client on an app of this process, and start the app's scheduler: no lifespan runs on this road.

    Call it inside the event loop that will use the client.
    """
    app.state.tasks.start()
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=IN_PROCESS, timeout=None)  # noqa: S113 - `wait` bounds each call
    return AceStepClient(http, clock=SYSTEM_CLOCK)


def connection_to(settings: Settings) -> httpx.AsyncClient:
    """Make the HTTP client for `acestep_api_url`, past any proxy of the environment: the key goes there alone."""
    timeout = httpx.Timeout(90.0, connect=10.0)
    return httpx.AsyncClient(base_url=settings.acestep_api_url, timeout=timeout, trust_env=False)


def client_at(settings: Settings) -> AceStepClient:
    """Open a client on the ACE-Step server at `acestep_api_url`."""
    key = settings.acestep_api_key.get_secret_value()
    return AceStepClient(connection_to(settings), clock=SYSTEM_CLOCK, api_key=key)
