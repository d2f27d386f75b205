"""Questions to the database about rows: each stops at the first row that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from djcli.catalog.introspect import count_rows
from djcli.codecs.plain import shown
from djcli.database.connection import Connection
from djcli.definition.model import ForeignKey, TableId
from djcli.errors import QueryError
from djcli.migration.future import Future, all_known, comparable
from djcli.migration.target import find_attribute
from djcli.names import counted, key_text
from djcli.sql.alter import can_be_compared_back, converted, text_length
from djcli.sql.ddl import statement

SMALL = 16 * 1024 * 1024
"""A table of fewer bytes is counted; of a larger one the planner's estimate is taken, unless asked otherwise."""

_SIZES = sql.SQL("""
SELECT n.nspname, c.relname, pg_relation_size(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = ANY(%(schemas)s)
""")
_VIEWS = sql.SQL("""
SELECT DISTINCT n.nspname, c.relname, a.attname, vn.nspname || '.' || v.relname
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
    AND v.oid <> c.oid AND n.nspname = ANY(%(schemas)s)
""")


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows, and whether it is the planner's estimate."""

    number: int
    estimated: bool = False

    def __str__(self) -> str:
        """Return ``12 rows`` or ``about 9,800,000 rows``."""
        rows = counted(self.number, "row")
        return f"about {rows}" if self.estimated else rows


