"""What does a fleet see when it looks? The gateway's overview becomes numbers for the policy and names to act on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_serverless.fleet.policy import Load

SILENT_AFTER_HEARTBEATS = 3
"""Heartbeats without a sign of life after which a worker that others started does not count as help."""


@dataclass(slots=True)
class Member:
    """A worker of the fleet. Times are monotonic seconds, `fed_at` is the gateway's word (ms since 1970)."""

    started: float
    known: bool = False
    """The gateway has listed it."""
    worked: bool = False
    """It has taken a job and was seen without one after that: it works, however it ends."""
    fed_at: int | None = None
    idle_since: float | None = None
    ending: bool = False
    """Its end is wanted: it was told to end."""
    recycled: float | None = None
    """When it was told to end because it was of no more use."""

    def note(self, listed: Mapping[str, Any], now: float) -> None:
        """Note what the gateway lists of it. A job that began and ended between two looks shows in `fed_at`."""
        fed_at, idle = listed["fed_at"], _is_idle(listed)
        self.known = True
        self.worked = self.worked or (fed_at is not None and not listed["jobs"])
        if not idle:
            self.idle_since = None
        elif self.idle_since is None or fed_at != self.fed_at:
            self.idle_since = now
        self.fed_at = fed_at


def _is_fed(listed: Mapping[str, Any]) -> bool:
    return bool(listed["state"] == "ACTIVE")


def _is_idle(listed: Mapping[str, Any]) -> bool:
    return _is_fed(listed) and not listed["jobs"] and listed["polled_at"] is not None


def rested(members: Mapping[str, Member], now: float, idle_timeout: float) -> list[str]:
    """Name the workers that have been idle for `idle_timeout` seconds, the longest idle first."""
    found = [
        (member.idle_since, worker_id)
        for worker_id, member in members.items()
        if member.idle_since is not None and not member.ending and now - member.idle_since >= idle_timeout
    ]
    return [worker_id for _, worker_id in sorted(found)]


def load_of(overview: Mapping[str, Any], members: Mapping[str, Member], resting: int) -> Load:
    """Count what the policy decides by. `overview` is the gateway's, `resting` the number of `rested` members."""
    listed = {worker["id"]: worker for worker in overview["workers"]}
    own = [listed.get(worker_id) for worker_id, member in members.items() if not member.ending]
    fed = [worker for worker in own if worker is not None and _is_fed(worker)]
    idle = sum(_is_idle(worker) for worker in fed)
    running = sum(worker["jobs"] > 0 for worker in fed)
    others = list(_others(overview, members))
    return Load(
        waiting=overview["waiting"],
        oldest_wait_ms=overview["oldest_wait_ms"],
        in_progress=overview["in_progress"],
        running=running,
        idle=idle,
        rested=resting,
        starting=own.count(None) + len(fed) - idle - running,
        elsewhere=len(others),
        elsewhere_idle=sum(_is_idle(worker) for worker in others),
    )


def _others(overview: Mapping[str, Any], members: Mapping[str, Member]) -> Iterable[Mapping[str, Any]]:
    alive_since = overview["now"] - SILENT_AFTER_HEARTBEATS * overview["heartbeat_ms"]
    for worker in overview["workers"]:
        sign = max(worker["polled_at"] or 0, worker["pinged_at"] or 0)
        if worker["id"] not in members and _is_fed(worker) and sign >= alive_since:
            yield worker
