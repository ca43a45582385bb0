"""Does the fleet follow its policy and lose or delay no job by it? Real processes, a real gateway, moved clocks."""

import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from fleet_yard import CRASHING, KEY, OBEDIENT, STUBBORN, Served, Time, Yard, listen, wait_until

from acestep_serverless.client.gateway import GatewayClient
from acestep_serverless.fleet.ending import end_fleets
from acestep_serverless.fleet.launcher import ProcessLauncher
from acestep_serverless.fleet.policy import LONG_LIFE, RESTART_PAUSES, FleetPolicy
from acestep_serverless.settings import Settings

UP_TO_ONE, UP_TO_TWO = FleetPolicy(0, 1), FleetPolicy(0, 2)
IDLE = 61.0


def rested(it: Yard) -> str:
    """Bring up the one worker of a fleet by a job that it does, and let its idle timeout pass."""
    job_id = it.submit()
    it.fleet.run_once()
    it.enrol()
    (worker_id,) = it.fleet.alive
    assert it.take(worker_id) == job_id
    it.finish(worker_id, job_id)
    it.fleet.run_once()
    it.time.ahead += IDLE
    return worker_id


def test_a_fleet_comes_from_zero_for_the_first_job_and_goes_back_when_it_has_been_idle(yard):
    it = yard(policy=UP_TO_ONE)
    it.fleet.run_once()
    assert it.fleet.alive == set()
    worker_id = rested(it)
    it.time.ahead -= 2
    it.fleet.run_once()
    assert it.shown(worker_id)["state"] == "ACTIVE", "not idle for long enough"
    it.time.ahead += 2
    it.fleet.run_once()
    assert it.shown(worker_id)["state"] == "DRAINING"
    assert it.process(worker_id).poll() is None, "it is fed no more before it is told to end"
    it.fleet.run_once()
    assert it.ends(worker_id) < 0
    it.fleet.run_once()
    assert it.fleet.alive == set()
    assert it.shown(worker_id) == {}
    it.fleet.run_once()
    assert it.started == [worker_id]


def test_a_short_job_between_two_looks_keeps_its_worker(yard):
    it = yard(policy=UP_TO_ONE)
    worker_id = rested(it)
    it.work(worker_id)
    it.fleet.run_once()
    assert it.shown(worker_id)["state"] == "ACTIVE"
    it.time.ahead += IDLE
    it.fleet.run_once()
    assert it.shown(worker_id)["state"] == "DRAINING"


class Interrupted(GatewayClient):
    """Something happens right before or right after the first drain."""

    before: Callable[[str], object] | None = None
    after: Callable[[str], object] | None = None

    def drain(self, worker_id: str) -> None:
        before, after, self.before, self.after = self.before, self.after, None, None
        if before:
            before(worker_id)
        super().drain(worker_id)
        if after:
            after(worker_id)


def test_a_job_taken_right_before_the_drain_is_finished_before_the_worker_ends(yard):
    it = yard(policy=UP_TO_ONE, client=Interrupted)
    worker_id = rested(it)
    taken = []
    it.client.before = lambda worker_id: taken.append((it.submit(), it.take(worker_id)))
    it.fleet.run_once()
    ((job_id, got),) = taken
    assert got == job_id
    for _ in range(3):
        it.fleet.run_once()
    assert it.process(worker_id).poll() is None
    it.finish(worker_id, job_id)
    it.fleet.run_once()
    assert it.ends(worker_id) < 0
    assert it.status(job_id)["status"] == "COMPLETED"
    assert it.started == [worker_id]


def test_a_job_that_comes_right_after_the_drain_gets_another_worker_in_the_next_round(yard):
    it = yard(policy=UP_TO_TWO, client=Interrupted)
    worker_id = rested(it)
    submitted = []
    it.client.after = lambda worker_id: submitted.append(it.submit())
    it.fleet.run_once()
    assert it.take(worker_id) is None, "it is fed no more"
    it.fleet.run_once()
    assert it.started[:-1] == [worker_id]
    it.enrol()
    assert [it.take(it.started[-1])] == submitted
    it.finish(it.started[-1], submitted[0])
    assert it.ends(worker_id) < 0


def test_a_worker_on_its_way_out_counts_until_it_is_gone(yard, tmp_path):
    """Its memory and its GPU are taken as long as its process lives."""
    ready = tmp_path / "ready"
    it = yard(STUBBORN, UP_TO_ONE, words=lambda _: f"{ready}\n".encode())
    worker_id = rested(it)
    wait_until(ready.exists)
    it.fleet.run_once()
    job_id = it.submit()
    for _ in range(3):
        it.fleet.run_once()
    assert it.started == [worker_id]
    it.kill(worker_id)
    it.fleet.run_once()
    assert len(it.started) == 2
    it.http.post(f"/cancel/{job_id}")


def test_low_priority_jobs_call_for_no_worker(yard):
    it = yard(policy=UP_TO_ONE)
    job_id = it.submit(lowPriority=True)
    for _ in range(3):
        it.fleet.run_once()
    assert it.started == []
    it.http.post(f"/cancel/{job_id}")


def test_many_jobs_start_workers_up_to_the_maximum_and_no_further(yard):
    it = yard(policy=FleetPolicy(0, 2, scaler="REQUEST_COUNT", scaler_value=1))
    jobs = [it.submit() for _ in range(4)]
    for _ in range(3):
        it.fleet.run_once()
    assert len(it.started) == 2
    for job_id in jobs:
        it.http.post(f"/cancel/{job_id}")


