"""How is a worker built and run? Engine first, then its place at a gateway (if any), then the official SDK's loop.

Three ways in, one way through: as a child of `serve` (`python -m acestep_serverless.assembly.worker`, words on
standard input), as
`acestep-serverless worker` for a gateway elsewhere, and as `handler.py` on Runpod, where the platform has set the
environment.
"""

import atexit
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from types import ModuleType

import structlog

from acestep_serverless.assembly.adapters import stock
from acestep_serverless.assembly.api import build_api, client_at, client_in_process
from acestep_serverless.assembly.child import read_words, when_parent_ends
from acestep_serverless.assembly.engine import build_engine
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.abilities import Abilities
from acestep_serverless.engines.abilities import abilities_of
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.logs import configure_logs
from acestep_serverless.outbound.fetching import Fetcher
from acestep_serverless.settings import Settings
from acestep_serverless.worker.bucket import bucket_of
from acestep_serverless.worker.delivery import GatewaySink
from acestep_serverless.worker.earlier import GatewayFiles
from acestep_serverless.worker.hung import end_when_hung
from acestep_serverless.worker.kept import AT_A_GATEWAY, ON_RUNPOD, KeptOutputs
from acestep_serverless.worker.lifeline import die_with_parent
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.loop import Tools, job_handler
from acestep_serverless.worker.places import without_gateway
from acestep_serverless.worker.sdk import SdkHandler, on_runpod, prepare_environment, run
from acestep_serverless.worker.sink import ArtifactSink
from acestep_serverless.worker.sources import Sources
from acestep_serverless.worker.telling import tell_abilities

LOG = structlog.get_logger(__name__)
KEPT = "kept"
"""The folder of finished outputs where its place is not named: beside the scratch folder, which every start clears."""


def new_worker_id() -> str:
    """Make a fresh id that tells its machine: `<host>-<8 hexadecimal digits>`."""
    host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname().lower())[:40].strip("-")
    return f"{host or 'worker'}-{secrets.token_hex(4)}"


def run_worker(
    settings: Settings,
    environ: MutableMapping[str, str],
    *,
    worker_id: str,
    fleet_id: str | None,
    scratch: Path,
    kept: Path,
) -> None:
    """Run a worker until it is told to end. Without a gateway and off Runpod the SDK's own local modes apply.

    `scratch` is a folder for songs between engine and delivery; whoever names it removes it. `kept` is one for
    finished outputs, shared by this machine's workers for this endpoint; it is worth more the longer it lives.
    """
    open_acestep, together, abilities = _acestep(settings, scratch)
    link, heartbeat_ms = None, settings.heartbeat_seconds * 1000
    if settings.gateway and not on_runpod(environ):
        link, heartbeat_ms = _enrol(settings, worker_id, fleet_id=fleet_id)
        LOG.info("worker enrolled", worker=worker_id, gateway=settings.gateway, endpoint=settings.endpoint_id)
        if abilities is not None:
            tell_abilities(link, abilities, SYSTEM_CLOCK)
    prepare_environment(environ, link, ping_interval_ms=heartbeat_ms)
    sink = _usual_place(link, environ)
    memory = _memory(kept, link, environ)
    sources = Sources(
        Fetcher(allow_private=settings.source_private), earlier=None if link is None else GatewayFiles(link)
    )

    async def open_tools() -> Tools:
        return Tools(await open_acestep(), sink, scratch, memory, settings.bucket_private, sources)

    def make_handler(sdk: ModuleType) -> SdkHandler:
        return job_handler(sdk, open_tools, environ=environ, clock=SYSTEM_CLOCK)

    run(make_handler, environ, jobs=settings.worker_jobs or together + 1)


def _usual_place(link: GatewayLink | None, environ: Mapping[str, str]) -> ArtifactSink:
    """Choose where songs go whose jobs name no bucket. Raises SettingsError for wrong `BUCKET_...` variables."""
    if link is not None:
        return GatewaySink(link, SYSTEM_CLOCK)
    return without_gateway(bucket_of(environ, now_ms=SYSTEM_CLOCK.now_ms()))


def _enrol(settings: Settings, worker_id: str, *, fleet_id: str | None) -> tuple[GatewayLink, int]:
    """Enrol; the gateway says how often it wants a sign of life (ms), since its leases are made for that."""
    gateway = GatewayClient(settings.gateway, settings.endpoint_id, settings.worker_key.get_secret_value())
    try:
        enrolment = gateway.enrol(worker_id, fleet_id=fleet_id, told=LOG.warning)
    finally:
        gateway.close()
    link = GatewayLink(settings.gateway, settings.endpoint_id, worker_id, enrolment.token)
    return link, enrolment.heartbeat_ms


def _memory(folder: Path, link: GatewayLink | None, environ: MutableMapping[str, str]) -> KeptOutputs | None:
    """Open the memory of finished outputs. The SDK's local modes have none: they give one id to every job."""
    if link is None and not on_runpod(environ):
        return None
    memory = KeptOutputs(folder, ON_RUNPOD if link is None else AT_A_GATEWAY)
    memory.tidy(now_ms=SYSTEM_CLOCK.now_ms())
    return memory


def _acestep(settings: Settings, scratch: Path) -> tuple[Callable[[], Awaitable[AceStepClient]], int, Abilities | None]:
    """Give what opens the API, how many jobs it works at together, and what it can do: a server elsewhere is taken to
    do one, and of what it can do nothing is known."""
    if settings.acestep_api_url:

        async def elsewhere() -> AceStepClient:
            return client_at(settings)

        return elsewhere, 1, None
    engine = build_engine(settings)
    engine.load(lambda fraction, stage: LOG.debug("engine loads", fraction=fraction, stage=stage))
    stock(engine, settings.adapters_dir)
    app = build_api(engine, scratch)
    end_when_hung(app.state.tasks.unwanted, SYSTEM_CLOCK)

    async def here() -> AceStepClient:
        return client_in_process(app)

    return here, engine.limits.songs_together, abilities_of(engine)


def main_on_runpod() -> None:
    """Run as Runpod's `handler.py`, configured by the environment alone; also the SDK's local test modes."""
    settings = Settings.load()
    configure_logs(settings.log_level, json_lines=settings.log_json)
    scratch = Path(tempfile.mkdtemp(prefix="acestep-serverless-worker-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    run_worker(
        settings,
        os.environ,
        worker_id=new_worker_id(),
        fleet_id=None,
        scratch=scratch,
        kept=scratch / KEPT,
    )


def main() -> None:
    """Run as a child of `serve`; ends with it."""
    words = read_words()
    settings = Settings.from_parent(words["settings"])
    configure_logs(settings.log_level, json_lines=settings.log_json)
    die_with_parent(words["parent"])
    when_parent_ends(lambda: os._exit(0))
    scratch = Path(words["scratch"]) / words["worker_id"]
    scratch.mkdir(parents=True)
    try:
        run_worker(
            settings,
            os.environ,
            worker_id=words["worker_id"],
            fleet_id=words["fleet_id"],
            scratch=scratch,
            kept=Path(words.get("kept") or Path(words["scratch"]).with_name(KEPT)),
        )
    except AcestepServerlessError as error:
        LOG.error("the worker cannot start", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
