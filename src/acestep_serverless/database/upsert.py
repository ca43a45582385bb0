"""How is a row written that may be there already? `INSERT ... ON CONFLICT`, in the same words for both databases."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


@lru_cache(maxsize=64)
def _once(table: sa.Table, key: str, dialect: str) -> Any:
    # Built once for each table: building it takes longer than the row.
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return insert.on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])


def insert_once(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Insert rows in their order unless the first one's unique `key` is there already; tell whether they were new."""
    # Asked by RETURNING: an INSERT's row count is not kept by the driver of PostgreSQL.
    statement = _once(table, key, connection.dialect.name)
    first = connection.execute(statement, dict(rows[0])).first() is not None
    if first and len(rows) > 1:
        connection.execute(table.insert(), [dict(row) for row in rows[1:]])
    return first


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    row: Mapping[str, Any],
    key: Sequence[str],
    changed: Mapping[str, Any],
    *where: sa.ColumnElement[bool],
) -> bool:
    """Insert a row, or change the one that has its key where the condition holds; tells whether either was done."""
    statement = _insert(connection, table).values(**row)
    statement = statement.on_conflict_do_update(
        index_elements=list(key), set_=dict(changed), where=sa.and_(*where) if where else None
    )
    return connection.execute(statement.returning(table.c[key[0]])).first() is not None
