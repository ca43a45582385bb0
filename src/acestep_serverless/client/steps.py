"""Which single steps does a conversation with an endpoint take? Plain data: whoever walks through them does the I/O.

A conversation is a generator that yields steps and is sent their outcomes, or thrown their errors. So the blocking and
the asynchronous client share every rule, and differ in one file (driving.py).
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from acestep_serverless.client.songs import Job

T = TypeVar("T")


class Receiver(Protocol):
    """What takes an answer as it comes in."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """See the head of the answer; header names are in small letters."""
        ...

    def take(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        ...


@dataclass(frozen=True, slots=True)
class Send:
    """Send one request and hand its answer to `receiver`; the outcome is nothing, or `Broken` is thrown.

    `silence` is how many seconds the server may say nothing.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    silence: float
    receiver: Receiver


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """Call something that may block for a while, such as reading a file; the outcome is what it returns or raises."""

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Tell:
    """Show whoever follows what is known of the job now."""

    job: Job


Step = Send | Sleep | Do | Tell
Steps = Generator[Step, Any, T]
"""A conversation that ends with a T."""


class Broken(Exception):
    """A request found no answer; `sent` is False where nothing of it can have reached the server."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(reason)


class Walk(Generic[T]):
    """One walk through a conversation. After each step that `next` gives, `outcome` or `error` is set; `result` is
    there when `next` has given None. Leaving it early closes the conversation, which then cleans up."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.outcome: Any = None
        self.error: Exception | None = None
        self.result: T

    def next(self) -> Step | None:
        """Go on to the next step; None at the end. Raises what the conversation raises."""
        outcome, error = self.outcome, self.error
        self.outcome = self.error = None
        try:
            return self._steps.send(outcome) if error is None else self._steps.throw(error)
        except StopIteration as end:
            self.result = end.value
            return None

    def __enter__(self) -> "Walk[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._steps.close()
