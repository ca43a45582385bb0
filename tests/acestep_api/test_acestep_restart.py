"""What does a new process know of an older one's tasks? Everything that was acknowledged, and nothing that is half
there. A kill is shown by a copy of what lay on the disk at that moment."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from batch_engine import SOON, StepEngine, ended, new_scheduler, order

from acestep_serverless.acestep_api import Keeping, Scheduler
from acestep_serverless.acestep_api.orders import Order
from acestep_serverless.acestep_api.plain import plain, rebuilt
from acestep_serverless.acestep_api.records import TaskRecords
from acestep_serverless.acestep_api.task import State, Task
from acestep_serverless.audio.clip import Clip
from acestep_serverless.clock import Clock
from acestep_serverless.engines.base import Editing, GenerationRequest
from acestep_serverless.errors import Unavailable

DAY_MS = 86_400_000
NOW_MS = 1_900_000_000_000


@dataclass
class House:
    """A folder with a server's songs and records, and the servers that were started on it or on its copies."""

    folder: Path
    now_ms: list[int] = field(default_factory=lambda: [NOW_MS])
    started: list[tuple[Scheduler, StepEngine]] = field(default_factory=list)

    def open(self, engine: StepEngine | None = None, *, start: bool = True, **settings: Any) -> Scheduler:
        """A server on the folder; it can be started later."""
        engine = engine or StepEngine()
        clock = Clock(now_ms=lambda: self.now_ms[0], monotonic=lambda: self.now_ms[0] / 1000)
        keeping = Keeping(records=self.folder / "tasks")
        scheduler = new_scheduler(self.folder / "songs", engine, **{"clock": clock, "keeping": keeping, **settings})
        self.started.append((scheduler, engine))
        if start:
            scheduler.start()
        return scheduler

    def kill(self) -> "House":
        """What the disk holds if the process dies now."""
        copy = self.folder.with_name(f"{self.folder.name}-after")
        shutil.copytree(self.folder, copy)
        return House(copy, self.now_ms, self.started)

    def records(self) -> list[Path]:
        return sorted((self.folder / "tasks").iterdir())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "house")
    yield house
    for scheduler, engine in house.started:
        engine.free.set()
        engine.allow(100)
        scheduler.stop()


def held() -> StepEngine:
    engine = StepEngine()
    engine.hold()
    return engine


def occupied(house: House) -> tuple[Scheduler, StepEngine, str]:
    engine = held()
    scheduler = house.open(engine)
    task_id = scheduler.submit(order("running", 11, 12, duration=600)).task_id
    assert engine.begun.acquire(timeout=SOON)
    return scheduler, engine, task_id


def state(scheduler: Scheduler, task_id: str) -> State | None:
    task = scheduler.table.get(task_id)
    return None if task is None else task.state


def test_queued_and_running_tasks_are_made_after_a_kill_in_their_order_and_from_their_seeds(house: House) -> None:
    scheduler, _, running = occupied(house)
    queued = [scheduler.submit(order(f"q{n}", n, duration=100 * n)).task_id for n in (1, 2, 3)]
    engine = StepEngine()
    tasks = ended(house.kill().open(engine), running, *queued)
    assert engine.batches == [["running"], ["q1"], ["q2"], ["q3"]]
    assert [[song.seed for song in task.songs] for task in tasks] == [[11, 12], [1], [2], [3]]
    assert [task.starts for task in tasks] == [2, 1, 1, 1]


def test_a_finished_task_and_its_songs_are_there_until_their_day_is_over(house: House) -> None:
    scheduler = house.open()
    [made] = ended(scheduler, scheduler.submit(order("done", 5, 6)).task_id)
    after = house.kill()
    house.now_ms[0] += DAY_MS - 1
    found = after.open().table.get(made.task_id)
    assert found is not None
    assert (found.state, found.songs, found.finished_ms) == (State.SUCCEEDED, made.songs, made.finished_ms)
    assert all((after.folder / "songs" / song.name).stat().st_size == song.size for song in made.songs)
    house.now_ms[0] += 1
    assert after.open().table.get(made.task_id) is None
    assert after.records() == []
    assert list((after.folder / "songs").iterdir()) == []


def test_failed_and_cancelled_tasks_keep_their_ends(house: House) -> None:
    scheduler = house.open()
    [failed] = ended(scheduler, scheduler.submit(order("fails")).task_id)
    scheduler.stop()
    cancelled = scheduler.submit(order()).task_id
    assert scheduler.cancel(cancelled)
    later = house.kill().open()
    assert [task.state for task in ended(later, failed.task_id, cancelled)] == [State.FAILED, State.CANCELLED]
    assert ended(later, failed.task_id)[0].error == "this one cannot be made"


def test_no_id_is_acknowledged_twice(house: House) -> None:
    _, _, first = occupied(house)
    again = house.kill().open(start=False)  # its ids are counted from 1 once more
    assert first == "id-1"
    assert again.submit(order()).task_id == "id-2"
    assert again.table.position(first) == 1


def test_no_song_of_an_earlier_process_is_written_over(house: House) -> None:
    scheduler = house.open()
    [made] = ended(scheduler, scheduler.submit(order("first", 1)).task_id)
    after = house.kill()
    ids = iter(["fresh", "id-2", "id-3"])  # the first song is "id-2"
    again = after.open(new_id=lambda: next(ids))
    [second] = ended(again, again.submit(order("second", 2)).task_id)
    names = {song.name for task in (made, second) for song in task.songs}
    assert {path.name for path in (after.folder / "songs").iterdir()} == names
    assert len(names) == 2


