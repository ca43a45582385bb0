"""How is the ACE-Step API run alone? The same app as in a worker, on a socket of its own."""

import tempfile
from pathlib import Path

import structlog
import uvicorn

from acestep_serverless.acestep_api import Keeping
from acestep_serverless.assembly.api import build_api
from acestep_serverless.assembly.serve import base_url, bind
from acestep_serverless.engines import load_engine
from acestep_serverless.errors import SettingsError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import LOOPBACK_HOSTS, PREFIX, Settings

LOG = structlog.get_logger(__name__)


def serve_api(settings: Settings, host: str, port: int) -> None:
    """Serve the ACE-Step REST API until a signal ends it. Raises SettingsError for an open server beyond loopback."""
    key = settings.acestep_api_key.get_secret_value()
    if host not in LOOPBACK_HOSTS and not key:
        raise SettingsError(
            f"listening on {host} needs a key: set {PREFIX}ACESTEP_API_KEY, or leave the host at 127.0.0.1"
        )
    configure_logs(settings.log_level, json_lines=settings.log_json)
    engine = load_engine(settings.engine)
    engine.load(lambda fraction, stage: LOG.info("engine loads", stage=stage))
    listening = bind(host, port)
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-api-") as folder:
        app = build_api(
            engine,
            Path(folder),
            api_key=key or None,
            keeping=Keeping(),
            guarded=not key,
            lenient=settings.lenient,
            adapters=settings.adapters_dir,
        )
        LOG.info("ACE-Step API", url=base_url(listening), engine=engine.name, key="set" if key else "none")
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3
        )
        uvicorn.Server(config).run(sockets=[listening])
