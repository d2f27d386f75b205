"""INSERT statements: one text for any number of rows, whose columns travel as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from psycopg import sql

from djcli.definition.model import TableModel
from djcli.sql.compile import comparison_type
from djcli.sql.ddl import primary_key


class OnDuplicate(Enum):
    """What to do with a row whose key is there already."""

    REFUSE = "refuse"
    SKIP = "skip"
    REPLACE = "replace"


@lru_cache(maxsize=1024)
def insert_rows(model: TableModel, names: tuple[str, ...], on_duplicate: OnDuplicate) -> str:
    """Return the INSERT of rows given as one array for each of the named attributes (``%(c0)s`` …)."""
    if not names:
        return (
            _target(model, ()) + sql.SQL("DEFAULT VALUES") + _conflict(model, (), on_duplicate)
        ).as_string()
    arrays = [
        sql.SQL("{}::{}[]").format(sql.Placeholder(f"c{i}"), comparison_type(model[name].type))
        for i, name in enumerate(names)
    ]
    statement = sql.SQL("{}SELECT * FROM unnest({}){}").format(
        _target(model, names), sql.SQL(", ").join(arrays), _conflict(model, names, on_duplicate)
    )
    return statement.as_string()


def insert_query(model: TableModel, names: Sequence[str], query: str, on_duplicate: OnDuplicate) -> str:
    """Return the INSERT of what a compiled query selects, its columns in the order of `names`."""
    head = _target(model, names).as_string()
    return head + query + _conflict(model, names, on_duplicate).as_string()


def _target(model: TableModel, names: Sequence[str]) -> sql.Composed:
    table = sql.Identifier(*model.id)
    if not names:
        return sql.SQL("INSERT INTO {} ").format(table)
    return sql.SQL("INSERT INTO {} ({}) ").format(table, sql.SQL(", ").join(map(sql.Identifier, names)))


def _conflict(model: TableModel, names: Sequence[str], on_duplicate: OnDuplicate) -> sql.Composed:
    if on_duplicate is OnDuplicate.REFUSE:
        return sql.Composed([])
    key = sql.SQL(", ").join(map(sql.Identifier, primary_key(model)))
    changed = [name for name in names if not model[name].in_key]
    if on_duplicate is OnDuplicate.SKIP or not changed:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(key)
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in changed
    )
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(key, updates)
