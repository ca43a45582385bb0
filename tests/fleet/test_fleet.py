"""Does the fleet keep its workers alive and tell the gateway of each end? With real processes and a real gateway."""

import contextlib
import itertools
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from acestep_serverless.assembly.core import build
from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.database.tables import WORKERS
from acestep_serverless.errors import AccessDenied, NotFound, PeerError, PeerUnreachable
from acestep_serverless.fleet.fleet import Fleet
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import (
    ENDING_PATIENCE,
    LONG_LIFE,
    RESTART_PAUSES,
    STUCK_AFTER_MS,
    FleetPolicy,
    is_stuck,
    missing,
    pause_after,
)
from acestep_serverless.settings import Settings

KEY = "the-worker-key"
OBEDIENT = "import sys\nsys.stdin.readline()\nsys.stdin.read()"
CRASHING = "import sys\nsys.exit(3)"
STUBBORN = (
    "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "open(sys.stdin.readline().strip(), 'w').close()\nsys.stdin.read()"
)


def wait_until(true, seconds=10.0):
    """Look every 10 ms until it holds; the look itself is the signal, the bound is for failures."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("did not come true")


class Served:
    """The gateway app behind a real socket, in a thread; it can be away for a while."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self.app, self.listening = build(settings, first_start=False), listening
        self.port = listening.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]}, daemon=True)
        self.thread.start()
        wait_until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listening.close()


def listen(port: int = 0) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(64)
    return listening


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = Settings.load(data_dir=folder / "data", worker_key=KEY)
    served = Served(settings, listen())
    yield served
    served.stop()


@dataclass
class Time:
    """A monotonic clock that can be moved on."""

    ahead: float = 0.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(now_ms=SYSTEM_CLOCK.now_ms, monotonic=lambda: time.monotonic() + self.ahead)


class Yard:
    """A fleet with its launcher; every worker of it is enrolled, as a real one would be."""

    numbers = itertools.count()

    def __init__(self, port: int, program: str, workers: int = 1, words=lambda worker_id: b"\n") -> None:
        self.time = Time()
        self.client = GatewayClient(f"http://127.0.0.1:{port}", "ace-step", KEY, timeout=3)
        self.launcher = ProcessLauncher([sys.executable, "-c", program], words)
        self.fleet = Fleet(FleetPolicy(workers), self.launcher, self.client, self.time.clock, self.new_id)
        self.started: list[str] = []

    def new_id(self) -> str:
        self.started.append(f"yard-{next(self.numbers)}")
        return self.started[-1]

    def enrol(self) -> None:
        for worker_id in self.fleet.alive:
            self.client.enrol(worker_id, from_fleet=True)

    def process(self, worker_id: str):
        return self.launcher._running[worker_id]

    def kill(self, worker_id: str) -> None:
        process = self.process(worker_id)
        process.send_signal(signal.SIGKILL)
        process.wait(5)

    def shown(self, worker_id: str) -> dict:
        return next((worker for worker in self.client.overview()["workers"] if worker["id"] == worker_id), {})

    def close(self) -> None:
        self.fleet.end(0.0, time.sleep)
        self.client.close()


@pytest.fixture
def yard(gateway):
    """Make fleets; their workers end with the test."""
    with contextlib.ExitStack() as closing:

        def make(program=OBEDIENT, workers=1, port=gateway.port, **more):
            made = Yard(port, program, workers, **more)
            closing.callback(made.close)
            return made

        yield make


def test_the_policys_numbers():
    assert [missing(FleetPolicy(3), alive) for alive in range(6)] == [3, 2, 1, 0, 0, 0]
    assert missing(FleetPolicy(0), 0) == 0
    assert [pause_after(deaths) for deaths in range(len(RESTART_PAUSES) + 3)] == [*RESTART_PAUSES, 30.0, 30.0, 30.0]
    assert list(RESTART_PAUSES) == sorted(RESTART_PAUSES)


def test_a_worker_is_stuck_only_when_it_could_have_shown_that_it_stopped():
    assert not is_stuck(None, 10**15)
    assert not is_stuck(0, STUCK_AFTER_MS)
    assert is_stuck(0, STUCK_AFTER_MS + 1)
    assert not is_stuck(0, 200_000, heartbeat_ms=60_000), "two heartbeats of a minute have not come yet"
    assert is_stuck(0, 240_001, heartbeat_ms=60_000)


