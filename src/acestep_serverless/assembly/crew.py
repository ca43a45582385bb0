"""How do worker processes get a fleet? The same one for `serve` and for `worker`: started, watched, drained, replaced.

A worker must never be signalled while it is still being fed (an idle one would take one more job and drop it), and
its death should be told at once instead of after its lease. So a fleet stands before it on every machine of ours.
"""

import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from acestep_serverless.assembly.child import words_for_child
from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines import load_engine
from acestep_serverless.errors import PeerUnreachable
from acestep_serverless.fleet.fleet import Fleet
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import FleetPolicy
from acestep_serverless.settings import Settings

WORKER = [sys.executable, "-m", "acestep_serverless.assembly.worker"]
FLEET_ROUND = 1.0
"""Seconds between two looks of a fleet at its workers."""


ALWAYS_HERE = frozenset({"auto", "sketch"})
"""Engines that need no look before the start; importing one takes about a second."""


def require_engine(settings: Settings) -> None:
    """Raise EngineUnavailable for an engine that is not here: its workers would die again and again."""
    if settings.workers and not settings.acestep_api_url and settings.engine not in ALWAYS_HERE:
        load_engine(settings.engine)


class Crew:
    """A fleet of worker processes on this machine for the gateway in `settings`, and the folder they scratch in.

    `own_gateway` is True for `serve`, whose workers end with it: the next `serve` gives back what they held.
    """

    def __init__(
        self, settings: Settings, scratch: Path, *, own_gateway: bool, new_worker_id: Callable[[], str] | None = None
    ) -> None:
        key = settings.worker_key.get_secret_value()
        self._settings, self._scratch, self._own_gateway = settings, scratch.resolve(), own_gateway
        self._gateway = GatewayClient(settings.gateway, settings.endpoint_id, key, timeout=3.0)
        self._fleet = Fleet(
            FleetPolicy(settings.workers),
            ProcessLauncher(WORKER, self._words),
            self._gateway,
            SYSTEM_CLOCK,
            new_worker_id or (lambda: f"worker-{secrets.token_hex(6)}"),
        )
        # What workers of a former run had in hand is worth nothing now: their jobs are made again.
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _words(self, worker_id: str) -> bytes:
        return words_for_child(
            {
                "settings": self._settings.for_child(),
                "worker_id": worker_id,
                "parent": os.getpid(),
                "from_fleet": self._own_gateway,
                "scratch": str(self._scratch),
            }
        )

    def look_at_gateway(self) -> None:
        """Ask the gateway once, so that a wrong key or endpoint is said at the start. Raises AccessDenied, NotFound; a
        gateway that is not up yet is no error."""
        with suppress(PeerUnreachable):
            self._gateway.overview()

    def run_once(self) -> None:
        """Do one round: report the dead, start the missing."""
        self._fleet.run_once()

    def end(self) -> None:
        """End every worker, giving running jobs `drain_seconds`; a KeyboardInterrupt meanwhile cuts that short."""
        try:
            self._fleet.end(self._settings.drain_seconds, time.sleep)
        except KeyboardInterrupt:
            self._fleet.end(0.0, time.sleep)
        self._gateway.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


class EndSignal:
    """Turns the first SIGINT or SIGTERM into a flag and the second into KeyboardInterrupt, for people in a hurry."""

    def __init__(self) -> None:
        self.given = False
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.given:
            raise KeyboardInterrupt
        self.given = True


def run_crew(settings: Settings, new_worker_id: Callable[[], str]) -> None:
    """Run workers for a gateway elsewhere until a signal ends them."""
    require_engine(settings)
    ending = EndSignal()
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-workers-") as scratch:
        crew = Crew(settings, Path(scratch) / "scratch", own_gateway=False, new_worker_id=new_worker_id)
        try:
            crew.look_at_gateway()
            while not ending.given:
                crew.run_once()
                pause_unless(ending, FLEET_ROUND)
        finally:
            crew.end()


def pause_unless(ending: EndSignal, seconds: float) -> None:
    """Sleep in short steps, so that a signal is followed at once."""
    until = time.monotonic() + seconds
    while not ending.given and time.monotonic() < until:
        time.sleep(0.05)
