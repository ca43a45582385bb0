"""How often may a key ask? The platform's limits by operation, counted in memory for each endpoint and key.

A moving window: the times of the admitted requests of the last seconds, so no burst passes at a window's edge and the
moment of return is exact. Limits are written in the notation of the `limits` package, which reads them; its own
in-memory storage starts a thread every 10 ms under load and reads the wall clock: 19 us a check in a running event
loop (fixed and moving window alike), against 0.7 us here. Each gateway process counts for itself.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from limits import parse_many

from acestep_serverless.access.keys import digest
from acestep_serverless.errors import SettingsError, TooManyRequests
from acestep_serverless.settings import Settings


@dataclass(frozen=True, slots=True)
class Operation:
    """What is limited together: the words that follow the endpoint's id in these paths, and the platform's limit."""

    paths: tuple[str, ...]
    default: str


OPERATIONS: dict[str, Operation] = {
    "run": Operation(("run",), "1000/10 seconds"),
    "runsync": Operation(("runsync",), "2000/10 seconds"),
    "status": Operation(("status", "status-sync", "health"), "2000/10 seconds"),
    "stream": Operation(("stream",), "2000/10 seconds"),
    "openai": Operation(("openai",), "2000/10 seconds"),
    "batch": Operation(("batch",), "2000/10 seconds"),
    "cancel": Operation(("cancel", "retry"), "100/10 seconds"),
    "purge-queue": Operation(("purge-queue",), "2/10 seconds"),
    "requests": Operation(("requests",), "10/10 seconds"),
}
"""Every operation by its name in the setting `rate_limits`, with what the platform publishes; it says nothing of
batches, `/retry` and `/health`, which are limited as `/status` and `/cancel` are."""

OPERATION_OF = {path: name for name, operation in OPERATIONS.items() for path in operation.paths}

OFF = "off"
MOST_REQUESTS, LONGEST_SECONDS = 100_000, 86_400
"""Bounds of one limit: a full window keeps 32 bytes for each request."""
FORGET_FROM = 1_024
"""Windows that are kept before those that have emptied are looked for."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: int


def read_rate(field: str, text: str) -> Rate | None:
    """Read a limit such as "1000/10 seconds" ("off": None). Raises SettingsError naming field and allowed values."""
    if text == OFF:
        return None
    try:
        (item,) = parse_many(text)
        rate = Rate(item.amount, item.get_expiry())
    except ValueError:
        rate = Rate(0, 0)
    if not (1 <= rate.requests <= MOST_REQUESTS and 1 <= rate.seconds <= LONGEST_SECONDS):
        raise SettingsError(
            f"{field}: must be one limit such as '1000/10 seconds' or '5/minute' (1 to {MOST_REQUESTS:,} requests"
            f" in at most a day), or '{OFF}', got {text[:40]!r}"
        )
    return rate


def _read_table(field: str, table: Mapping[str, str]) -> dict[str, Rate | None]:
    unknown = sorted(set(table) - set(OPERATIONS))
    if unknown:
        raise SettingsError(f"{field}: the operations are {', '.join(OPERATIONS)}, got {unknown[0][:40]!r}")
    return {name: read_rate(f"{field}.{name}", text) for name, text in table.items()}


def segment(path: str) -> str:
    """Give the word after the endpoint's id in "/v2/ENDPOINT/WORD/..."; "" for any other path."""
    words = path.split("/", 4)
    return words[3] if len(words) > 3 and words[1] == "v2" else ""


class RateLimits:
    """The windows of all keys of this process. For one thread: nothing in here waits.

    `rates` has every endpoint's own table by operation; what it lacks is not limited. `monotonic` gives seconds.
    """

    def __init__(self, rates: Mapping[str, Mapping[str, Rate | None]], monotonic: Callable[[], float]) -> None:
        self._rates = {
            (endpoint_id, path): (OPERATION_OF[path], rate)
            for endpoint_id, table in rates.items()
            for path in OPERATION_OF
            if (rate := table.get(OPERATION_OF[path])) is not None
        }
        self._longest = max((rate.seconds for _, rate in self._rates.values()), default=0)
        self._monotonic = monotonic
        self._windows: dict[tuple[str, str, str], deque[float]] = {}
        self._forget_at = FORGET_FROM

    @classmethod
    def of(cls, settings: Settings, monotonic: Callable[[], float]) -> "RateLimits":
        """Build the limits of every endpoint: its own, else the common setting's, else the platform's.

        Raises SettingsError naming the field (`rate_limits.run`, `endpoints.NAME.rate_limits.run`).
        """
        common = _read_table("rate_limits", {name: operation.default for name, operation in OPERATIONS.items()})
        common |= _read_table("rate_limits", settings.rate_limits)
        own = {
            name: _read_table(f"endpoints.{name}.rate_limits", settings.for_endpoint(name).rate_limits)
            for name in settings.endpoint_ids()
            if name != settings.endpoint_id
        }
        return cls({name: common | own.get(name, {}) for name in settings.endpoint_ids()}, monotonic)

    def admit(self, endpoint_id: str, path: str, key: str) -> None:
        """Count a request with a key that was found right (wrong ones must not get here: memory grows with the keys).

        Raises TooManyRequests, which counts nothing.
        """
        found = self._rates.get((endpoint_id, segment(path)))
        if found is None:
            return
        operation, rate = found
        now = self._monotonic()
        name = (endpoint_id, operation, digest(key))
        window = self._windows.get(name)
        if window is None:
            window = self._new_window(name, rate, now)
        if len(window) == rate.requests and (left := window[0] + rate.seconds - now) > 0:
            come_back = max(1, math.ceil(left))
            allowed = f"{rate.requests} requests in {rate.seconds} s for each key"
            raise TooManyRequests(f"{operation} is limited to {allowed}: come back in {come_back} s", come_back)
        window.append(now)

    def _new_window(self, name: tuple[str, str, str], rate: Rate, now: float) -> deque[float]:
        if len(self._windows) >= self._forget_at:
            since = now - self._longest
            self._windows = {name: window for name, window in self._windows.items() if window[-1] > since}
            self._forget_at = max(FORGET_FROM, 2 * len(self._windows))
        window = self._windows[name] = deque[float](maxlen=rate.requests)
        return window
