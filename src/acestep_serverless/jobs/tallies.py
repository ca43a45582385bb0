"""How many jobs ended how? Counted as they move: counting a million rows for each `/health` would take 0.1 s.

On PostgreSQL a counter's row is locked until its transaction ends, so each gateway process has a shard of its own.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from acestep_serverless.database.tables import TALLIES
from acestep_serverless.database.upsert import insert_for

RETRIED = "retried"
"""The tally of hand-outs beyond a job's first."""
SHARDS = 32


@lru_cache(maxsize=2)
def _adding(dialect: str) -> Any:
    insert = insert_for(dialect, TALLIES)
    more = TALLIES.c.count + insert.excluded.count
    return insert.on_conflict_do_update(index_elements=["endpoint_id", "name", "shard"], set_={"count": more})


def add(connection: sa.Connection, counted: Mapping[tuple[str, str], int], shard: int = os.getpid() % SHARDS) -> None:
    """Add to the tallies of these (endpoint, name) pairs, always in one order, so that two transactions cannot wait
    for each other."""
    rows = [
        {"endpoint_id": endpoint_id, "name": name, "shard": shard, "count": count}
        for (endpoint_id, name), count in sorted(counted.items())
        if count
    ]
    for row in rows:
        connection.execute(_adding(connection.dialect.name), row)


def read(connection: sa.Connection, endpoint_id: str) -> dict[str, int]:
    """Read an endpoint's tallies by name."""
    total = sa.cast(sa.func.sum(TALLIES.c.count), sa.BigInteger)
    query = sa.select(TALLIES.c.name, total).where(TALLIES.c.endpoint_id == endpoint_id).group_by(TALLIES.c.name)
    return {row[0]: row[1] for row in connection.execute(query)}
