"""Who tells a client's webhook that its job has ended? The outbox: a row of the job's own last transaction, sent at
least once.

The platform posts the job, wants 200, and tries twice more, 10 s apart. With a secret each post is signed as Standard
Webhooks say: `v1,` and base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>" in `webhook-signature`.
"""

import asyncio
import base64
import hmac
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
"""Letters of one round, so that a round stays short."""

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
    """Sends what is due. `run_once` does one round; two gateways never send the same letter at the same time. `watch`
    hears what became of each try: "delivered", "failed" or "given_up"."""

    def __init__(
        self, database: Database, clock: Clock, post: Post, secret: str, watch: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database, self._clock, self._post, self._watch = database, clock, post, watch
        self._key = signing_key(secret)

    async def run_once(self) -> int:
        """Send the letters that are due; returns how many arrived."""
        now = self._clock.now_ms()
        if not await self._database.read(lambda connection: _due(connection, now, 1)):
            return 0
        letters = await self._database.write(lambda connection: _claim(connection, now))
        return sum(await asyncio.gather(*(self._send(letter, now) for letter in letters)))

    async def _send(self, letter: Letter, now: int) -> bool:
        body = await self._database.read(lambda connection: _notice(connection, letter, now))
        if body is None:
            return False  # Its job was retried or deleted meanwhile, and the letter with it.
        try:
            code = await self._post(letter.url, body, self._headers(letter, body, now))
            problem = None if code == 200 else f"it answered {code}, not 200"
        except PeerError as error:
            problem = str(error)
        if problem is not None:
            last = letter.tries + 1 >= TRIES
            LOG.warning("webhook not delivered", job=letter.job_id, reason=problem, given_up=last)
            self._watch("given_up" if last else "failed")
            if not last:
                return False
        await self._database.write(
            lambda connection: connection.execute(OUTBOX.delete().where(OUTBOX.c.number == letter.number))
        )
        if problem is None:
            self._watch("delivered")
        return problem is None

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


def _due(connection: sa.Connection, now: int, limit: int) -> list[Letter]:
    query = (
        sa.select(OUTBOX.c.number, OUTBOX.c.job_id, JOBS.c.endpoint_id, OUTBOX.c.url, OUTBOX.c.tries)
        .join(JOBS, JOBS.c.id == OUTBOX.c.job_id)
        .where(OUTBOX.c.due_at <= now)
        .order_by(OUTBOX.c.number)
        .limit(limit)
        .with_for_update(of=OUTBOX, skip_locked=True)
    )
    return [Letter(*row) for row in connection.execute(query)]


def _claim(connection: sa.Connection, now: int) -> list[Letter]:
    """Take what is due and make it due again after the pause: what is not deleted by then was not delivered."""
    letters = _due(connection, now, AT_ONCE)
    numbers = [letter.number for letter in letters]
    again = {"tries": OUTBOX.c.tries + 1, "due_at": now + PAUSE_MS}
    connection.execute(OUTBOX.update().where(OUTBOX.c.number.in_(numbers)).values(**again))
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
