"""Comparisons: the types that values are compared as, and JSON paths."""

from __future__ import annotations

from psycopg import sql

from djcli.algebra.paths import Path
from djcli.codecs.scalars import comparison_column
from djcli.definition.types import AttributeType
from djcli.sql.statement import identifier, type_sql

OPERATORS = {
    "=": sql.SQL("="),
    "!=": sql.SQL("<>"),
    "<": sql.SQL("<"),
    "<=": sql.SQL("<="),
    ">": sql.SQL(">"),
    ">=": sql.SQL(">="),
}
"""The comparisons that a restriction knows, in SQL."""


def comparison_type(kind: AttributeType) -> sql.Composable:
    """Return the SQL type that values compared with the attribute are cast to."""
    if kind.is_enum:
        return identifier(*([kind.enum_schema] if kind.enum_schema else []), kind.column)
    return type_sql(comparison_column(kind.name, kind.column))


def extract(at: sql.Composable, path: Path, *, as_json: bool = False) -> sql.Composable:
    """Return the value inside a JSON column, as text or as JSON."""
    function = sql.SQL("jsonb_extract_path({}, {})" if as_json else "jsonb_extract_path_text({}, {})")
    return function.format(at, sql.SQL(", ").join(map(sql.Literal, path.steps)))


def inside(at: sql.Composable, path: Path) -> sql.Composable:
    """Return the value inside a JSON column, of the type that the path casts it to."""
    text = extract(at, path)
    if path.cast is None:
        return text
    return sql.SQL("CAST({} AS {})").format(text, type_sql(path.cast.column))