class Questions:
    """What has to be known of rows to tell what a change does to them.

    Parameters
    ----------
    connection
        The database.
    future
        The rows as they will be.
    exact
        Whether rows are counted however many there are.
    """

    def __init__(self, connection: Connection, future: Future, *, exact: bool) -> None:
        self.connection = connection
        self.future = future
        self.target = future.target
        self._exact = exact
        self._counts: dict[TableId, Count] = {}
        self._sizes: dict[TableId, int] = {}
        self._views: dict[tuple[str, str, str | None], list[str]] | None = None

    # ---- numbers ------------------------------------------------------------------------------------

    def rows(self, table: TableId) -> Count:
        """Return how many rows a table of the view has."""
        if table not in self._counts:
            self._counts[table] = self._count(table)
        return self._counts[table]

    def _count(self, table: TableId) -> Count:
        present = self.target.view.present(table)
        if not self._exact and self._size(present) > SMALL:
            return Count(self._estimate(present), estimated=True)
        return Count(count_rows(self.connection, [present])[present])

    def _size(self, present: TableId) -> int:
        """Return how many bytes a table has; all are asked for at once."""
        if present not in self._sizes:
            schemas = sorted({table.schema for table in self.target.view.catalog.tables} | {present.schema})
            rows = self.connection.rows(_SIZES, {"schemas": schemas})
            self._sizes = {TableId(schema, name): size for schema, name, size in rows}
        return self._sizes.get(present, 0)

    def _estimate(self, present: TableId) -> int:
        """Return what the planner thinks; it takes into account how the table grew since it was analysed."""
        [(plan,)] = self.connection.rows(
            statement("EXPLAIN (FORMAT JSON) SELECT 1 FROM {}", sql.Identifier(*present))
        )
        return int(plan[0]["Plan"]["Plan Rows"])

    def has_rows(self, table: TableId) -> bool:
        """Whether a table has any row."""
        return self._first(sql.SQL("SELECT 1 FROM {}").format(self._source(table))) is not None

    def nulls(self, table: TableId, name: str) -> Count | None:
        """Return how many rows have no value of an attribute; None for too many rows to count them."""
        condition = sql.SQL("{} IS NULL").format(self._column(table, name))
        if self._first(sql.SQL("SELECT 1 FROM {} WHERE {}").format(self._source(table), condition)) is None:
            return Count(0)
        if self.rows(table).estimated:
            return None
        query = statement("SELECT count(*) FROM {} WHERE {}", self._source(table), condition)
        [(number,)] = self.connection.rows(query)
        return Count(number)

    def has_values(self, table: TableId, name: str) -> bool:
        """Whether any row has a value of an attribute that is there."""
        query = sql.SQL("SELECT 1 FROM {} WHERE {} IS NOT NULL")
        return self._first(query.format(self._source(table), self._column(table, name))) is not None

    # ---- values -------------------------------------------------------------------------------------

    def label_in_use(self, table: TableId, name: str, labels: Sequence[str]) -> str | None:
        """Return one of some enum labels that a row has."""
        query = sql.SQL("SELECT {0}::text FROM {1} WHERE {0}::text IN ({2})").format(
            self._column(table, name), self._source(table), sql.SQL(", ").join(map(sql.Literal, labels))
        )
        row = self._first(query)
        return None if row is None else row[0]

    def beyond_int8(self, table: TableId, name: str) -> str | None:
        """Return a value that an ``int8`` does not hold."""
        value = self.future.value(table, name)
        if value is None:
            return None
        query = sql.SQL("SELECT {0} FROM {1} WHERE {0} NOT BETWEEN -128 AND 127")
        row = self._first(query.format(value, self._source(table)))
        return None if row is None else f"value {row[0]} is out of the range of int8"

    def refused_cast(self, table: TableId, name: str) -> str | None:
        """Return why some value of an attribute does not cast to its new type; None where all do."""
        old, new = self._both(table, name)
        column, source = self._column(table, name), self._source(table)
        if new.type.is_enum:
            labels = sql.SQL(", ").join(map(sql.Literal, new.type.labels))
            row = self._first(
                sql.SQL("SELECT {0}::text FROM {1} WHERE {0}::text NOT IN ({2})").format(
                    column, source, labels
                )
            )
            return None if row is None else f"value {shown(row[0])} is no label of {new.type.text}"
        length = text_length(new.type)
        if length is not None:
            # counting characters takes long; that of bytes, of which there are no fewer, is known
            query = sql.SQL(
                "SELECT {0}::text FROM {1} WHERE octet_length({0}::text) > {2} AND length({0}::text) > {2}"
            )
            row = self._first(query.format(column, source, sql.Literal(length)))
            return None if row is None else f"value {shown(row[0])} is too long for {new.type.text}"
        query = statement("SELECT count({}) FROM {}", converted(column, old.type, new.type), source)
        try:
            with self.connection.transaction:
                self.connection.rows(query)
        except QueryError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith("22"):
                return str(error)
            raise
        return None

    def rounded_value(self, table: TableId, name: str) -> str | None:
        """Return a value that the cast to its new type changes."""
        old, new = self._both(table, name)
        if not can_be_compared_back(old.type, new.type):
            return None
        column = self._column(table, name)
        back = converted(converted(column, old.type, new.type), new.type, old.type)
        query = sql.SQL("SELECT {0}::text FROM {1} WHERE {2} IS DISTINCT FROM {0}")
        row = self._first(query.format(column, self._source(table), back))
        return None if row is None else row[0]

    def duplicate(self, table: TableId, names: Sequence[str]) -> str | None:
        """Return values that several rows will have in common; None where there are none or who knows."""
        rows = self.future.rows(table, names)
        if rows is None:
            return None
        shown_names = [self._compared(table, name) for name in names]
        query = sql.SQL("SELECT {} FROM ({}) AS f WHERE {} GROUP BY {} HAVING count(*) > 1").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in shown_names),
            rows,
            all_known(names),
            sql.SQL(", ").join(shown_names),
        )
        row = self._first(query)
        return None if row is None else key_text(dict(zip(names, row, strict=True)))

    def orphan(self, table: TableId, key: ForeignKey) -> str | None:
        """Return the values of a row whose parent will not be there; None where there is none or who knows."""
        own = [name for name, _ in key.columns]
        theirs = [name for _, name in key.columns]
        children = self.future.rows(table, own)
        parents = self.future.rows(key.parent, theirs, contents=True)
        if children is None or parents is None:
            return None
        query = sql.SQL(
            "SELECT {} FROM ({}) AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM ({}) AS p ({}) WHERE {})"
        )
        names = sql.SQL(", ").join(sql.SQL("c.{}::text").format(sql.Identifier(name)) for name in own)
        renamed = sql.SQL(", ").join(map(sql.Identifier, theirs))
        matching = sql.SQL(" AND ").join(
            sql.SQL("p.{} = c.{}").format(sql.Identifier(b), sql.Identifier(a)) for a, b in key.columns
        )
        row = self._first(
            query.format(names, children, all_known(own, sql.SQL("c.")), parents, renamed, matching)
        )
        return None if row is None else key_text(dict(zip(own, row, strict=True)))

    # ---- views --------------------------------------------------------------------------------------

    def views_of(self, table: TableId, attribute: str | None = None) -> list[str]:
        """Return the views that show a table, or one of its attributes."""
        if self._views is None:
            schemas = sorted(self.target.view.catalog.requested)
            self._views = {}
            for schema, name, column, view in self.connection.rows(_VIEWS, {"schemas": schemas}):
                self._views.setdefault((schema, name, column), []).append(view)
                if column is not None:
                    self._views.setdefault((schema, name, None), []).append(view)
        present = self.target.view.present(table)
        column = self.target.view.column(table, attribute) if attribute else None
        return sorted(set(self._views.get((present.schema, present.name, column), ())))

    # ---- pieces -------------------------------------------------------------------------------------

    def _first(self, query: sql.Composed) -> tuple[Any, ...] | None:
        rows = self.connection.rows(statement("{} LIMIT 1", query))
        return rows[0] if rows else None

    def _source(self, table: TableId) -> sql.Identifier:
        return sql.Identifier(*self.target.view.present(table))

    def _column(self, table: TableId, name: str) -> sql.Identifier:
        return sql.Identifier(self.target.view.column(table, name))

    def _both(self, table: TableId, name: str) -> tuple[Any, Any]:
        before = self.target.before(table)
        assert before is not None
        return find_attribute(before, name), find_attribute(self.target.tables[table], name)

    def _compared(self, table: TableId, name: str) -> sql.Composed:
        attribute = find_attribute(self.target.tables[table], name)
        cast = comparable(attribute.type) if attribute is not None else sql.SQL("")
        return sql.SQL("{}{}").format(sql.Identifier(name), cast)
