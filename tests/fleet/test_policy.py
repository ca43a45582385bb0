"""How many workers does the policy want? Its table of cases, its laws for any numbers, and what a look counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acestep_serverless.fleet.look import Member, load_of, rested
from acestep_serverless.fleet.policy import (
    RESTART_PAUSES,
    RESTING,
    STUCK_AFTER_MS,
    FleetPolicy,
    Load,
    is_stuck,
    pause_after,
    wanted,
)

UP_TO_3 = FleetPolicy(0, 3)
COUNT_BY_2 = FleetPolicy(0, 5, scaler="REQUEST_COUNT", scaler_value=2)
OLD = 4_000


@pytest.mark.parametrize(
    ("policy", "load", "workers"),
    [
        (FleetPolicy(3, 3), Load(), 3),
        (FleetPolicy(0, 0), Load(waiting=9, oldest_wait_ms=99_999), 0),
        # Queue delay: the first job starts the first worker at once, later ones when they have waited too long.
        (UP_TO_3, Load(), 0),
        (UP_TO_3, Load(waiting=1), 1),
        (UP_TO_3, Load(waiting=50), 1),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=OLD - 1, running=1, in_progress=1), 1),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=OLD, running=1, in_progress=1), 2),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=10 * OLD, running=1, starting=1, in_progress=1), 2),
        (UP_TO_3, Load(waiting=2, oldest_wait_ms=OLD, running=1, starting=1, in_progress=1), 3),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=OLD, idle=1), 1),
        (UP_TO_3, Load(waiting=9, oldest_wait_ms=OLD, running=3, in_progress=3), 3),
        # Those of others help: no worker of ours is the first one then.
        (UP_TO_3, Load(waiting=1, elsewhere=1), 0),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=OLD, elsewhere=1, elsewhere_idle=1), 0),
        (UP_TO_3, Load(waiting=1, oldest_wait_ms=OLD, elsewhere=1, in_progress=1), 1),
        # Request count: ceil((waiting + running) / value), less what others do.
        (COUNT_BY_2, Load(waiting=1), 1),
        (COUNT_BY_2, Load(waiting=2, running=1, in_progress=1), 2),
        (COUNT_BY_2, Load(waiting=3, running=2, in_progress=2), 3),
        (COUNT_BY_2, Load(waiting=99), 5),
        (COUNT_BY_2, Load(waiting=3, elsewhere=1), 1),
        # Down: only who has rested, not while something waits, and to the minimum.
        (UP_TO_3, Load(idle=2, rested=0), 2),
        (UP_TO_3, Load(idle=2, rested=1), 1),
        (UP_TO_3, Load(idle=2, rested=2), 0),
        (UP_TO_3, Load(running=1, in_progress=1, idle=1, rested=1), 1),
        (UP_TO_3, Load(waiting=1, idle=1, rested=1), 1),
        (FleetPolicy(1, 3), Load(idle=3, rested=3), 1),
        (COUNT_BY_2, Load(running=3, in_progress=3, idle=2, rested=2), 3),
        # A fleet that does not lead lets everybody go.
        (RESTING, Load(running=2, in_progress=2, idle=1, waiting=5, oldest_wait_ms=OLD), 0),
    ],
)
def test_the_policys_table(policy: FleetPolicy, load: Load, workers: int):
    assert wanted(policy, load) == workers


@st.composite
def policies(draw: st.DrawFn) -> FleetPolicy:
    least, most = sorted(draw(st.tuples(st.integers(0, 64), st.integers(0, 64))))
    scaler = draw(st.sampled_from(["QUEUE_DELAY", "REQUEST_COUNT"]))
    return FleetPolicy(least, most, 60.0, scaler, draw(st.integers(1, 3_600)))


@st.composite
def loads(draw: st.DrawFn) -> Load:
    small = st.integers(0, 70)
    idle, elsewhere = draw(small), draw(small)
    waiting = draw(st.integers(0, 1_000))
    return Load(
        waiting=waiting,
        oldest_wait_ms=draw(st.integers(0, 10**8)) if waiting else 0,
        in_progress=draw(small),
        running=draw(small),
        idle=idle,
        rested=draw(st.integers(0, idle)),
        starting=draw(small),
        elsewhere=elsewhere,
        elsewhere_idle=draw(st.integers(0, elsewhere)),
    )


@given(policies(), loads())
def test_the_limits_hold_whatever_the_load(policy: FleetPolicy, load: Load):
    assert policy.minimum <= wanted(policy, load) <= policy.maximum


@given(policies(), loads())
def test_only_rested_workers_are_let_go_and_none_while_a_job_waits(policy: FleetPolicy, load: Load):
    fewest = load.own if load.waiting else load.own - load.rested
    assert wanted(policy, load) >= min(fewest, policy.maximum)


@given(policies(), loads())
def test_nothing_grows_beyond_the_minimum_without_a_job_that_waits_or_runs(policy: FleetPolicy, load: Load):
    """The gateway does not count lowPriority jobs as waiting: they never call for a worker."""
    quiet = Load(idle=load.idle, rested=load.rested, starting=load.starting, elsewhere=load.elsewhere)
    assert wanted(policy, quiet) <= min(max(quiet.own, policy.minimum), policy.maximum)


@given(policies(), loads())
def test_a_waiting_job_never_waits_for_nobody(policy: FleetPolicy, load: Load):
    if load.waiting and policy.maximum and load.own + load.elsewhere == 0:
        assert wanted(policy, load) >= 1


@given(policies(), loads(), st.integers(1, 100))
def test_more_waiting_jobs_never_ask_for_fewer_workers(policy: FleetPolicy, load: Load, more: int):
    busier = Load(**{name: getattr(load, name) for name in Load.__slots__} | {"waiting": load.waiting + more})
    assert wanted(policy, busier) >= wanted(policy, load)


@given(loads(), st.integers(1, 3_600))
def test_the_queue_delay_adds_one_worker_at_a_time(load: Load, value: int):
    assert wanted(FleetPolicy(0, 500, scaler_value=value), load) <= load.own + 1


def test_pauses_grow_and_end_at_the_last():
    assert [pause_after(deaths) for deaths in range(len(RESTART_PAUSES) + 3)] == [*RESTART_PAUSES, 30.0, 30.0, 30.0]
    assert list(RESTART_PAUSES) == sorted(RESTART_PAUSES)


def test_a_worker_is_stuck_only_when_it_could_have_shown_that_it_stopped():
    assert not is_stuck(None, 10**15)
    assert not is_stuck(0, STUCK_AFTER_MS)
    assert is_stuck(0, STUCK_AFTER_MS + 1)
    assert not is_stuck(0, 200_000, heartbeat_ms=60_000), "two heartbeats of a minute have not come yet"
    assert is_stuck(0, 240_001, heartbeat_ms=60_000)


def listed(worker_id: str, jobs: int = 0, **more: object) -> dict[str, object]:
    return {"id": worker_id, "state": "ACTIVE", "jobs": jobs, "polled_at": 99, "pinged_at": 99, "fed_at": None} | more


def test_a_look_sorts_workers_by_what_they_do_and_counts_the_help_of_others():
    members = {name: Member(0.0) for name in ("runs", "idles", "enrolled", "started", "drained", "told")}
    members["told"].ending = True
    overview = {
        "workers": [
            listed("runs", jobs=1),
            listed("idles"),
            listed("enrolled", polled_at=None, pinged_at=None),
            listed("drained", state="DRAINING", jobs=1),
            listed("told"),
            listed("helps"),
            listed("helps-busily", jobs=1, polled_at=1),
            listed("silent", polled_at=1, pinged_at=1),
            listed("others-drained", state="DRAINING"),
        ],
        "waiting": 7,
        "oldest_wait_ms": 8,
        "in_progress": 9,
        "now": 100,
        "heartbeat_ms": 10,
    }
    assert load_of(overview, members, 0) == Load(7, 8, 9, 1, 1, 0, 2, elsewhere=2, elsewhere_idle=1)


def test_idleness_begins_with_the_end_of_the_last_job_also_of_one_between_two_looks():
    member, fresh = Member(0.0), Member(0.0)
    for now, jobs, fed_at in ((1.0, 0, None), (2.0, 0, None), (3.0, 1, 5), (4.0, 0, 5), (6.0, 0, 5)):
        member.note(listed("w", jobs=jobs, fed_at=fed_at), now)
    assert (member.idle_since, member.worked) == (4.0, True)
    member.note(listed("w", fed_at=9), 7.0)
    assert member.idle_since == 7.0, "it took and finished another job since the last look"
    fresh.note(listed("v", polled_at=None), 1.0)
    assert (fresh.idle_since, fresh.worked) == (None, False), "it has not asked for a job yet"
    fresh.note(listed("v"), 6.5)
    assert rested({"w": member, "v": fresh}, 10.0, 3.0) == ["v", "w"]
    assert rested({"w": member, "v": fresh}, 9.9, 3.0) == ["v"]
    fresh.ending = True
    assert rested({"w": member, "v": fresh}, 99.0, 3.0) == ["w"]
