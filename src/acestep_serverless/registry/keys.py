"""Which client keys were made by the `keys` command? Kept as digests; scoped to endpoints; revoked, not deleted."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from acestep_serverless.access.keys import digest, same_digest
from acestep_serverless.clock import Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import API_KEYS
from acestep_serverless.database.upsert import insert_once
from acestep_serverless.errors import NotFound, Unavailable

EVERY_ENDPOINT = "*"
KEPT_FOR = 1.0
"""Seconds that a gateway process trusts what it has read: a revoked key opens nothing after that."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """A client key as it is listed, without its secret. Times in milliseconds since 1970."""

    id: str
    name: str
    endpoints: tuple[str, ...]
    created_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class KeyRows:
    """The keys at one moment: scopes of those that hold by their digest, and whether there ever was one."""

    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    any_ever: bool = False

    def opened_by(self, given: str, endpoints: Iterable[str]) -> set[str]:
        """List which of these endpoints the key with this digest opens; all stored digests are compared."""
        found = [scope for known, scope in self.scopes.items() if same_digest(given, known)]
        return {name for name in endpoints for scope in found if name in scope or EVERY_ENDPOINT in scope}


class KeyRegistry:
    """Rows of client keys; `new_secret` makes at least 128 random bits as text."""

    def __init__(self, database: Database, clock: Clock, new_secret: Callable[[], str]) -> None:
        self._database, self._clock, self._new_secret = database, clock, new_secret
        self._rows: KeyRows | None = None
        self._read_at = float("-inf")

    async def create(self, name: str, endpoints: Sequence[str]) -> tuple[KeyView, str]:
        """Make a key for these endpoints ("*": for all there are and will be). Its secret is given here and never
        again."""
        secret = self._new_secret()
        view = KeyView(f"key-{digest(secret)[:12]}", name, tuple(endpoints), self._clock.now_ms(), None)
        row = {
            "id": view.id,
            "digest": digest(secret),
            "name": name,
            "endpoints": json.dumps(list(endpoints)),
            "created_at": view.created_at,
        }
        await self._database.write(lambda connection: insert_once(connection, API_KEYS, [row], "id"))
        return view, secret

    async def revoke(self, key_id: str) -> None:
        """End a key for good. Raises NotFound for one that is not there or is revoked already."""
        where = (API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None))
        statement = API_KEYS.update().where(*where).values(revoked_at=self._clock.now_ms())
        if not await self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise NotFound(f"there is no key {key_id!r} that still holds; `keys list` names them")

    async def views(self) -> list[KeyView]:
        """List every key that was ever made, oldest first."""
        query = sa.select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.id)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [
            KeyView(row.id, row.name, tuple(json.loads(row.endpoints)), row.created_at, row.revoked_at) for row in rows
        ]

    async def rows(self) -> KeyRows:
        """Give the keys as they are now, read at most once in KEPT_FOR seconds.

        One asker reads while the others go by what was known; so do all while the database does not answer, when no key
        could be revoked either.
        """
        now, known = self._clock.monotonic(), self._rows
        if known is not None and now - self._read_at < KEPT_FOR:
            return known
        self._read_at = now
        try:
            self._rows = await self._read()
        except Unavailable:
            if known is None:
                raise
        return self._rows or KeyRows()

    async def _read(self) -> KeyRows:
        query = sa.select(API_KEYS.c.digest, API_KEYS.c.endpoints, API_KEYS.c.revoked_at)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        scopes = {row.digest: frozenset(json.loads(row.endpoints)) for row in found if row.revoked_at is None}
        return KeyRows(scopes, bool(found))
