"""May a late or foreign word change a task? The table of tasks, the waits for them, and the encoder, on their own."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from acestep_parts import SineEngine

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.acestep_api.encoder import store_song
from acestep_serverless.acestep_api.orders import read_order
from acestep_serverless.acestep_api.task import State, StoredSong, Task
from acestep_serverless.acestep_api.tasks import TaskTable
from acestep_serverless.acestep_api.waiting import Waits
from acestep_serverless.audio.clip import Clip
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.engines.base import Song, SongMetas
from acestep_serverless.errors import GenerationCancelled

METAS = SongMetas(120, 1.0, "C major", "4")
STORED = StoredSong("song-a.mp3", 1, "", "audio/mpeg", 1.0, 48_000, 1, "", "", METAS, ())


def table_with_task() -> tuple[TaskTable, list[str]]:
    ended: list[str] = []
    engine = SineEngine()
    table = TaskTable(
        clock=SYSTEM_CLOCK,
        queue_maximum=5,
        sharing=engine.sharing,
        clear_up=lambda _task: None,
        on_final=ended.append,
    )
    table.add(read_order({"batch_size": 1}, engine, lambda: 1), engine=engine.name, new_id=lambda: "t")
    table.open()
    return table, ended


def state(table: TaskTable) -> State:
    task = table.get("t")
    assert task is not None
    return task.state


def test_what_arrives_after_a_cancel_changes_nothing() -> None:
    table, ended = table_with_task()
    assert table.take(0)
    assert table.cancel("t")
    cancelled = table.get("t")
    assert not table.store("t", STORED)
    assert not table.succeed("t")
    assert not table.fail("t", "late")
    assert not table.cancel("t")
    table.report("t", 0.9, "late")
    assert table.get("t") is cancelled
    assert ended == ["t"]


def test_a_queued_task_can_neither_succeed_nor_fail_nor_take_a_song() -> None:
    table, ended = table_with_task()
    assert not table.succeed("t")
    assert not table.fail("t", "early")
    assert not table.store("t", STORED)
    assert state(table) is State.QUEUED
    assert not ended


def test_progress_never_falls_and_is_not_whole_before_the_end() -> None:
    table, _ = table_with_task()
    table.take(0)
    seen = []
    for fraction in (0.4, 0.2, 5.0):
        table.report("t", fraction, "composing")
        task = table.get("t")
        assert task is not None
        seen.append(task.progress)
    assert seen == [0.4, 0.4, 0.99]


def test_words_about_an_unknown_task_do_nothing() -> None:
    table, ended = table_with_task()
    table.report("nobody", 0.5, "composing")
    assert not table.cancel("nobody")
    assert not table.store("nobody", STORED)
    assert (table.get("nobody"), table.position("nobody"), ended) == (None, 0, [])


def test_the_end_of_a_task_is_announced_even_if_a_waiting_event_loop_is_gone() -> None:
    waits = Waits()
    gone = asyncio.new_event_loop()
    left_behind = gone.create_task(waits.until_any(["t"], 60, lambda _: False))
    gone.run_until_complete(asyncio.sleep(0))
    gone.close()

    async def wait_too() -> None:
        waiting = asyncio.create_task(waits.until_any(["t"], 60, lambda _: False))
        await asyncio.sleep(0)
        waits.announce("t")
        await asyncio.wait_for(waiting, 20)

    asyncio.run(wait_too())
    assert not left_behind.done()


def test_a_song_of_a_stopped_task_is_not_encoded(tmp_path: Path) -> None:
    task = Task("t", read_order({"batch_size": 1}, SineEngine(), lambda: 1), 0)
    task.stop.set()
    song = Song(0, 1, Clip(np.zeros((2, 48_000), np.float32)), "", "", METAS)
    with pytest.raises(GenerationCancelled):
        store_song(task, song, AudioFolder(tmp_path, lambda: "a"), SineEngine())
    assert not list(tmp_path.iterdir())


def test_the_same_song_gives_the_same_file_under_another_name(tmp_path: Path) -> None:
    task = Task("t", read_order({"batch_size": 1}, SineEngine(), lambda: 1), 0)
    song = Song(0, 1, Clip(np.zeros((2, 48_000), np.float32)), "two\0 \n words", "", METAS)
    names = iter("ab")
    folder = AudioFolder(tmp_path, lambda: next(names))
    first, second = (store_song(task, song, folder, SineEngine()) for _ in range(2))
    assert (first.name, second.name) == ("song-a.mp3", "song-b.mp3")
    assert first.sha256 == second.sha256
