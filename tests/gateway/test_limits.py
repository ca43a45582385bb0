"""How often may a key ask? Windows, keys and endpoints apart; settings that are wrong; 429 over HTTP."""

import httpx
import pytest
from fastapi import FastAPI, Request

from acestep_serverless.errors import SettingsError, TooManyRequests
from acestep_serverless.gateway import failures
from acestep_serverless.gateway.limits import FORGET_FROM, OPERATION_OF, OPERATIONS, Rate, RateLimits, read_rate
from acestep_serverless.settings import Settings


class Seconds:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def of(seconds: Seconds, **settings: object) -> RateLimits:
    return RateLimits.of(Settings.load(**settings), seconds)


def refused(limits: RateLimits, operation: str, key: str = "k", endpoint: str = "ace-step") -> TooManyRequests | None:
    try:
        limits.admit(endpoint, f"/v2/{endpoint}/{operation}", key)
    except TooManyRequests as error:
        return error
    return None


def admitted(limits: RateLimits, operation: str, tries: int, **more: str) -> int:
    return sum(refused(limits, operation, **more) is None for _ in range(tries))


PLATFORM = {
    "run": 1000,
    "runsync": 2000,
    "status/x": 2000,
    "status-sync/x": 2000,
    "health": 2000,
    "stream/x": 2000,
    "openai/v1/chat/completions": 2000,
    "batch/x/requests": 2000,
    "cancel/x": 100,
    "retry/x": 100,
    "purge-queue": 2,
    "requests": 10,
}


@pytest.mark.parametrize("path", PLATFORM)
def test_each_operation_has_the_platforms_limit_in_ten_seconds(seconds, path):
    limits = of(seconds)
    assert admitted(limits, path, PLATFORM[path] + 5) == PLATFORM[path]
    seconds.now += 9.99
    assert admitted(limits, path, 1) == 0
    seconds.now += 0.01
    assert admitted(limits, path, PLATFORM[path] + 5) == PLATFORM[path]


def test_paths_of_one_operation_are_counted_together_and_operations_apart(seconds):
    limits = of(seconds)
    assert admitted(limits, "cancel/x", 60) + admitted(limits, "retry/y", 60) == 100
    assert admitted(limits, "run", 5) == 5


def test_keys_and_endpoints_are_counted_apart(seconds):
    limits = of(seconds, api_keys="a,b,other:a")
    for key, endpoint in (("a", "ace-step"), ("b", "ace-step"), ("a", "other")):
        assert admitted(limits, "purge-queue", 5, key=key, endpoint=endpoint) == 2


def test_the_window_moves_so_no_burst_passes_at_an_edge(seconds):
    limits = of(seconds)
    assert admitted(limits, "requests", 1) == 1
    seconds.now += 9
    assert admitted(limits, "requests", 20) == 9
    seconds.now += 1
    assert admitted(limits, "requests", 20) == 1, "only the first of the ten has left the window"


def test_what_is_refused_names_operation_limit_and_time_and_is_not_counted(seconds):
    limits = of(seconds)
    admitted(limits, "purge-queue", 2)
    seconds.now += 3.5
    error = refused(limits, "purge-queue")
    assert str(error) == "purge-queue is limited to 2 requests in 10 s for each key: come back in 7 s"
    assert error.retry_after == 7
    seconds.now += 6.4
    assert refused(limits, "purge-queue").retry_after == 1, "a tenth of a second is rounded up to a whole one"
    seconds.now += 0.1
    assert admitted(limits, "purge-queue", 5) == 2


def test_settings_change_limits_and_an_endpoint_has_its_own(seconds):
    limits = of(
        seconds,
        rate_limits={"run": "3/minute", "status": "off", "cancel": "1 per 2 seconds"},
        endpoints={"drafts": {"rate_limits": {"run": "5/minute", "cancel": "off"}}},
    )
    assert admitted(limits, "run", 9) == 3
    assert admitted(limits, "run", 9, endpoint="drafts") == 5
    assert admitted(limits, "cancel", 9) == 1
    assert admitted(limits, "cancel", 999, endpoint="drafts") == 999
    assert admitted(limits, "status", 5000) == admitted(limits, "status", 5000, endpoint="drafts") == 5000
    assert admitted(limits, "requests", 99, endpoint="drafts") == 10, "what nobody sets is the platform's"


@pytest.mark.parametrize(
    "text",
    ["", "10", "0/10 seconds", "-1/second", "1000/10 fortnights", "1/second;5/minute", "on", "100001/second",
     "1/2 days", "1/0 parsecs", "9" * 5000 + "/second", "1/" + "9" * 30 + " days", "Off", "1/second x"],
)  # fmt: skip
def test_a_limit_that_cannot_be_read_is_named_with_what_is_allowed(seconds, text):
    for settings, field in (
        ({"rate_limits": {"run": text}}, "rate_limits.run"),
        ({"endpoints": {"a": {"rate_limits": {"run": text}}}}, "endpoints.a.rate_limits.run"),
    ):
        with pytest.raises(SettingsError) as said:
            of(seconds, **settings)
        assert str(said.value).startswith(f"{field}: must be one limit such as '1000/10 seconds'")
        assert len(str(said.value)) < 250


def test_an_operation_that_does_not_exist_is_named_with_those_that_do(seconds):
    with pytest.raises(SettingsError, match=r"^rate_limits: the operations are run, runsync, .*, got 'runs'$"):
        of(seconds, rate_limits={"runs": "1/second"})


def test_the_notation_is_that_of_the_limits_package():
    assert read_rate("f", "1000/10 seconds") == Rate(1000, 10)
    assert read_rate("f", "5 per 2 minutes") == Rate(5, 120)
    assert read_rate("f", "1/day") == Rate(1, 86_400)
    assert read_rate("f", "off") is None


def test_workers_files_and_unknown_paths_are_never_limited(seconds):
    limits = of(seconds, rate_limits=dict.fromkeys(OPERATIONS, "1/day"))
    for path in ("/v2/ace-step/job-done/w/j", "/v2/ace-step/ping/w", "/v1/audio", "/v2/ace-step", "/", "", "/v1/x/run"):
        for _ in range(5):
            limits.admit("ace-step", path, "k")
    for _ in range(5):
        limits.admit("elsewhere", "/v2/elsewhere/run", "k")


def test_windows_of_keys_that_are_used_no_more_are_forgotten(seconds):
    limits = of(seconds)
    for number in range(5 * FORGET_FROM):
        seconds.now += 0.1
        limits.admit("ace-step", "/v2/ace-step/run", f"key-{number}")
    assert len(limits._windows) <= FORGET_FROM + 1  # nothing else shows how much is kept
    assert admitted(limits, "purge-queue", 3, key="one more") == 2


def test_every_path_belongs_to_one_operation():
    assert len(OPERATION_OF) == sum(len(operation.paths) for operation in OPERATIONS.values())


async def test_over_http_it_is_429_with_retry_after_and_one_sentence(seconds):
    app, limits = FastAPI(), of(seconds)
    failures.install(app)

    @app.post("/v2/{endpoint_id}/purge-queue")
    async def purge(request: Request, endpoint_id: str) -> dict[str, int]:
        limits.admit(endpoint_id, request.scope["path"], "k")
        return {"removed": 0}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        codes = [(await http.post("/v2/ace-step/purge-queue")).status_code for _ in range(3)]
        answer = await http.post("/v2/ace-step/purge-queue")
    assert codes == [200, 200, 429]
    assert answer.headers["retry-after"] == "10"
    assert answer.json() == {"error": "purge-queue is limited to 2 requests in 10 s for each key: come back in 10 s"}
