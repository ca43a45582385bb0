"""What does a caller of the ACE-Step API see of a task, from its release to its end?"""

import asyncio
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from acestep_parts import Running, SineEngine, running

from acestep_serverless.audio.decode import decode
from acestep_serverless.errors import AudioError, EngineError

SOON = 20.0


def held_engine(**fields: Any) -> SineEngine:
    engine = SineEngine(**fields)
    engine.go.clear()
    return engine


async def until_started(engine: SineEngine) -> None:
    assert await asyncio.to_thread(engine.started.wait, SOON)


def items_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    assert isinstance(entry["result"], str)
    return list(json.loads(entry["result"]))


async def cancel(server: Running, task_id: str) -> dict[str, Any]:
    response = await server.http.post("/cancel_task", json={"task_id": task_id})
    return dict(response.json()["data"])


async def test_a_release_is_answered_in_the_envelope_with_its_place_in_the_queue(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine()) as server:
        await server.release()
        await until_started(server.engine)
        response = await server.http.post("/release_task", json={"prompt": "next"})
        second = await server.http.post("/release_task", json={"prompt": "after"})
    body = response.json()
    assert body.keys() == {"data", "code", "error", "timestamp", "extra"}
    assert (body["code"], body["error"], body["extra"]) == (200, None, None)
    assert body["timestamp"] > 1_700_000_000_000
    assert body["data"].keys() == {"task_id", "status", "queue_position"}
    assert (body["data"]["status"], body["data"]["queue_position"]) == ("queued", 1)
    assert second.json()["data"]["queue_position"] == 2


