"""The README's endpoint, as the README starts it: `serve` with its key, and the worker command "on another machine"."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import documents
import httpx
import pytest
from doc_endpoint import KEY, PROGRAMS, Served, clean_environment, free_port, wait_until_up


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
        wait_until_up(url, parent, log)
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
