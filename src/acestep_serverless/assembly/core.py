"""How is the gateway core built and run? Database, desk, registry, shelf and sweeper around one app on an inherited
socket.

Run as a child of `serve`: `python -m acestep_serverless.assembly.core`, with its words on standard input. The
listening socket
belongs to the parent, so when this process dies its successor answers whoever was waiting in the backlog.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from acestep_serverless.access.keys import digest
from acestep_serverless.artifacts.folder import ArtifactFolder
from acestep_serverless.assembly.child import read_words, when_parent_ends
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import open_engine, sqlite_url
from acestep_serverless.database.migrate import bring_up_to_date
from acestep_serverless.errors import SettingsError
from acestep_serverless.gateway.app import create_gateway
from acestep_serverless.gateway.parts import GatewayRules, Parts
from acestep_serverless.jobs.desk import DeskRules, JobDesk
from acestep_serverless.jobs.outbox import Outbox
from acestep_serverless.jobs.shelf import Shelf
from acestep_serverless.jobs.streams import StreamDesk
from acestep_serverless.jobs.sweeper import Sweeper
from acestep_serverless.logs import configure_logs
from acestep_serverless.outbound.caller import Caller
from acestep_serverless.registry.endpoints import EndpointTable
from acestep_serverless.registry.workers import WorkerRegistry
from acestep_serverless.settings import Settings

LOG = structlog.get_logger(__name__)

DATABASE_FILE = "acestep-serverless.sqlite3"
CANNOT_START = 78
"""Exit code of a core that another start would not help (EX_CONFIG of sysexits.h): the parent gives up."""
KEEP_ALIVE = 75
"""Seconds that an idle connection is kept. Below 15 s the SDK, whose blocking handler did not see our close, loses
results."""
SWITCH_INTERVAL = 0.0005
"""Seconds after which the event loop and the writer's thread hand each other the interpreter. With Python's own 0.005
each commit kept the loop waiting: 0.15 of the bare route's `/run` rate, against 0.24."""
SWEEP_EVERY = 1.0
NOTIFY_EVERY = 0.5
CLOSING = 3
"""Seconds that open requests get when the core is told to end."""


def build(settings: Settings, *, first_start: bool, clock: Clock = SYSTEM_CLOCK) -> FastAPI:
    """Build the gateway app over the data folder of `settings`. `first_start` is False for a successor of a dead
    core."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(sqlite_url(settings.data_dir / DATABASE_FILE))
    folder = ArtifactFolder(settings.data_dir / "artifacts", limit_bytes=settings.artifact_limit_mb * 1024 * 1024)
    rules = DeskRules(heartbeat_ms=settings.heartbeat_seconds * 1000, lease_ms=settings.lease_seconds * 1000)
    desk = JobDesk(database, clock, rules)
    parts = Parts(
        desk=desk,
        streams=StreamDesk(desk, database, clock),
        endpoints=EndpointTable(settings.keys_by_endpoint(), settings.execution_timeout_seconds * 1000),
        workers=WorkerRegistry(database, clock, lambda: secrets.token_urlsafe(32)),
        shelf=Shelf(database, folder, clock, lambda: secrets.token_hex(20)),
        wakeup=database.wakeup,
        clock=clock,
        worker_key_digest=digest(settings.worker_key.get_secret_value()),
        new_uuid=lambda: str(uuid.uuid4()),
        rules=GatewayRules(),
    )
    retention_ms = int(settings.retention_hours * 3_600_000)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        database.open()
        folder.prepare()
        if first_start:
            await _end_former_fleet(parts)
            await parts.shelf.clear_strays()
        caller = Caller(allow_private=settings.webhook_private)
        outbox = Outbox(database, clock, caller.post, settings.webhook_secret.get_secret_value())
        sweeper = Sweeper(parts.desk, database, clock, started_at=clock.now_ms(), retention_ms=retention_ms)
        chores = [
            asyncio.create_task(_sweep_for_ever(sweeper, parts, retention_ms)),
            asyncio.create_task(_notify_for_ever(outbox)),
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            database.close()

    return create_gateway(parts, lifespan)


async def _end_former_fleet(parts: Parts) -> None:
    """Give back what the workers of a former `serve` held: they ended with it, and a restart is no death."""
    for endpoint_id, worker_id in parts.workers.left_by_a_former_fleet():
        given_back = await parts.desk.worker_ended(worker_id, died=False)
        await parts.workers.change(endpoint_id, worker_id, "GONE")
        if given_back:
            LOG.info("jobs of a former worker wait again", worker=worker_id, jobs=given_back)


async def _sweep_for_ever(sweeper: Sweeper, parts: Parts, retention_ms: int) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            report = await sweeper.run_once()
            if report.outlived:
                await parts.shelf.clear(report.outlived)
            if report.settled:
                silence = max(retention_ms, parts.desk.rules.lease_ms)
                await parts.workers.forget(silent_since=parts.clock.now_ms() - silence)
        except Exception:
            LOG.exception("a sweep failed; the next one tries again")


async def _notify_for_ever(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(NOTIFY_EVERY)
        try:
            await outbox.run_once()
        except Exception:
            LOG.exception("webhooks could not be sent; the next round tries again")


class CoreServer(uvicorn.Server):
    """Uvicorn that calls `before_exit` when it is told to end, so that held requests answer instead of being cut
    off."""

    def __init__(self, config: uvicorn.Config, before_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_exit = before_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note the signal, then ring every bell (in a signal handler: the running loop must be woken by hand)."""
        super().handle_exit(sig, frame)
        self._before_exit()


def serve_on(app: FastAPI, listening: socket.socket) -> None:
    """Serve the app on a bound socket until a signal ends it."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=CLOSING,
        backlog=2048,
    )
    CoreServer(config, app.state.parts.wakeup.close).run(sockets=[listening])


def main() -> None:
    """Run as a child of `serve`."""
    words = read_words()
    settings = Settings.from_parent(words["settings"])
    configure_logs(settings.log_level, json_lines=settings.log_json)
    when_parent_ends(_leave)
    os.umask(0o077)  # The database holds what clients sent; it is nobody else's on this machine.
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        check_schema(settings)
    except SettingsError as error:
        LOG.error("the gateway cannot start", reason=str(error))
        sys.exit(CANNOT_START)
    serve_on(build(settings, first_start=words["first_start"]), socket.socket(fileno=words["socket"]))


def check_schema(settings: Settings) -> None:
    """Bring the database up to date before anything is built on it. Raises SettingsError for a newer program's."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(sqlite_url(settings.data_dir / DATABASE_FILE))
    try:
        bring_up_to_date(engine)
    finally:
        engine.dispose()


def _leave() -> None:
    """End in good order, or after five seconds in any."""
    last_resort = threading.Timer(5.0, os._exit, [1])
    last_resort.daemon = True
    last_resort.start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
