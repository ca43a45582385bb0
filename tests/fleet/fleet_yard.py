"""A fleet over a real gateway with real processes: what the tests of the fleet share."""

import itertools
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import uvicorn

from acestep_serverless.assembly.core import build
from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.fleet.ending import end_fleets
from acestep_serverless.fleet.fleet import Fleet
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import FleetPolicy
from acestep_serverless.settings import Settings

KEY = "the-worker-key"
OBEDIENT = "import sys\nsys.stdin.readline()\nsys.stdin.read()"
CRASHING = "import sys\nsys.exit(3)"
STUBBORN = (
    "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.stdin.readline().strip(), 'w').close()\nsys.stdin.read()"
)


def wait_until(true, seconds=60.0):
    """Look every 10 ms until it holds; the look itself is the signal, the bound is for failures."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("did not come true")


class Served:
    """The gateway app behind a real socket, in a thread; it can be away for a while."""

    def __init__(self, settings: Settings, listening: socket.socket, clock: Clock = SYSTEM_CLOCK) -> None:
        self.app, self.listening = build(settings, first_start=False, clock=clock), listening
        self.port = listening.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]}, daemon=True)
        self.thread.start()
        wait_until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        self.listening.close()


def listen(port: int = 0) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(64)
    return listening


@dataclass
class Time:
    """A clock that can be moved on."""

    ahead: float = 0.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(
            now_ms=lambda: SYSTEM_CLOCK.now_ms() + int(self.ahead * 1000),
            monotonic=lambda: time.monotonic() + self.ahead,
        )


class Yard:
    """A fleet with its launcher. Its worker processes only live and end; what a worker says to its gateway is said
    here, with its own token."""

    numbers = itertools.count()

    def __init__(
        self,
        port: int,
        program: str = OBEDIENT,
        policy: FleetPolicy | None = None,
        words: Callable[[str], bytes] = lambda worker_id: b"\n",
        client: type[GatewayClient] = GatewayClient,
        **more: object,
    ) -> None:
        self.time = Time()
        self.client = client(f"http://127.0.0.1:{port}", "ace-step", KEY, timeout=30)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}/v2/ace-step", trust_env=False)
        self.launcher = ProcessLauncher([sys.executable, "-c", program], words)
        limits = policy or FleetPolicy(1, 1)
        self.fleet = Fleet(limits, self.launcher, self.client, self.time.clock, self.new_id, **more)
        self.started: list[str] = []
        self.tokens: dict[str, str] = {}

    def new_id(self) -> str:
        self.started.append(f"yard-{next(self.numbers)}")
        return self.started[-1]

    def enrol(self) -> None:
        for worker_id in self.fleet.alive - self.tokens.keys():
            self.tokens[worker_id] = self.client.enrol(worker_id, fleet_id="yard").token

    def submit(self, **policy: object) -> str:
        return self.http.post("/run", json={"input": 1, "policy": policy}).json()["id"]

    def status(self, job_id: str) -> dict:
        return self.http.get(f"/status/{job_id}").json()

    def take(self, worker_id: str) -> str | None:
        """Ask for a job as the worker does; only where there is one or the worker is drained, else it waits 25 s."""
        answer = self.http.get(f"/job-take/{worker_id}", params={"token": self.tokens[worker_id]})
        return answer.json()["id"] if answer.status_code == 200 else None

    def finish(self, worker_id: str, job_id: str) -> None:
        token = {"token": self.tokens[worker_id]}
        assert self.http.post(f"/job-done/{worker_id}/{job_id}", params=token, json={"output": 1}).status_code == 200

    def work(self, worker_id: str) -> str:
        """Have a worker do one job from the beginning to the end."""
        job_id = self.submit()
        assert self.take(worker_id) == job_id
        self.finish(worker_id, job_id)
        return job_id

    def process(self, worker_id: str):
        return self.launcher._running[worker_id]

    def ends(self, worker_id: str, seconds: float = 60.0) -> int:
        """Wait for the end of a worker that was told to end, and give its exit code."""
        return self.process(worker_id).wait(seconds)

    def kill(self, worker_id: str) -> None:
        process = self.process(worker_id)
        process.send_signal(signal.SIGKILL)
        process.wait(60)

    def shown(self, worker_id: str) -> dict:
        return next((worker for worker in self.client.overview()["workers"] if worker["id"] == worker_id), {})

    def end(self, grace: float = 0.0) -> None:
        end_fleets([self.fleet], grace, time.sleep, self.time.clock)

    def close(self) -> None:
        self.end()
        self.client.close()
        self.http.close()
