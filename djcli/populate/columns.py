"""`RealColumns`: what the database says of the columns of a populate's tables, and which rows go out in binary."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from djcli.database.connection import Connection
from djcli.definition.model import TableId
from djcli.populate.gather import Shape
from djcli.sql.arrays import array

_COLUMNS = sql.SQL(
    "SELECT n.nspname::text, c.relname::text, a.attname::text, t.typname::text "
    "FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS asked (schema, name) "
    "JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema "
    "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
)

_BINARY = {
    "int8": "int2",
    "int16": "int2",
    "int32": "int4",
    "int64": "int8",
    "float32": "float4",
    "float64": "float8",
    "bool": "bool",
    "varchar": "varchar",
    "date": "date",
    "uuid": "uuid",
}
"""The column that a type must have; in binary no value is cast to any other."""


class RealColumns:
    """The columns that a populate's tables really have, whatever their definitions say; read in one statement.

    Binary is several times as quick to write as text.

    Parameters
    ----------
    connection
        The connection to their database.
    tables
        The table that is computed and its parts. The columns of any other count as unknown.
    """

    def __init__(self, connection: Connection, tables: Iterable[TableId]) -> None:
        self._columns: dict[TableId, dict[str, str]] = {table: {} for table in tables}
        asked = {
            "schemas": array([table.schema for table in self._columns]),
            "names": array([table.name for table in self._columns]),
        }
        for schema, name, column, kind in connection.rows(_COLUMNS, asked):
            self._columns[TableId(schema, name)][column] = kind
        self._known: dict[Shape, tuple[str, ...]] = {}

    def has(self, table: TableId, names: Iterable[str]) -> bool:
        """Whether a table has columns of all these names."""
        return self._columns[table].keys() >= set(names)

    def binary_types(self, shape: Shape) -> tuple[str, ...]:
        """Return the types with which rows of a shape go out in binary; none if they go as text."""
        known = self._known.get(shape)
        if known is None:
            known = self._known[shape] = self._binary_types(shape)
        return known

    def _binary_types(self, shape: Shape) -> tuple[str, ...]:
        wanted = tuple(_BINARY.get(shape.model[name].type.name, "") for name in shape.names)
        real = self._columns.get(shape.model.id, {})
        is_so = all(kind and real.get(n) == kind for n, kind in zip(shape.names, wanted, strict=True))
        return wanted if is_so else ()
