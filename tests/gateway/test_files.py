"""How audio comes in from workers and goes out to clients."""

import asyncio
import base64
import hashlib
import re
import sqlite3

import pytest
import sqlalchemy as sa
from gateway_house import open_house

from acestep_serverless.artifacts.ranges import ALLOWED
from acestep_serverless.contract.worker_protocol import JobResult

SONG = bytes(range(256)) * 40


def digest_of(content):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def files_in(house):
    return sorted(path for path in (house.settings.data_dir / "artifacts").rglob("*") if path.is_file())


async def filed(house, worker, content=SONG, name="0.mp3"):
    """Submit, take and file a song; gives the job's id and the song's address."""
    job_id = await house.run()
    await worker.take()
    answer = await worker.put(job_id, name, content, Content_Digest=digest_of(content))
    assert answer.status_code == 200, answer.text
    return job_id, answer.json()["file"]


async def test_a_song_comes_back_byte_for_byte_with_its_type(house):
    _, file = await filed(house, await house.hire())
    assert re.fullmatch(r"/v1/audio\?filename=[0-9a-f]{40}\.mp3", file)
    answer = await house.http.get(file)
    assert (answer.status_code, answer.content) == (200, SONG)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == f'"{hashlib.sha256(SONG).hexdigest()}"'


