"""Is every end of a job told to its webhook, at least once and at most three times?"""

import asyncio
import base64
import hashlib
import hmac
import json

import pytest
from jobs_house import BROKEN, DONE, ENDPOINT

from acestep_serverless.errors import PeerUnreachable
from acestep_serverless.jobs.outbox import AT_ONE_PLACE, Outbox

URL = "https://example.org/hook?x=1"


class Postman:
    """Notes what is posted and answers with the codes it was given, then 200."""

    def __init__(self, *answers):
        self.answers, self.posts = list(answers), []

    async def __call__(self, url, body, headers):
        self.posts.append((url, json.loads(body), dict(headers), body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer


def outbox_of(office, postman, secret=""):
    return Outbox(office.database, office.clock, postman, secret)


async def finished(office, result=DONE, webhook=URL):
    await office.hire("w1")
    job_id = await office.submit("j", webhook=webhook)
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", job_id, result)
    return job_id


async def test_the_end_is_told_once_with_the_platforms_fields(office):
    job_id, postman = await finished(office), Postman()
    outbox = outbox_of(office, postman)
    assert await outbox.run_once() == 1
    assert await outbox.run_once() == 0
    ((url, notice, headers, _),) = postman.posts
    assert url == URL
    assert set(notice) == {
        *("delayTime", "executionTime", "id", "input", "output", "status", "webhook", "workerId"),
    }
    assert (notice["id"], notice["status"], notice["webhook"]) == (job_id, "COMPLETED", URL)
    assert notice["output"] == json.loads(DONE.output)
    assert headers["Content-Type"] == "application/json"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize("end", ["fail", "cancel", "purge", "expire"])
async def test_every_kind_of_end_is_told(office, end):
    postman = Postman()
    if end == "fail":
        await finished(office, BROKEN)
    else:
        job_id = await office.submit("j", webhook=URL, ttl_ms=10_000)
        if end == "cancel":
            await office.desk.cancel(ENDPOINT, job_id)
        elif end == "purge":
            await office.desk.purge(ENDPOINT)
        else:
            office.now += 11_000
            await office.sweeper.run_once()
    assert await outbox_of(office, postman).run_once() == 1
    expected = {"fail": "FAILED", "cancel": "CANCELLED", "purge": "CANCELLED", "expire": "TIMED_OUT"}[end]
    assert postman.posts[0][1]["status"] == expected


async def test_nothing_is_told_before_the_end_or_without_a_webhook(office):
    postman = Postman()
    await finished(office, webhook=None)
    await office.submit("waiting", webhook=URL)
    await office.submit("running", webhook=URL)
    assert await office.desk.take(ENDPOINT, "w1")
    assert await outbox_of(office, postman).run_once() == 0
    assert postman.posts == []


@pytest.mark.parametrize("answer", [500, 204, 302, PeerUnreachable("no connection")])
async def test_an_answer_that_is_not_200_is_tried_twice_more_ten_seconds_apart_then_given_up(office, answer):
    await finished(office)
    postman = Postman(*[answer] * 5)
    outbox = outbox_of(office, postman)
    for expected in (1, 1, 2, 2, 3, 3, 3):
        await outbox.run_once()
        assert len(postman.posts) == expected
        office.now += 5_000 if expected < 3 else 60_000


async def test_a_second_try_that_arrives_is_the_last(office):
    await finished(office)
    postman = Postman(503)
    outbox = outbox_of(office, postman)
    assert await outbox.run_once() == 0
    office.now += 10_000
    assert await outbox.run_once() == 1
    office.now += 60_000
    assert await outbox.run_once() == 0
    assert len(postman.posts) == 2


async def test_a_process_that_dies_while_posting_posts_again_after_its_restart(office):
    class Death(BaseException):
        pass

    async def die(url, body, headers):
        raise Death

    await finished(office)
    with pytest.raises(Death):
        await outbox_of(office, die).run_once()
    office.restart()
    postman = Postman()
    office.now += 29_000
    assert await outbox_of(office, postman).run_once() == 0, "another gateway may be sending it"
    office.now += 1_000
    assert await outbox_of(office, postman).run_once() == 1


@pytest.mark.parametrize("secret", ["s3cret", "whsec_czNjcmV0"])
async def test_with_a_secret_the_signature_is_that_of_standard_webhooks(office, secret):
    """A secret that begins with whsec_ is base64, as the tools of that standard make it."""
    job_id, postman = await finished(office), Postman()
    await outbox_of(office, postman, secret).run_once()
    ((_, _, headers, body),) = postman.posts
    signed = f"{job_id}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.digest(b"s3cret", signed, hashlib.sha256)).decode()
    assert headers["webhook-id"] == job_id
    assert headers["webhook-signature"] == f"v1,{mark}"
    assert int(headers["webhook-timestamp"]) == office.now // 1000


async def test_a_retried_job_withdraws_the_notice_of_its_failure(office):
    """Sent later, it would tell of a job that waits."""
    job_id, postman = await finished(office, BROKEN), Postman()
    await office.desk.retry(ENDPOINT, job_id)
    assert await outbox_of(office, postman).run_once() == 0
    await office.desk.take(ENDPOINT, "w1")
    await office.desk.finish("w1", job_id, DONE)
    await outbox_of(office, postman).run_once()
    assert [post[1]["status"] for post in postman.posts] == ["COMPLETED"]


async def cancelled(office, *webhooks):
    for webhook in webhooks:
        job_id = await office.submit(f"j{office.now}", webhook=webhook)
        await office.desk.cancel(ENDPOINT, job_id)
        office.now += 1


async def test_a_host_that_does_not_answer_holds_up_no_other_and_is_left_alone_by_the_next_gateway(office):
    answered, reached = asyncio.Event(), []

    async def post(url, body, headers):
        reached.append(url)
        if "dead" in url:
            await answered.wait()
        return 200

    dead = [f"https://dead.example{rest}" for rest in ("", "?job=1", "/a/b", "/a%_b", "/c", "/d", "/e")]
    await cancelled(office, *dead, "https://dead.example.org/", "https://living.example/hook")
    outbox, other = outbox_of(office, post), outbox_of(office, post)
    begun = await outbox.begin()
    assert len(begun) == AT_ONE_PLACE + 2, "dead.example.org is another host"
    await asyncio.wait_for(begun[-1], 30)
    assert "https://living.example/hook" in reached
    assert await outbox.begin() == []
    office.now += 20_000
    taken = await other.begin()
    assert len(taken) == len(dead) - AT_ONE_PLACE, "none that is under way"
    answered.set()
    await asyncio.gather(*begun, *taken)
    assert sorted(reached) == sorted({*reached}), "nothing was sent twice"
    assert len(reached) == len(dead) + 2


async def test_what_is_under_way_when_a_gateway_ends_is_sent_by_its_successor(office):
    async def post(url, body, headers):
        await asyncio.Event().wait()

    await finished(office)
    outbox, postman = outbox_of(office, post), Postman()
    (task,) = await outbox.begin()
    await asyncio.sleep(0)
    await outbox.aclose()
    assert task.cancelled()
    office.now += 30_000
    assert await outbox_of(office, postman).run_once() == 1


async def test_a_url_that_breaks_its_caller_is_given_up_like_any_other(office):
    await finished(office)
    postman = Postman(*[ZeroDivisionError("unforeseen")] * 5)
    outbox = outbox_of(office, postman)
    for _ in range(5):
        await outbox.run_once()
        office.now += 60_000
    assert len(postman.posts) == 3


async def test_a_clock_that_is_set_back_by_a_day_delays_no_second_try(office):
    await finished(office)
    postman = Postman(503)
    outbox = outbox_of(office, postman)
    await outbox.run_once()
    office.now -= 86_400_000
    assert await outbox.run_once() == 1
