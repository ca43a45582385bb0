"""Who keeps the workers alive? The fleet: `run_once` looks, reports the dead, recycles the worn, starts the missing
and lets go of those that nobody needs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import Clock
from acestep_serverless.errors import AcestepServerlessError, NotFound, PeerError, PeerUnreachable
from acestep_serverless.fleet.launcher import Launcher
from acestep_serverless.fleet.look import Member, load_of, rested
from acestep_serverless.fleet.policy import (
    ENDING_PATIENCE,
    LONG_LIFE,
    RESTING,
    FleetPolicy,
    Load,
    is_stuck,
    pause_after,
    wanted,
)

LOG = structlog.get_logger(__name__)

ASKING = 3.0
"""Seconds that an ending fleet goes on asking the gateway to feed its workers no more."""


class Fleet:
    """The workers of one endpoint on this machine. Not thread-safe: call it from one thread at a time.

    With a `fleet_id` it acts only while the gateway says that it leads the endpoint; until the first answer `leads` is
    taken for that. Without one it always acts.
    """

    def __init__(
        self,
        policy: FleetPolicy,
        launcher: Launcher,
        gateway: GatewayClient,
        clock: Clock,
        new_worker_id: Callable[[], str],
        *,
        fleet_id: str | None = None,
        leads: bool = True,
    ) -> None:
        self._policy, self._launcher, self._gateway = policy, launcher, gateway
        self._clock, self._new_worker_id, self._fleet_id, self._leads = clock, new_worker_id, fleet_id, leads
        self._members: dict[str, Member] = {}
        self._unreported: dict[str, bool] = {}
        self._deaths_in_a_row = 0
        self._died_last = self._start_after = 0.0

    @property
    def alive(self) -> frozenset[str]:
        """Ids of the workers that were alive at the last look."""
        return frozenset(self._members)

    @property
    def may_change_soon(self) -> bool:
        """Whether the next job may call for a worker that is not there yet, or one is on its way out."""
        leaving = any(member.ending for member in self._members.values())
        return leaving or (self._leads and len(self._members) < self._policy.maximum)

    def start(self) -> None:
        """Start the minimum without a look at the gateway, which may be starting as well."""
        self._scale(None)

    def run_once(self) -> None:
        """Do one round. A gateway that does not answer is told the news in a later round."""
        self.bury()
        self.report()
        self._insist()
        overview = self._look()
        if overview is not None:
            self._recycle(overview)
        self._scale(overview)

    def _look(self) -> Mapping[str, Any] | None:
        try:
            overview = self._gateway.overview(self._fleet_id)
        except AcestepServerlessError:
            return None
        if overview["leads"] != self._leads:
            self._leads = overview["leads"]
            LOG.info("this fleet leads its endpoint" if self._leads else "another fleet leads, this one rests")
        now = self._clock.monotonic()
        for worker in overview["workers"]:
            if (member := self._members.get(worker["id"])) is not None:
                member.note(worker, now)
                self._forgive(member, now)
        return overview

    def _forgive(self, member: Member, now: float) -> None:
        """End the row of deaths when a worker that was started after them has proved itself."""
        if member.started > self._died_last and (member.worked or now - member.started > LONG_LIFE):
            self._deaths_in_a_row = 0

    def _scale(self, overview: Mapping[str, Any] | None) -> None:
        now = self._clock.monotonic()
        limits = self._policy if self._leads else RESTING
        can_go = [] if overview is None else self._can_go(overview, now)
        if overview is None:
            load = Load(starting=sum(not member.ending for member in self._members.values()))
        else:
            load = load_of(overview, self._members, len(can_go))
        more = wanted(limits, load) - load.own
        if more > 0:
            self._start_some(min(more, limits.maximum - len(self._members)), now)
        for worker_id in can_go[: max(0, -more)]:
            self._let_go(worker_id)

    def _can_go(self, overview: Mapping[str, Any], now: float) -> list[str]:
        if self._leads:
            return rested(self._members, now, self._policy.idle_timeout)
        fed = {worker["id"] for worker in overview["workers"] if worker["state"] == "ACTIVE"}
        return [worker_id for worker_id, member in self._members.items() if worker_id in fed and not member.ending]

    def _let_go(self, worker_id: str) -> None:
        """Have a worker fed no more. A later look that finds it without a job ends it: one that came in between is
        done first."""
        with suppress(AcestepServerlessError):
            self._gateway.drain(worker_id)
            LOG.info("worker is let go", worker=worker_id, reason="idle" if self._leads else "another fleet leads")

    def _start_some(self, count: int, now: float) -> None:
        """Start workers unless deaths call for a pause; after more than one of them a single worker has to live."""
        if now < self._start_after:
            return
        in_doubt = self._deaths_in_a_row > 1
        for _ in range(min(count, 1) if in_doubt else count):
            if not self._start(now):
                return
        if in_doubt:
            self._start_after = now + pause_after(self._deaths_in_a_row - 1)

    def _start(self, now: float) -> bool:
        worker_id = self._new_worker_id()
        try:
            self._launcher.start(worker_id)
        except OSError as error:  # No process, no memory, no such program: as with a death, later again.
            self._count_death(now)
            LOG.error("worker cannot be started", worker=worker_id, reason=str(error))
            return False
        self._members[worker_id] = Member(now)
        LOG.info("worker started", worker=worker_id)
        return True

    def _count_death(self, now: float, *, proved: bool = False) -> None:
        self._deaths_in_a_row = 1 if proved else self._deaths_in_a_row + 1
        self._died_last, self._start_after = now, now + pause_after(self._deaths_in_a_row - 1)

    def bury(self) -> None:
        """Take note of workers that have ended; one whose end nobody wanted has died."""
        now = self._clock.monotonic()
        for ended in self._launcher.collect():
            member = self._members.pop(ended.worker_id)
            self._unreported[ended.worker_id] = not member.ending
            if member.ending:
                LOG.info("worker ended", worker=ended.worker_id)
                continue
            lived = now - member.started
            self._count_death(now, proved=member.worked or lived > LONG_LIFE)
            LOG.error("worker died", worker=ended.worker_id, reason=ended.reason, lived_seconds=round(lived, 1))

    def report(self) -> None:
        """Tell the gateway of workers that have ended, as far as it answers."""
        for worker_id, died in list(self._unreported.items()):
            try:
                self._gateway.ended(worker_id, died=died)
            except NotFound:
                LOG.debug("the gateway does not know this worker", worker=worker_id)
            except AcestepServerlessError as error:  # Not reachable, or another key: the next round tells it.
                if not isinstance(error, PeerError):
                    LOG.warning("the gateway does not take the news of a worker", worker=worker_id, reason=str(error))
                return
            del self._unreported[worker_id]

    def _recycle(self, overview: Mapping[str, Any]) -> None:
        """End workers that are fed no more and hold no job, that ignore a stop, or that the gateway has forgotten."""
        listed = {worker["id"]: worker for worker in overview["workers"]}
        for worker_id, member in self._members.items():
            if member.ending:
                continue
            worker = listed.get(worker_id)
            if worker is None:
                if member.known:  # Its row is lost (another database): its token opens nothing any more.
                    self._dismiss(worker_id, member, "the gateway has forgotten it")
            elif is_stuck(worker["ignoring_stop_since"], overview["now"], overview["heartbeat_ms"]):
                self._dismiss(worker_id, member, "it ignores a stop", now=True)
            elif worker["state"] == "DRAINING" and not worker["jobs"]:
                self._dismiss(worker_id, member, "it is fed no more")

    def _dismiss(self, worker_id: str, member: Member, reason: str, *, now: bool = False) -> None:
        LOG.info("worker is told to end", worker=worker_id, reason=reason)
        member.ending, member.recycled = True, self._clock.monotonic()
        self._launcher.end(worker_id, now=now)

    def _insist(self) -> None:
        for worker_id, member in self._members.items():
            if member.recycled is not None and self._clock.monotonic() - member.recycled > ENDING_PATIENCE:
                self._launcher.end(worker_id, now=True)

    def starve(self) -> None:
        """Have no worker fed any more, before all are ended. A gateway that does not answer is asked once only."""
        deadline = self._clock.monotonic() + ASKING
        for worker_id, member in self._members.items():
            member.ending = True
            try:
                if self._clock.monotonic() < deadline:
                    self._gateway.drain(worker_id)
            except PeerUnreachable:
                deadline = 0.0
            except AcestepServerlessError as error:
                LOG.debug("a worker could not be drained", worker=worker_id, reason=str(error))

    def end_all(self, *, now: bool) -> None:
        """Tell every worker to end after its job, or end it `now`."""
        for worker_id, member in self._members.items():
            member.ending = True
            self._launcher.end(worker_id, now=now)
