"""Is docs/api.md the code in words? Its tables are compared with the code's tables, its JSON goes through the code."""

import json

import pytest
from doc_endpoint import KEY, Served
from documents import blocks, missing_keys, read, table

from acestep_serverless.contract import job as wire
from acestep_serverless.contract.batch import (
    ACTIVE_BATCHES,
    NAME_LIMIT,
    QUEUED_JOBS,
    REQUESTS_A_BATCH,
    BatchState,
    BatchView,
)
from acestep_serverless.contract.job import JobState, JobView
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_fields import FIELDS, FieldSpec, allowed
from acestep_serverless.contract.music_output import (
    FILE_TOO_LARGE,
    RESPONSE_TOO_LARGE,
    RUNPOD_OUTPUT_BYTES,
    RUNPOD_SYNC_OUTPUT_BYTES,
    SongResult,
    embedded_audio,
    skipped_audio,
    success_output,
)
from acestep_serverless.contract.worker_protocol import DONE_BODY_LIMIT
from acestep_serverless.errors import (
    AccessDenied,
    Conflict,
    InputError,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
)
from acestep_serverless.gateway import batches, client_plane, listing, openai, streams
from acestep_serverless.gateway.failures import STATUS_CODES
from acestep_serverless.gateway.limits import OPERATIONS, Rate, RateLimits
from acestep_serverless.jobs.states import DEATHS_ALLOWED, LOSSES_ALLOWED, MOVES
from acestep_serverless.settings import Settings

API = "docs/api.md"
MIB = 1024 * 1024


def _row(spec: FieldSpec) -> list[str]:
    default = "-" if spec.default is None else f"`{json.dumps(spec.default)}`"
    required = "yes" if spec.required else "no"
    return [f"`{spec.name}`", spec.type, required, default, allowed(spec), spec.description]


def test_the_table_of_input_fields_is_the_codes() -> None:
    assert table(API, "Field") == [_row(spec) for spec in FIELDS]


def test_the_table_of_moves_is_the_codes() -> None:
    rows = [[f"`{name}`", ", ".join(move.sources), str(move.target), move.meaning] for name, move in MOVES.items()]
    assert table(API, "Move") == rows
    assert DEATHS_ALLOWED == LOSSES_ALLOWED == 3  # "The third death ... or the third lost result"
    assert all(state in read(API) for state in JobState)


def test_the_table_of_codes_holds_every_code_of_the_error_tree() -> None:
    codes = {row[0].strip("`") for row in table(API, "Code")}
    assert {str(code) for code in STATUS_CODES.values()} | {"403", "405", "500"} == codes
    assert set(STATUS_CODES) == {
        *(InputError, AccessDenied, NotFound, Conflict, TooLarge, TooManyRequests, Unavailable),
    }


def test_the_table_of_operations_holds_every_route() -> None:
    documented = {row[0].strip("`").replace("{id}", "{job_id}") for row in table(API, "Operation")}
    routes = {
        f"{method} {route.path_format.removeprefix('/v2/{endpoint_id}')}"
        for room in (client_plane, streams, listing, batches, openai)
        for route in room.ROUTES.routes
        for method in route.methods
        if route.include_in_schema
    }
    assert routes == documented


def test_the_output_example_is_what_the_code_builds() -> None:
    shown = json.loads(blocks(API, "json")[0])
    song = SongResult(**shown["results"][0])
    request = parse_music_input({"caption": song.prompt, "duration": shown["duration"]})
    assert success_output(shown["task_id"], request, [song]) == shown
    listed = read(API)
    assert all(f"`{name}`" in listed or f"`results[].{name}`" in listed for name in shown["results"][0])


def test_the_audio_entries_are_what_the_code_builds() -> None:
    embedded, skipped = (json.loads(text) for text in blocks(API, "json")[1:3])
    song = SongResult(embedded["file"], 9, "", embedded["content_type"])
    assert embedded_audio(0, song, embedded["base64"]) == embedded
    large = SongResult(skipped["file"], skipped["bytes"], "", "audio/mpeg")
    assert skipped_audio(1, large, FILE_TOO_LARGE) == skipped
    assert {row[0].strip("`") for row in table(API, "`reason`")} == {FILE_TOO_LARGE, RESPONSE_TOO_LARGE}


def test_the_failed_job_is_what_the_code_shows() -> None:
    shown = json.loads(blocks(API, "json")[3])
    taken = shown["delayTime"]
    view = JobView(
        shown["id"], JobState.FAILED, 0, taken, taken + shown["executionTime"], shown["workerId"], None, shown["error"]
    )
    assert json.loads(view.as_json(now_ms=10_000)) == shown
    with pytest.raises(InputError) as refused:
        parse_music_input({"caption": "", "duration": 0})
    assert str(refused.value) == shown["error"]