@pytest.mark.parametrize(
    "content",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole.replace(b'"format": 1', b'"format": 2'),
        lambda whole: whole.replace(b'"id-1"', b'"id-9"'),
        lambda whole: whole.replace(b'"created_ms": ', b'"created_ms": true, "x": '),
        lambda whole: whole.replace(b'"running"', b'"dancing"'),
        lambda whole: b"[" * 100_000,
        lambda whole: b"\xff\xfe",
        lambda whole: b"[]",
    ],
    ids=["empty", "half", "another format", "another task", "another type", "no state", "deep", "bytes", "a list"],
)
def test_a_record_that_cannot_be_read_harms_nobody_and_goes(house: House, content: Callable[[bytes], bytes]) -> None:
    scheduler, _, first = occupied(house)
    second = scheduler.submit(order("second")).task_id
    after = house.kill()
    record = after.folder / "tasks" / f"task-{first}.json"
    record.write_bytes(content(record.read_bytes()))
    (record.parent / f".{record.name}.x.part").write_bytes(b"{")
    later = after.open()
    assert ended(later, second)[0].state is State.SUCCEEDED
    assert later.table.get(first) is None
    assert [path.name for path in after.records()] == [f"task-{second}.json"]


def test_a_task_that_ends_the_process_three_times_is_given_up(house: House) -> None:
    _, _, task_id = occupied(house)
    for _ in range(2):
        house = house.kill()
        engine = held()
        house.open(engine)
        assert engine.begun.acquire(timeout=SOON)
    [task] = ended(house.kill().open(), task_id)
    assert (task.state, task.starts) == (State.FAILED, 3)
    assert task.error == "the server ended 3 times while it made this task; it is not tried again"


def test_a_stop_is_no_death_and_counts_no_start(house: House) -> None:
    scheduler, engine, task_id = occupied(house)
    running = scheduler.table.get(task_id)
    assert running is not None
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    assert running.stop.wait(SOON)
    engine.let_go()
    stopping.join(SOON)
    scheduler.stop()
    assert state(scheduler, task_id) is State.QUEUED
    [task] = ended(house.kill().open(), task_id)
    assert (task.state, task.starts) == (State.SUCCEEDED, 1)


def test_another_engine_does_not_make_what_was_asked_of_this_one(house: House) -> None:
    scheduler, _, first = occupied(house)
    named = scheduler.submit(order("named", request={"model": "step-2"})).task_id
    after = house.kill()
    [without] = ended(after.kill().open(StepEngine(models=("step-1",))), named)
    [other] = ended(after.open(StepEngine(name="band")), first)
    for task in (without, other):
        assert task.error == "the server was started again with another engine; send the task again"


def test_uploads_wait_with_their_task_and_what_nobody_needs_goes(house: House) -> None:
    scheduler, _, _ = occupied(house)
    uploads = [scheduler.folder.new_upload(".audio") for _ in range(2)]
    for path in (
        *uploads,
        scheduler.folder.new_path(".wav"),
        scheduler.folder.new_path(".wav").with_name(".song-9.part"),
    ):
        path.write_bytes(b"no sound")
    waiting = scheduler.submit(order("waiting", source=uploads[0].name)).task_id
    after = house.kill()
    later = after.open(start=False)
    later.submit(order())
    songs = after.folder / "songs"
    assert {path.name for path in songs.iterdir()} == {uploads[0].name}
    later.start()
    assert ended(later, waiting)[0].state is State.FAILED
    assert uploads[0].name not in {path.name for path in songs.iterdir()}


def test_a_task_that_the_disk_does_not_take_is_refused_and_not_there(house: House) -> None:
    scheduler = house.open()
    shutil.rmtree(house.folder / "tasks")
    with pytest.raises(Unavailable, match="cannot write the task"):
        scheduler.submit(order())
    assert scheduler.stats()["jobs"] == dict.fromkeys(
        ("total", "queued", "running", "succeeded", "failed", "cancelled"), 0
    )


def test_a_move_that_the_disk_does_not_take_costs_no_song(house: House) -> None:
    scheduler, engine, task_id = occupied(house)
    shutil.rmtree(house.folder / "tasks")
    engine.let_go()
    assert ended(scheduler, task_id)[0].state is State.SUCCEEDED


def test_no_more_records_than_tasks_are_kept(house: House) -> None:
    keeping = Keeping(tasks=2, records=house.folder / "tasks")
    scheduler = house.open(keeping=keeping)
    for _ in range(4):
        ended(scheduler, scheduler.submit(order()).task_id)
    last = scheduler.submit(order()).task_id
    ended(scheduler, last)
    assert len(house.records()) == 3
    assert len(list((house.folder / "songs").iterdir())) == 3


def test_an_order_comes_back_from_its_record_as_it_went(tmp_path: Path) -> None:
    request = GenerationRequest(
        "\ud800 é", "la\n", 12.5, (1, 4_294_967_295), bpm=90, editing=Editing(repainting_end=3.0)
    )
    given = Task("t", Order(request, "flac", ("a", "b"), "upload-1.audio", caller="c"), 5, 6, "step")
    records = TaskRecords(tmp_path)
    records.write(given)
    [found] = records.read_all()
    assert (found.order, found.number, found.state) == (given.order, 6, State.QUEUED)
    records.remove("t")
    assert records.read_all() == []


def test_what_has_no_plain_form_is_refused_both_ways(tmp_path: Path) -> None:
    import numpy as np

    with pytest.raises(TypeError, match="ndarray"):
        plain(Editing(source=Clip(np.zeros((2, 4), np.float32))))
    for wrong in ({}, {"caption": 1}, {"surprise": 1}, [], None):
        with pytest.raises(ValueError, match=r"expected|lacks|has no"):
            rebuilt(GenerationRequest, wrong)
    with pytest.raises(ValueError, match="a task id"):
        TaskRecords(tmp_path).remove("../x")
