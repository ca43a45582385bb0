"""Who keeps the workers alive? The fleet: `run_once` looks, reports the dead, recycles the worn, starts the missing."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import Clock
from acestep_serverless.errors import AcestepServerlessError, NotFound, PeerError
from acestep_serverless.fleet.launcher import Launcher
from acestep_serverless.fleet.policy import ENDING_PATIENCE, LONG_LIFE, FleetPolicy, is_stuck, missing, pause_after

LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Member:
    started: float
    ending: bool = False
    known: bool = False
    recycled: float | None = None
    """When it was told to make room for a fresh one (monotonic seconds)."""


class Fleet:
    """The workers of one endpoint on this machine. Not thread-safe: call `run_once` and `end` from one thread."""

    def __init__(
        self,
        policy: FleetPolicy,
        launcher: Launcher,
        gateway: GatewayClient,
        clock: Clock,
        new_worker_id: Callable[[], str],
    ) -> None:
        self._policy, self._launcher, self._gateway = policy, launcher, gateway
        self._clock, self._new_worker_id = clock, new_worker_id
        self._members: dict[str, _Member] = {}
        self._unreported: dict[str, bool] = {}
        self._deaths_in_a_row = 0
        self._start_after = 0.0

    @property
    def alive(self) -> frozenset[str]:
        """Ids of the workers that were alive at the last look."""
        return frozenset(self._members)

    def run_once(self) -> None:
        """Do one round. A gateway that does not answer is told the news in a later round."""
        self._bury()
        self._report()
        self._insist()
        self._recycle()
        now = self._clock.monotonic()
        if now >= self._start_after:
            for _ in range(missing(self._policy, len(self._members))):
                if not self._start(now):
                    break

    def end(self, grace: float, pause: Callable[[float], None]) -> None:
        """End every worker: no more work, then SIGTERM, then after `grace` seconds of `pause`s the hard way."""
        for worker_id, member in self._members.items():
            member.ending = True
            with suppress(AcestepServerlessError):
                self._gateway.drain(worker_id)
            self._launcher.end(worker_id, now=False)
        deadline = self._clock.monotonic() + grace
        while self._members and self._clock.monotonic() < deadline:
            pause(0.05)
            self._bury()
        for worker_id in self._members:
            self._launcher.end(worker_id, now=True)
        for _ in range(100):
            self._bury()
            if not self._members:
                break
            pause(0.05)
        with suppress(AcestepServerlessError):
            self._report()

    def _start(self, now: float) -> bool:
        worker_id = self._new_worker_id()
        try:
            self._launcher.start(worker_id)
        except OSError as error:  # No process, no memory, no such program: as with a death, later again.
            self._count_death(now)
            LOG.error("worker cannot be started", worker=worker_id, reason=str(error))
            return False
        self._members[worker_id] = _Member(now)
        LOG.info("worker started", worker=worker_id)
        return True

    def _count_death(self, now: float, *, after_long_life: bool = False) -> None:
        self._deaths_in_a_row = 1 if after_long_life else self._deaths_in_a_row + 1
        self._start_after = now + pause_after(self._deaths_in_a_row - 1)

    def _bury(self) -> None:
        for ended in self._launcher.collect():
            member = self._members.pop(ended.worker_id)
            self._unreported[ended.worker_id] = not member.ending
            if member.ending:
                LOG.info("worker ended", worker=ended.worker_id)
                continue
            lived = self._clock.monotonic() - member.started
            self._count_death(self._clock.monotonic(), after_long_life=lived > LONG_LIFE)
            LOG.error("worker died", worker=ended.worker_id, reason=ended.reason, lived_seconds=round(lived, 1))

    def _report(self) -> None:
        for worker_id, died in list(self._unreported.items()):
            try:
                self._gateway.ended(worker_id, died=died)
            except NotFound:
                LOG.debug("the gateway does not know this worker", worker=worker_id)
            except PeerError:
                return  # Not reachable: the next round tells it.
            del self._unreported[worker_id]

    def _recycle(self) -> None:
        """End workers that the gateway no longer feeds (they asked for it) or that ignore a stop."""
        if not self._members:
            return
        try:
            overview = self._gateway.overview()
        except AcestepServerlessError:
            return
        self._end_the_forgotten({worker["id"] for worker in overview["workers"]})
        for worker in overview["workers"]:
            member = self._members.get(worker["id"])
            if member is None or member.ending:
                continue
            worn = worker["state"] == "DRAINING" and not worker["jobs"]
            stuck = is_stuck(worker["ignoring_stop_since"], overview["now"], overview["heartbeat_ms"])
            if worn or stuck:
                LOG.info(
                    "worker is recycled", worker=worker["id"], reason="ignores a stop" if stuck else "asked for it"
                )
                member.ending, member.recycled = True, self._clock.monotonic()
                self._launcher.end(worker["id"], now=stuck)

    def _end_the_forgotten(self, listed: set[str]) -> None:
        """End members whose rows the gateway has lost (another database): their tokens open nothing any more."""
        for worker_id, member in self._members.items():
            if worker_id in listed:
                member.known = True
            elif member.known and not member.ending:
                LOG.warning("the gateway has forgotten a worker, another takes its place", worker=worker_id)
                member.ending, member.recycled = True, self._clock.monotonic()
                self._launcher.end(worker_id, now=False)

    def _insist(self) -> None:
        for worker_id, member in self._members.items():
            if member.recycled is not None and self._clock.monotonic() - member.recycled > ENDING_PATIENCE:
                self._launcher.end(worker_id, now=True)