def test_the_fleet_starts_what_is_missing_and_a_dead_worker_is_replaced_and_told(yard):
    it = yard(workers=2)
    it.fleet.run_once()
    assert it.fleet.alive == set(it.started)
    assert len(it.started) == 2
    it.enrol()
    it.kill(it.started[0])
    it.fleet.run_once()
    assert len(it.started) == 3
    assert it.started[0] not in it.fleet.alive
    assert it.shown(it.started[0]) == {}, "declared gone"
    assert it.shown(it.started[1])["state"] == "ACTIVE"


def test_the_job_of_a_dead_worker_is_given_back_at_once_and_the_death_counted(yard, gateway):
    """Through the gateway's own routes; the fleet knows nothing of jobs."""
    it = yard()
    it.fleet.run_once()
    token = it.client.enrol(it.started[0], from_fleet=True).token
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}/v2/ace-step", trust_env=False) as http:
        job_id = http.post("/run", json={"input": 1}).json()["id"]
        assert http.get(f"/job-take/{it.started[0]}?token={token}").json()["id"] == job_id
        it.kill(it.started[0])
        it.fleet.run_once()
        assert http.get(f"/status/{job_id}").json()["status"] == "IN_QUEUE"
        http.post(f"/cancel/{job_id}")


def test_a_crash_loop_slows_down_and_a_long_life_forgives(yard):
    it = yard(CRASHING)
    starts = []
    for deaths in range(1, 5):
        it.fleet.run_once()
        starts.append(len(it.started))
        it.process(it.started[-1]).wait(5)
        it.fleet.run_once()
        assert len(it.started) == starts[-1] + (pause_after(deaths - 1) == 0.0), "not before its pause is over"
        if pause_after(deaths - 1) == 0.0:
            it.process(it.started[-1]).wait(5)
            it.fleet.run_once()
        it.time.ahead += 40
    it.fleet.run_once()
    it.time.ahead += LONG_LIFE + 1
    it.process(it.started[-1]).wait(5)
    count = len(it.started)
    it.fleet.run_once()
    assert len(it.started) == count + 1, "replaced at once"


def test_a_program_that_cannot_be_started_ends_neither_the_fleet_nor_its_count(gateway):
    launcher = ProcessLauncher(["/no/such/program"], lambda worker_id: b"")
    client = GatewayClient(f"http://127.0.0.1:{gateway.port}", "ace-step", KEY)
    moved = Time()
    asked = []

    def new_id():
        asked.append(1)
        return f"never-{len(asked)}"

    fleet = Fleet(FleetPolicy(3), launcher, client, moved.clock, new_id)
    for rounds in range(1, 5):
        fleet.run_once()
        assert fleet.alive == set()
        assert len(asked) == rounds
        moved.ahead += 31
    fleet.end(0.0, time.sleep)
    client.close()


def test_an_end_that_was_wanted_is_no_death(yard):
    it = yard(workers=2)
    it.fleet.run_once()
    it.enrol()
    it.fleet.end(5.0, time.sleep)
    assert it.fleet.alive == set()
    assert [it.shown(worker_id) for worker_id in it.started] == [{}, {}]


def test_a_stubborn_worker_is_ended_the_hard_way_after_the_grace(yard, tmp_path):
    ready = tmp_path / "ready"
    it = yard(STUBBORN, words=lambda _: f"{ready}\n".encode())
    it.fleet.run_once()
    wait_until(ready.exists)
    process = it.process(it.started[0])
    began = time.monotonic()
    it.fleet.end(0.3, time.sleep)
    assert 0.3 <= time.monotonic() - began < 5
    assert process.returncode == -signal.SIGKILL


def test_a_drained_worker_is_recycled_and_replaced_without_a_pause_or_a_death(yard):
    it = yard()
    it.fleet.run_once()
    it.enrol()
    (worn,) = it.fleet.alive
    process = it.process(worn)
    it.client.drain(worn)
    it.fleet.run_once()
    process.wait(5)
    assert process.returncode == -signal.SIGTERM
    it.fleet.run_once()
    assert len(it.fleet.alive) == 1
    assert worn not in it.fleet.alive
    assert it.fleet._deaths_in_a_row == 0


