"""How does `serve` hold together? A small parent: it owns the listening socket, revives the gateway core, and runs
the fleets.

Because the socket outlives the core, requests and results sent while a core is being replaced wait in the backlog:
nothing is refused, so the SDK drops nothing. The parent keeps no state but its children; if it dies, they end too.
"""

import fcntl
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import httpx
import structlog
from pydantic import SecretStr

from acestep_serverless.assembly.child import words_for_child
from acestep_serverless.assembly.crew import Crew, Crews, EndSignal, most_workers, pause_unless, require_engine
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.errors import SettingsError
from acestep_serverless.fleet.policy import LONG_LIFE, pause_after
from acestep_serverless.settings import Settings

LOG = structlog.get_logger(__name__)

ROUND = 0.05
"""Seconds between two looks at the core: how soon its death is noticed."""
CLAIM_PATIENCE = 6.0
"""Seconds to wait for a data folder: the core of a killed parent takes up to 5 s to end."""
CANNOT_START = 78
"""The exit code with which a core says that another start would not help (`assembly/core.py`)."""
CORE = [sys.executable, "-m", "acestep_serverless.assembly.core"]


def bind(host: str, port: int) -> socket.socket:
    """Bind a listening socket. Raises SettingsError when the address is taken or not this machine's."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; name another --port (0 takes a free one)"
        ) from None
    listening.listen(2048)
    return listening


def kept_word(path: Path, new_word: Callable[[], str]) -> str:
    """Give the word kept in a file of the data folder, made on first use (readable by us alone)."""
    if not path.exists() or not path.read_text().strip():
        handle, unfinished = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(new_word())
        except OSError as error:  # A full disk; the error of a write names no file.
            Path(unfinished).unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None
        Path(unfinished).replace(path)
    return path.read_text().strip()


def worker_key(settings: Settings) -> SecretStr:
    """Give the worker key: the configured one, or the one kept in the data folder."""
    if settings.worker_key.get_secret_value():
        return settings.worker_key
    return SecretStr(kept_word(settings.data_dir / "worker.key", lambda: secrets.token_urlsafe(32)))


def claim(data_dir: Path, command: str = "serve") -> IO[str]:
    """Claim a data folder for one process of a command, until the returned file is closed here and in its children.
    Raises SettingsError when it is claimed.

    Two parents on one folder would take each other's workers for dead ones.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (data_dir / f"{command}.lock").open("a")
    deadline = time.monotonic() + CLAIM_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                busy = f"another {command} works with the data folder {data_dir.resolve()}"
                raise SettingsError(f"{busy}; end it, or name another --data-dir") from None
            time.sleep(0.1)
        else:
            return lock


def base_url(listening: socket.socket) -> str:
    """Give the URL under which this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Core:
    """The gateway core as a child process that is started again whenever it dies."""

    def __init__(self, settings: Settings, listening: socket.socket, claim: IO[str], fleet_id: str) -> None:
        self._settings, self._listening, self._claim, self._fleet_id = settings, listening, claim, fleet_id
        self.has_answered, self.cannot_start = False, False
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths_in_a_row, self._started, self._start_after = 0, 0.0, 0.0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="core-keeper", daemon=True)

    def start(self) -> None:
        """Keep a core alive from now on, in a thread of its own: the fleet may wait for the very core that is to be
        revived."""
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(ROUND):
            self._keep_alive(SYSTEM_CLOCK.monotonic())

    def _keep_alive(self, now: float) -> None:
        if self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            self.cannot_start = code == CANNOT_START
            if not self.cannot_start:  # Else its own last line says why.
                LOG.error("the gateway core ended and is started again", code=code)
            self._count_death(now)
        if self._process is None and now >= self._start_after and not self.cannot_start:
            self._started = now
            try:
                self._start()
            except OSError as error:  # No memory, no process: as with a death, later again.
                LOG.error("the gateway core cannot be started", reason=str(error))
                self._count_death(now)

    def _count_death(self, now: float) -> None:
        self._deaths_in_a_row = 1 if now - self._started > LONG_LIFE else self._deaths_in_a_row + 1
        self._start_after = now + pause_after(self._deaths_in_a_row - 1)

    def _start(self) -> None:
        fd = self._listening.fileno()
        # The core holds the claim on the data folder too: if this parent dies, its successor waits for the core's end.
        kept = [fd, self._claim.fileno()]
        process = subprocess.Popen(CORE, stdin=subprocess.PIPE, pass_fds=kept, start_new_session=True)
        words = {
            "settings": self._settings.for_child(),
            "socket": fd,
            "first_start": not self.has_answered,
            "fleet_id": self._fleet_id,
        }
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(words_for_child(words))
            process.stdin.flush()
        self._process = process

    def end(self, grace: float) -> None:
        """Ask the core to end, and end it after `grace` seconds."""
        self._ending.set()
        self._thread.join()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Parent:
    """The parent process. `run` returns after a signal, when everything it started has ended."""

    def __init__(self, settings: Settings, announce: Callable[[str, Settings], None]) -> None:
        endpoints = [settings.for_endpoint(name) for name in settings.endpoint_ids()]
        for endpoint in endpoints:
            require_engine(endpoint)
        self._claim = claim(settings.data_dir)
        key = worker_key(settings)
        self._listening = bind(settings.host, settings.port)
        self._url = base_url(self._listening)
        reachable = {"worker_key": key, "gateway": self._url}
        self._settings = settings.model_copy(update=reachable)
        self._announce = announce
        # The successor on this folder has the same id, so that it goes on with this one's leases on the endpoints.
        fleet_id = kept_word(settings.data_dir / "fleet.id", lambda: secrets.token_hex(8))
        self._core = Core(self._settings, self._listening, self._claim, fleet_id)
        scratch = settings.data_dir / "scratch"
        staffed = [endpoint.model_copy(update=reachable) for endpoint in endpoints if most_workers(endpoint)]
        crews = [Crew(endpoint, scratch, fleet_id=fleet_id) for endpoint in staffed]
        self._crews = Crews(crews, scratch, settings.drain_seconds)

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        ending = EndSignal()
        self._core.start()
        try:
            self._crews.start()
            while not ending.given and not self._core_answers():
                if self._core.cannot_start:
                    raise SettingsError("the gateway cannot start; its last line above says why")
                pause_unless(ending, ROUND)
            if not ending.given:
                self._announce(self._url, self._settings)
            self._crews.run_until(ending)
        finally:
            self._crews.end()
            self._core.end(grace=5.0)
            self._listening.close()
            self._claim.close()

    def _core_answers(self) -> bool:
        try:
            httpx.get(f"{self._url}/openapi.json", timeout=0.5, trust_env=False)
        except httpx.HTTPError:
            return False
        self._core.has_answered = True
        return True


def curl_line(url: str, settings: Settings, *, needs_key: bool) -> str:
    """Give the guide's first request as one line to paste into another terminal. A key is never in it, only its place.
    `needs_key`: the gateway asks for one, whether it is in the settings or was made by `keys create`."""
    body = '{"input": {"caption": "Upbeat electronic instrumental with bright synths", "lyrics": "", "duration": 30}}'
    key = '-H "Authorization: Bearer <your key>" ' if needs_key else ""
    return f"curl -X POST {url}/v2/{settings.endpoint_id}/runsync {key}-H 'Content-Type: application/json' -d '{body}'"


def data_folder(settings: Settings) -> Path:
    """Give the data folder as an absolute path, for messages."""
    return settings.data_dir.resolve()
