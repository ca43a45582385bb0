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

import sqlalchemy as sa
import structlog
import uvicorn
from fastapi import FastAPI

from acestep_serverless.access.keys import digest
from acestep_serverless.artifacts.folder import ArtifactFolder
from acestep_serverless.assembly.child import read_words, when_parent_ends
from acestep_serverless.assembly.door import needs_key
from acestep_serverless.assembly.heads import BoundedHeads, allow_many_connections
from acestep_serverless.assembly.office import artifacts_dir, database_url, desk_rules, new_key
from acestep_serverless.assembly.studio import open_studio
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import NoRoom, open_engine
from acestep_serverless.database.migrate import bring_up_to_date
from acestep_serverless.database.tables import API_KEYS
from acestep_serverless.errors import SettingsError, Unavailable
from acestep_serverless.gateway.app import Upkeep, create_gateway
from acestep_serverless.gateway.journal import job_journal
from acestep_serverless.gateway.limits import RateLimits
from acestep_serverless.gateway.metrics import Metrics
from acestep_serverless.gateway.parts import GatewayRules, Parts
from acestep_serverless.gateway.readings import readings
from acestep_serverless.jobs.batches import BatchDesk
from acestep_serverless.jobs.desk import JobDesk
from acestep_serverless.jobs.outbox import Outbox
from acestep_serverless.jobs.shelf import Shelf
from acestep_serverless.jobs.streams import StreamDesk
from acestep_serverless.jobs.sweeper import Sweeper
from acestep_serverless.logs import configure_logs
from acestep_serverless.outbound.caller import Caller
from acestep_serverless.registry.abilities import AbilityBoard
from acestep_serverless.registry.endpoints import EndpointTable
from acestep_serverless.registry.keys import KeyRegistry
from acestep_serverless.registry.workers import WorkerRegistry
from acestep_serverless.settings import LOOPBACK_HOSTS, Settings

LOG = structlog.get_logger(__name__)

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
SHARED_PATIENCE = 3600.0
"""Seconds that a file without a row may lie in a folder shared with other gateways: one of them may be filing it."""
CLOSING = 3
"""Seconds that open requests get when the core is told to end."""


def build(settings: Settings, *, first_start: bool, clock: Clock = SYSTEM_CLOCK, fleet_id: str = "no-fleet") -> FastAPI:
    """Build the gateway app over the data folder of `settings`. `first_start` is False for a successor of a dead
    core; `fleet_id` names the fleet of the `serve` that it belongs to."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(database_url(settings))
    folder = ArtifactFolder(
        artifacts_dir(settings),
        limit_bytes=settings.artifact_limit_mb * 1024 * 1024,
        patience=SHARED_PATIENCE if settings.artifacts_dir else 0.0,
    )
    rules, ids = desk_rules(settings), settings.endpoint_ids()
    work = readings(ids, clock.now_ms, rules.lease_ms)
    metrics = Metrics(ids, lambda: database.read_aside(work))
    desk = JobDesk(database, clock, rules, job_journal(metrics))
    keys = KeyRegistry(database, clock, new_key)
    parts = Parts(
        desk=desk,
        streams=StreamDesk(desk, database, clock),
        batches=BatchDesk(desk, database, clock, lambda: str(uuid.uuid4())),
        endpoints=EndpointTable(settings.keys_by_endpoint(), timeouts_ms(settings), keys.rows),
        workers=WorkerRegistry(database, clock, lambda: secrets.token_urlsafe(32)),
        shelf=Shelf(database, folder, clock, lambda: secrets.token_hex(20)),
        wakeup=database.wakeup,
        clock=clock,
        worker_key_digest=digest(settings.worker_key.get_secret_value()),
        new_uuid=lambda: str(uuid.uuid4()),
        rules=GatewayRules(),
        limits=RateLimits.of(settings, clock.monotonic),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        database.open()
        folder.prepare(clock.now_ms() / 1000)
        if first_start:
            await _end_former_fleet(parts, fleet_id)
            await parts.shelf.clear_strays()
        caller = Caller(allow_private=settings.webhook_private)
        secret = settings.webhook_secret.get_secret_value()
        outbox = Outbox(database, clock, caller.post, secret, metrics.webhook)
        sweeper = Sweeper(parts.desk, database, clock, started_at=clock.now_ms())
        chores = [
            asyncio.create_task(_sweep_for_ever(sweeper, parts)),
            asyncio.create_task(_notify_for_ever(outbox)),
        ]
        try:
            yield
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            await outbox.aclose()
            database.close()

    upkeep = Upkeep(metrics, lambda: database.read_aside(lambda connection: connection.execute(sa.text("SELECT 1"))))
    app = create_gateway(parts, lifespan, upkeep)
    open_studio(app, settings, AbilityBoard(database, clock.now_ms, rules.lease_ms))
    return app


def timeouts_ms(settings: Settings) -> dict[str, int]:
    """Give every endpoint's default `executionTimeout` in milliseconds."""
    return {name: settings.for_endpoint(name).execution_timeout_seconds * 1000 for name in settings.endpoint_ids()}


