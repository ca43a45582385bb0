"""How many workers are wanted, and when may a dead one be replaced? Pure functions of plain numbers."""

from dataclasses import dataclass

RESTART_PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before the next start after that many deaths in a row; a crash loop costs a process start each 30 s at
most."""
LONG_LIFE = 60.0
"""Seconds after which a worker's death is no longer counted as one in a row."""
STUCK_AFTER_MS = 20_000
"""Milliseconds after which a worker that ignores a stop is ended: a handler that cannot be interrupted keeps a slot
busy."""

ENDING_PATIENCE = 30.0
"""Seconds that a worker without a job has to follow a SIGTERM; one that hangs would take up its place for ever."""


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """A fixed number of workers (0 is allowed: jobs then wait for workers from elsewhere)."""

    workers: int


def missing(policy: FleetPolicy, alive: int) -> int:
    """Tell how many workers to start."""
    return max(0, policy.workers - alive)


def pause_after(deaths_in_a_row: int) -> float:
    """Tell how many seconds to wait before a dead worker is replaced."""
    return RESTART_PAUSES[min(deaths_in_a_row, len(RESTART_PAUSES) - 1)]


def is_stuck(ignoring_stop_since: int | None, now_ms: int, heartbeat_ms: int = 0) -> bool:
    """Tell whether a worker has ignored a stop for too long (times in milliseconds).

    That a job was dropped is known only after it has been missing from two heartbeats, so slow ones need more patience.
    """
    patience = max(STUCK_AFTER_MS, 4 * heartbeat_ms)
    return ignoring_stop_since is not None and now_ms - ignoring_stop_since > patience
