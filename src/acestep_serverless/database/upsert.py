"""How is a row written that may be there already? `INSERT ... ON CONFLICT`, in the same words for both databases."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_for(dialect: str, table: sa.Table) -> Any:
    """Give the INSERT of a dialect, which knows ON CONFLICT."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


@lru_cache(maxsize=64)
def _once(table: sa.Table, key: str, dialect: str) -> Any:
    # Built once for each table: building it takes longer than the row.
    insert = insert_for(dialect, table)
    return insert.on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])


def insert_once(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Insert rows in their order unless the first one's unique `key` is there already; tell whether they were new."""
    # Asked by RETURNING: an INSERT's row count is not kept by the driver of PostgreSQL.
    statement = _once(table, key, connection.dialect.name)
    first = connection.execute(statement, dict(rows[0])).first() is not None
    if first and len(rows) > 1:
        connection.execute(table.insert(), [dict(row) for row in rows[1:]])
    return first


ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement of `insert_new`: few different statements, so that the drivers keep them prepared."""


@lru_cache(maxsize=256)
def _many(table: sa.Table, columns: tuple[str, ...], key: str, rows: int, dialect: str) -> tuple[str, tuple[Any, ...]]:
    # The driver's own words, for many rows: `/run` reached about 0.6 of the bare route's rate, row by row about 0.35.
    defaults = {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in columns and isinstance(column.default, sa.ColumnDefault) and column.default.is_scalar
    }
    mark = "%s" if dialect == "postgresql" else "?"
    values = f"({', '.join([mark] * (len(columns) + len(defaults)))})"
    names = ", ".join((*columns, *defaults))
    words = ("INSERT INTO", table.name, f"({names})", "VALUES", ", ".join([values] * rows), "ON CONFLICT", f"({key})")
    return " ".join((*words, "DO NOTHING")), tuple(defaults.values())


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: str) -> None:
    """Insert those of these rows, in their order, whose unique `key` is not there yet; all have the same columns.

    Values go to the driver as they are.
    """
    start = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            start += size
            text, defaults = _many(table, tuple(chunk[0]), key, size, connection.dialect.name)
            values = tuple(value for row in chunk for value in (*row.values(), *defaults))
            connection.exec_driver_sql(text, values)


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    row: Mapping[str, Any],
    key: Sequence[str],
    changed: Mapping[str, Any],
    *where: sa.ColumnElement[bool],
) -> bool:
    """Insert a row, or change the one that has its key where the condition holds; tells whether either was done."""
    statement = insert_for(connection.dialect.name, table).values(**row)
    statement = statement.on_conflict_do_update(
        index_elements=list(key), set_=dict(changed), where=sa.and_(*where) if where else None
    )
    return connection.execute(statement.returning(table.c[key[0]])).first() is not None
