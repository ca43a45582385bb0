"""Who is made with whom, who waits for whom, and whom does one task's end touch? The scheduler with real threads and
an engine that counts its batches."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_engine import SOON, StepEngine, ended, new_scheduler, order

from acestep_serverless.acestep_api import Keeping, Scheduler
from acestep_serverless.acestep_api.task import State, Task
from acestep_serverless.audio.clip import Clip
from acestep_serverless.audio.codec import encode
from acestep_serverless.audio.decode import decode
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.errors import TooLarge

Start = Callable[..., Scheduler]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts schedulers over an engine, and stops them at the end."""
    started: list[tuple[Scheduler, StepEngine]] = []

    def begin(engine: StepEngine, **settings: Any) -> Scheduler:
        scheduler = new_scheduler(tmp_path / "songs", engine, **settings)
        started.append((scheduler, engine))
        scheduler.start()
        return scheduler

    yield begin
    for scheduler, engine in started:
        engine.free.set()
        engine.allow(100)
        scheduler.stop()


def held(**fields: Any) -> StepEngine:
    engine = StepEngine(**fields)
    engine.hold()
    return engine


def occupy(scheduler: Scheduler, engine: StepEngine) -> str:
    """Keep the engine busy with a task of another length, before its first step."""
    task_id = scheduler.submit(order("busy", duration=600)).task_id
    assert engine.begun.acquire(timeout=SOON)
    return task_id


def states(tasks: list[Task]) -> list[State]:
    return [task.state for task in tasks]


def test_a_lone_task_begins_at_once_and_waits_for_no_company(start: Start) -> None:
    engine = StepEngine()
    scheduler = start(engine)
    [task] = ended(scheduler, scheduler.submit(order("lone")).task_id)
    assert task.state is State.SUCCEEDED
    assert engine.batches == [["lone"]]


def test_waiting_tasks_that_fit_are_made_together_up_to_the_engines_limit(start: Start) -> None:
    engine = held(together=4)
    scheduler = start(engine)
    occupy(scheduler, engine)
    wanted = [
        ("a", (1,), 20),
        ("b", (2, 3), 10),
        ("c", (4, 5), 20),
        ("long", (6,), 500),
        ("d", (7,), 30),
        ("e", (8,), 5),
    ]
    ids = [scheduler.submit(order(caption, *seeds, duration=length)).task_id for caption, seeds, length in wanted]
    engine.let_go()
    tasks = ended(scheduler, *ids)
    assert engine.batches == [["busy"], ["a", "b", "d"], ["c", "e"], ["long"]]
    assert states(tasks) == [State.SUCCEEDED] * 6
    assert [[song.seed for song in task.songs] for task in tasks] == [list(seeds) for _, seeds, _ in wanted]
    assert [task.company for task in tasks] == [3, 3, 2, 1, 3, 2]


def test_only_tasks_of_the_same_model_share_a_batch(start: Start) -> None:
    engine = held()
    scheduler = start(engine)
    occupy(scheduler, engine)
    models = ("step-1", "step-2", "step-1")
    ids = [scheduler.submit(order(model, request={"model": model})).task_id for model in models]
    engine.let_go()
    ended(scheduler, *ids)
    assert engine.batches[1:] == [["step-1", "step-1"], ["step-2"]]


def test_a_cancel_stops_its_task_before_the_next_step_and_the_others_go_on(start: Start) -> None:
    engine = held(steps=3)
    scheduler = start(engine)
    occupy(scheduler, engine)
    gone, stays = (scheduler.submit(order(caption)).task_id for caption in ("gone", "stays"))
    engine.allow(3 + 1)
    for _ in range(2 + 2):
        assert engine.begun.acquire(timeout=SOON)
    assert scheduler.cancel(gone)
    [cancelled] = ended(scheduler, gone)  # before the engine has noticed
    engine.let_go()
    [made] = ended(scheduler, stays)
    assert engine.passes[3:] == [["gone", "stays"], ["stays"], ["stays"]]
    assert states([cancelled, made]) == [State.CANCELLED, State.SUCCEEDED]
    assert not scheduler.cancel(gone)


