"""What does a worker of the real SDK add to a job? The unmodified `runpod` package with a handler that answers at once.

`python -m bench.sdk PORT WORKER_ID CONCURRENCY` is such a worker. The package waits up to 0.1 s before it starts a job
that it has taken and, at concurrency 1, 1 s between two takes; both are in its 1.12 and nothing of ours.
"""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.worker import sdk
from acestep_serverless.worker.link import GatewayLink
from bench.bare import WORKER_KEY

ENDPOINT = "ace-step"
START_LIMIT = 60.0
"""Seconds until the package must have asked for its first job: its import alone takes about 2."""


def _client(port: int) -> GatewayClient:
    return GatewayClient(f"http://127.0.0.1:{port}", ENDPOINT, WORKER_KEY)


async def _answer(_job: dict[str, object]) -> dict[str, object]:
    return {"seconds": 45.0}


def main(port: str, worker_id: str, concurrency: str) -> None:
    """Work until a signal ends it."""
    sys.argv = sys.argv[:1]  # The package reads the command line for flags of its own.
    enrolment = _client(int(port)).enrol(worker_id)
    link = GatewayLink(f"http://127.0.0.1:{port}", ENDPOINT, worker_id, enrolment.token)
    os.environ["RUNPOD_DEBUG_LEVEL"] = "ERROR"
    sdk.prepare_environment(os.environ, link, ping_interval_ms=enrolment.heartbeat_ms)
    sdk.keep_children_with_this_process()
    wanted = int(concurrency)
    sdk.load_sdk(os.environ).serverless.start({"handler": _answer, "concurrency_modifier": lambda _current: wanted})


@contextmanager
def sdk_worker(port: int, concurrency: int) -> Iterator[None]:
    """Keep one worker of the real package at work, from its first poll on."""
    worker_id = f"sdk-{uuid.uuid4()}"
    command = [sys.executable, "-m", "bench.sdk", str(port), worker_id, str(concurrency)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for_poll(port, worker_id, running)
        yield
    finally:
        running.kill()
        running.wait(10)
        _client(port).ended(worker_id, died=False)


def _wait_for_poll(port: int, worker_id: str, running: "subprocess.Popen[bytes]") -> None:
    key = {"Authorization": f"Bearer {WORKER_KEY}"}
    deadline = time.monotonic() + START_LIMIT
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=key, trust_env=False) as http:
        while time.monotonic() < deadline and running.poll() is None:
            workers = http.get(f"/v2/{ENDPOINT}/workers").raise_for_status().json()["workers"]
            if any(worker["id"] == worker_id and worker["polled_at"] for worker in workers):
                return
            time.sleep(0.05)
    raise RuntimeError("the SDK's worker did not ask for a job")


if __name__ == "__main__":
    main(*sys.argv[1:])
