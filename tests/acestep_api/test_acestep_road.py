"""Does a request become a song? Release, query, audio, cancel and health of the ACE-Step API, in process."""

import json
from pathlib import Path

from acestep_parts import running

from acestep_serverless.audio.codec import decode


async def test_a_released_task_becomes_a_song_whose_file_can_be_fetched(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        task_id = await server.release(lyrics="la la", bpm=90, seed=7, use_random_seed=False)
        [entry] = await server.query(task_id)
        assert (entry["task_id"], entry["status"]) == (task_id, 1)
        [item] = json.loads(str(entry["result"]))
        audio = await server.http.get(item["file"])
    assert audio.status_code == 200
    assert audio.headers["content-type"] == item["media_type"] == "audio/mpeg"
    assert len(audio.content) == item["bytes"]
    (tmp_path / "copy.mp3").write_bytes(audio.content)
    assert abs(decode(tmp_path / "copy.mp3").seconds - item["seconds"]) < 0.05
