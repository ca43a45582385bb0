"""What can an operator measure? Every metric over a real app, its series bounded, its rows read at each scrape."""

import asyncio
import re
from collections.abc import Sequence

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response

from acestep_serverless.contract.job import JobState
from acestep_serverless.errors import AccessDenied, Unavailable
from acestep_serverless.gateway import failures, metrics
from acestep_serverless.gateway.journal import RequestJournal, job_journal
from acestep_serverless.gateway.metrics import METRICS, PREFIX, EndpointReading, Metrics
from acestep_serverless.gateway.probes import metrics_routes
from acestep_serverless.jobs.store import Moved


class House:
    """A small app of real routes, with the metrics, the middleware and /metrics; `rows` is what the database says."""

    def __init__(self) -> None:
        self.rows: list[EndpointReading] | Exception = []
        self.now = 50.0
        self.metrics = Metrics(["ace-step", "drafts"], self.read)
        self.app = FastAPI(openapi_url=None)
        failures.install(self.app)
        self.app.include_router(metrics_routes(self.metrics, self.admit))
        self.app.add_middleware(RequestJournal, metrics=self.metrics, monotonic=lambda: self.now)
        self.app.add_api_route("/v2/{endpoint_id}/status/{job_id}", self.status, methods=["GET", "POST"])
        self.app.add_api_route("/v2/{endpoint_id}/job-take/{worker_id}", self.take)
        self.app.add_api_route("/v2/{endpoint_id}/run", self.broken, methods=["POST"])
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url="http://127.0.0.1"
        )

    async def read(self) -> Sequence[EndpointReading]:
        if isinstance(self.rows, Exception):
            raise self.rows
        return self.rows

    async def admit(self, key: str) -> None:
        if key != "right":
            raise AccessDenied("the key is wrong")

    async def status(self, job_id: str) -> str:
        self.now += 0.03
        if job_id == "away":
            raise Unavailable("the database does not answer")
        return job_id

    async def take(self) -> Response:
        self.now += 25
        return Response(status_code=204)

    async def broken(self, request: Request) -> None:
        raise ZeroDivisionError(await request.body())

    async def page(self) -> str:
        answer = await self.http.get("/metrics", headers={"Authorization": "Bearer right"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        return answer.text

    async def samples(self) -> dict[tuple[str, str], float]:
        """Every sample by its name without the prefix and its labels' values, joined by blanks."""
        return {
            (sample.name.removeprefix(PREFIX), " ".join(sample.labels[name] for name in sorted(sample.labels))): (
                sample.value
            )
            for family in text_string_to_metric_families(await self.page())
            for sample in family.samples
        }


@pytest.fixture
def small() -> House:
    return House()


def moved(state: JobState, worker: str | None = "w1", taken: int | None = 1_500, ended: int | None = None) -> Moved:
    return Moved(
        id="job-1", endpoint_id="ace-step", worker_id=worker, webhook=None, state=state.value, submitted_at=1_000,
        taken_at=taken, finished_at=ended, deliveries=1,
    )  # fmt: skip


async def test_every_metric_of_the_table_is_on_the_page_and_nothing_else_is(small):
    small.rows = [EndpointReading("ace-step", 1, 1, 1, {})]
    await small.http.get("/v2/ace-step/status/j")
    await small.page()
    helps = re.findall(r"^# HELP (\S+) (.+)$", await small.page(), re.MULTILINE)
    said = {name.removeprefix(PREFIX): meaning for name, meaning in helps if not name.endswith("_created")}
    assert said == {name: metric.meaning for name, metric in METRICS.items()}


async def test_requests_are_counted_by_template_method_and_code_and_their_time_is_measured(small):
    for path in ("a", "b", "c"):
        await small.http.get(f"/v2/ace-step/status/{path}")
    await small.http.post("/v2/ace-step/status/a")
    await small.http.delete("/v2/ace-step/status/a")
    got = await small.samples()
    route = "/v2/{endpoint_id}/status/{job_id}"
    assert got["http_requests_total", f"200 GET {route}"] == 3
    assert got["http_requests_total", f"200 POST {route}"] == got["http_requests_total", f"405 DELETE {route}"] == 1
    assert got["http_request_seconds_sum", f"GET {route}"] == pytest.approx(0.09)
    assert got["http_request_seconds_bucket", f"0.025 GET {route}"] == 0
    assert got["http_request_seconds_bucket", f"0.05 GET {route}"] == 3


async def test_held_requests_are_counted_and_are_in_no_histogram(small):
    await small.http.get("/v2/ace-step/job-take/w1?token=secret")
    text = await small.page()
    assert 'http_requests_total{code="204",method="GET",route="/v2/{endpoint_id}/job-take/{worker_id}"} 1.0' in text
    assert not re.search(r"http_request_seconds\w*\{.*job-take", text)
    assert "secret" not in text


async def test_unknown_paths_and_methods_make_no_series_of_their_own(small):
    for number in range(50):
        await small.http.get(f"/{number}/x{number}")
        await small.http.request(f"M{number}", "/v2/ace-step/status/j")
        await small.http.post(f"/v2/endpoint-{number}/status/job-{number}")
    got = await small.samples()
    series = [labels for name, labels in got if name == "http_requests_total"]
    route = "/v2/{endpoint_id}/status/{job_id}"
    assert sorted(series) == sorted(["404 GET other", f"405 other {route}", f"200 POST {route}"])
    assert got["http_requests_total", "404 GET other"] == got["http_requests_total", f"405 other {route}"] == 50
    assert len(small.metrics._requests) <= 3  # nothing else shows how much is kept


async def test_a_failure_is_a_500_and_leaves_one_warning_with_its_route_and_nothing_of_its_body(small):
    structlog.reset_defaults()  # Whoever ran before in this process may have left the lines of level debug out.
    with structlog.testing.capture_logs() as said:
        answer = await small.http.post("/v2/ace-step/run?token=secret", content=b"private words")
        await small.http.get("/v2/ace-step/status/away")
        await small.http.get("/v2/ace-step/status/fine")
    assert answer.status_code == 500
    assert [(line["code"], line["log_level"]) for line in said] == [(500, "warning"), (503, "warning"), (200, "debug")]
    assert said[:2] == [
        {"event": "request", "log_level": "warning", "method": "POST", "route": "/v2/{endpoint_id}/run", "code": 500,
         "ms": 0, "error": "ZeroDivisionError"},
        {"event": "request", "log_level": "warning", "method": "GET", "route": "/v2/{endpoint_id}/status/{job_id}",
         "code": 503, "ms": 30, "job": "away"},
    ]  # fmt: skip
    assert (await small.samples())["http_requests_total", "500 POST /v2/{endpoint_id}/run"] == 1


async def test_at_level_info_answers_that_are_no_failures_are_not_said(small, capsys):
    structlog.reset_defaults()  # Whoever ran before in this process may have sent the lines elsewhere.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("INFO"))
    try:
        await small.http.get("/v2/ace-step/status/fine")
        await small.http.get("/v2/ace-step/status/away")
    finally:
        structlog.reset_defaults()
    lines = [line for line in capsys.readouterr().out.splitlines() if "request" in line]
    assert ["away" in line for line in lines] == [True]


async def test_a_job_id_that_is_none_is_left_out_of_the_log(small, monkeypatch):
    monkeypatch.setattr(small, "status", small.broken)
    small.app.add_api_route("/v2/{endpoint_id}/cancel/{job_id}", small.broken)
    with structlog.testing.capture_logs() as said:
        await small.http.get("/v2/ace-step/cancel/a%0Afake line")
        await small.http.get("/v2/ace-step/cancel/job-7")
    assert [line.get("job") for line in said] == [None, "job-7"]


async def test_jobs_are_counted_by_their_end_and_their_times_by_endpoint(small):
    tell = job_journal(small.metrics)
    with structlog.testing.capture_logs() as said:
        tell(moved(JobState.IN_PROGRESS))
        tell(moved(JobState.IN_QUEUE, taken=None))
        tell(moved(JobState.IN_QUEUE, worker=None, taken=None))
        tell(moved(JobState.COMPLETED, ended=31_500))
        tell(moved(JobState.TIMED_OUT, worker=None, taken=None, ended=9_000))
        tell(moved(JobState.CANCELLED, worker=None, taken=None, ended=9_000))
    got = await small.samples()
    ended = {labels: value for (name, labels), value in got.items() if name == "jobs_ended_total" and "ace" in labels}
    assert ended == {
        f"ace-step {state}": float(state != "FAILED") for state in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
    }
    assert got["jobs_ended_total", "drafts FAILED"] == 0, "known series begin at zero"
    assert got["jobs_given_back_total", "ace-step"] == 1, "a client's retry is none"
    assert (got["job_wait_seconds_count", "ace-step"], got["job_wait_seconds_sum", "ace-step"]) == (1, 0.5)
    assert (got["job_execution_seconds_count", "ace-step"], got["job_execution_seconds_sum", "ace-step"]) == (1, 30)
    assert [(line["event"], line["log_level"]) for line in said] == [
        ("job waits again", "info"), ("job ended", "info"), ("job ended", "info"), ("job ended", "debug"),
    ]  # fmt: skip
    assert said[1] == {
        "event": "job ended", "log_level": "info", "job": "job-1", "endpoint": "ace-step", "outcome": "COMPLETED",
        "waited_ms": 500, "executed_ms": 30_000, "worker": "w1",
    }  # fmt: skip


async def test_an_endpoint_that_is_gone_makes_no_series(small):
    small.metrics.job_taken("gone", 1)
    small.metrics.job_ended("gone", JobState.FAILED, 1)
    small.metrics.job_given_back("gone")
    assert "gone" not in await small.page()


async def test_webhooks_are_counted_by_outcome(small):
    small.metrics.webhook("delivered")
    small.metrics.webhook("given_up")
    got = await small.samples()
    assert [got["webhooks_total", name] for name in metrics.WEBHOOK_OUTCOMES] == [1, 0, 1]


async def test_the_rows_are_read_at_each_scrape_and_none_are_left_from_the_last(small):
    small.rows = [EndpointReading("ace-step", 7, 1_500, 2, {"idle": 3}), EndpointReading("drafts", 1, 1, 1, {})]
    got = await small.samples()
    assert (got["jobs_waiting", "ace-step"], got["oldest_wait_seconds", "ace-step"]) == (7, 1.5)
    assert (got["jobs_running", "ace-step"], got["workers", "ace-step idle"]) == (2, 3)
    assert got["workers", "ace-step running"] == 0
    assert got["database_up", ""] == 1
    small.rows = small.rows[:1]
    assert not [labels for name, labels in await small.samples() if name == "workers" and "drafts" in labels]


async def test_without_a_database_the_counters_are_still_told(small, monkeypatch):
    small.rows = [EndpointReading("ace-step", 7, 1_500, 2, {})]
    await small.page()
    small.rows = Unavailable("the database does not answer")
    got = await small.samples()
    assert got["database_up", ""] == 0
    assert ("jobs_waiting", "ace-step") not in got, "an old number would be taken for the present one"
    assert got["http_requests_total", "200 GET /metrics"] == 1

    async def never() -> Sequence[EndpointReading]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(metrics, "READ_LIMIT", 0.01)
    slow = Metrics(["ace-step"], never)
    assert b"database_up 0.0" in await slow.page()


async def test_only_a_key_that_is_known_reads_them(small):
    for headers in ({}, {"Authorization": "wrong"}, {"Authorization": "Bearer "}):
        answer = await small.http.get("/metrics", headers=headers)
        assert (answer.status_code, "jobs" in answer.text) == (401, False)
    assert (await small.http.get("/metrics", headers={"Authorization": "right"})).status_code == 200


async def test_two_apps_in_one_process_count_for_themselves(small):
    other = House()
    await other.http.get("/v2/ace-step/status/j")
    assert not [labels for name, labels in await small.samples() if "status" in labels]
