"""The whole road with the real sketch engine: the guide's requests, to the letter, over real HTTP."""

import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from house import House, wait_until

from acestep_serverless.audio.decode import decode

GUIDE = {
    "caption": "Upbeat electronic instrumental with bright synths",
    "lyrics": "",
    "duration": 30,
    "batch_size": 1,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("road")
    house = House(folder / "data", "--engine", "sketch", api_keys="own-key,other:other-key")
    house.http.headers["Authorization"] = "Bearer own-key"
    yield house
    house.close()


def runsync(house: House, **wish: object) -> dict:
    return house.post("runsync", {"input": wish})


def test_the_guides_first_request_gives_the_guides_answer_and_the_song(house: House, tmp_path: Path):
    job = runsync(house, **GUIDE)
    assert job["status"] == "COMPLETED"
    assert job["id"].startswith("sync-")
    assert job["id"].endswith("-u1")
    output = job["output"]
    assert list(output)[:5] == ["task_id", "status", "duration", "batch_size", "results"]
    assert (output["status"], output["duration"], output["batch_size"]) == ("completed", 30, 1)
    (song,) = output["results"]
    assert song["file"].startswith("/v1/audio?filename=")
    assert song["file"].endswith(".mp3")
    assert song["engine"] == "sketch"
    assert song["metas"]["bpm"] > 0
    audio = house.http.get(song["file"])
    assert audio.headers["content-type"] == "audio/mpeg"
    assert hashlib.sha256(audio.content).hexdigest() == song["sha256"]
    path = tmp_path / "song.mp3"
    path.write_bytes(audio.content)
    assert abs(decode(path).seconds - 30) < 0.05


def test_a_file_is_served_in_ranges_and_to_its_own_endpoints_key_only(house: House):
    file = runsync(house, caption="short drums", duration=2)["output"]["results"][0]["file"]
    whole = house.http.get(file).content
    part = house.http.get(file, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    with httpx.Client(base_url=house.url, trust_env=False) as stranger:
        assert stranger.get(file).status_code == 401
        assert stranger.get(file, headers={"Authorization": "Bearer other-key"}).status_code == 404
        assert stranger.get(file, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert stranger.get(file, headers={"Authorization": "own-key"}).content == whole


def test_the_file_of_an_earlier_job_goes_from_gateway_to_worker_and_into_the_acestep_api(house: House):
    """The sketch engine works on no audio, so it is the ACE-Step API that refuses the one, and the worker the other."""
    file = runsync(house, caption="short drums", duration=2)["output"]["results"][0]["file"]
    there = runsync(house, caption="strings", task_type="cover", src_audio=file)
    assert there["status"] == "FAILED"
    assert "src_audio: must be empty: the sketch engine takes no source audio" in there["error"]
    gone = runsync(house, caption="strings", task_type="cover", src_audio=f"/v1/audio?filename={'0' * 40}.mp3")
    assert gone["error"].startswith("src_audio: could not be fetched: there is no such file of this endpoint")


def test_base64_comes_with_the_song_and_an_item_that_is_too_large_says_so(house: House):
    output = runsync(house, caption="bells", duration=3, batch_size=2, seed=5, return_audio_base64=True)["output"]
    assert [entry["index"] for entry in output["audio"]] == [0, 1]
    for entry, song in zip(output["audio"], output["results"], strict=True):
        assert entry["content_type"] == "audio/mpeg"
        assert entry["file"] == song["file"]
        assert hashlib.sha256(base64.b64decode(entry["base64"])).hexdigest() == song["sha256"]
    limited = runsync(house, caption="bells", duration=3, return_audio_base64=True, max_base64_bytes=1000)["output"]
    (entry,) = limited["audio"]
    assert entry == {
        "index": 0,
        "file": limited["results"][0]["file"],
        "skipped": True,
        "reason": "file_too_large",
        "bytes": limited["results"][0]["bytes"],
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_song(house: House):
    def checksum(seed: int) -> str:
        return runsync(house, caption="funk", duration=3, seed=seed)["output"]["results"][0]["sha256"]

    assert checksum(7) == checksum(7) != checksum(8)


def test_wrong_input_fails_the_job_with_every_field_named(house: House):
    job = runsync(house, caption=" ", duration=601, btach_size=1)
    assert job["status"] == "FAILED"
    for word in ("caption", "duration", "601", "btach_size", "batch_size"):
        assert word in job["error"]


def test_a_run_shows_its_progress_and_ends_with_its_output(house: House):
    job_id = house.run(caption="long strings", duration=240, seed=1, poll_interval=1)
    seen = []

    def ended() -> bool:
        view = house.status(job_id)
        if view["status"] == "IN_PROGRESS" and view.get("output"):
            seen.append(view["output"])
        return view["status"] == "COMPLETED"

    wait_until(ended, 180)
    assert seen
    assert all(0 <= report["progress"] <= 1 and report["stage"] for report in seen)
    view = house.status(job_id)
    assert view["delayTime"] >= 0
    assert view["executionTime"] > 0
    assert view["workerId"]


def test_a_cancelled_job_stops_the_engine_at_once(house: House):
    """Seen in the worker's processor time, of which these songs would take a minute: it soon takes none any more."""
    (worker,) = house.children("worker")

    def used() -> float:
        return psutil.Process(worker.pid).cpu_times().user

    for pause in (0.0, 0.5, 1.0):
        job_id = house.run(caption="long strings", duration=600, batch_size=8, seed=1)
        house.wait(job_id, "IN_PROGRESS")
        time.sleep(pause)
        cancelled_at = used()
        assert house.post(f"cancel/{job_id}") == {"id": job_id, "status": "CANCELLED"}
        for _ in range(60):
            before = used()
            time.sleep(0.5)
            if used() - before < 0.15:
                break
        assert used() - cancelled_at < 2.0, f"the worker still works when it is cancelled {pause} s after its start"


def test_a_timeout_ends_the_job_with_its_limit_in_the_message(house: House):
    job = runsync(house, caption="long strings", duration=600, batch_size=8, timeout_seconds=1)
    assert job["status"] == "FAILED"
    assert "timeout_seconds" in job["error"]
    assert "1" in job["error"]


def test_runsync_with_a_wait_answers_with_the_state_and_without_one_waits_for_the_end(house: House):
    body = {"input": {"caption": "strings", "duration": 600, "batch_size": 4}}
    began = time.monotonic()
    early = house.post("runsync?wait=1000", body)
    assert 0.9 < time.monotonic() - began < 3
    assert set(early) == {"id", "status"}
    assert early["status"] in ("IN_QUEUE", "IN_PROGRESS")
    assert house.post(f"cancel/{early['id']}")["status"] == "CANCELLED"
    wrong = house.http.post("/v2/ace-step/runsync?wait=1", json=body)
    assert (wrong.status_code, "wait" in wrong.json()["error"]) == (400, True)


def test_no_key_and_no_token_is_ever_in_a_log(house: House):
    text = house.log.read_text()
    assert "own-key" not in text
    assert house.worker_key not in text
    assert "token=" not in text.replace("token=...", "")


def test_a_job_sent_before_the_worker_is_up_simply_waits(tmp_path: Path):
    house = House(tmp_path / "data", "--engine", "sketch")
    try:
        assert house.health()["workers"]["idle"] == 0
        assert runsync(house, caption="early bird", duration=2)["status"] == "COMPLETED"
    finally:
        house.close()