def test_a_drained_worker_that_hangs_does_not_take_up_its_place_for_ever(yard, tmp_path):
    ready = tmp_path / "ready"
    it = yard(STUBBORN, words=lambda _: f"{ready}\n".encode())
    it.fleet.run_once()
    wait_until(ready.exists)
    it.enrol()
    (worn,) = it.fleet.alive
    process = it.process(worn)
    it.client.drain(worn)
    it.fleet.run_once()
    it.fleet.run_once()
    assert process.poll() is None
    it.time.ahead += ENDING_PATIENCE + 1
    it.fleet.run_once()
    process.wait(5)
    it.fleet.run_once()
    assert it.fleet.alive == {it.started[1]}
    assert it.fleet._deaths_in_a_row == 0


def test_news_is_kept_until_the_gateway_answers_whatever_digits_its_port_has(tmp_path):
    """A port with 404 in it: the sentence about its silence must not be read as an answer."""
    for port in itertools.chain(range(40400, 40500), range(24040, 24050)):
        with contextlib.suppress(OSError):
            listening = listen(port)
            break
    listening.close()
    it = Yard(port, OBEDIENT)
    settings = Settings.load(data_dir=tmp_path / "data", worker_key=KEY, port=port)
    served = Served(settings, listen(port))
    it.fleet.run_once()
    it.enrol()
    (worker_id,) = it.fleet.alive
    served.stop()
    it.kill(worker_id)
    for _ in range(3):
        it.fleet.run_once()
    served = Served(settings, listen(port))
    assert it.shown(worker_id)["state"] == "ACTIVE", "the gateway was away when it happened"
    it.fleet.run_once()
    assert it.shown(worker_id) == {}
    it.close()
    served.stop()


def test_news_of_a_worker_that_the_gateway_never_knew_is_not_told_for_ever(yard):
    it = yard()
    it.fleet.run_once()
    it.kill(it.started[0])
    it.fleet.run_once()
    assert it.fleet._unreported == {}


def test_the_client_tells_its_failures_apart(gateway):
    def client(port=gateway.port, endpoint="ace-step", key=KEY):
        return contextlib.closing(GatewayClient(f"http://127.0.0.1:{port}", endpoint, key, timeout=2))

    with client(key="wrong") as wrong, pytest.raises(AccessDenied):
        wrong.overview()
    with client(endpoint="nothing") as nowhere, pytest.raises(NotFound, match="nothing"):
        nowhere.enrol("w", from_fleet=False)
    with client() as right, pytest.raises(NotFound):
        right.drain("nobody")
    with client() as right:
        assert right.enrol("apart", from_fleet=False).token not in repr(right)
        with pytest.raises(PeerError, match="409"):
            right.enrol("apart", from_fleet=False)
    with listen() as listening:
        port = listening.getsockname()[1]
    with client(port=port) as gone, pytest.raises(PeerUnreachable):
        gone.enrol("w", from_fleet=False, patience_seconds=0)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1]", b"5", b"\xff"])
def test_an_answer_that_is_no_gateways_is_said_to_be_one(body):
    with listen() as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
                )

        answering = threading.Thread(target=answer)
        answering.start()
        client = GatewayClient(f"http://127.0.0.1:{listening.getsockname()[1]}", "ace-step", KEY, timeout=2)
        with pytest.raises(PeerError, match="not this gateway"):
            client.overview()
        client.close()
        answering.join(5)


def test_a_worker_that_the_gateway_has_forgotten_gives_its_place_to_another(yard, gateway):
    """Its token opens nothing any more, and it would ask with it for ever."""
    it = yard()
    it.fleet.run_once()
    it.enrol()
    (forgotten,) = it.fleet.alive
    it.fleet.run_once()
    database = gateway.app.state.parts.workers._database
    database._writer.submit(
        lambda connection: connection.execute(WORKERS.delete().where(WORKERS.c.id == forgotten))
    ).result(5)
    process = it.process(forgotten)
    it.fleet.run_once()
    process.wait(5)
    it.fleet.run_once()
    assert forgotten not in it.fleet.alive
    assert len(it.fleet.alive) == 1
    assert it.fleet._deaths_in_a_row == 0


def test_a_worker_that_has_not_enrolled_yet_is_not_taken_for_a_forgotten_one(yard):
    it = yard()
    for _ in range(3):
        it.fleet.run_once()
    assert len(it.started) == 1
