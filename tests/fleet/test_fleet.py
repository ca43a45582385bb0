"""Does the fleet keep its workers alive and tell the gateway of each end? With real processes and a real gateway."""

import contextlib
import itertools
import signal
import threading
import time

import pytest
from fleet_yard import CRASHING, KEY, OBEDIENT, STUBBORN, Served, Time, Yard, listen, wait_until

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.database.tables import WORKERS
from acestep_serverless.errors import AccessDenied, NotFound, PeerError, PeerUnreachable
from acestep_serverless.fleet.ending import end_fleets
from acestep_serverless.fleet.fleet import Fleet
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import ENDING_PATIENCE, LONG_LIFE, FleetPolicy, pause_after
from acestep_serverless.settings import Settings
from scripted_endpoint import Answer, ScriptedEndpoint


def test_the_fleet_starts_what_is_missing_and_a_dead_worker_is_replaced_and_told(yard):
    it = yard(policy=FleetPolicy(2, 2))
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


def test_the_job_of_a_dead_worker_is_given_back_at_once_and_the_death_counted(yard):
    """Through the gateway's own routes; the fleet knows nothing of jobs."""
    it = yard()
    it.fleet.run_once()
    it.enrol()
    job_id = it.submit()
    assert it.take(it.started[0]) == job_id
    it.kill(it.started[0])
    it.fleet.run_once()
    assert it.status(job_id)["status"] == "IN_QUEUE"
    it.http.post(f"/cancel/{job_id}")


def test_a_crash_loop_slows_down_and_a_long_life_forgives(yard):
    it = yard(CRASHING)
    starts = []
    for deaths in range(1, 5):
        it.fleet.run_once()
        starts.append(len(it.started))
        it.process(it.started[-1]).wait(60)
        it.fleet.run_once()
        assert len(it.started) == starts[-1] + (pause_after(deaths - 1) == 0.0), "not before its pause is over"
        if pause_after(deaths - 1) == 0.0:
            it.process(it.started[-1]).wait(60)
            it.fleet.run_once()
        it.time.ahead += 40
    it.fleet.run_once()
    it.time.ahead += LONG_LIFE + 1
    it.process(it.started[-1]).wait(60)
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

    fleet = Fleet(FleetPolicy(3, 3), launcher, client, moved.clock, new_id)
    for rounds in range(1, 5):
        fleet.run_once()
        assert fleet.alive == set()
        assert len(asked) == rounds
        moved.ahead += 31
    end_fleets([fleet], 0.0, time.sleep, moved.clock)
    client.close()


def test_a_worker_says_once_that_its_gateway_is_away_and_for_how_long_it_tries_again():
    endpoint, told = ScriptedEndpoint(), []
    away, here = Answer({"error": "later"}, 503), {"worker_id": "w1", "token": "t", "heartbeat_ms": 4000}
    endpoint.says("POST workers", away, away, here)
    try:
        with contextlib.closing(GatewayClient(endpoint.url, "ace-step", KEY)) as client:
            assert client.enrol("w1", told=told.append).token == "t"
    finally:
        endpoint.close()
    assert told == ["the gateway answered 503: later; trying again for 60 s"]


def test_an_end_that_was_wanted_is_no_death(yard):
    it = yard(policy=FleetPolicy(2, 2))
    it.fleet.run_once()
    it.enrol()
    it.end(5.0)
    assert it.fleet.alive == set()
    assert [it.shown(worker_id) for worker_id in it.started] == [{}, {}]


def test_a_stubborn_worker_is_ended_the_hard_way_after_the_grace(yard, tmp_path):
    ready = tmp_path / "ready"
    it = yard(STUBBORN, words=lambda _: f"{ready}\n".encode())
    it.fleet.run_once()
    wait_until(ready.exists)
    process = it.process(it.started[0])
    began = time.monotonic()
    it.end(0.3)
    assert 0.3 <= time.monotonic() - began < 30
    assert process.returncode == -signal.SIGKILL


def test_a_drained_worker_is_recycled_and_replaced_without_a_pause_or_a_death(yard):
    it = yard()
    it.fleet.run_once()
    it.enrol()
    (worn,) = it.fleet.alive
    process = it.process(worn)
    it.client.drain(worn)
    it.fleet.run_once()
    process.wait(60)
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
    process.wait(60)
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


def test_a_gateway_that_takes_the_worker_key_no_more_ends_no_fleet(yard):
    """Its key was changed: what works goes on, and the news waits for the right one."""
    it = yard(policy=FleetPolicy(2, 2))
    it.fleet.run_once()
    it.enrol()
    it.client._http.headers["Authorization"] = "Bearer another-key"
    it.kill(it.started[0])
    it.fleet.run_once()
    assert it.started[1] in it.fleet.alive
    assert len(it.fleet.alive) == 2
    it.client._http.headers["Authorization"] = f"Bearer {KEY}"
    it.fleet.run_once()
    assert it.shown(it.started[0]) == {}, "declared gone"


def test_the_client_tells_its_failures_apart(gateway):
    def client(port=gateway.port, endpoint="ace-step", key=KEY):
        return contextlib.closing(GatewayClient(f"http://127.0.0.1:{port}", endpoint, key, timeout=30))

    with client(key="wrong") as wrong, pytest.raises(AccessDenied):
        wrong.overview()
    with client(endpoint="nothing") as nowhere, pytest.raises(NotFound, match="nothing"):
        nowhere.enrol("w")
    with client() as right, pytest.raises(NotFound):
        right.drain("nobody")
    with client() as right:
        assert right.enrol("apart").token not in repr(right)
        with pytest.raises(PeerError, match="409"):
            right.enrol("apart")
    with listen() as listening:
        port = listening.getsockname()[1]
    with client(port=port) as gone, pytest.raises(PeerUnreachable):
        gone.enrol("w", patience_seconds=0)


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
        client = GatewayClient(f"http://127.0.0.1:{listening.getsockname()[1]}", "ace-step", KEY, timeout=30)
        with pytest.raises(PeerError, match="not this gateway"):
            client.overview()
        client.close()
        answering.join(60)


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
    ).result(60)
    process = it.process(forgotten)
    it.fleet.run_once()
    process.wait(60)
    it.fleet.run_once()
    assert forgotten not in it.fleet.alive
    assert len(it.fleet.alive) == 1
    assert it.fleet._deaths_in_a_row == 0


def test_a_worker_that_has_not_enrolled_yet_is_not_taken_for_a_forgotten_one(yard):
    it = yard()
    for _ in range(3):
        it.fleet.run_once()
    assert len(it.started) == 1