async def test_every_kind_of_audio_file_is_taken_and_comes_back_with_its_type(house):
    worker = await house.hire()
    for suffix, media_type in (
        *(("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("flac", "audio/flac"), ("ogg", "audio/ogg")),
        *(("opus", "audio/ogg"), ("aac", "audio/aac"), ("m4a", "audio/mp4")),
    ):
        _, file = await filed(house, worker, name=f"0.{suffix}")
        answer = await house.http.get(file)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


async def test_head_says_the_length_and_sends_nothing(house):
    _, file = await filed(house, await house.hire())
    answer = await house.http.head(file)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(len(SONG)))


async def test_a_range_is_sent_alone(house):
    _, file = await filed(house, await house.hire())
    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=10200-", 10200, 10240),
        ("bytes=-5", 10235, 10240),
        ("bytes=0-999999", 0, 10240),
    ):
        answer = await house.http.get(file, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, SONG[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(SONG)}"


async def test_several_ranges_come_as_parts_without_what_is_beyond_the_end(house):
    _, file = await filed(house, await house.hire())
    answer = await house.http.get(file, headers={"Range": "bytes=0-1, 4-5,99999-, 5-6"})
    assert answer.status_code == 206
    assert len(answer.content) == int(answer.headers["content-length"])
    boundary = answer.headers["content-type"].partition("multipart/byteranges; boundary=")[2]
    parts = [part.partition(b"\r\n\r\n") for part in answer.content.split(f"--{boundary}".encode())[1:-1]]
    assert [part[2].removesuffix(b"\r\n") for part in parts] == [SONG[0:2], SONG[4:7]]
    assert [re.findall(rb"Content-Range: (.*)", part[0]) for part in parts] == [
        [b"bytes 0-1/10240"],
        [b"bytes 4-6/10240"],
    ]


async def test_a_range_that_is_none_is_refused_by_name_with_what_is_allowed(house):
    _, file = await filed(house, await house.hire())
    for asked in ("bytes=5-1", "bytes=", "bytes=x-y", "0-1", "bytes=-", "bytes=" + "0-1," * 101, "=", ""):
        answer = await house.http.get(file, headers={"Range": asked})
        assert (answer.status_code, answer.json()) == (400, {"error": f"Range: {ALLOWED}, got {asked[:80]}"})


async def test_a_range_outside_of_the_file_is_told_its_length(house):
    worker = await house.hire()
    _, file = await filed(house, worker)
    for asked in ("bytes=10240-", "bytes=-0", "bytes=99999-100000, 10240-", "bytes=" + "9" * 5000 + "-"):
        for place in (file, worker.url("artifacts", f"/{file.partition('=')[2]}")):
            answer = await house.http.get(place, headers={"Range": asked})
            assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */10240")
            sentence = "Range: must begin inside the file, which has 10240 bytes, got bytes="
            assert answer.json()["error"].startswith(sentence)


async def test_what_is_no_question_for_a_part_gives_the_whole_file(house):
    """RFC 9110: an unknown unit (14.2), any other method than GET (14.2), a file that has changed (13.1.5)."""
    _, file = await filed(house, await house.hire())
    whole = await house.http.head(file, headers={"Range": "bytes=0-9"})
    assert (whole.status_code, whole.headers["content-length"]) == (200, "10240")
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    for headers in (
        {"Range": "items=0-1"},
        {"Range": "bytes=0-9", "If-Range": '"another"'},
        {"Range": "bytes=0-9", "If-Range": f"W/{tag}"},
        {"Range": "bytes=0-9", "If-Range": date},
        {"Range": "nonsense", "If-Range": '"another"'},
        {"If-Range": tag},
    ):
        answer = await house.http.get(file, headers=headers)
        assert (answer.status_code, answer.content) == (200, SONG), headers
    same = await house.http.get(file, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert (same.status_code, same.content) == (206, SONG[:10])


async def test_a_song_opens_only_to_keys_of_its_endpoint_and_a_stranger_learns_nothing(tmp_path):
    async with open_house(tmp_path / "data", api_keys="ours,other:theirs") as house:
        worker = await house.hire()
        job_id = (await house.post("run", {"input": 1}, Authorization="ours")).json()["id"]
        await worker.take()
        file = (await worker.put(job_id, "0.mp3", SONG)).json()["file"]
        assert (await house.http.get(file, headers={"Authorization": "ours"})).content == SONG
        foreign = await house.http.get(file, headers={"Authorization": "theirs"})
        missing = await house.http.get("/v1/audio?filename=nothing.mp3", headers={"Authorization": "theirs"})
        assert foreign.status_code == 404
        assert foreign.text == missing.text
        for wrong in ({}, {"Authorization": "wrong"}, {"Authorization": worker.token}):
            assert (await house.http.get(file, headers=wrong)).status_code == 401


NAMES = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "incoming",
    "%00",
    "\x00",
    "a" * 5000,
    "\ud7ff",
    "*",
    "0.mp3",
]


async def test_no_name_leads_out_of_the_folder(house):
    await filed(house, await house.hire())
    for name in (*NAMES, "..%2f..%2facestep-serverless.sqlite3", "../acestep-serverless.sqlite3"):
        answer = await house.http.get("/v1/audio", params={"filename": name})
        code, said = (404, "no such audio file") if name else (400, "filename: must be the name")
        assert (answer.status_code, said in answer.json()["error"]) == (code, True), name


async def test_a_file_name_that_is_none_is_refused_and_leaves_nothing(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for name in (
        *("0.exe", "x.mp3", "-1.mp3", "0.MP3", "0.mp3.mp3", "9999.mp3"),
        *("0", ".mp3", "0.mp3%00", "..%2f0.mp3", "%D9%A1.mp3"),
    ):
        path = f"/v2/ace-step/artifacts/w1/{job_id}/{name}?token={worker.token}"
        answer = await house.http.put(path, content=SONG)
        assert answer.status_code in (400, 404), name
        assert files_in(house) == [], name


async def test_only_the_lease_holder_may_file_a_song(house):
    first, second = await house.hire("w1"), await house.hire("w2")
    job_id = await house.run()
    assert (await first.put(job_id, "0.mp3", SONG)).status_code == 409, "nobody has taken it"
    await first.take()
    assert (await second.put(job_id, "0.mp3", SONG)).status_code == 409
    assert (await first.put("another-job", "0.mp3", SONG)).status_code == 409
    assert (await first.put(job_id, "0.mp3", SONG)).status_code == 200
    await first.done(job_id, '{"output": 1}')
    assert (await first.put(job_id, "0.mp3", b"too late")).status_code == 409
    assert [path.read_bytes() for path in files_in(house)] == [SONG]


async def test_a_lease_lost_during_the_upload_files_nothing(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()

    async def slowly():
        yield SONG
        await house.post(f"cancel/{job_id}")
        yield SONG

    answer = await house.http.put(worker.url("artifacts", f"/{job_id}/0.mp3"), content=slowly())
    assert answer.status_code == 409
    assert files_in(house) == []


async def test_putting_again_changes_nothing_and_a_new_version_keeps_the_name(house):
    worker = await house.hire()
    job_id, file = await filed(house, worker)
    again = await worker.put(job_id, "0.mp3", SONG)
    assert again.json()["file"] == file
    other = await worker.put(job_id, "0.mp3", b"made again")
    assert other.json()["file"] == file
    answer = await house.http.get(file)
    assert answer.content == b"made again"
    assert answer.headers["etag"] == f'"{hashlib.sha256(b"made again").hexdigest()}"'
    assert len(files_in(house)) == 1


async def test_songs_of_one_job_have_names_of_their_own_that_share_nothing(house):
    worker = await house.hire()
    job_id, first = await filed(house, worker)
    second = (await worker.put(job_id, "1.mp3", b"second")).json()["file"]
    assert first != second
    assert first[-44:-36] != second[-44:-36]


async def test_what_lies_beside_a_song_has_its_own_name_and_type_and_goes_with_the_job(house):
    worker = await house.hire()
    job_id, song = await filed(house, worker)
    for suffix, media_type in (("mid", "audio/midi"), ("lrc", "text/plain; charset=utf-8")):
        first = (await worker.put(job_id, f"0.{suffix}", b"beside the first")).json()["file"]
        second = (await worker.put(job_id, f"1.{suffix}", b"beside the second")).json()["file"]
        answer = await house.http.get(first)
        assert (answer.content, answer.headers["content-type"]) == (b"beside the first", media_type)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert first != second
        again = (await worker.put(job_id, f"0.{suffix}", b"written again")).json()["file"]
        assert (again, (await house.http.get(again)).content) == (first, b"written again")
    assert (await house.http.get(song)).content == SONG
    await house.parts.desk.finish("w1", job_id, JobResult("1", None))
    assert await house.parts.shelf.clear([job_id]) == 5
    assert files_in(house) == []


async def test_a_wrong_checksum_is_refused_and_leaves_nothing(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    for header in (digest_of(b"other"), "sha-256=:x:", "md5=:abc:", "", "sha-256=:" + "=" * 44 + ":"):
        answer = await worker.put(job_id, "0.mp3", SONG, Content_Digest=header)
        assert answer.status_code == 400, header
        assert "Content-Digest" in answer.json()["error"]
    assert files_in(house) == []


async def test_a_file_over_the_limit_is_413_and_leaves_nothing(tmp_path):
    async with open_house(tmp_path / "data", artifact_limit_mb=1) as house:
        worker = await house.hire()
        job_id = await house.run()
        await worker.take()
        assert (await worker.put(job_id, "0.mp3", b"x" * (1 << 20))).status_code == 200
        answer = await worker.put(job_id, "1.mp3", b"x" * ((1 << 20) + 1))
        assert answer.status_code == 413
        assert str(1 << 20) in answer.json()["error"]
        assert len(files_in(house)) == 1


async def test_an_upload_that_breaks_off_leaves_nothing_and_is_no_failure_of_ours(house):
    worker = await house.hire()
    job_id = await house.run()
    await worker.take()
    path = f"/v2/ace-step/artifacts/w1/{job_id}/0.mp3"
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": f"token={worker.token}".encode(),
        "headers": [(b"host", b"127.0.0.1")],
        "scheme": "http",
    }
    arriving = [{"type": "http.request", "body": SONG, "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return arriving.pop(0)

    async def send(message):
        sent.append(message)

    await house.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert files_in(house) == []
    assert (await worker.put(job_id, "0.mp3", SONG)).status_code == 200


async def test_what_a_former_process_had_half_received_is_cleared_at_the_start(tmp_path):
    incoming = tmp_path / "data" / "artifacts" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "half").write_bytes(b"x")
    async with open_house(tmp_path / "data") as house:
        assert files_in(house) == []


async def test_a_file_goes_with_its_job(house):
    worker = await house.hire()
    job_id, file = await filed(house, worker)
    await house.parts.desk.finish("w1", job_id, JobResult("1", None))
    assert await house.parts.shelf.clear([job_id]) == 1
    assert (await house.http.get(file)).status_code == 404
    assert (await house.get(f"status/{job_id}")).status_code == 404
    assert files_in(house) == []


async def test_a_song_whose_row_cannot_be_written_leaves_no_file_however_often_it_is_sent(house):
    """The file has its name by then; a disk that is full would be filled by each further attempt."""

    def refuse(_connection):
        raise sa.exc.OperationalError("COMMIT", {}, sqlite3.OperationalError("disk full, on purpose"))

    worker = await house.hire()
    job_id, engine = await house.run(), house.parts.desk._database._engine
    await worker.take()
    sa.event.listen(engine, "commit", refuse)
    try:
        for _ in range(2):
            assert (await worker.put(job_id, "0.mp3", SONG)).status_code >= 500
    finally:
        sa.event.remove(engine, "commit", refuse)
    assert files_in(house) == []
    answer = await worker.put(job_id, "0.mp3", SONG)
    assert (await house.http.get(answer.json()["file"])).content == SONG


@pytest.mark.parametrize("rescue", ["retry/{}", "status/{}?ttl=60000"])
async def test_a_job_that_is_rescued_while_it_is_being_forgotten_stays_with_its_file(house, rescue):
    """The sweeper names a job; then its owner is told that it waits again, or is kept; then the sweeper acts."""
    worker = await house.hire()
    job_id, file = await filed(house, worker)
    await house.parts.desk.finish("w1", job_id, JobResult(None, "it broke"))
    assert (await house.post(rescue.format(job_id))).status_code == 200
    await house.parts.shelf.clear([job_id], over_by=house.clock.now + 30_000)
    assert (await house.get(f"status/{job_id}")).status_code == 200
    assert (await house.http.get(file)).content == SONG


async def test_a_file_taken_away_behind_the_gateways_back_is_404(house):
    _, file = await filed(house, await house.hire())
    files_in(house)[0].unlink()
    for method in ("GET", "HEAD"):
        assert (await house.http.request(method, file)).status_code == 404


async def test_the_retention_sweep_deletes_old_jobs_with_their_files(tmp_path):
    async with open_house(tmp_path / "data", retention_hours=1) as house:
        worker = await house.hire()
        job_id, file = await filed(house, worker)
        await worker.done(job_id, '{"output": 1}')
        house.clock.move(3700)
        for _ in range(600):  # The row goes first, then the file.
            if not files_in(house):
                break
            await asyncio.sleep(0.05)
        assert files_in(house) == []
        assert (await house.http.get(file)).status_code == 404
        assert (await house.get(f"status/{job_id}")).status_code == 404


async def test_a_file_without_a_row_goes_at_the_next_start_and_one_with_a_row_stays(tmp_path):
    """A process that is killed between its two steps leaves such a file, and nobody could ever name it."""
    async with open_house(tmp_path / "data") as house:
        _, file = await filed(house, await house.hire())
    folder = tmp_path / "data" / "artifacts"
    (folder / "e").mkdir(exist_ok=True)
    (folder / "e" / f"e{'0' * 39}.mp3").write_bytes(b"nobody's")
    async with open_house(tmp_path / "data") as house:
        assert len(files_in(house)) == 1
        assert (await house.http.get(file)).content == SONG