def test_workers_that_die_hold_back_a_scale_up_and_one_alone_is_tried_after_each_pause(yard):
    it = yard(CRASHING, FleetPolicy(0, 8, scaler="REQUEST_COUNT", scaler_value=1))
    jobs = [it.submit() for _ in range(8)]
    it.fleet.run_once()
    assert len(it.started) == 8
    for worker_id in it.started:
        it.ends(worker_id)
    for rounds in range(1, 4):
        it.fleet.run_once()
        it.time.ahead += RESTART_PAUSES[-1] + 1
        it.fleet.run_once()
        assert len(it.started) == 8 + rounds
        it.ends(it.started[-1])
    it.fleet.bury()
    it.launcher._command[-1] = OBEDIENT
    it.time.ahead += RESTART_PAUSES[-1] + 1
    it.fleet.run_once()
    assert len(it.fleet.alive) == 1
    it.enrol()
    it.time.ahead += LONG_LIFE + 1
    it.fleet.run_once()
    assert len(it.fleet.alive) == 8, "one has lived: the others may come"
    for job_id in jobs:
        it.http.post(f"/cancel/{job_id}")


def test_a_fleet_that_does_not_lead_rests_and_takes_over_when_it_leads(tmp_path):
    moved = Time()
    settings = Settings.load(data_dir=tmp_path / "data", worker_key=KEY)
    served = Served(settings, listen(), moved.clock)
    first = Yard(served.port, fleet_id="first")
    second = Yard(served.port, fleet_id="second", leads=False)
    try:
        second.fleet.start()
        assert second.started == [], "it does not know yet"
        first.fleet.run_once()
        second.fleet.run_once()
        assert (len(first.started), len(second.started)) == (1, 0)
        first.enrol()
        moved.ahead += 600
        second.fleet.run_once()
        assert len(second.started) == 1, "the first fleet was silent for too long"
        (worker_id,) = first.started
        job_id = first.submit()
        assert first.take(worker_id) == job_id
        first.fleet.run_once()
        assert first.shown(worker_id)["state"] == "DRAINING"
        first.fleet.run_once()
        assert first.process(worker_id).poll() is None, "it finishes its job first"
        first.finish(worker_id, job_id)
        first.fleet.run_once()
        assert first.ends(worker_id) < 0
        first.fleet.run_once()
        assert (first.fleet.alive, len(first.started)) == (set(), 1)
    finally:
        first.close()
        second.close()
        served.stop()


def test_nobody_is_signalled_before_everybody_is_fed_no_more(yard):
    """A worker that is signalled while it is fed takes one more job and drops it."""
    alive_at_drain = []

    class Watched(GatewayClient):
        def drain(self, worker_id: str) -> None:
            super().drain(worker_id)
            alive_at_drain.append([it.process(name).poll() is None for name in it.started])

    it = yard(policy=FleetPolicy(2, 2), client=Watched)
    it.fleet.run_once()
    it.enrol()
    job_id = it.submit()
    assert it.take(it.started[0]) == job_id
    it.end(5.0)
    assert alive_at_drain == [[True, True], [True, True]]
    assert it.fleet.alive == set()
    assert it.status(job_id)["status"] == "IN_QUEUE", "what an ended worker held is given back"
    it.http.post(f"/cancel/{job_id}")


def test_a_silent_gateway_is_asked_once_by_each_fleet_that_ends_however_many_workers_it_has():
    """Each question costs a timeout; asked for every worker they would outlast the patience of whoever ends us."""
    connected: list[socket.socket] = []
    with listen() as listening:

        def accept() -> None:
            for _ in range(64):
                connection, _ = listening.accept()
                connected.append(connection)

        threading.Thread(target=accept, daemon=True).start()
        fleets = [Yard(listening.getsockname()[1], policy=FleetPolicy(4, 4)) for _ in range(3)]
        for it in fleets:
            it.client._http.timeout = 0.3
            it.fleet.start()
        processes = [it.process(worker_id) for it in fleets for worker_id in it.started]
        end_fleets([it.fleet for it in fleets], 5.0, time.sleep, fleets[0].time.clock)
        assert [process.poll() is not None for process in processes] == [True] * 12
        assert len(connected) <= 6, "one question for each fleet before the end, one piece of news after it"
        for it in fleets:
            it.client.close()
            it.http.close()
    for connection in connected:
        connection.close()


def test_workers_take_gpus_in_turn_and_a_slot_is_free_again_with_its_workers_end():
    program = "import os, sys\nsys.exit(10 + int(os.environ['CUDA_VISIBLE_DEVICES']) if sys.stdin.readline() else 0)"
    numbers = itertools.count()
    command = [sys.executable, "-c", program]
    launcher = ProcessLauncher(command, lambda worker_id: b"", environ=os.environ, gpus=["0", "1"])

    def start(count: int) -> list[str]:
        names = [f"w{next(numbers)}" for _ in range(count)]
        for name in names:
            launcher.start(name)
        return names

    def finish(names: list[str]) -> list[int]:
        """Let workers read their line and tell their GPU by their exit code."""
        processes = [launcher._running[name] for name in names]
        for process in processes:
            process.stdin.write(b"\n")
            process.stdin.flush()
        codes = [process.wait(60) - 10 for process in processes]
        assert sorted(ended.worker_id for ended in launcher.collect()) == sorted(names)
        return codes

    names = start(4)
    assert finish(names[1:3]) == [1, 0]
    assert finish(start(2)) == [1, 0], "the free slots, not the next ones"
    more = start(3)
    assert finish([names[0], names[3], *more]) == [0, 1, 1, 0, 0]
