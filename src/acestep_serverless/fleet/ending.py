"""How do fleets end? All at once and within one deadline, however many there are and however silent the gateway is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from acestep_serverless.clock import Clock
from acestep_serverless.fleet.fleet import Fleet

LAST_PATIENCE = 5.0
"""Seconds that killed processes have to be gone; only a kernel that is stuck itself takes longer."""


def end_fleets(fleets: Sequence[Fleet], grace: float, pause: Callable[[float], None], clock: Clock) -> None:
    """End every worker of all fleets: no more work, then SIGTERM, then after `grace` seconds of `pause`s the hard way.

    The gateway is asked and told side by side: a silent one costs one timeout, not one for each fleet.
    """
    busy = [fleet for fleet in fleets if fleet.alive]
    _side_by_side(Fleet.starve, busy)
    for patience, now in ((grace, False), (LAST_PATIENCE, True)):
        for fleet in busy:
            fleet.end_all(now=now)
        _wait(busy, clock.monotonic() + patience, pause, clock)
    _side_by_side(Fleet.report, fleets)


def _wait(fleets: Sequence[Fleet], deadline: float, pause: Callable[[float], None], clock: Clock) -> None:
    while True:
        for fleet in fleets:
            fleet.bury()
        if not any(fleet.alive for fleet in fleets) or clock.monotonic() >= deadline:
            return
        pause(0.05)


def _side_by_side(act: Callable[[Fleet], None], fleets: Sequence[Fleet]) -> None:
    with ThreadPoolExecutor(max(1, len(fleets)), "fleet-end") as pool:
        list(pool.map(act, fleets))
