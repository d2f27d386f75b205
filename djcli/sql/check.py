"""The SQL of a check: a temporary table of the keys of rows, and what the database would refuse of them."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from djcli.definition.model import ForeignKey, TableModel
from djcli.sql.ddl import statement_text
from djcli.sql.statement import identifier

ROW = "~row"  # no attribute can have this name
_ROW = identifier(ROW)
_STAGE = identifier("pg_temp", "djcli_check")

PRIVILEGES = sql.SQL("""
SELECT pg_catalog.has_any_column_privilege(c.oid, 'INSERT'), pg_catalog.has_any_column_privilege(c.oid, 'UPDATE')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s
""")
"""Whether the role may insert into a table, and replace rows of it."""


def create_stage(model: TableModel, names: Sequence[str]) -> sql.Composed:
    """Return the statement that makes the temporary table of some attributes and the number of the row."""
    return sql.SQL(
        "CREATE TEMPORARY TABLE djcli_check AS SELECT {}, 0::bigint AS {} FROM {} WITH NO DATA"
    ).format(_names(names), _ROW, identifier(*model.id))


def copy_to_stage(names: Sequence[str]) -> str:
    """Return the COPY into it; the number of the row comes last."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(_STAGE, _names((*names, ROW)))
    return statement_text(statement)


def analyze_stage() -> sql.Composed:
    """Return the statement that tells the planner of its size."""
    return sql.SQL("ANALYZE {}").format(_STAGE)


def find_repeated(names: Sequence[str], key: Sequence[str]) -> sql.Composed:
    """Return the SELECT of rows whose values an earlier row has: the number, the first one's, and the values.

    Parameters
    ----------
    names
        The attributes that may not repeat.
    key
        Rows that share these may repeat them all the same, because only one of them stays.
    """
    select = sql.SQL(
        "SELECT s.{row}, f.first, {values} FROM {stage} AS s JOIN "
        "(SELECT {names}, min({row}) AS first FROM {stage} GROUP BY {names} HAVING count(*) > 1) AS f ON {same}"
    ).format(
        row=_ROW,
        values=_names(names, "s"),
        names=_names(names),
        stage=_STAGE,
        same=_equal("f", "s", names),
    )
    later = sql.SQL(" WHERE s.{row} > f.first").format(row=_ROW)
    if key:
        later = sql.SQL("{} AND NOT EXISTS (SELECT 1 FROM {} AS o WHERE o.{} = f.first AND {})").format(
            later, _STAGE, _ROW, _equal("o", "s", key)
        )
    return select + later + sql.SQL(" ORDER BY 1")


def find_taken(
    model: TableModel, names: Sequence[str], *, spared: Sequence[str] = (), replaced: Sequence[str] = ()
) -> sql.Composed:
    """Return the SELECT of rows whose values a row of the table has: the number and the values.

    Parameters
    ----------
    model
        The table.
    names
        The attributes.
    spared
        A row whose values of these the table has is passed over by the insert, and so here.
    replaced
        A row of the table with the same values of these is replaced, and so does not count.
    """
    same = _equal("t", "s", names)
    if replaced:
        same = sql.SQL("{} AND NOT ({})").format(same, _equal("t", "s", replaced))
    return _select(names, sql.SQL("EXISTS ({})").format(_row_of(model, same)), model, spared)


def find_parentless(model: TableModel, key: ForeignKey, *, spared: Sequence[str] = ()) -> sql.Composed:
    """Return the SELECT of rows whose parent is missing: the number and the values; see `find_taken`."""
    same = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(identifier("t", theirs), identifier("s", own))
        for own, theirs in key.columns
    )
    missing = sql.SQL("NOT EXISTS (SELECT 1 FROM {} AS t WHERE {})").format(identifier(*key.parent), same)
    if key.parent == model.id:
        missing = sql.SQL("{} AND NOT EXISTS (SELECT 1 FROM {} AS t WHERE {})").format(missing, _STAGE, same)
    return _select(key.attributes, missing, model, spared)


def _select(
    names: Sequence[str], condition: sql.Composed, model: TableModel, spared: Sequence[str]
) -> sql.Composed:
    complete = [sql.SQL("{} IS NOT NULL").format(identifier("s", name)) for name in names]
    if spared:
        condition = sql.SQL("{} AND NOT EXISTS ({})").format(
            condition, _row_of(model, _equal("t", "s", spared))
        )
    return sql.SQL("SELECT s.{}, {} FROM {} AS s WHERE {} AND {} ORDER BY 1").format(
        _ROW, _names(names, "s"), _STAGE, sql.SQL(" AND ").join(complete), condition
    )


def _row_of(model: TableModel, same: sql.Composed) -> sql.Composed:
    return sql.SQL("SELECT 1 FROM {} AS t WHERE {}").format(identifier(*model.id), same)


def _equal(left: str, right: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(identifier(left, name), identifier(right, name)) for name in names
    )


def _names(names: Sequence[str], table: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(identifier(table, name) if table else identifier(name) for name in names)
