"""How long does a task take here? The average of the last ones, as upstream says it, and a guess for those waiting."""

from collections import deque
from threading import Lock

WINDOW = 50
UNMEASURED_SECONDS = 5.0
"""What upstream calls the average before the first task has ended."""


class Pace:
    """The last tasks that ended well. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._shares: deque[float] = deque(maxlen=WINDOW)

    def note(self, seconds: float, company: int) -> None:
        """Note a task that took so long, in a batch of `company` tasks."""
        with self._lock:
            self._seconds.append(seconds)
            self._shares.append(seconds / company)

    @property
    def average(self) -> float:
        """Seconds that a task took from its start to its end."""
        with self._lock:
            return sum(self._seconds) / len(self._seconds) if self._seconds else UNMEASURED_SECONDS

    def estimate(self, place: int, running_for: float) -> float | None:
        """Guess the seconds until the end of a task. `place` is its turn, 0 once it is running itself; `running_for`
        are the seconds since the running batch began, 0 when none runs. None while nothing was measured.

        The guess takes all tasks for equally long, and for batches as full as the last ones were.
        """
        with self._lock:
            if not self._seconds:
                return None
            each = sum(self._seconds) / len(self._seconds)
            share = sum(self._shares) / len(self._shares)
        left = max(0.0, each - running_for) if running_for > 0 else 0.0
        return left if place == 0 else left + (place - 1) * share + each