def test_the_job_body_is_accepted_and_its_bounds_are_the_codes() -> None:
    body = json.loads(blocks(API, "json")[4])
    request = wire.parse_job_body(wire.load_client_json(json.dumps(body).encode()))
    assert (request.execution_timeout_ms, request.ttl_ms) == (600_000, 3_600_000)
    parse_music_input(request.input)
    text = {row[0].strip("`"): row[1] for row in table(API, "Member")}
    for name, bounds in wire.POLICY_BOUNDS.items():
        assert text[f"policy.{name}"].startswith(f"{bounds.minimum} to {bounds.maximum} ms")
    with pytest.raises(InputError):
        wire.parse_job_body({**body, "webhookV2": "http://example.org"})


def test_the_limits_are_the_codes() -> None:
    limits = dict(table(API, "What"))
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    assert limits["body of `/run`"] == f"{wire.RUN_BODY_LIMIT // MIB} MiB"
    assert limits["body of `/runsync`"] == f"{wire.RUNSYNC_BODY_LIMIT // MIB} MiB"
    assert limits["nesting of a body"] == f"{wire.JSON_DEPTH_LIMIT} levels"
    assert limits["a worker's result"].startswith(f"{DONE_BODY_LIMIT // MIB} MiB")
    assert limits["one audio file"].startswith(f"{settings['artifact_limit_mb']} MiB")
    assert limits["finished jobs and their files are kept"].startswith(f"{settings['retention_hours']:g} hours")
    assert f"`?wait=` {wire.WAIT_BOUNDS.minimum} to {wire.WAIT_BOUNDS.maximum} ms" in read(API)
    assert f"default {settings['execution_timeout_seconds']:,} s" in read(API)
    assert (RUNPOD_OUTPUT_BYTES, RUNPOD_SYNC_OUTPUT_BYTES) == (10_000_000, 20_000_000)


def test_the_table_of_rate_limits_is_the_codes() -> None:
    rows = [
        [f"`{name}`", ", ".join(f"`/{path}`" for path in operation.paths), f"`{operation.default}`"]
        for name, operation in OPERATIONS.items()
    ]
    assert table(API, "Limited") == rows
    limits = RateLimits({"ace-step": {"purge-queue": Rate(2, 10)}}, iter((0.0, 1.0, 3.0)).__next__)
    for _ in range(2):
        limits.admit("ace-step", "/v2/ace-step/purge-queue", "k")
    with pytest.raises(TooManyRequests) as refused:
        limits.admit("ace-step", "/v2/ace-step/purge-queue", "k")
    assert json.loads(blocks(API, "json")[-1]) == {"error": str(refused.value)}


def test_the_example_of_a_batch_is_what_the_code_shows() -> None:
    shown = json.loads(blocks(API, "json")[5])
    view = BatchView(shown["id"], "ace-step", BatchState.FINALIZED, "evening songs", 1_800_000_000_000, 3, 1, 1)
    assert view.as_dict() == shown
    for number in (NAME_LIMIT, REQUESTS_A_BATCH, ACTIVE_BATCHES, QUEUED_JOBS):
        assert f"{number:,}" in read(API)


def test_health_has_exactly_the_documented_members(served: Served) -> None:
    shown = json.loads(blocks(API, "json")[6])
    headers = {"Authorization": KEY}
    real = served.http.get(f"{served.url}/v2/ace-step/health", headers=headers).json()
    assert missing_keys(shown, real) == missing_keys(real, shown) == []


def test_errors_over_http_are_one_sentence_under_the_documented_codes(served: Served) -> None:
    base, key = f"{served.url}/v2/ace-step", {"Authorization": f"Bearer {KEY}"}
    job = {"input": {"caption": "x"}}
    for code, answer in (
        (401, served.http.post(f"{base}/run", json=job)),
        (401, served.http.get(f"{base}/health", headers={"Authorization": "Bearer wrong"})),
        (404, served.http.get(f"{base}/status/nothing", headers=key)),
        (404, served.http.post(f"{served.url}/v2/elsewhere/run", json=job, headers=key)),
        (404, served.http.get(f"{served.url}/v1/audio?filename=none.mp3", headers=key)),
        (405, served.http.get(f"{base}/run", headers=key)),
        (400, served.http.post(f"{base}/run", content=b"{", headers=key)),
        (400, served.http.post(f"{base}/run", json={**job, "webhook": "example.org"}, headers=key)),
        (400, served.http.post(f"{base}/run", json={**job, "priority": 3}, headers=key)),
        (400, served.http.post(f"{base}/runsync?wait=5", json=job, headers=key)),
    ):
        assert answer.status_code == code, answer.text
        assert list(answer.json()) == ["error"]
        assert KEY not in answer.text
