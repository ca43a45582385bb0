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
    """Limits and temper of one fleet.

    `minimum` to `maximum` workers (0 is allowed: jobs then wait for workers from elsewhere); one above the minimum goes
    once it has been idle for `idle_timeout` seconds. `scaler` is QUEUE_DELAY, whose `scaler_value` is in seconds, or
    REQUEST_COUNT, with jobs a worker; both are the platform's.
    """

    minimum: int
    maximum: int
    idle_timeout: float = 60.0
    scaler: str = "QUEUE_DELAY"
    scaler_value: int = 4


RESTING = FleetPolicy(0, 0)
"""The limits of a fleet while another one leads its endpoint."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a fleet sees in one look: jobs of its endpoint, its own workers by what they do, and those of others.

    `waiting` counts jobs without lowPriority, `oldest_wait_ms` is the age of the oldest of them. Own workers are
    `running` a job, `idle` (`rested` of them for longer than the idle timeout) or `starting`; one that is being ended
    is none of these. `elsewhere` are live workers of this endpoint that others started, `elsewhere_idle` of them idle.
    """

    waiting: int = 0
    oldest_wait_ms: int = 0
    in_progress: int = 0
    running: int = 0
    idle: int = 0
    rested: int = 0
    starting: int = 0
    elsewhere: int = 0
    elsewhere_idle: int = 0

    @property
    def own(self) -> int:
        """Own workers that work or will."""
        return self.running + self.idle + self.starting


def wanted(policy: FleetPolicy, load: Load) -> int:
    """Tell how many own workers there should be: within the limits, never fewer than asked for by the jobs, and not
    fewer than now but for those that have rested (and only while nothing waits, since a job may be on its way to
    them)."""
    demand = _DEMANDS[policy.scaler](policy, load)
    kept = load.own - (0 if load.waiting else load.rested)
    return min(max(demand, kept, policy.minimum), policy.maximum)


def _by_queue_delay(policy: FleetPolicy, load: Load) -> int:
    """One more each look, while the oldest job has waited too long and not every waiting job has a worker that is about
    to take it. The first worker of all is started for the first job at once: no wait would make that one better."""
    about_to_take = load.idle + load.starting + load.elsewhere_idle
    late = load.oldest_wait_ms >= policy.scaler_value * 1000 or load.own + load.elsewhere == 0
    return load.own + 1 if late and load.waiting > about_to_take else 0


def _by_request_count(policy: FleetPolicy, load: Load) -> int:
    """Enough for `scaler_value` jobs each, as the platform counts: ceil((waiting + running) / value)."""
    jobs = load.waiting + load.in_progress
    return -(-jobs // policy.scaler_value) - load.elsewhere


_DEMANDS = {"QUEUE_DELAY": _by_queue_delay, "REQUEST_COUNT": _by_request_count}


def pause_after(deaths_in_a_row: int) -> float:
    """Tell how many seconds to wait before a dead worker is replaced."""
    return RESTART_PAUSES[min(deaths_in_a_row, len(RESTART_PAUSES) - 1)]


def is_stuck(ignoring_stop_since: int | None, now_ms: int, heartbeat_ms: int = 0) -> bool:
    """Tell whether a worker has ignored a stop for too long (times in milliseconds).

    That a job was dropped is known only from a heartbeat without it, so slow ones need more patience.
    """
    patience = max(STUCK_AFTER_MS, 4 * heartbeat_ms)
    return ignoring_stop_since is not None and now_ms - ignoring_stop_since > patience
