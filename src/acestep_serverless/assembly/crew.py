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
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from acestep_serverless.assembly.child import words_for_child
from acestep_serverless.assembly.engine import engine_options
from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines import choose_engine
from acestep_serverless.errors import PeerUnreachable
from acestep_serverless.fleet.ending import end_fleets
from acestep_serverless.fleet.fleet import Fleet
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import FleetPolicy
from acestep_serverless.settings import Settings

WORKER = [sys.executable, "-m", "acestep_serverless.assembly.worker"]
FLEET_ROUND = 1.0
"""Seconds between two looks of a fleet at its workers and its queue."""
QUICK_ROUND = 0.25
"""The same while the next job may call for another worker: half of it is what the look adds to a start from zero."""
ALWAYS_HERE = frozenset({"auto", "sketch"})
"""Engines that need no look before the start; importing one takes about a second."""


def most_workers(settings: Settings) -> int:
    """Tell how many workers the endpoint of `settings` may have here."""
    return settings.workers if settings.max_workers is None else settings.max_workers


def require_engine(settings: Settings) -> None:
    """Raise EngineUnavailable for an engine that is not here: its workers would die again and again."""
    if most_workers(settings) and not settings.acestep_api_url and settings.engine not in ALWAYS_HERE:
        choose_engine(settings.engine, engine_options(settings))


class Crew:
    """A fleet of worker processes on this machine for the gateway and endpoint in `settings`, and their folders: one
    below `scratch` that goes with them, and `kept` below the data folder that stays.

    `fleet_id` is given by `serve`: its workers end with it, its successor gives back what they held, and it acts only
    while it leads the endpoint, which it is sure of only with a database of its own.
    """

    def __init__(
        self,
        settings: Settings,
        scratch: Path,
        *,
        fleet_id: str | None = None,
        new_worker_id: Callable[[], str] | None = None,
    ) -> None:
        self._settings, self._fleet_id = settings, fleet_id
        self._scratch = scratch.resolve() / settings.endpoint_id
        self._kept = settings.data_dir.resolve() / "kept" / settings.endpoint_id
        key = settings.worker_key.get_secret_value()
        self._gateway = GatewayClient(settings.gateway, settings.endpoint_id, key, timeout=3.0)
        gpus = settings.gpus.split(",") if settings.gpus else ()
        self.fleet = Fleet(
            FleetPolicy(
                settings.workers,
                most_workers(settings),
                settings.idle_timeout_seconds,
                settings.scaler,
                settings.scaler_value,
            ),
            ProcessLauncher(WORKER, self._words, environ=os.environ, gpus=gpus),
            self._gateway,
            SYSTEM_CLOCK,
            new_worker_id or (lambda: f"worker-{secrets.token_hex(6)}"),
            fleet_id=fleet_id,
            leads=fleet_id is None or not settings.database_url.get_secret_value(),
        )
        self._next_look = 0.0

    def _words(self, worker_id: str) -> bytes:
        return words_for_child(
            {
                "settings": self._settings.for_worker(),
                "worker_id": worker_id,
                "parent": os.getpid(),
                "fleet_id": self._fleet_id,
                "scratch": str(self._scratch),
                "kept": str(self._kept),
            }
        )

    def look_at_gateway(self) -> None:
        """Ask the gateway once, so that a wrong key or endpoint is said at the start. Raises AccessDenied, NotFound; a
        gateway that is not up yet is no error."""
        with suppress(PeerUnreachable):
            self._gateway.overview()

    def run_when_due(self, now: float) -> None:
        """Do one round if it is time for one (monotonic seconds): report the dead, start the missing."""
        if now >= self._next_look:
            self.fleet.run_once()
            self._next_look = now + (QUICK_ROUND if self.fleet.may_change_soon else FLEET_ROUND)

    def close(self) -> None:
        """Close the connection to the gateway."""
        self._gateway.close()


class Crews:
    """The crews of one process, a crew for each endpoint. What workers of a former run had in hand in `scratch` is
    worth nothing: their jobs are made again."""

    def __init__(self, crews: Sequence[Crew], scratch: Path, drain_seconds: float) -> None:
        self._crews, self._scratch, self._drain_seconds = tuple(crews), scratch, drain_seconds
        shutil.rmtree(scratch, ignore_errors=True)

    def start(self) -> None:
        """Start every crew's minimum, without a look at the gateway."""
        for crew in self._crews:
            crew.fleet.start()

    def run_until(self, ending: "EndSignal") -> None:
        """Do every crew's rounds until a signal is given. One thread is enough: a silent gateway stalls them all, and
        its own restart does not depend on them."""
        while not ending.given:
            for crew in self._crews:
                if not ending.given:
                    crew.run_when_due(time.monotonic())
            pause_unless(ending, QUICK_ROUND)

    def end(self) -> None:
        """End every worker, giving running jobs `drain_seconds`; a KeyboardInterrupt meanwhile cuts that short."""
        fleets = [crew.fleet for crew in self._crews]
        try:
            end_fleets(fleets, self._drain_seconds, time.sleep, SYSTEM_CLOCK)
        except KeyboardInterrupt:
            end_fleets(fleets, 0.0, time.sleep, SYSTEM_CLOCK)
        for crew in self._crews:
            crew.close()
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
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-workers-") as folder:
        scratch = Path(folder) / "scratch"
        crew = Crew(settings, scratch, new_worker_id=new_worker_id)
        crews = Crews([crew], scratch, settings.drain_seconds)
        try:
            crew.look_at_gateway()
            crews.start()
            crews.run_until(ending)
        finally:
            crews.end()


def pause_unless(ending: EndSignal, seconds: float) -> None:
    """Sleep in short steps, so that a signal is followed at once."""
    until = time.monotonic() + seconds
    while not ending.given and time.monotonic() < until:
        time.sleep(0.05)
