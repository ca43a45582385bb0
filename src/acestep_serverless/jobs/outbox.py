"""Who tells a client's webhook that its job has ended? The outbox: a row of the job's own last transaction, sent at
least once.

The platform posts the job, wants 200, and tries twice more, 10 s apart. With a secret each post is signed as Standard
Webhooks say: `v1,` and base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>" in `webhook-signature`.
"""

import asyncio
import base64
import hmac
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import FINAL_STATES
from acestep_serverless.contract.worker_protocol import dump
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import JOB_BODIES, JOBS, OUTBOX
from acestep_serverless.errors import PeerError
from acestep_serverless.jobs import looks

LOG = structlog.get_logger(__name__)

TRIES = 3
PAUSE_MS = 10_000
AT_ONCE = 20
"""Letters under way at a time."""
AT_ONE_PLACE = 4
"""Of those to one host at a time: however many wait for one that is dead, and each for 10 s, others go past them."""
CLAIM_MS = 30_000
"""When a letter that was claimed is due again, should nothing be heard of it: longer than a post may take, so that no
two gateways send it at the same time."""
AHEAD_MS = 2 * CLAIM_MS
"""Whoever is due later than that was noted by a clock that was set back since."""

_PLACE = re.compile(r"https?://[^/?]*")

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body with headers to a URL and gives the status code; raises PeerError."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice that is due: the outbox row's number, the job, where to, and how often it was tried."""

    number: int
    job_id: str
    endpoint_id: str
    url: str
    tries: int


class Outbox:
    """Sends what is due. `begin` is called again and again; two gateways never send the same letter at the same time.
    `watch` hears what became of each try: "delivered", "failed" or "given_up"."""

    def __init__(
        self, database: Database, clock: Clock, post: Post, secret: str, watch: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database, self._clock, self._post, self._watch = database, clock, post, watch
        self._key = signing_key(secret)
        self._under_way: dict[asyncio.Task[bool], str] = {}

    async def begin(self) -> list[asyncio.Task[bool]]:
        """Begin to send what is due, as far as there is room, and wait for none of it: a slow webhook holds up no
        other. Each of the tasks tells whether its letter arrived."""
        now, begun = self._clock.now_ms(), list[asyncio.Task[bool]]()
        while letters := await self._claimed(now):
            for letter in letters:
                task = asyncio.create_task(self._send(letter, now))
                self._under_way[task] = place_of(letter.url)
                task.add_done_callback(self._ended)
                begun.append(task)
        return begun

    async def run_once(self) -> int:
        """Send what is due and wait for all of it; returns how many letters arrived."""
        return sum(await asyncio.gather(*await self.begin()))

    async def aclose(self) -> None:
        """Give up what is under way; it is due again later."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _claimed(self, now: int) -> list[Letter]:
        room, busy = AT_ONCE - len(self._under_way), Counter(self._under_way.values())
        if not room or not await self._database.read_aside(lambda connection: _due(connection, now, 1, busy)):
            return []
        return await self._database.write(lambda connection: _claim(connection, now, room, busy))

    def _ended(self, task: asyncio.Task[bool]) -> None:
        del self._under_way[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.warning("webhooks were put off", reason=str(error) or type(error).__name__)

    async def _send(self, letter: Letter, now: int) -> bool:
        body = await self._database.read_aside(lambda connection: _notice(connection, letter, now))
        if body is None:
            return False  # Its job was retried or deleted meanwhile, and the letter with it.
        problem = await self._problem(letter, body, self._headers(letter, body, now))
        last = letter.tries + 1 >= TRIES
        mine = OUTBOX.c.number == letter.number
        again = OUTBOX.update().where(mine).values(due_at=self._clock.now_ms() + PAUSE_MS)
        settled = OUTBOX.delete().where(mine) if problem is None or last else again
        await self._database.write(lambda connection: connection.execute(settled))
        if problem is None:
            self._watch("delivered")
        else:
            LOG.warning("webhook not delivered", job=letter.job_id, reason=problem, given_up=last)
            self._watch("given_up" if last else "failed")
        return problem is None

    async def _problem(self, letter: Letter, body: bytes, headers: Mapping[str, str]) -> str | None:
        """Post, and say what went wrong, if anything did: whatever it was, it counts as a try."""
        try:
            code = await self._post(letter.url, body, headers)
        except PeerError as error:
            return str(error)
        except Exception as error:
            LOG.exception("a webhook could not be posted", job=letter.job_id)
            return type(error).__name__
        return None if code == 200 else f"it answered {code}, not 200"

    def _headers(self, letter: Letter, body: bytes, now: int) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "acestep-serverless"}
        if self._key:
            stamp = str(now // 1000)
            signed = f"{letter.job_id}.{stamp}.".encode() + body
            mark = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
            headers |= {"webhook-id": letter.job_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mark}"}
        return headers


def signing_key(secret: str) -> bytes:
    """Read a signing secret: `whsec_` and base64, as Standard Webhooks write it, or any other text as it is."""
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()


def place_of(url: str) -> str:
    """Give scheme, host and port of a webhook's URL, which share their room."""
    found = _PLACE.match(url)
    return found[0] if found is not None else url


def _is_at(place: str) -> sa.ColumnElement[bool]:
    beyond = (OUTBOX.c.url.startswith(place + mark, autoescape=True) for mark in "/?")
    return sa.or_(OUTBOX.c.url == place, *beyond)


def _due(connection: sa.Connection, now: int, limit: int, busy: Mapping[str, int]) -> list[Letter]:
    """List letters that are due, oldest first, but for places where so many are under way that there is no room."""
    full = [place for place, count in busy.items() if count >= AT_ONE_PLACE]
    query = (
        sa.select(OUTBOX.c.number, OUTBOX.c.job_id, JOBS.c.endpoint_id, OUTBOX.c.url, OUTBOX.c.tries)
        .join(JOBS, JOBS.c.id == OUTBOX.c.job_id)
        .where(sa.or_(OUTBOX.c.due_at <= now, OUTBOX.c.due_at > now + AHEAD_MS), *(~_is_at(place) for place in full))
        .order_by(OUTBOX.c.number)
        .limit(limit)
        .with_for_update(of=OUTBOX, skip_locked=True)
    )
    return [Letter(*row) for row in connection.execute(query)]


def _claim(connection: sa.Connection, now: int, room: int, busy: Mapping[str, int]) -> list[Letter]:
    """Take what is due and may be sent now; it is due again after CLAIM_MS, should it not be settled by then."""
    letters, places = [], Counter(busy)
    for letter in _due(connection, now, room, busy):
        place = place_of(letter.url)
        if places[place] < AT_ONE_PLACE:
            places[place] += 1
            letters.append(letter)
    claimed = {"tries": OUTBOX.c.tries + 1, "due_at": now + CLAIM_MS}
    numbers = [letter.number for letter in letters]
    connection.execute(OUTBOX.update().where(OUTBOX.c.number.in_(numbers)).values(**claimed))
    return letters


def _notice(connection: sa.Connection, letter: Letter, now: int) -> bytes | None:
    """Write what the webhook gets: the status object with the job's input and the webhook itself, as the platform
    does; None when the job is no longer final."""
    view = looks.view(connection, letter.endpoint_id, letter.job_id)
    if view is None or view.state not in FINAL_STATES:
        return None
    query = sa.select(JOB_BODIES.c.input).where(JOB_BODIES.c.job_id == letter.job_id)
    given = connection.execute(query).scalar_one()
    return f'{view.as_json(now)[:-1]}, "input": {given}, "webhook": {dump(letter.url)}}}'.encode()
