"""How does the project speak to its operator? One structured line per event on standard error, without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

SECRET_IN_URL = re.compile(r"(?i)\b(token|key|api_key|x-amz-(?:signature|credential|security-token))=[^&\s\"']+")
"""Credentials as they appear in worker URLs and in signed links; whatever follows the equals sign is replaced."""

SECRET_MEMBER = re.compile(r"""([\"'](?:accessSecret|accessId)\\?[\"']\s*:\s*\\?)(?:"[^"]*"|'[^']*')""")
"""A job's own storage credentials, as JSON or Python spells an object: the SDK prints whole jobs when it debugs."""


def redact(text: str) -> str:
    """Replace the value of every credential in a URL or in a job's `s3Config` by three dots."""
    return SECRET_MEMBER.sub(r'\1"..."', SECRET_IN_URL.sub(r"\1=...", text))


def _redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


class LenientStream:
    """A text stream that never fails: what cannot be written (a full disk, a closed pipe) is dropped and counted, and
    the count is told with the next line that can be. Whoever has something to say must not end by saying it: the
    database's writer and the sweeper would."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.lost = stream, 0

    def write(self, text: str) -> int:
        """Write `text` as far as that can be done; return its length."""
        told = f"{self.lost} pieces of log could not be written before this line\n" if self.lost else ""
        try:
            self._stream.write(told + text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.lost += 1
        else:
            self.lost = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: every piece is flushed as it is written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def configure_logs(level: str = "INFO", *, json_lines: bool = False) -> None:
    """Set up structlog and the standard library's logging; `level` is a standard level name such as "INFO"."""
    renderer: Any = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if not json_lines else "iso"),
            structlog.processors.format_exc_info,
            _redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, LenientStream(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
