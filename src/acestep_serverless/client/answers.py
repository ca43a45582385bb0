"""What did an endpoint answer, and is it worth another attempt? Bounded answers become JSON, or one of our errors.

A status that says "not now" is worth one for whatever may be repeated; of submissions only 429 is, after which nothing
was queued. A 5xx may come from a proxy whose server has queued the job.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from acestep_serverless.client.endings import RefusedByEndpoint
from acestep_serverless.client.steps import Broken
from acestep_serverless.clock import Clock
from acestep_serverless.contract.music_shown import printable
from acestep_serverless.errors import AccessDenied, AcestepServerlessError, NotFound, TooLarge, TooManyRequests

LARGEST_ANSWER = 160 << 20
"""Bytes of one answer but for files: a gateway's results have up to 128 MiB, Runpod's 20 MB."""
ANSWER_SECONDS = 30.0
"""Longest silence of a server, beyond the wait that was asked of it."""
TRANSFER_SECONDS = 900.0
"""Longest time for one answer to come over: 160 MiB in it are 1.5 Mbit/s, files of 1 GiB 10 Mbit/s."""
LONGEST_SENTENCE = 2_000

BUSY = 429
FIRST_SERVER_ERROR = 500


@dataclass(slots=True)
class Body:
    """Takes an answer into memory. Breaks the exchange over `limit` bytes, or when it takes too long."""

    clock: Clock
    limit: int = LARGEST_ANSWER
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray, repr=False)
    _ends: float = 0.0

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """See the head of the answer."""
        self.status, self.headers = status, headers
        self._ends = self.clock.monotonic() + TRANSFER_SECONDS

    def take(self, piece: bytes) -> None:
        """Keep a piece. Raises TooLarge and Broken."""
        self.content += piece
        if len(self.content) > self.limit:
            raise TooLarge(f"the endpoint's answer is over the limit of {self.limit:,} bytes")
        in_time(self.clock, self._ends)

    def json(self) -> dict[str, Any]:
        """Read the answer as a JSON object. Raises ValueError for any other."""
        try:
            answer = json.loads(self.content)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if not isinstance(answer, dict):
            raise ValueError("no JSON object")
        return answer


def in_time(clock: Clock, ends: float) -> None:
    """Let an answer go on until a moment of the clock's monotonic seconds. Raises Broken."""
    if clock.monotonic() > ends:
        raise Broken(f"the answer was not complete within {TRANSFER_SECONDS:g} s", sent=True)


def is_success(status: int) -> bool:
    """Tell whether an HTTP status is one of success."""
    return 200 <= status < 300


def worth_another(status: int, *, repeatable: bool) -> bool:
    """Tell whether the same request may succeed later and may be sent again."""
    return status == BUSY or (repeatable and status >= FIRST_SERVER_ERROR)


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3: seconds or a date) as seconds from now; None where there is none."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, moment - clock.now_ms() / 1000)


def refusal(answer: Body, clock: Clock) -> AcestepServerlessError:
    """Give the error for an answer that is no success."""
    said = _sentence(answer)
    if answer.status == BUSY:
        seconds = retry_after(answer.headers, clock)
        return TooManyRequests(said or "the endpoint says that this key asks too often", max(1, round(seconds or 1)))
    kind = _KINDS.get(answer.status)
    if kind is not None:
        return kind(said)
    return RefusedByEndpoint(answer.status, f"the endpoint answered {answer.status}{f': {said}' if said else ''}")


_KINDS: Mapping[int, Callable[[str], AcestepServerlessError]] = {
    401: lambda said: AccessDenied(
        said or "the endpoint refused the key: it is missing, wrong, or of another endpoint"
    ),
    403: lambda said: AccessDenied(said or "the endpoint refused this request"),
    404: lambda said: NotFound(
        said or "the endpoint has no such job, file or path; what it had is kept for a while only"
    ),
    413: lambda said: TooLarge(said or "the request is larger than the endpoint takes"),
}


def _sentence(answer: Body) -> str:
    """What the endpoint says about its refusal, as one line of bounded length."""
    try:
        given = answer.json()
    except ValueError:
        text = bytes(answer.content[:LONGEST_SENTENCE]).decode("utf-8", "replace")
        said = "" if text.lstrip().startswith("<") else text  # A proxy's web page says nothing to a terminal.
    else:
        said = str(next((given[name] for name in ("error", "detail", "message", "title") if given.get(name)), ""))
    return printable(" ".join(said.split()))[:LONGEST_SENTENCE]
