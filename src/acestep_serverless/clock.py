"""What time is it, and who may ask? Rules never read a clock: they are handed one of these."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two readings: `now_ms`, wall time in whole milliseconds since 1970 (rows, answers), and
    `monotonic`, seconds that never jump (durations, deadlines)."""

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]


SYSTEM_CLOCK = Clock(now_ms=lambda: time.time_ns() // 1_000_000, monotonic=time.monotonic)
