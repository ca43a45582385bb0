"""What can an operator measure? One table of metrics, counted where things happen or read from rows at each scrape.

Everything lies in a registry of its own for each app. No label takes a value from a request: routes are templates
such as /v2/{endpoint_id}/status/{job_id}, methods and endpoints are known ones.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from acestep_serverless.contract.job import FINAL_STATES, JobState
from acestep_serverless.gateway.limits import segment
from acestep_serverless.registry.states import WORKER_STATES

LOG = structlog.get_logger(__name__)

PREFIX = "acestep_serverless_"
HTTP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
JOB_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600)
READ_LIMIT = 2.0
"""Seconds that a scrape waits for the rows before it answers without them."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's type, its labels, its meaning, and for a histogram its upper bounds in seconds."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


METRICS: dict[str, Metric] = {
    "database_up": Metric(Gauge, (), "1 when this scrape could read the rows; else 0, without the gauges below"),
    "jobs_waiting": Metric(Gauge, ("endpoint",), "jobs in the queue"),
    "oldest_wait_seconds": Metric(Gauge, ("endpoint",), "age of the first job in the queue; 0 without one"),
    "jobs_running": Metric(Gauge, ("endpoint",), "jobs in progress"),
    "workers": Metric(Gauge, ("endpoint", "state"), "enrolled workers by state, counted as in `/health`"),
    "jobs_ended_total": Metric(Counter, ("endpoint", "outcome"), "jobs that became final, by final state"),
    "jobs_given_back_total": Metric(Counter, ("endpoint",), "jobs that went back to the queue without a result"),
    "job_wait_seconds": Metric(
        Histogram, ("endpoint",), "submission until a worker took the job (`delayTime`)", JOB_SECONDS
    ),
    "job_execution_seconds": Metric(
        Histogram, ("endpoint",), "work on the job until its end (`executionTime`)", JOB_SECONDS
    ),
    "webhooks_total": Metric(Counter, ("outcome",), "posts to webhooks: delivered, failed (tried again), given_up"),
    "http_requests_total": Metric(Counter, ("route", "method", "code"), "answered requests"),
    "http_request_seconds": Metric(
        Histogram,
        ("route", "method"),
        "time to the end of an answer, held requests left out",
        HTTP_SECONDS,
    ),
}
"""Every metric by its name after PREFIX."""

HELD = frozenset({"job-take", "job-take-batch", "job-stop", "runsync", "status-sync", "stream", "openai"})
"""Operations whose requests are held open until there is something to say: their time says nothing of the gateway."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
WEBHOOK_OUTCOMES = ("delivered", "failed", "given_up")


@dataclass(frozen=True, slots=True)
class EndpointReading:
    """What the rows say of one endpoint: jobs waiting and running, how long the first has waited (ms), and its workers
    by state (of WORKER_STATES)."""

    endpoint_id: str
    waiting: int
    oldest_wait_ms: int
    running: int
    workers: Mapping[str, int]


Read = Callable[[], Awaitable[Sequence[EndpointReading]]]


class Metrics:
    """The metrics of one gateway process. `read` gives the rows' part of a scrape; events are told to the others."""

    def __init__(self, endpoint_ids: Sequence[str], read: Read) -> None:
        self._endpoint_ids, self._read = frozenset(endpoint_ids), read
        self._registry = CollectorRegistry()
        self._all: dict[str, Any] = {name: self._made(name, metric) for name, metric in METRICS.items()}
        self._requests: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}
        self._start_at_zero()

    def _made(self, name: str, metric: Metric) -> Counter | Gauge | Histogram:
        named = (PREFIX + name, metric.meaning, metric.labels)
        if metric.kind is Histogram:
            return Histogram(*named, registry=self._registry, buckets=metric.buckets)
        return metric.kind(*named, registry=self._registry)

    def _start_at_zero(self) -> None:
        """Name every known series, so that the first event counts as an increase."""
        for endpoint_id in self._endpoint_ids:
            for state in FINAL_STATES:
                self._all["jobs_ended_total"].labels(endpoint_id, state.value)
            for name in ("jobs_given_back_total", "job_wait_seconds", "job_execution_seconds"):
                self._all[name].labels(endpoint_id)
        for outcome in WEBHOOK_OUTCOMES:
            self._all["webhooks_total"].labels(outcome)

    def job_taken(self, endpoint_id: str, waited_ms: int) -> None:
        """Note that a worker took a job of an endpoint."""
        if endpoint_id in self._endpoint_ids:
            self._all["job_wait_seconds"].labels(endpoint_id).observe(waited_ms / 1000)

    def job_ended(self, endpoint_id: str, outcome: JobState, executed_ms: int | None) -> None:
        """Note that a job became final, after so much execution (None: no worker held it at the end)."""
        if endpoint_id in self._endpoint_ids:
            self._all["jobs_ended_total"].labels(endpoint_id, outcome.value).inc()
            if executed_ms is not None:
                self._all["job_execution_seconds"].labels(endpoint_id).observe(executed_ms / 1000)

    def job_given_back(self, endpoint_id: str) -> None:
        """Note that a job went back to the queue, whatever became of its worker."""
        if endpoint_id in self._endpoint_ids:
            self._all["jobs_given_back_total"].labels(endpoint_id).inc()

    def webhook(self, outcome: str) -> None:
        """Note one post to a webhook: one of WEBHOOK_OUTCOMES."""
        self._all["webhooks_total"].labels(outcome).inc()

    def request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Note an answered request by its route's template, its method and the code of its answer."""
        series = self._requests.get((route, method, code))
        if series is None:
            series = self._new_series(route, method, code)
        series[0].inc()
        if series[1] is not None:
            series[1].observe(seconds)

    def _new_series(self, route: str, method: str, code: int) -> tuple[Counter, Histogram | None]:
        # Looking a series up by its labels takes longer (1 us) than counting in it.
        known = method if method in METHODS else "other"
        timed = None if segment(route) in HELD else self._all["http_request_seconds"].labels(route, known)
        series = (self._all["http_requests_total"].labels(route, known, str(code)), timed)
        if known == method:  # Anybody may think up methods: those are looked up each time.
            self._requests[route, method, code] = series
        return series

    async def page(self) -> bytes:
        """Give everything in Prometheus' text format; without the rows' part when they cannot be read in time."""
        readings: Sequence[EndpointReading] = ()
        up = 1
        try:
            readings = await asyncio.wait_for(self._read(), READ_LIMIT)
        except Exception as error:
            LOG.warning("metrics without the rows' part", reason=type(error).__name__)
            up = 0
        self._all["database_up"].set(up)
        self._set_gauges(readings)
        return generate_latest(self._registry)

    def _set_gauges(self, readings: Sequence[EndpointReading]) -> None:
        """Replace the rows' part. Nothing waits between this and the answer, so scrapes do not mix."""
        for name in ("jobs_waiting", "oldest_wait_seconds", "jobs_running", "workers"):
            self._all[name].clear()
        for reading in readings:
            self._all["jobs_waiting"].labels(reading.endpoint_id).set(reading.waiting)
            self._all["oldest_wait_seconds"].labels(reading.endpoint_id).set(reading.oldest_wait_ms / 1000)
            self._all["jobs_running"].labels(reading.endpoint_id).set(reading.running)
            for state in WORKER_STATES:
                self._all["workers"].labels(reading.endpoint_id, state).set(reading.workers.get(state, 0))
