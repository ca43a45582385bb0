"""The README's endpoint, as the README starts it: `serve` with its key, and the worker command "on another machine"."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import documents
import httpx
import pytest

PROGRAMS = Path(sys.executable).parent
KEY = "my-key"


@dataclass(frozen=True, slots=True)
class Served:
    """A running endpoint: where it is, and a client that goes straight to it."""

    url: str
    http: httpx.Client

    def here(self, text: str) -> str:
        """A text of the documents with their address replaced by this endpoint's."""
        return text.replace("http://127.0.0.1:8000", self.url).replace("http://10.0.0.5:8000", self.url)


def clean_environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ACESTEP", "RUNPOD"))}
    return {**inherited, "NO_COLOR": "1", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _up(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/openapi.json", timeout=1, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.02)  # between two looks at a port; the loop is bounded and ends at the first answer
        else:
            return
    raise AssertionError(f"serve did not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    url, log = f"http://127.0.0.1:{free_port()}", folder / "log.txt"
    http = httpx.Client(timeout=60, trust_env=False)
    here = Served(url, http)
    worker = next(line for line in documents.commands("README.md") if " worker " in line)
    worker = here.here(worker).replace(".venv/bin", str(PROGRAMS))
    serve = [sys.executable, "-m", "acestep_serverless", "serve", "--port", url.rpartition(":")[2], "--workers", "0"]
    with log.open("wb") as output:
        parent = subprocess.Popen(
            [*serve, "--data-dir", str(folder)],
            env=clean_environment(ACESTEP_SERVERLESS_API_KEYS=KEY),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
        _up(url, parent, log)
        hand = subprocess.Popen(
            ["bash", "-c", f"exec {worker}"], env=clean_environment(), cwd=folder, stdout=output, stderr=output
        )
        try:
            yield here
        finally:
            http.close()
            # Together: an idle worker waits for its open poll, which an ending gateway answers at once.
            for process in (hand, parent):
                process.send_signal(signal.SIGINT)
            for process in (hand, parent):
                process.wait(30)
