"""The SQL of a cascade: temporary tables that hold keys of rows to be deleted, filled and used inside the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from djcli.definition.model import TableId
from djcli.sql.ddl import script
from djcli.sql.statement import identifier

_SWEEP = identifier("~sweep")  # no attribute can have this name

Pairs = Sequence[tuple[str, str]]
"""Columns that must be equal: the dependent table's, and the one's that it is reached from."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """A temporary table of keys of rows of one table.

    Attributes
    ----------
    table
        The table whose rows they are.
    name
        The name of the temporary table.
    identity
        The columns that tell a row from others.
    columns
        The columns that it holds: those, and whatever other tables are reached by.
    """

    table: TableId
    name: str
    identity: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def sql(self) -> sql.Identifier:
        """The name of the temporary table."""
        return identifier("pg_temp", self.name)


def create_keys(keys: Iterable[KeySet]) -> sql.Composed:
    """Return the statements that make empty key sets."""
    create = sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {}, 0 AS {} FROM {} WITH NO DATA")
    return script(
        [create.format(identifier(k.name), _names(k.columns), _SWEEP, identifier(*k.table)) for k in keys]
    )


def drop_keys(keys: Iterable[KeySet]) -> sql.Composed:
    """Return the statement that drops key sets."""
    return sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(key.sql for key in keys))


def analyze_keys(key: KeySet) -> sql.Composed:
    """Return the statement that tells the planner of a key set's size."""
    return sql.SQL("ANALYZE {}").format(key.sql)


def take_keys(key: KeySet, select: str) -> str:
    """Return the INSERT of the keys that a compiled statement selects; they are those of sweep 0."""
    head = sql.SQL("INSERT INTO {} SELECT s.*, 0 FROM (").format(key.sql).as_string()
    return f"{head}{select}) AS s"


def reach_keys(key: KeySet, source: KeySet, pairs: Pairs, *, since: int, sweep: int) -> sql.Composed:
    """Return the INSERT of the keys of those rows that are reached from another key set.

    Parameters
    ----------
    key, source
        The set to be filled, and the one that it is reached from.
    pairs
        The columns that reach.
    since
        The sweep whose keys of `source` count.
    sweep
        The number of this sweep.
    """
    return sql.SQL(
        "INSERT INTO {keys} SELECT {columns}, {sweep} FROM {table} AS t WHERE {reached} "
        "AND NOT EXISTS (SELECT 1 FROM {keys} AS k WHERE {same})"
    ).format(
        keys=key.sql,
        columns=sql.SQL(", ").join(identifier("t", name) for name in key.columns),
        sweep=sql.Literal(sweep),
        table=identifier(*key.table),
        reached=_reached(source, pairs, since),
        same=_equal("k", "t", [(name, name) for name in key.identity]),
    )


def count_reached(reached: Iterable[tuple[TableId, KeySet, Pairs]]) -> sql.Composed:
    """Return the statement that counts rows of tables reached from key sets: one row, one number each."""
    counts = [
        sql.SQL("(SELECT count(*) FROM {} AS t WHERE {})").format(identifier(*table), _reached(source, pairs))
        for table, source, pairs in reached
    ]
    return sql.SQL("SELECT ") + sql.SQL(", ").join(counts)


def count_strays(parts: Iterable[tuple[KeySet, KeySet | None, Pairs]]) -> sql.Composed:
    """Return the statement that counts keys without a partner in another set: one row, one number a set.

    Without another set, all keys are without a partner.
    """
    counts = [
        sql.SQL("(SELECT count(*) FROM {} AS t WHERE {})").format(key.sql, _stray(other, pairs))
        for key, other, pairs in parts
    ]
    return sql.SQL("SELECT ") + sql.SQL(", ").join(counts)


def stray_keys(key: KeySet, other: KeySet | None, pairs: Pairs, limit: int) -> sql.Composed:
    """Return the statement that selects the first keys without a partner in another set; see `count_strays`."""
    return sql.SQL("SELECT {} FROM {} AS t WHERE {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(identifier("t", name) for name in key.identity),
        key.sql,
        _stray(other, pairs),
        _names(key.identity),
        sql.Literal(limit),
    )


def _stray(other: KeySet | None, pairs: Pairs) -> sql.Composable:
    return sql.SQL("NOT ") + _reached(other, pairs) if other else sql.SQL("TRUE")


def delete_keys(key: KeySet) -> sql.Composed:
    """Return the DELETE of the rows of a key set."""
    return sql.SQL("DELETE FROM {} AS t USING {} AS k WHERE {}").format(
        identifier(*key.table), key.sql, _equal("k", "t", [(name, name) for name in key.identity])
    )


def delete_reached(table: TableId, source: KeySet, pairs: Pairs) -> sql.Composed:
    """Return the DELETE of the rows reached from a key set."""
    return sql.SQL("DELETE FROM {} AS t WHERE {}").format(identifier(*table), _reached(source, pairs))


PRIVILEGES = sql.SQL("""
SELECT n.nspname, c.relname,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT'),
    pg_catalog.has_table_privilege(c.oid, 'DELETE')
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS asked(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name
""")
"""Which of the named tables the role may read, and which it may delete from."""


def _reached(source: KeySet, pairs: Pairs, sweep: int | None = None) -> sql.Composed:
    condition = _equal("s", "t", [(theirs, own) for own, theirs in pairs])
    if sweep is not None:
        condition = sql.SQL("{} AND s.{} = {}").format(condition, _SWEEP, sql.Literal(sweep))
    return sql.SQL("EXISTS (SELECT 1 FROM {} AS s WHERE {})").format(source.sql, condition)


def _equal(left: str, right: str, pairs: Iterable[tuple[str, str]]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(identifier(left, a), identifier(right, b)) for a, b in pairs
    )


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(identifier, names))
