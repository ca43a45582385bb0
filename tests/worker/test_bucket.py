"""Do songs reach a bucket whole, once and under a name nobody guesses, and what if the bucket does not take them?"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_server import Recorded, Reply, recording_server
from structlog.testing import capture_logs

from acestep_serverless.contract.bucket import Bucket, parse_s3_config
from acestep_serverless.errors import InputError, SettingsError
from acestep_serverless.outbound.upload import Uploader
from acestep_serverless.worker.bucket import bucket_of, object_name, region_of
from acestep_serverless.worker.bucket_sink import BucketSink, UploadBounds
from acestep_serverless.worker.delivery import FolderSink, InlineSink
from acestep_serverless.worker.places import Places, without_gateway
from acestep_serverless.worker.sink import AudioFile, Stored
from bucket_server import ACCESS_ID, ACCESS_SECRET, Storage, fetched, storage

DATA = bytes(range(256)) * 2_000
QUICK = UploadBounds(attempts=3, seconds=5.0, pause=0.01)


@pytest.fixture(scope="module")
def store() -> Iterator[Storage]:
    with storage() as found:
        found.client().create_bucket(Bucket="songs")
        yield found


def song(folder: Path) -> AudioFile:
    path = folder / "0"
    path.write_bytes(DATA)
    return AudioFile(path, ".mp3", "audio/mpeg", len(DATA), hashlib.sha256(DATA).hexdigest())


def bucket_at(url: str, name: str = "songs") -> Bucket:
    return Bucket(url, name, ACCESS_ID, ACCESS_SECRET)


def sink_at(url: str, folder: Path, bounds: UploadBounds = QUICK, *, private: bool = True) -> BucketSink:
    return BucketSink(bucket_at(url), FolderSink(folder / "else"), Uploader(allow_private=private), "s3Config", bounds)


async def test_a_song_in_a_bucket_can_be_fetched_with_its_link_alone(store: Storage, tmp_path: Path) -> None:
    stored = await sink_at(store.url, tmp_path).store("job-1", 0, song(tmp_path))
    assert stored.url is not None
    answer = await asyncio.to_thread(fetched, stored.url)
    assert answer.content == DATA
    assert answer.headers["content-type"] == "audio/mpeg"
    assert re.fullmatch(r"/v1/audio\?filename=0-[0-9a-f]{32}\.mp3", stored.file)
    assert "X-Amz-Expires=604800" in stored.url
    assert stored.kept
    assert not stored.warning
    assert not (tmp_path / "else").exists()


async def test_a_retake_of_a_job_has_the_same_object_and_no_other_job_or_key_has_it(
    store: Storage, tmp_path: Path
) -> None:
    sink, before = sink_at(store.url, tmp_path), set(store.names())
    for _ in range(2):
        await sink.store("job-2", 1, song(tmp_path))
    (name,) = set(store.names()) - before
    assert name == object_name(bucket_at(store.url), "job-2", 1, ".mp3")
    other_key = Bucket(store.url, "songs", ACCESS_ID, "another secret")
    others = [
        object_name(bucket_at(store.url), "job-2", 0, ".mp3"),
        object_name(bucket_at(store.url), "job-3", 1, ".mp3"),
        object_name(bucket_at(store.url, "other"), "job-2", 1, ".mp3"),
        object_name(other_key, "job-2", 1, ".mp3"),
    ]
    assert len({part.rpartition("-")[2] for part in [name, *others]}) == 5, "the digits alone differ"


@pytest.mark.parametrize("job_id", ["../../up", "a/b", "é", "x" * 500, "\ud800"])
def test_no_job_id_leads_out_of_its_folder(job_id: str) -> None:
    bucket = Bucket("https://s3.example.com", "songs", ACCESS_ID, ACCESS_SECRET, folder="songs/2026")
    assert re.fullmatch(r"songs/2026/[A-Za-z0-9_-]{1,128}/0-[0-9a-f]{32}\.mp3", object_name(bucket, job_id, 0, ".mp3"))


class Failing:
    """Answers with each of `replies` in turn, then as healthy storage."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, _request: Recorded) -> Reply:
        return self.replies.pop(0) if self.replies else Reply(200)


