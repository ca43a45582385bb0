"""What do tests of the page need? A gateway that serves it, a worker that does as it is told, and a browser's page."""

import base64
import io
import json
import math
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.sync_api import Page

BY_HAND = "by-hand"
"""An endpoint without workers of its own: jobs wait until a test makes them."""
PATIENCE = 90.0
"""Seconds that anything may take here: the machine may be busy with four other tests."""


def browser_program() -> str:
    """The system's Chromium; without one the page cannot be tried, and that is a failure."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise AssertionError("no Chromium is here: install the package chromium (.ci/run does)")


def free_port() -> int:
    """A port below the range from which the system takes ports for outgoing connections."""
    for port in random.sample(range(20000, 32000), 50):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("50 ports of 12,000 are taken")


class ServedStudio:
    """`serve` with one worker of the sketch engine, and the endpoint BY_HAND beside it; no key."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.data_dir, self.log = folder / "data", folder / "serve.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ACESTEP")}
        by_hand = json.dumps({BY_HAND: {"workers": 0, "acestep_api_url": "http://127.0.0.1:9"}})
        environ |= {"ACESTEP_SERVERLESS_ENDPOINTS": by_hand, "ACESTEP_SERVERLESS_ENGINE": "sketch"}
        command = [sys.executable, "-m", "acestep_serverless", "serve", "--port", str(self.port)]
        command += ["--data-dir", str(self.data_dir)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=folder)
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.wait_for(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(httpx.HTTPError):
            return self.http.get("/livez").status_code == 200
        return False

    def wait_for(self, true: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def status(self, job_id: str, endpoint: str = BY_HAND) -> dict[str, Any]:
        return self.http.get(f"/v2/{endpoint}/status/{job_id}").json()

    def run(self, endpoint: str = BY_HAND, **wish: object) -> str:
        return self.http.post(f"/v2/{endpoint}/run", json={"input": wish}).json()["id"]

    def close(self) -> None:
        family = [*psutil.Process(self.process.pid).children(recursive=True)]
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        _, left = psutil.wait_procs(family, timeout=30)
        for process in left:
            process.kill()
        self.http.close()


class HandWorker:
    """A worker of BY_HAND in the worker protocol: it takes, tells progress and delivers when a test says so."""

    def __init__(self, served: ServedStudio) -> None:
        self.http, self.base = served.http, f"/v2/{BY_HAND}"
        self.key = {"Authorization": f"Bearer {(served.data_dir / 'worker.key').read_text()}"}
        body = {"worker_id": f"hand-{time.monotonic_ns()}"}
        enrolled = self.http.post(f"{self.base}/workers", json=body, headers=self.key).json()
        self.id, self.token = enrolled["worker_id"], {"token": enrolled["token"]}

    def leave(self) -> None:
        """End, as its fleet would tell it: the endpoint has one worker less."""
        self.http.post(f"{self.base}/workers/{self.id}/ended", json={"died": False}, headers=self.key)

    def take(self) -> str:
        answer = self.http.get(f"{self.base}/job-take/{self.id}", params=self.token)
        assert answer.status_code == 200, "nothing waits"
        return answer.json()["id"]

    def tell(self, job_id: str, body: dict[str, Any]) -> None:
        answer = self.http.post(f"{self.base}/job-done/{self.id}/{job_id}", params=self.token, json=body)
        assert answer.status_code == 200, answer.text

    def progress(self, job_id: str, share: float, stage: str) -> None:
        self.tell(job_id, {"status": "IN_PROGRESS", "output": {"progress": share, "stage": stage}})

    def fail(self, job_id: str, error: str) -> None:
        self.tell(job_id, {"error": error})

    def deliver(self, job_id: str, prompt: str, *, seconds: int = 8, lrc: str = "", **more: Any) -> None:
        """Deliver one song: a tone that swells and fades."""
        put = f"{self.base}/artifacts/{self.id}/{job_id}/0.wav"
        filed = self.http.put(put, params=self.token, content=tone(seconds)).json()
        entry = {"file": "song.lrc", "url": None, "content_type": "text/plain", "base64": encoded(lrc)}
        song = {
            "file": filed["file"],
            "url": filed["file"],
            "bytes": filed["bytes"],
            "sha256": filed["sha256"],
            "prompt": prompt,
            "lyrics": "",
            "seed": 7,
            "seconds": float(seconds),
            "sample_rate": 8000,
            "content_type": "audio/wav",
            "engine": "by hand",
            "dit_model": "by hand",
            "lm_model": "",
            "metas": {"bpm": 96, "keyscale": "D minor", "timesignature": "4", "genres": "N/A", "duration": seconds},
            **({"lrc": entry} if lrc else {}),
            **more,
        }
        output = {"task_id": "t", "status": "completed", "duration": seconds, "batch_size": 1, "results": [song]}
        self.tell(job_id, {"output": output})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def tone(seconds: int, rate: int = 8000) -> bytes:
    """A WAV file: 220 Hz whose loudness comes and goes four times."""
    count = seconds * rate
    swell = (abs(math.sin(4 * math.pi * n / count)) for n in range(count))
    samples = (round(9000 * loud * math.sin(2 * math.pi * 220 * n / rate)) for n, loud in enumerate(swell))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(struct.pack(f"<{count}h", *samples))
    return file.getvalue()


def until(page: Page, expression: str, argument: object = None) -> None:
    """Look until an expression holds in the page. Playwright's own way evaluates a text there, which the page's policy
    forbids to everybody."""
    deadline = time.monotonic() + PATIENCE
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)
