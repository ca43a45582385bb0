"""A real endpoint in its own processes: `serve` on a free port, workers of the real SDK, and eyes on both."""

import importlib.metadata
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

SDK_WORKER = Path(__file__).with_name("sdk_worker.py")
INSTALLED_SDK = importlib.metadata.version("runpod")
# Each lies in a folder of its own, by `make .venv/.test`; its dependencies are those of the installed one.
OLD_SDKS = ("1.7.9", "1.6.2")


def module_path(sdk: str) -> str:
    """The PYTHONPATH on which `runpod` is this version."""
    inherited = os.environ.get("PYTHONPATH", "")
    if sdk == INSTALLED_SDK:
        return inherited
    folder = Path(sys.prefix, f"sdk-{sdk}")
    assert (folder / "runpod").is_dir(), f"SDK {sdk} is not in {folder}: run `make {sys.prefix}/.test`"
    return os.pathsep.join(filter(None, (str(folder), inherited)))


def free_port() -> int:
    """A port that nobody has; below the range from which the system takes ports for outgoing connections (32768 on
    Linux), where another test's poll could get it in the second until `serve` binds it."""
    for port in random.sample(range(20000, 32000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("50 ports of 12,000 are taken")


def wait_until(true: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> object:
    """Look every 20 ms until it holds; the look itself is the signal, the bound is for failures: a machine that runs
    five times as much as it has cores must not look like one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


class House:
    """One `serve` and everything below it."""

    def __init__(self, data_dir: Path, *flags: str, **settings: str) -> None:
        self.data_dir, self.flags = data_dir, flags
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("ACESTEP")}
        settings = {"rate_limits": '{"purge-queue": "off"}', **settings}  # Each test purges what it left behind.
        self.environ |= {f"ACESTEP_SERVERLESS_{name.upper()}": value for name, value in settings.items()}
        self.log = data_dir.with_suffix(".log")
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "acestep_serverless", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_dir), *self.flags]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environ, stdout=log, stderr=log, cwd=self.data_dir.parent)
        wait_until(self.answers, what="the gateway's first answer")
        return self.process

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/openapi.json", timeout=1, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def worker_key(self) -> str:
        return (self.data_dir / "worker.key").read_text()

    def children(self, module: str) -> list[psutil.Process]:
        """Running processes of one assembly module, "core" or "worker"."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # It may be dead and not yet collected by its parent.
                if f"acestep_serverless.assembly.{module}" in child.cmdline():
                    found.append(child)
        return found

    def family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def post(self, operation: str, body: object = None) -> dict:
        response = self.http.post(f"/v2/ace-step/{operation}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def run(self, **wish: object) -> str:
        return self.post("run", {"input": wish})["id"]

    def status(self, job_id: str) -> dict:
        """Read a job; a connection that a killed core has cut is opened again, as any poller does."""

        def read() -> dict | None:
            try:
                return self.http.get(f"/v2/ace-step/status/{job_id}").json()
            except httpx.TransportError:
                return None

        found = wait_until(read, 30, "an answer to /status")
        assert isinstance(found, dict)
        return found

    def wait(self, job_id: str, *states: str, seconds: float = 90.0) -> dict:
        wanted = states or ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
        wait_until(lambda: self.status(job_id)["status"] in wanted, seconds, f"{wanted} of {self.status(job_id)}")
        return self.status(job_id)

    def health(self) -> dict:
        return self.http.get("/v2/ace-step/health").json()

    def stop(self) -> None:
        family = self.family() if self.process.poll() is None else []
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        _, left = psutil.wait_procs(family, timeout=5)
        for process in left:
            process.kill()
        assert not left, f"left behind: {[process.pid for process in left]}"

    def close(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.stop()


class SdkWorker:
    """A worker of the unmodified SDK with the handler of sdk_worker.py, as its own process.

    `sdk` is the installed version or one of OLD_SDKS; `variables` are set in its environment over ours.
    """

    def __init__(
        self, house: House, worker_id: str, mode: str, *, sdk: str = INSTALLED_SDK, variables: tuple[str, ...] = ()
    ) -> None:
        self.house, self.id = house, worker_id
        self.log = house.data_dir.with_name(f"{worker_id}.log")
        command = [sys.executable, str(SDK_WORKER), house.url, "ace-step", house.worker_key, worker_id, mode]
        with self.log.open("ab") as log:
            environ = {**os.environ, "RUNPOD_DEBUG_LEVEL": "DEBUG", "PYTHONPATH": module_path(sdk)}
            self.process = subprocess.Popen([*command, *variables], stdout=log, stderr=log, env=environ)

    def has_polled(self) -> "SdkWorker":
        wait_until(lambda: self.view().get("polled_at"), 90, f"the first poll of {self.id}")
        return self

    def has_logged(self, text: str, seconds: float = 60.0, *, times: int = 1) -> None:
        deadline = time.monotonic() + seconds
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} is missing after {seconds} s in {self.log.read_text()}"
            time.sleep(0.02)

    def view(self) -> dict:
        assert self.process.poll() is None, self.log.read_text()
        headers = {"Authorization": f"Bearer {self.house.worker_key}"}
        listed = self.house.http.get("/v2/ace-step/workers", headers=headers).json()["workers"]
        return next((worker for worker in listed if worker["id"] == self.id), {})

    def tell_ended(self, *, died: bool) -> None:
        headers = {"Authorization": f"Bearer {self.house.worker_key}"}
        self.house.http.post(f"/v2/ace-step/workers/{self.id}/ended", json={"died": died}, headers=headers)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        self.tell_ended(died=False)
