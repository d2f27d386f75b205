"""INSERT statements: one text for any number of rows, whose columns travel as arrays or by COPY."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from psycopg import sql

from djcli.definition.model import TableId, TableModel
from djcli.sql.compile import comparison_type
from djcli.sql.ddl import primary_key, statement_text
from djcli.sql.statement import identifier

_ROW = identifier("~row")  # no attribute can have this name
_STAGE = identifier("pg_temp", "djcli_stage")


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
    statement = sql.SQL("{}SELECT * FROM unnest({}){}").format(
        _target(model, names), _arrays(model, names), _conflict(model, names, on_duplicate)
    )
    return statement.as_string()


def insert_query(model: TableModel, names: Sequence[str], query: str, on_duplicate: OnDuplicate) -> str:
    """Return the INSERT of what a compiled query selects, its columns in the order of `names`."""
    head = _target(model, names).as_string()
    return head + query + _conflict(model, names, on_duplicate).as_string()


@lru_cache(maxsize=1024)
def copy_rows(model: TableModel, names: tuple[str, ...], *, binary: bool = False) -> str:
    """Return the COPY of rows into a table."""
    form = sql.SQL(" (FORMAT BINARY)" if binary else "")
    statement = sql.SQL("COPY {} ({}) FROM STDIN{}").format(identifier(*model.id), _names(names), form)
    return statement_text(statement)


def create_stage(model: TableModel, names: Sequence[str]) -> sql.Composed:
    """Return the statement that makes a temporary table for rows on their way into a table."""
    return sql.SQL(
        "CREATE TEMPORARY TABLE djcli_stage AS SELECT {}, 0::bigint AS {} FROM {} WITH NO DATA"
    ).format(_names(names), _ROW, identifier(*model.id))


def copy_to_stage(names: Sequence[str]) -> str:
    """Return the COPY into that temporary table; the number of the row comes last."""
    statement = sql.SQL("COPY {} ({}, {}) FROM STDIN").format(_STAGE, _names(names), _ROW)
    return statement_text(statement)


def insert_stage(model: TableModel, names: Sequence[str], on_duplicate: OnDuplicate) -> str:
    """Return the INSERT of the rows of that temporary table; of rows with one key the last one counts."""
    select = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(_names(names), _STAGE, _ROW)
    key = [name for name in model.primary_key if name in names]
    if on_duplicate is OnDuplicate.REPLACE and key:
        select = sql.SQL("SELECT DISTINCT ON ({key}) {names} FROM {stage} ORDER BY {key}, {row} DESC").format(
            key=_names(key), names=_names(names), stage=_STAGE, row=_ROW
        )
    return statement_text(_target(model, names) + select + _conflict(model, names, on_duplicate))


def drop_stage() -> sql.Composed:
    """Return the statement that drops that temporary table."""
    return sql.SQL("DROP TABLE {}").format(_STAGE)


def find_taken(model: TableModel, names: Sequence[str]) -> str:
    """Return the statement that finds which of given values (``%(c0)s`` …) a row of the table has already.

    It returns their places, counted from 1.
    """
    return _find(model, names, model.id, names, sql.SQL("EXISTS"))


def find_parentless(model: TableModel, names: Sequence[str], parent: TableId, theirs: Sequence[str]) -> str:
    """Return the statement that finds for which of given values the parent has no row; see `find_taken`."""
    return _find(model, names, parent, theirs, sql.SQL("NOT EXISTS"))


def _find(
    model: TableModel, names: Sequence[str], table: TableId, theirs: Sequence[str], exists: sql.SQL
) -> str:
    given = [f"c{i}" for i in range(len(names))]
    statement = sql.SQL(
        "SELECT n FROM unnest({arrays}) WITH ORDINALITY AS g({given}, n) WHERE {complete} "
        "AND {exists} (SELECT 1 FROM {table} AS t WHERE {same}) ORDER BY n"
    ).format(
        arrays=_arrays(model, names),
        given=_names(given),
        complete=sql.SQL(" AND ").join(sql.SQL("g.{} IS NOT NULL").format(identifier(g)) for g in given),
        exists=exists,
        table=identifier(*table),
        same=sql.SQL(" AND ").join(
            sql.SQL("t.{} = g.{}").format(identifier(own), identifier(g))
            for own, g in zip(theirs, given, strict=True)
        ),
    )
    return statement.as_string()


def update_row(model: TableModel, names: Sequence[str], reset: Sequence[str]) -> str:
    """Return the UPDATE of one row.

    Parameters
    ----------
    model
        The table; the values of its key are ``%(k0)s`` ….
    names
        The attributes that are set, to ``%(c0)s`` ….
    reset
        The attributes that are set to their defaults.
    """
    changes = [
        sql.SQL("{} = {}::{}").format(
            identifier(name), sql.Placeholder(f"c{i}"), comparison_type(model[name].type)
        )
        for i, name in enumerate(names)
    ]
    changes += [sql.SQL("{} = DEFAULT").format(identifier(name)) for name in reset]
    same = [
        sql.SQL("{} = {}::{}").format(
            identifier(name), sql.Placeholder(f"k{i}"), comparison_type(model[name].type)
        )
        for i, name in enumerate(model.primary_key)
    ]
    return (
        sql.SQL("UPDATE {} SET {} WHERE {}")
        .format(
            identifier(*model.id),
            sql.SQL(", ").join(changes),
            sql.SQL(" AND ").join(same) if same else sql.SQL("TRUE"),
        )
        .as_string()
    )


def _arrays(model: TableModel, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{}::{}[]").format(sql.Placeholder(f"c{i}"), comparison_type(model[name].type))
        for i, name in enumerate(names)
    )


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(identifier, names))


def _target(model: TableModel, names: Sequence[str]) -> sql.Composed:
    table = identifier(*model.id)
    if not names:
        return sql.SQL("INSERT INTO {} ").format(table)
    return sql.SQL("INSERT INTO {} ({}) ").format(table, _names(names))


def _conflict(model: TableModel, names: Sequence[str], on_duplicate: OnDuplicate) -> sql.Composed:
    if on_duplicate is OnDuplicate.REFUSE:
        return sql.Composed([])
    key = _names(primary_key(model))
    # An attribute that is not given is replaced too: by its default, which is what the new row has.
    changed = [a.name for a in model if not a.in_key and (a.name in names or not a.type.is_identity)]
    if on_duplicate is OnDuplicate.SKIP or not changed:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(key)
    updates = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(identifier(name)) for name in changed)
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(key, updates)
