"""How is the official Runpod SDK set up and started? Its environment, its import, its logs; nobody else imports
`runpod`.

The SDK (1.12.0) reads its whole configuration from environment variables while it is being imported, so the order is
fixed: `prepare_environment`, then `run`.
"""

import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TextIO, cast

from acestep_serverless.errors import SettingsError
from acestep_serverless.logs import LenientStream, redact
from acestep_serverless.worker.lifeline import keep_children_with_this_process
from acestep_serverless.worker.link import GatewayLink

API_KEY_WORD = "acestep-serverless-worker"
"""What the SDK sends as `Authorization`. No secret: without any value it sends no heartbeat; the token is in the
query."""

SMALLEST_PING_INTERVAL_MS = 1_000
"""The SDK divides by 1,000 and rounds down; 0 s kills its heartbeat process at the start."""

_HOME = "USERPROFILE" if os.name == "nt" else "HOME"

SdkHandler = Callable[[dict[str, Any]], Awaitable[dict[str, object]]]
"""What the SDK calls with `{"id": ..., "input": ...}` and whatever else the gateway put into the job."""


def on_runpod(environ: Mapping[str, str]) -> bool:
    """Tell whether the Runpod platform has already told this process where its jobs come from."""
    return bool(environ.get("RUNPOD_WEBHOOK_GET_JOB"))


def prepare_environment(
    environ: MutableMapping[str, str], link: GatewayLink | None, *, ping_interval_ms: int = 4_000
) -> None:
    """Set the SDK's variables in `environ` (normally os.environ) for the gateway of `link`, before `runpod` is
    imported.

    Without a link the platform's own variables stay as they are and only the log level is set, where it is missing:
    the SDK's default prints every job in full. Raises SettingsError for an interval that would stop the heartbeat.
    """
    environ.setdefault("RUNPOD_DEBUG_LEVEL", "INFO")
    if link is None:
        return
    if ping_interval_ms < SMALLEST_PING_INTERVAL_MS:
        raise SettingsError(
            f"the ping interval must be at least {SMALLEST_PING_INTERVAL_MS} ms, got {ping_interval_ms}"
        )
    environ.update(link.sdk_urls())
    environ.update(
        RUNPOD_POD_ID=link.worker_id,
        RUNPOD_ENDPOINT_ID=link.endpoint_id,
        RUNPOD_AI_API_KEY=API_KEY_WORD,
        RUNPOD_PING_INTERVAL=str(ping_interval_ms),
        # Its checks open a connection to 8.8.8.8 and want 4 GB of free memory: not ours to ask of a private machine.
        RUNPOD_SKIP_AUTO_SYSTEM_CHECKS="true",
    )
    for variable in ("RUNPOD_REALTIME_PORT", "RUNPOD_REALTIME_CONCURRENCY"):
        environ.pop(variable, None)  # set, they replace the queue by an open HTTP server


def load_sdk(environ: MutableMapping[str, str]) -> ModuleType:
    """Import `runpod` so that it never reads the user's `~/.runpod/config.toml`: the key in it would go to our
    gateway.

    The SDK fixes that path from the home directory while it is imported and looks there for every session it opens.
    For those 1.6 s the home directory is a path that cannot exist; afterwards everything else sees the real one
    again.
    """
    if "runpod" in sys.modules:
        raise SettingsError(
            "`runpod` was imported before its environment was prepared; start the worker in a fresh process"
        )
    with _without_home(environ):
        sdk = importlib.import_module("runpod")
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the import turns INFO on: a line with its URL per request
    return sdk


@contextmanager
def _without_home(environ: MutableMapping[str, str]) -> Iterator[None]:
    home = environ.get(_HOME)
    environ[_HOME] = os.devnull
    try:
        yield
    finally:
        if home is None:
            del environ[_HOME]
        else:
            environ[_HOME] = home


class RedactedStream:
    """A text stream that removes credentials from URLs before writing: the SDK prints URLs with every error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write `text` without the values of `token=` and its like; return the length of what was given."""
        self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write every line through `write`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def redact_output() -> None:
    """Put a RedactedStream before standard output and standard error, for every printer, logger and traceback after.
    A full disk under them ends no job: the SDK prints in the middle of its loop."""
    sys.stdout = cast(TextIO, RedactedStream(cast(TextIO, LenientStream(sys.stdout))))
    sys.stderr = cast(TextIO, RedactedStream(cast(TextIO, LenientStream(sys.stderr))))


def run(make_handler: Callable[[ModuleType], SdkHandler], environ: MutableMapping[str, str], *, jobs: int = 1) -> None:
    """Run the SDK's worker loop until a signal ends it; `make_handler` gets the loaded SDK. Call after
    `prepare_environment`, from the main thread of a process that does nothing else.

    `jobs` is how many the worker holds at once. It never changes: the SDK waits until nothing is in flight before it
    changes it, so it is said before the first take.
    """

    def concurrency(_current: int) -> int:
        return jobs

    redact_output()
    keep_children_with_this_process()
    sdk = load_sdk(environ)
    sdk.serverless.start({"handler": make_handler(sdk), "concurrency_modifier": concurrency})
