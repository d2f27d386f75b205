"""`BinaryColumns`: which rows may go out in binary, several times as quick to write as text."""

from __future__ import annotations

from psycopg import sql

from djcli.database.connection import Connection
from djcli.definition.model import TableId
from djcli.populate.gather import Shape
from djcli.sql.statement import quoted_name

_COLUMNS = sql.SQL(
    "SELECT a.attname::text, t.typname::text FROM pg_catalog.pg_attribute a "
    "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
    "WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
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


class BinaryColumns:
    """Knows the types that the columns of a populate's tables really have, whatever their definitions say.

    Parameters
    ----------
    connection
        The connection to their database.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._columns: dict[TableId, dict[str, str]] = {}
        self._known: dict[Shape, tuple[str, ...]] = {}

    def types_of(self, shape: Shape) -> tuple[str, ...]:
        """Return the types with which rows of a shape go out in binary; none if they go as text."""
        known = self._known.get(shape)
        if known is None:
            known = self._known[shape] = self._types_of(shape)
        return known

    def _types_of(self, shape: Shape) -> tuple[str, ...]:
        wanted = tuple(_BINARY.get(shape.model[name].type.name, "") for name in shape.names)
        if not all(wanted):
            return ()
        table = shape.model.id
        if table not in self._columns:
            rows = self._connection.rows(_COLUMNS, {"table": quoted_name(table)})
            self._columns[table] = dict(rows)
        real = self._columns[table]
        return wanted if all(real.get(n) == kind for n, kind in zip(shape.names, wanted, strict=True)) else ()