def test_a_task_that_fails_fails_alone(start: Start) -> None:
    engine = held()
    scheduler = start(engine)
    occupy(scheduler, engine)
    ids = [scheduler.submit(order(caption, 1, 2)).task_id for caption in ("fails", "good")]
    engine.let_go()
    failed, good = ended(scheduler, *ids)
    assert engine.batches[1:] == [["fails", "good"]]
    assert (failed.state, failed.error) == (State.FAILED, "this one cannot be made")
    assert (good.state, len(good.songs)) == (State.SUCCEEDED, 2)


def test_when_a_whole_batch_breaks_each_task_is_made_alone_and_no_song_twice(start: Start, tmp_path: Path) -> None:
    engine = held(together=5)
    scheduler = start(engine)
    occupy(scheduler, engine)
    ids = [scheduler.submit(order(caption, 7, 8)).task_id for caption in ("good", "breaks")]
    engine.let_go()
    tasks = ended(scheduler, *ids)
    assert engine.batches[1:] == [["good", "breaks"], ["good"], ["breaks"]]
    assert states(tasks) == [State.SUCCEEDED, State.SUCCEEDED]
    assert [[song.seed for song in task.songs] for task in tasks] == [[7, 8], [7, 8]]
    assert len(list((tmp_path / "songs").iterdir())) == 5


def test_an_engine_that_ends_too_early_fails_the_task_and_leaves_no_file(start: Start, tmp_path: Path) -> None:
    scheduler = start(StepEngine())
    [task] = ended(scheduler, scheduler.submit(order("short", 1, 2)).task_id)
    assert (task.state, task.error) == (State.FAILED, "the engine ended before the last song")
    assert not list((tmp_path / "songs").iterdir())


def test_a_task_that_runs_for_too_long_fails_and_its_engine_is_told(start: Start) -> None:
    seconds = [0.0]
    engine = held()
    clock = Clock(now_ms=SYSTEM_CLOCK.now_ms, monotonic=lambda: seconds[0])
    scheduler = start(engine, clock=clock, keeping=Keeping(run_seconds=60))
    slow = occupy(scheduler, engine)
    after = scheduler.submit(order("after")).task_id
    seconds[0] = 60.5
    [failed] = ended(scheduler, slow)
    engine.let_go()
    [made] = ended(scheduler, after)
    assert (failed.state, failed.error) == (State.FAILED, "the task was not finished within 60 s and has been ended")
    assert made.state is State.SUCCEEDED
    assert engine.passes[0] == []


def test_callers_take_turns_and_each_ones_tasks_keep_their_order(start: Start) -> None:
    engine = held(together=1)
    scheduler = start(engine)
    occupy(scheduler, engine)
    ids = [scheduler.submit(order(f"a{n}", caller="a")).task_id for n in range(3)]
    last = scheduler.submit(order("b0", caller="b"))
    assert last.position == 2
    assert [scheduler.table.position(task_id) for task_id in ids] == [1, 3, 4]
    engine.let_go()
    ended(scheduler, *ids, last.task_id)
    assert engine.batches[1:] == [["a0"], ["b0"], ["a1"], ["a2"]]


def test_a_thousand_waiting_tasks_cost_no_thread_and_a_raised_limit_holds(start: Start) -> None:
    engine = held()
    scheduler = start(engine, queue_maximum=1_000)
    occupy(scheduler, engine)
    threads = threading.active_count()
    ids = [scheduler.submit(order("x", caller=str(n % 7))).task_id for n in range(1_000)]
    assert threading.active_count() == threads
    with pytest.raises(TooLarge, match="queue is full"):
        scheduler.submit(order())
    assert scheduler.stats()["queue_size"] == 1_000
    assert sorted(scheduler.table.position(task_id) for task_id in ids) == list(range(1, 1_001))
    assert all(map(scheduler.cancel, ids))
    assert scheduler.stats()["jobs"] == {
        "total": 1_001,
        "queued": 0,
        "running": 1,
        "succeeded": 0,
        "failed": 0,
        "cancelled": 1_000,
    }


def test_a_batch_never_has_more_than_three_songs_in_memory(start: Start) -> None:
    """One is encoded, one waits for that, one is in the engine's hands; making them takes less time than encoding."""
    engine = StepEngine(together=8, seconds=3.0)
    scheduler = start(engine)
    seeds = tuple(range(8))
    ids = [scheduler.submit(order("x", *seeds, audio_format="mp3")).task_id for _ in range(2)]
    assert states(ended(scheduler, *ids)) == [State.SUCCEEDED] * 2
    assert max(engine.alive) == 3