async def test_an_upload_names_its_type_length_and_checksum_and_is_tried_again(tmp_path: Path) -> None:
    script = Failing(Reply(503), Reply(200, drop=True))
    async with recording_server(script) as server:
        stored = await sink_at(server.url, tmp_path).store("job-1", 0, song(tmp_path))
    assert [request.body for request in server.requests] == [DATA] * 3
    last = server.requests[-1]
    assert (last.method, last.headers["content-type"]) == ("PUT", "audio/mpeg")
    assert last.headers["content-length"] == str(len(DATA))
    assert last.headers["content-md5"] == base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert "content-md5%3Bcontent-type%3Bhost" in last.query, "storage checks both: they are signed"
    assert ACCESS_SECRET not in repr(server.requests)
    assert stored.url is not None
    assert stored.url.startswith(f"{server.url}/songs/job-1/0-")


def refusal(status: int, code: str) -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code><Message>{ACCESS_ID} {ACCESS_SECRET}</Message></Error>")


@pytest.mark.parametrize(
    ("replies", "asked", "reason"),
    [
        ([refusal(403, "InvalidAccessKeyId")], 1, "the storage refused it: HTTP 403 InvalidAccessKeyId"),
        ([refusal(404, "NoSuchBucket")], 1, "the storage refused it: HTTP 404 NoSuchBucket"),
        ([Reply(307)], 1, "the storage refused it: HTTP 307"),
        ([refusal(400, "BadDigest")] * 3, 3, "3 attempts failed, the last one with: HTTP 400 BadDigest"),
        ([Reply(500)] * 3, 3, "3 attempts failed, the last one with: HTTP 500"),
    ],
)
async def test_a_song_that_a_bucket_does_not_take_goes_elsewhere_and_a_warning_says_why(
    replies: list[Reply], asked: int, reason: str, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with recording_server(Failing(*replies)) as server:
            stored = await sink_at(server.url, tmp_path).store("job-1", 0, song(tmp_path))
    assert len(server.requests) == asked
    assert stored.warning == f"song 1 could not be put into the bucket of s3Config: {reason}"
    assert Path(stored.file).read_bytes() == DATA
    seen = repr(logs) + repr(stored)
    assert ACCESS_SECRET not in seen
    assert ACCESS_ID not in seen
    assert logs[-1]["reason"] == reason


async def test_storage_that_never_answers_is_given_up_in_a_bounded_time(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def silence(_request: Recorded) -> Reply:
        await never.wait()
        return Reply(200)

    bounds = UploadBounds(attempts=2, seconds=0.1, bytes_per_second=1 << 40, pause=0.01)
    async with recording_server(silence) as server:
        stored = await sink_at(server.url, tmp_path, bounds).store("job-1", 0, song(tmp_path))
    assert "2 attempts failed, the last one with: no answer within 0.1 s" in stored.warning
    assert len(server.requests) == 2


def test_a_song_has_more_time_the_larger_it_is() -> None:
    assert UploadBounds().of(0) == 30.0
    assert UploadBounds().of(230 << 20) == 950.0


async def test_a_jobs_bucket_at_a_private_address_is_never_called_unless_a_setting_allows_it(tmp_path: Path) -> None:
    async with recording_server(Failing()) as server:
        refused = await sink_at(server.url, tmp_path, private=False).store("job-1", 0, song(tmp_path))
        assert server.requests == []
        given = {"accessId": "a", "accessSecret": "s", "bucketName": "songs", "endpointUrl": server.url}
        place = Places(FolderSink(tmp_path), private_buckets=True).for_job({"id": "j", "s3Config": given})
        allowed = await place.store("job-1", 0, song(tmp_path))
        assert len(server.requests) == 1
    assert "127.0.0.1 is not on the public internet" in refused.warning
    assert allowed.url is not None


async def test_http_is_for_private_storage_only(tmp_path: Path) -> None:
    given = Storage("http://s3.example.com").s3_config()
    with pytest.raises(InputError, match=r"s3Config\.endpointUrl: must be https: only a setting"):
        Places(FolderSink(tmp_path)).for_job({"id": "j", "s3Config": given})


def test_a_job_without_a_bucket_goes_to_the_usual_place() -> None:
    usual = InlineSink()
    for job in ({"id": "j"}, {"id": "j", "s3Config": None}, {"id": "j", "s3Config": {}}):
        assert Places(usual).for_job(job) is usual
    assert without_gateway(None) == usual
    own = without_gateway(bucket_at("http://10.0.0.5:9000"))
    assert isinstance(own, BucketSink)
    place = Places(own).for_job({"id": "j", "s3Config": Storage("https://s3.example.com").s3_config("theirs")})
    assert isinstance(place, BucketSink)
    assert (place.bucket.name, place.otherwise, own.otherwise) == ("theirs", own, usual)


def test_every_wrong_member_of_an_s3_config_is_named_and_no_credential_shown() -> None:
    secret = "sécret"
    given = {"accessId": 7, "accessSecret": secret, "bucketName": "a/b", "endpointUrl": "ftp://x", "region": "eu"}
    with pytest.raises(InputError) as caught:
        parse_s3_config(given | {"objectPath": "../up"})
    text = str(caught.value)
    assert [part.split(":")[0] for part in text.split("; s3Config.")] == [
        "s3Config.accessId",
        "accessSecret",
        "bucketName",
        "endpointUrl",
        "objectPath",
        "region",
    ]
    assert secret not in text
    assert "7" not in text
    for wrong in ("arn:aws:s3:us-east-1:1:accesspoint/x", "", "x", "a b"):
        with pytest.raises(InputError):
            parse_s3_config(Storage("https://s3.example.com").s3_config(wrong))
    for wrong in ("https://user:word@host", "https://host/?a=1", "https://", "https://host:0", "https://ho st"):
        with pytest.raises(InputError):
            parse_s3_config(Storage(wrong).s3_config())


def test_a_bucket_shows_no_credential_by_accident() -> None:
    bucket = parse_s3_config(Storage("https://s3.example.com/").s3_config(objectPath="/songs/"))
    assert (bucket.endpoint_url, bucket.folder) == ("https://s3.example.com", "songs")
    for secret in (ACCESS_ID, ACCESS_SECRET):
        assert secret not in f"{bucket} {bucket!r}"


VARIABLES = {
    "BUCKET_ENDPOINT_URL": "http://10.0.0.5:9000/",
    "BUCKET_ACCESS_KEY_ID": "id",
    "BUCKET_SECRET_ACCESS_KEY": "word",
}


def test_the_sdks_variables_name_a_bucket_as_its_upload_helper_reads_them() -> None:
    noon = 1_795_435_200_000  # 23 November 2026, 12:00 UTC
    assert bucket_of({}, now_ms=noon) is None
    assert bucket_of({"BUCKET_NAME": "x"}, now_ms=noon) is None
    assert bucket_of(VARIABLES, now_ms=noon) == Bucket("http://10.0.0.5:9000", "11-26", "id", "word")
    named = bucket_of(VARIABLES | {"BUCKET_NAME": "songs", "AWS_REGION": "eu-north-1"}, now_ms=noon)
    assert named == Bucket("http://10.0.0.5:9000", "songs", "id", "word", region="eu-north-1")
    wrong = [
        ({"BUCKET_ENDPOINT_URL": "http://x"}, "BUCKET_ACCESS_KEY_ID, BUCKET_SECRET_ACCESS_KEY is not set"),
        (VARIABLES | {"BUCKET_ENDPOINT_URL": "x"}, "BUCKET_ENDPOINT_URL must be"),
        (VARIABLES | {"BUCKET_NAME": "a/b"}, "BUCKET_NAME must be"),
    ]
    for environ, text in wrong:
        with pytest.raises(SettingsError, match=text) as caught:
            bucket_of(environ, now_ms=noon)
        assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("https://songs.s3.us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3.dualstack.us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3-us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("https://s3api-eu-ro-1.runpod.io", "eu-ro-1"),
        ("https://nyc3.digitaloceanspaces.com", "nyc3"),
        ("https://s3.amazonaws.com", "us-east-1"),
        ("https://0123.r2.cloudflarestorage.com", "us-east-1"),
        ("https://s3.example.com", "us-east-1"),
        ("http://10.0.0.5:9000/base", "us-east-1"),
    ],
)
def test_a_region_is_read_from_the_name_of_the_storage(url: str, region: str) -> None:
    assert region_of(bucket_at(url)) == region


async def test_a_worker_without_a_place_says_so_of_each_song(tmp_path: Path) -> None:
    assert await InlineSink().store("j", 0, song(tmp_path)) == Stored("/v1/audio?filename=j-0.mp3", kept=False)
