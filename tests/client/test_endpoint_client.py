"""Do both clients keep the rules: nothing queued twice, looks repeated, errors that say what to do next?"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from acestep_serverless.client import (
    Job,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    Patience,
    RefusedByEndpoint,
    StillRunning,
    SubmissionUnknown,
)
from acestep_serverless.client.answers import Body
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.errors import (
    AccessDenied,
    AcestepServerlessError,
    InputError,
    NotFound,
    PeerError,
    PeerUnreachable,
    TooLarge,
    TooManyRequests,
)
from scripted_endpoint import JOB_ID, Answer, Awaited, Blocking, ScriptedEndpoint, completed, song

QUEUED = {"id": JOB_ID, "status": "IN_QUEUE"}
RUNNING = {"id": JOB_ID, "status": "IN_PROGRESS", "output": {"progress": 0.25, "stage": "diffusing"}}
FASTER = {"id": JOB_ID, "status": "IN_PROGRESS", "output": {"progress": 0.5, "stage": "diffusing"}}
QUICK = Patience(first=0.001, asked=0.5)

Make = Callable[..., Any]


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    served = ScriptedEndpoint()
    yield served
    served.close()


@pytest.fixture(params=[Blocking, Awaited])
def client(request: pytest.FixtureRequest, endpoint: ScriptedEndpoint) -> Iterator[Any]:
    made = request.param(endpoint.url, key="my-key", interval=0.1, patience=QUICK)
    yield made
    made.close()


def test_generate_queues_the_guides_payload_and_gives_its_songs(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("POST run", QUEUED)
    endpoint.says(f"GET status/{JOB_ID}", QUEUED)
    endpoint.says(f"GET status-sync/{JOB_ID}", RUNNING, RUNNING, FASTER, completed(song(), warnings=["short lyrics"]))
    seen: list[Job] = []
    made = client.generate({"caption": "slow strings", "duration": 3}, seed=7, told=seen.append)
    (only,) = made.songs
    assert (only.seed, only.seconds, only.engine, only.index) == (7, 3.0, "sketch", 0)
    assert made.warnings == ("short lyrics",)
    assert made.output["status"] == "completed"
    assert [job.seen for job in seen] == [
        ("IN_QUEUE", None, ""),
        ("IN_QUEUE", None, ""),
        ("IN_PROGRESS", 0.25, "diffusing"),
        ("IN_PROGRESS", 0.5, "diffusing"),
        ("COMPLETED", None, ""),
    ]
    assert endpoint.asked[0].json == {"input": {"caption": "slow strings", "duration": 3, "seed": 7}}
    assert {asked.headers["authorization"] for asked in endpoint.asked} == {"Bearer my-key"}


def test_a_whole_job_body_is_sent_with_what_stands_beside_the_input(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("POST run", QUEUED)
    body = {"input": {"caption": "x"}, "policy": {"ttl": 60_000}}
    assert client.submit(body, webhook="https://example.org/songs").id == JOB_ID
    assert endpoint.asked[0].json == {**body, "webhook": "https://example.org/songs"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (({"caption": ""},), "caption: must be a non-blank string"),
        (({"caption": "x", "durration": 3},), 'durration: is not a known field (the nearest is "duration")'),
        (({"input": {"caption": "x"}, "polcy": {}},), "polcy: is unknown"),
        (({"caption": "x", "lm_top_p": float("nan")},), "input: must be something that JSON can hold"),
    ],
)
def test_what_the_handler_would_refuse_is_never_sent(
    client: Any, endpoint: ScriptedEndpoint, words: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        client.submit(*words)
    assert said in str(caught.value)
    assert endpoint.asked == []


def test_a_field_given_twice_is_refused(client: Any) -> None:
    with pytest.raises(InputError, match="duration: must be given once"):
        client.submit({"caption": "x", "duration": 3}, duration=4)
    with pytest.raises(InputError, match="webhook: must be given once"):
        client.submit({"input": {"caption": "x"}, "webhook": "https://a.example"}, webhook="https://b.example")


def test_without_the_check_any_input_goes_to_a_foreign_endpoint(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("POST run", QUEUED)
    client.submit({"input": {"prompt": "a cat", "steps": 4}, "extra": 1}, check=False)
    assert endpoint.asked[0].json == {"input": {"prompt": "a cat", "steps": 4}, "extra": 1}


@pytest.mark.parametrize(
    "lost",
    [
        Answer(hang_up=0),
        Answer({"id": JOB_ID, "status": "IN_QUEUE"}, hang_up=60),
        Answer(b"<html>Bad Gateway</html>", 502),
        Answer({"error": "the database does not answer"}, 503, {"Retry-After": "0"}),
        Answer(b"not JSON"),
        Answer({"status": "IN_QUEUE"}),
    ],
    ids=["no answer", "half an answer", "502", "503", "no JSON", "no id"],
)
def test_a_submission_without_a_readable_answer_is_never_sent_again(
    client: Any, endpoint: ScriptedEndpoint, lost: Answer
) -> None:
    endpoint.says("POST run", lost, QUEUED)
    with pytest.raises(SubmissionUnknown) as caught:
        client.submit(caption="x")
    assert "may have been queued" in str(caught.value)
    assert f"GET {endpoint.url}/v2/ace-step/requests" in str(caught.value)
    assert endpoint.times("POST run") == 1


def test_a_submission_that_was_refused_for_now_is_sent_again(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("POST run", Answer({"error": "later"}, 429, {"Retry-After": "0"}), QUEUED)
    assert client.submit(caption="x").state == "IN_QUEUE"
    assert endpoint.times("POST run") == 2


@pytest.mark.parametrize("kind", [Blocking, Awaited])
def test_a_submission_to_nobody_ends_soon_and_says_that_nobody_answers(kind: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        client = kind(f"http://127.0.0.1:{taken.getsockname()[1]}", patience=Patience(first=0.001, strange=2))
        with pytest.raises(PeerUnreachable, match="does not answer") as caught:
            client.submit(caption="x")
        assert not isinstance(caught.value, SubmissionUnknown)
        client.close()


def test_looks_go_on_through_failures_that_pass(client: Any, endpoint: ScriptedEndpoint) -> None:
    later = Answer({"error": "later"}, 429, {"Retry-After": "0"})
    endpoint.says(f"GET status/{JOB_ID}", Answer(hang_up=0), Answer(b"", 502), later, RUNNING)
    assert client.status(JOB_ID).progress == 0.25
    assert endpoint.times(f"GET status/{JOB_ID}") == 4


def test_an_endpoint_that_keeps_failing_is_given_up(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says(f"GET status/{JOB_ID}", Answer({"error": "out of order"}, 500))
    with pytest.raises(RefusedByEndpoint, match="answered 500: out of order") as caught:
        client.status(JOB_ID)
    assert caught.value.status == 500
    assert endpoint.times(f"GET status/{JOB_ID}") == QUICK.attempts


def test_patience_that_is_asked_for_has_a_bound(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says(f"GET status/{JOB_ID}", Answer({"error": "come back later"}, 429, {"Retry-After": "1"}))
    with pytest.raises(TooManyRequests, match="later") as caught:
        client.status(JOB_ID)
    assert caught.value.retry_after == 1
    assert endpoint.times(f"GET status/{JOB_ID}") == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AccessDenied), (403, AccessDenied), (404, NotFound), (413, TooLarge), (302, RefusedByEndpoint)],
)
def test_each_refusal_has_its_error_and_is_not_repeated(
    client: Any, endpoint: ScriptedEndpoint, status: int, kind: type[AcestepServerlessError]
) -> None:
    endpoint.says(f"GET status/{JOB_ID}", Answer({"error": "because of this"}, status))
    with pytest.raises(kind, match="because of this"):
        client.status(JOB_ID)
    assert len(endpoint.asked) == 1


def test_an_endpoint_that_cannot_hold_answers_back_is_asked_in_intervals(
    client: Any, endpoint: ScriptedEndpoint
) -> None:
    endpoint.says(f"GET status/{JOB_ID}", QUEUED, RUNNING, completed(song()))
    assert [job.state for job in client.follow(JOB_ID)] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert endpoint.times(f"GET status-sync/{JOB_ID}") == 1


def test_a_job_that_is_gone_does_not_unlearn_how_to_wait(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("GET status/gone", QUEUED, Answer({"error": "no longer kept"}, 404))
    with pytest.raises(NotFound, match="no longer kept"):
        client.wait("gone")
    endpoint.says(f"GET status/{JOB_ID}", RUNNING)
    endpoint.says(f"GET status-sync/{JOB_ID}", completed(song()))
    assert client.wait(JOB_ID, timeout=60).songs
    assert endpoint.times(f"GET status-sync/{JOB_ID}") == 1


def test_whoever_has_waited_long_enough_is_told_that_the_job_goes_on(client: Any, endpoint: ScriptedEndpoint) -> None:
    for operation in ("status", "status-sync"):
        endpoint.says(f"GET {operation}/{JOB_ID}", RUNNING)
    with pytest.raises(StillRunning, match=f"job {JOB_ID} has not ended within 0.2 s and goes on") as caught:
        client.wait(JOB_ID, timeout=0.2)
    assert caught.value.job.progress == 0.25
    assert len(endpoint.asked) <= 5  # an interval is 0.1 s: without a pause there are hundreds


@pytest.mark.parametrize(
    ("ended", "kind", "said"),
    [
        ({"status": "FAILED", "error": "caption: must be a non-blank string"}, JobFailed, "non-blank"),
        ({"status": "CANCELLED"}, JobCancelled, "ended CANCELLED"),
        ({"status": "TIMED_OUT"}, JobTimedOut, "no reason"),
        ({"status": "COMPLETED", "output": {"error": "no GPU"}}, JobFailed, "no GPU"),
    ],
)
def test_a_job_without_an_output_ends_in_an_error_of_its_own(
    client: Any, endpoint: ScriptedEndpoint, ended: dict[str, Any], kind: type[PeerError], said: str
) -> None:
    endpoint.says(f"GET status/{JOB_ID}", {"id": JOB_ID, **ended})
    with pytest.raises(kind, match=said) as caught:
        client.wait(JOB_ID)
    assert caught.value.job.id == JOB_ID


def test_cancelling_is_repeated_and_gives_the_state(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says(f"POST cancel/{JOB_ID}", Answer(hang_up=0), {"id": JOB_ID, "status": "CANCELLED"})
    assert client.cancel(Job(JOB_ID, "IN_QUEUE")).state == "CANCELLED"


def test_jobs_and_counts_are_listed(client: Any, endpoint: ScriptedEndpoint) -> None:
    endpoint.says("GET requests", {"requests": [QUEUED, RUNNING], "total": 2})
    endpoint.says("GET health", {"jobs": {"inQueue": 1}, "workers": {}})
    assert [job.state for job in client.jobs(limit=5, state="IN_QUEUE")] == ["IN_QUEUE", "IN_PROGRESS"]
    assert endpoint.asked[0].path == "/v2/ace-step/requests?limit=5&offset=0&status=IN_QUEUE"
    assert client.health()["jobs"] == {"inQueue": 1}
    endpoint.says("GET requests", Answer({"something": "else"}))
    with pytest.raises(PeerError, match="cannot be read"):
        client.jobs()


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a?b", "x" * 201, "é"])
def test_an_id_that_could_lead_elsewhere_is_refused(client: Any, endpoint: ScriptedEndpoint, job_id: str) -> None:
    with pytest.raises(InputError, match="job id"):
        client.status(job_id)
    assert endpoint.asked == []


def test_an_answer_without_end_is_cut_off() -> None:
    body = Body(SYSTEM_CLOCK, limit=10)
    body.begin(200, {})
    body.take(b"123456")
    with pytest.raises(TooLarge, match="limit of 10 bytes"):
        body.take(b"12345")
