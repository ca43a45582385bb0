"""When is a worker beyond help? When its engine goes on with tasks that were stopped: only a new process helps then.

Each job has an end, by its `executionTimeout` at the latest, but a call into a library or a driver that never returns
has none: every later job of the worker would wait behind it until its own time is over.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from acestep_serverless.clock import Clock

PATIENCE = 300.0
"""Seconds that an engine has to leave tasks that were stopped. It looks between two steps: one of the model, for 240 s
of music in float32, is 10.6 TFLOP, about 100 s on two cores that do 0.1 a second. A slower one costs a new start."""
LOOK_EVERY = 5.0
"""Seconds between two looks."""
HUNG = 70
"""The exit code of such a worker (EX_SOFTWARE of sysexits.h)."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class HungWatch:
    """Looks at an engine. `unwanted` names the tasks that it works at though all of them were stopped; none while it
    rests, or one of them is wanted."""

    unwanted: Callable[[], Sequence[str]]
    clock: Clock
    patience: float = PATIENCE
    _tasks: tuple[str, ...] = field(default=(), init=False)
    _since: float = field(default=0.0, init=False)

    def is_hung(self) -> bool:
        """Tell whether it has been at the same unwanted tasks for longer than `patience` seconds."""
        tasks, now = tuple(self.unwanted()), self.clock.monotonic()
        if tasks != self._tasks:
            self._tasks, self._since = tasks, now
        return bool(tasks) and now - self._since > self.patience


def end_when_hung(unwanted: Callable[[], Sequence[str]], clock: Clock) -> None:
    """Look every few seconds, in a thread, for as long as this process lives, and end it when its engine hangs: its
    fleet gives back what it holds and starts another."""

    def look() -> None:
        watch, never = HungWatch(unwanted, clock), threading.Event()
        while not watch.is_hung():
            never.wait(LOOK_EVERY)
        _log.error("the engine does not leave a task that was stopped: this worker ends", seconds=round(PATIENCE))
        os._exit(HUNG)

    threading.Thread(target=look, name="hung-watch", daemon=True).start()