async def test_a_released_task_becomes_a_song_whose_file_can_be_fetched(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        task_id = await server.release(lyrics="la la", bpm=90, key_scale="a minor", seed=7, use_random_seed=False)
        [entry] = await server.query(task_id)
        [item] = items_of(entry)
        audio = await server.http.get(item["file"])
    assert (entry["task_id"], entry["status"], entry["progress_text"]) == (task_id, 1, "succeeded")
    assert (item["status"], item["progress"], item["stage"], item["error"]) == (1, 1.0, "succeeded", None)
    assert item["url"] == item["file"]
    assert item["file"].startswith("/v1/audio?path=")
    assert (item["prompt"], item["lyrics"]) == ("a tone", "la la")
    assert item["metas"] == {
        "bpm": 90,
        "duration": 0.25,
        "genres": "N/A",
        "keyscale": "A minor",
        "timesignature": "4",
        "prompt": "a tone",
        "lyrics": "la la",
    }
    assert (item["seed_value"], item["seed"]) == ("7", 7)
    assert (item["dit_model"], item["lm_model"], item["engine"]) == ("sine-1", "", "sine")
    assert (item["seconds"], item["sample_rate"], item["warnings"]) == (0.25, 48_000, [])
    assert audio.headers["content-type"] == item["media_type"] == "audio/mpeg"
    assert len(audio.content) == item["bytes"]
    assert hashlib.sha256(audio.content).hexdigest() == item["sha256"]
    (tmp_path / "copy.mp3").write_bytes(audio.content)
    assert abs(decode(tmp_path / "copy.mp3").seconds - 0.25) < 0.05


async def test_two_songs_are_made_when_no_number_is_given_and_open_seeds_are_drawn(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        response = await server.http.post("/release_task", json={"prompt": "x", "seed": 9, "use_random_seed": False})
        [entry] = await server.query(response.json()["data"]["task_id"])
    items = items_of(entry)
    assert [item["seed"] for item in items] == [9, 1000]
    assert {item["seed_value"] for item in items} == {"9,1000"}
    assert len({item["file"] for item in items}) == 2


async def test_running_queued_and_unknown_tasks_are_told_apart_and_keep_their_places(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine()) as server:
        first, second = await server.release(), await server.release()
        await until_started(server.engine)
        entries = await server.query("nobody", second, first, wait=0)
    assert [entry["task_id"] for entry in entries] == ["nobody", second, first]
    assert [entry["status"] for entry in entries] == [2, 0, 0]
    [unknown], [queued], [active] = map(items_of, entries)
    assert "no such task" in unknown["error"]
    assert (queued["stage"], queued["queue_position"], queued["file"]) == ("queued", 1, "")
    assert (active["stage"], active["queue_position"], active["status"]) == ("composing", 0, 0)
    assert [entry["progress_text"] for entry in entries] == ["", "queued", "composing"]


async def test_a_wait_ends_with_the_time_while_nothing_is_final(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine()) as server:
        task_id = await server.release()
        [entry] = await asyncio.wait_for(server.query(task_id, wait=0.05), SOON)
    assert entry["status"] == 0


async def test_a_wait_ends_with_the_first_of_several_tasks(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine()) as server:
        first, second = await server.release(), await server.release()
        query = asyncio.create_task(server.query(first, second, wait=60))
        await until_started(server.engine)
        await cancel(server, second)
        entries = await asyncio.wait_for(query, SOON)
    assert [entry["status"] for entry in entries] == [0, 2]


@pytest.mark.parametrize("wait", [-1, 61, "long", [], True])
async def test_a_wait_out_of_range_is_refused(tmp_path: Path, wait: object) -> None:
    async with running(tmp_path) as server:
        response = await server.http.post("/query_result", json={"task_id_list": ["x"], "wait": wait})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("wait: must be a number from 0 to 60")


@pytest.mark.parametrize("given", [None, 5, "no json", "5", '{"a": 1}', {}])
async def test_a_list_of_ids_that_is_none_has_no_entries(tmp_path: Path, given: object) -> None:
    async with running(tmp_path) as server:
        response = await server.http.post("/query_result", json={"task_id_list": given})
    assert (response.status_code, response.json()["data"]) == (200, [])


async def test_the_ids_may_come_as_a_text_in_a_form(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        task_id = await server.release()
        form = {"task_id_list": json.dumps([task_id]), "wait": "20"}
        response = await server.http.post("/query_result", data=form)
    assert response.json()["data"][0]["status"] == 1


async def test_cancelling_a_running_task_stops_the_engine_and_leaves_no_file(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine(held_from=1)) as server:
        task_id = await server.release(batch_size=2)
        await until_file(server.folder)
        answer = await cancel(server, task_id)
        assert await asyncio.to_thread(server.engine.ended.wait, 0.5)
        [entry] = await server.query(task_id)
        server.engine.go.set()
        await server.query(await server.release())  # the next task's end comes after the clean-up of this one
        assert len(songs_in(server.folder)) == 1
    assert answer == {"task_id": task_id, "cancelled": True, "status": 2, "stage": "cancelled"}
    [item] = items_of(entry)
    assert (entry["status"], item["stage"], item["file"]) == (2, "cancelled", "")
    assert item["error"] == "the task was cancelled"


async def test_cancelling_a_queued_task_frees_its_place_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine(), queue_maximum=1) as server:
        await server.release()
        await until_started(server.engine)
        waiting = await server.release()
        assert (await server.http.post("/release_task", json={})).status_code == 429
        assert (await cancel(server, waiting))["cancelled"] is True
        assert (await server.http.post("/release_task", json={})).status_code == 200
        assert len(server.engine.requests) == 1


async def test_cancelling_leaves_final_and_unknown_tasks_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        task_id = await server.release()
        await server.query(task_id)
        final, unknown = await cancel(server, task_id), await cancel(server, "nobody")
        [entry] = await server.query(task_id)
        missing = await server.http.post("/cancel_task", json={})
    assert (final["cancelled"], final["status"], final["stage"]) == (False, 1, "succeeded")
    assert (unknown["cancelled"], unknown["status"], unknown["stage"]) == (False, 2, "unknown")
    assert entry["status"] == 1
    assert missing.status_code == 400


async def test_a_full_queue_refuses_and_of_many_at_once_exactly_the_allowed_enter(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine(), queue_maximum=5) as server:
        await server.release()
        await until_started(server.engine)
        answers = await asyncio.gather(*(server.http.post("/release_task", json={}) for _ in range(30)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) == 25
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].json() == {"detail": "Server busy: queue is full", "error": "Server busy: queue is full"}


async def test_an_engine_that_fails_says_why_and_the_next_task_goes_on(tmp_path: Path) -> None:
    engine = SineEngine(failure=EngineError("the band has gone home; ask again tomorrow"))
    async with running(tmp_path, engine=engine) as server:
        [entry] = await server.query(await server.release())
        engine.failure = None
        [after] = await server.query(await server.release())
    [item] = items_of(entry)
    assert (entry["status"], item["stage"]) == (2, "failed")
    assert item["error"] == "the band has gone home; ask again tomorrow"
    assert after["status"] == 1


async def test_a_reason_never_names_the_folder(tmp_path: Path) -> None:
    async with running(tmp_path, engine=SineEngine(failure=AudioError(f"no room for {tmp_path}/song-1.mp3"))) as server:
        [entry] = await server.query(await server.release())
    assert items_of(entry)[0]["error"] == "no room for song-1.mp3"


async def test_an_unexpected_error_shows_neither_traceback_nor_path(tmp_path: Path) -> None:
    engine = SineEngine(failure=RuntimeError(f"cannot read {tmp_path}/weights"))
    async with running(tmp_path, engine=engine) as server:
        [entry] = await server.query(await server.release())
    assert "the sine engine failed unexpectedly (RuntimeError)" in items_of(entry)[0]["error"]
    assert str(tmp_path) not in json.dumps(entry)
    assert "Traceback" not in json.dumps(entry)


async def test_a_song_that_cannot_be_stored_fails_its_task_and_not_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    async with running(folder, engine=held_engine()) as server:
        task_id = await server.release(batch_size=3)
        await until_started(server.engine)
        shutil.rmtree(folder)
        server.engine.go.set()
        [entry] = await server.query(task_id)
        folder.mkdir()
        [after] = await server.query(await server.release())
    assert entry["status"] == 2
    assert str(tmp_path) not in json.dumps(entry)
    assert after["status"] == 1


async def test_a_poller_that_goes_away_cancels_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine()) as server:
        task_id = await server.release()
        await until_started(server.engine)
        poller = asyncio.create_task(server.query(task_id, wait=60))
        await asyncio.sleep(0)
        poller.cancel()
        server.engine.go.set()
        [entry] = await server.query(task_id)
    assert entry["status"] == 1


async def test_a_song_is_encoded_while_the_next_one_is_made(tmp_path: Path) -> None:
    async with running(tmp_path, engine=held_engine(held_from=1)) as server:
        task_id = await server.release(batch_size=2)
        await until_file(server.folder)
        [entry] = await server.query(task_id, wait=0)
    assert entry["status"] == 0


async def test_unused_parameters_are_named_in_the_warnings_before_what_the_engine_says(tmp_path: Path) -> None:
    engine = SineEngine(warnings=("lyrics: the sine engine reads none",))
    async with running(tmp_path, engine=engine) as server:
        task_id = await server.release(inference_steps=20, shift=3.0, lyrics="la", seed=4)
        [entry] = await server.query(task_id)
    assert items_of(entry)[0]["seed"] == 1000
    assert items_of(entry)[0]["warnings"] == [
        "seed was not used: it takes effect only with use_random_seed=false",
        "inference_steps has no effect: the sine engine does not use it",
        "lyrics: the sine engine reads none",
    ]


async def test_the_file_format_is_the_one_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        [entry] = await server.query(await server.release(audio_format="WAV"))
        [item] = items_of(entry)
        audio = await server.http.get(item["file"])
    assert (item["media_type"], audio.headers["content-type"]) == ("audio/wav", "audio/wav")
    assert audio.content[:4] == b"RIFF"


def songs_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("song-")]


async def until_file(folder: Path) -> None:
    """Wait for the first song's file; there is no signal for half a batch, so look every 10 ms."""
    for _ in range(2000):
        if songs_in(folder):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no file appeared")