def _refuse_strangers(settings: Settings, engine: sa.Engine) -> None:
    """Raise SettingsError for a gateway that others could reach and that has no key."""
    if settings.host in LOOPBACK_HOSTS or settings.api_keys:
        return
    with engine.connect() as connection:
        if connection.execute(sa.select(API_KEYS.c.id).limit(1)).first() is None:
            raise SettingsError(needs_key(settings.host))


async def _end_former_fleet(parts: Parts, fleet_id: str) -> None:
    """Give back what the workers of a former `serve` on this data folder held: they ended with it, and a restart is no
    death."""
    for worker_id in await parts.workers.left_by(fleet_id):
        given_back = await parts.desk.worker_ended(worker_id, died=False)
        if given_back:
            LOG.info("jobs of a former worker wait again", worker=worker_id, jobs=given_back)


async def _sweep_for_ever(sweeper: Sweeper, parts: Parts) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            report = await sweeper.run_once()
            if report.outlived:
                await parts.shelf.clear(report.outlived, over_by=parts.clock.now_ms())
            await parts.batches.sweep()
            if report.settled:
                silence = max(parts.desk.rules.keep_ms, parts.desk.rules.lease_ms)
                await parts.workers.forget(silent_since=parts.clock.now_ms() - silence)
        except Unavailable as error:
            LOG.warning("a sweep was put off", reason=str(error))
        except Exception:
            LOG.exception("a sweep failed; the next one tries again")


async def _notify_for_ever(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(NOTIFY_EVERY)
        try:
            await outbox.begin()
        except Unavailable as error:
            LOG.warning("webhooks were put off", reason=str(error))
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
        http=BoundedHeads,
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
    allow_many_connections()
    try:
        check_schema(settings)
    except (SettingsError, Unavailable) as error:
        sys.exit(say_why_not(error, first_start=words["first_start"]))
    app = build(settings, first_start=words["first_start"], fleet_id=words["fleet_id"])
    serve_on(app, socket.socket(fileno=words["socket"]))


def say_why_not(error: SettingsError | Unavailable, *, first_start: bool) -> int:
    """Log why the core does not start, and give its exit code: `CANNOT_START`, or 1 where the parent is to try again,
    ever more slowly. A full disk ends a first start; a gateway that has served waits until there is room again."""
    if isinstance(error, SettingsError) or (first_start and isinstance(error, NoRoom)):
        LOG.error("the gateway cannot start", reason=str(error))
        return CANNOT_START
    LOG.error("the gateway waits for its database", reason=str(error))
    return 1


def check_schema(settings: Settings) -> None:
    """Bring the database up to date before anything is built on it. Raises SettingsError for a newer program's, or for
    a rate limit that cannot be read; Unavailable for a database that cannot be reached (yet), its NoRoom for a full
    disk."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    RateLimits.of(settings, SYSTEM_CLOCK.monotonic)
    engine = open_engine(database_url(settings))
    try:
        bring_up_to_date(engine)
        _refuse_strangers(settings, engine)
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
