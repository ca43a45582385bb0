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
"""Rows of one statement of `insert_new` on SQLite: few different statements, so that they stay prepared."""


@lru_cache(maxsize=64)
def _columnwise(table: sa.Table, columns: tuple[str, ...], key: str) -> tuple[str, tuple[Any, ...]]:
    # PostgreSQL takes a list for each column, so one statement, prepared once, is for any number of rows: with one for
    # 16, 8, 4, 2 and 1 rows, 31 jobs took ten trips.
    defaults = _defaults(table, columns)
    types = {name: table.c[name].type.compile(postgresql.dialect()) for name in columns}  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
    given = ", ".join(f"%s::{types[name]}[]" for name in columns)
    names = ", ".join((*columns, *defaults))
    chosen = ", ".join(("given.*", *("%s" for _ in defaults)))
    words = ("INSERT INTO", table.name, f"({names})", "SELECT", chosen, f"FROM unnest({given}) AS given")
    return " ".join((*words, "ON CONFLICT", f"({key})", "DO NOTHING")), tuple(defaults.values())


def _defaults(table: sa.Table, columns: tuple[str, ...]) -> dict[str, Any]:
    return {
        column.name: column.default.arg
        for column in table.columns
        if column.name not in columns and isinstance(column.default, sa.ColumnDefault) and column.default.is_scalar
    }


@lru_cache(maxsize=256)
def _many(table: sa.Table, columns: tuple[str, ...], key: str, rows: int) -> tuple[str, tuple[Any, ...]]:
    # The driver's own words, for many rows: `/run` reached about 0.6 of the bare route's rate, row by row about 0.35.
    defaults = _defaults(table, columns)
    values = f"({', '.join(['?'] * (len(columns) + len(defaults)))})"
    names = ", ".join((*columns, *defaults))
    words = ("INSERT INTO", table.name, f"({names})", "VALUES", ", ".join([values] * rows), "ON CONFLICT", f"({key})")
    return " ".join((*words, "DO NOTHING")), tuple(defaults.values())


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], key: str) -> None:
    """Insert those of these rows, in their order, whose unique `key` is not there yet; all have the same columns.

    Values go to the driver as they are.
    """
    if connection.dialect.name == "postgresql":
        text, defaults = _columnwise(table, tuple(rows[0]), key)
        lists = tuple(list(values) for values in zip(*(row.values() for row in rows), strict=True))
        connection.exec_driver_sql(text, (*defaults, *lists))
        return
    start = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - start >= size:
            chunk = rows[start : start + size]
            start += size
            text, defaults = _many(table, tuple(chunk[0]), key, size)
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