def test_stats_and_estimates_follow_what_was_measured(start: Start) -> None:
    engine = held()
    scheduler = start(engine)
    busy = occupy(scheduler, engine)
    waiting = scheduler.submit(order()).task_id
    assert scheduler.estimate(waiting) is None
    assert scheduler.stats() == {
        "jobs": {"total": 2, "queued": 1, "running": 1, "succeeded": 0, "failed": 0, "cancelled": 0},
        "queue_size": 1,
        "queue_maxsize": 200,
        "avg_job_seconds": 5.0,
    }
    engine.let_go()
    tasks = ended(scheduler, busy, waiting)
    average = sum(task.running_seconds for task in tasks) / 2
    assert scheduler.stats()["avg_job_seconds"] == pytest.approx(average, abs=0.001)
    engine.hold()
    occupied = occupy(scheduler, engine)
    estimate = scheduler.estimate(scheduler.submit(order()).task_id)
    assert estimate is not None
    assert estimate > 0
    assert scheduler.estimate(occupied) is not None
    assert scheduler.estimate(waiting) is None


def sound_file(scheduler: Scheduler, *, broken: bool = False) -> str:
    path = scheduler.folder.new_upload(".audio")
    if broken:
        path.write_bytes(b"no sound at all")
    else:
        source = decode(
            scheduler.folder.find(ended(scheduler, scheduler.submit(order("source", 5)).task_id)[0].songs[0].name)
        )
        encode(Clip(source.samples[:, :2_400]), path.with_suffix(".wav"), "wav", {})
        path.with_suffix(".wav").replace(path)
    return path.name


def test_an_engine_gets_source_and_reference_decoded_and_the_files_go_with_the_task(start: Start) -> None:
    engine = StepEngine()
    scheduler = start(engine)
    source, reference = sound_file(scheduler), sound_file(scheduler)
    [task] = ended(scheduler, scheduler.submit(order("x", source=source, reference=reference)).task_id)
    editing = engine.seen[-1].editing
    assert task.state is State.SUCCEEDED
    assert editing.source is not None
    assert editing.reference is not None
    assert (editing.source.samples.shape, editing.source.sample_rate) == ((2, 2_400), 48_000)
    assert scheduler.folder.find_upload(source) is scheduler.folder.find_upload(reference) is None
    assert task.order.request.editing.source is None


def test_a_file_that_cannot_be_decoded_fails_its_task_alone_with_a_sentence(start: Start) -> None:
    engine = StepEngine()
    scheduler = start(engine)
    broken = sound_file(scheduler, broken=True)
    engine.hold()
    occupy(scheduler, engine)
    ids = [
        scheduler.submit(order(caption, **fields)).task_id
        for caption, fields in (("bad", {"source": broken}), ("good", {}), ("lost", {"reference": "upload-none"}))
    ]
    engine.let_go()
    bad, good, lost = ended(scheduler, *ids)
    assert states([bad, good, lost]) == [State.FAILED, State.SUCCEEDED, State.FAILED]
    assert bad.error is not None
    assert bad.error.startswith("the source audio cannot be used: the file ")
    assert "upload-" not in bad.error
    assert lost.error == "the reference audio is not there any more; send the task again"
    assert scheduler.folder.find_upload(broken) is None
    assert engine.batches[-1] == ["good"]


def test_cancelling_a_waiting_task_removes_its_files_at_once(start: Start) -> None:
    engine = StepEngine()
    scheduler = start(engine)
    source = sound_file(scheduler, broken=True)
    engine.hold()
    occupy(scheduler, engine)
    scheduler.cancel(scheduler.submit(order("x", source=source)).task_id)
    assert scheduler.folder.find_upload(source) is None


def test_an_analysis_ends_its_task_without_a_song(start: Start) -> None:
    scheduler = start(StepEngine())
    wanted = order("x", request={"analysis": "full_analysis_only"})
    [task] = ended(scheduler, scheduler.submit(wanted).task_id)
    assert (task.state, task.songs) == (State.SUCCEEDED, ())
    assert task.analysis is not None
    assert task.analysis.bpm == 96
