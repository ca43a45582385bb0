"""What becomes of a process whose log cannot be written? It goes on, and says later how much is missing."""

import io
import sys

import pytest
import structlog

from acestep_serverless.logs import configure_logs


class Disk(io.StringIO):
    """A log on a disk that can be full."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture
def disk(monkeypatch):
    disk, before = Disk(), structlog.get_config()
    monkeypatch.setattr(sys, "stderr", disk)
    configure_logs()
    yield disk
    structlog.configure(**before)


def test_a_full_disk_under_the_log_ends_nobody_and_the_gap_is_told(disk):
    log = structlog.get_logger("test")
    log.warning("before")
    disk.full = True
    for _ in range(3):
        log.warning("unheard")
    disk.full = False
    log.warning("after", token="token=secret")
    first, gap, last = disk.getvalue().splitlines()
    assert "before" in first
    assert gap.startswith("3 pieces of log could not be written")
    assert "after" in last
    assert "secret" not in last


def test_a_closed_log_ends_nobody(disk):
    disk.close()
    structlog.get_logger("test").error("unheard")
