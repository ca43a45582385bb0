"""How many durable jobs a second does the gateway take, and how many looks at them? Shares of routes without work.

Both servers run in processes of their own on this machine, one after the other, under the same load: 32 connections,
each asking as soon as it is answered. The client shares the machine's cores with them.
"""

import itertools
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.load import Load, measure, request

SECONDS = 3.0
JOB = json.dumps({"input": {"caption": "Cinematic orchestral trailer music", "duration": 45}}).encode()
IDS_KEPT = 1_000
START_LIMIT = 20.0


@contextmanager
def server(*command: str) -> Iterator[int]:
    """Run a Python command that takes a port as its last word, and give the port once it accepts connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([sys.executable, *command, str(port)], stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            measure(port, lambda: request("GET", "/openapi.json"), seconds=0.0, connections=1)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")


def run() -> dict[str, float]:
    """Measure both servers; rates are answers a second, shares are of the bare route's rate."""
    with server("-m", "bench.bare") as port:
        bare_run, bare_status = _loads(port, "")
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-bench-") as data:
        serve = ("-m", "acestep_serverless", "serve", "--workers", "0", "--engine", "sketch", "--data-dir", data)
        with server(*serve, "--port") as port:
            run, status = _loads(port, "/v2/ace-step")
    return {
        "run_per_second": round(run.per_second),
        "run_p50_ms": round(run.percentile_ms(0.5), 2),
        "run_p99_ms": round(run.percentile_ms(0.99), 2),
        "bare_post_per_second": round(bare_run.per_second),
        "run_share_of_bare_post": round(run.per_second / bare_run.per_second, 3),
        "status_per_second": round(status.per_second),
        "status_p99_ms": round(status.percentile_ms(0.99), 2),
        "bare_get_per_second": round(bare_status.per_second),
        "status_share_of_bare_get": round(status.per_second / bare_status.per_second, 3),
    }


def _loads(port: int, base: str) -> tuple[Load, Load]:
    submitted = measure(port, lambda: request("POST", f"{base}/run", JOB), seconds=SECONDS, keep=IDS_KEPT)
    looks = itertools.cycle([request("GET", f"{base}/status/{json.loads(body)['id']}") for body in submitted.bodies])
    return submitted, measure(port, lambda: next(looks), seconds=SECONDS)
