"""What do tests of the documents need of a running endpoint? Its address, its key, and a clean environment."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

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


def run_python(code: str, folder: Path, **environ: str) -> str:
    """Run a snippet in a folder, which is its home as well; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(**{"HOME": str(folder), **environ}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/openapi.json", timeout=1, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.02)  # between two looks at a port; the loop is bounded and ends at the first answer
        else:
            return
    raise AssertionError(f"serve did not answer: {log.read_text()}")
