"""How is the ACE-Step API run alone? The same app as in a worker, on a socket of its own; its tasks outlive it."""

import structlog
import uvicorn
from fastapi import FastAPI

from acestep_serverless.acestep_api import Keeping
from acestep_serverless.assembly.api import build_api
from acestep_serverless.assembly.engine import build_engine
from acestep_serverless.assembly.heads import BoundedHeads, allow_many_connections
from acestep_serverless.assembly.serve import base_url, bind, claim
from acestep_serverless.errors import SettingsError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import LOOPBACK_HOSTS, PREFIX, Settings

LOG = structlog.get_logger(__name__)

COMMAND = "acestep-api"


def serve_api(settings: Settings, host: str, port: int) -> None:
    """Serve the ACE-Step REST API until a signal ends it.

    Songs, uploads and tasks lie in the data folder, so that another start goes on where this one ends. Raises
    SettingsError for an open server beyond loopback, and for a data folder that another one works with.
    """
    key = settings.acestep_api_key.get_secret_value()
    if host not in LOOPBACK_HOSTS and not key:
        raise SettingsError(
            f"listening on {host} needs a key: set {PREFIX}ACESTEP_API_KEY, or leave the host at 127.0.0.1"
        )
    configure_logs(settings.log_level, json_lines=settings.log_json)
    with claim(settings.data_dir, COMMAND), bind(host, port) as listening:
        app = _app(settings, key)
        LOG.info("ACE-Step API", url=base_url(listening), key="set" if key else "none")
        allow_many_connections()
        config = uvicorn.Config(
            app,
            http=BoundedHeads,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _app(settings: Settings, key: str) -> FastAPI:
    engine = build_engine(settings)
    engine.load(lambda fraction, stage: LOG.info("engine loads", engine=engine.name, stage=stage))
    folder = settings.data_dir / COMMAND
    return build_api(
        engine,
        folder / "audio",
        api_key=key or None,
        keeping=Keeping(run_seconds=settings.acestep_api_timeout_seconds, records=folder / "tasks"),
        queue_maximum=settings.acestep_api_queue,
        guarded=not key,
        lenient=settings.lenient,
        adapters=settings.adapters_dir,
    )
