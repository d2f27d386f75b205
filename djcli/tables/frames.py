"""Rows as frames of pandas, polars and Arrow; these libraries are extras, imported when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
from djcli.errors import DataJointError
from djcli.tables.arrow import DECIMAL128, arrow_column, arrow_type, arrow_values
from djcli.tables.fetch import Row, columns, objects


def _library(name: str, method: str, extra: str) -> Any:
    """Import one of the libraries, or say how to get it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise DataJointError(f"{method}() needs {name}: pip install 'djcli[{extra}]'") from error


_WHOLE = ("int8", "int16", "int32", "int64")


def to_pandas(heading: Heading, rows: Sequence[Row]) -> Any:
    """Return rows as a pandas frame whose index is the primary key.

    Whole numbers and booleans with nulls are ``Int64`` and ``boolean``, times ``datetime64[us]``; dates,
    decimals and UUIDs stay Python's own.
    """
    pandas = _library("pandas", "to_pandas", "pandas")
    found = columns(heading.names, rows)
    series = {a.name: _series(pandas, a, found[a.name]) for a in heading}
    frame = pandas.DataFrame(series)
    return frame.set_index(list(heading.primary_key)) if heading.primary_key else frame


def _series(pandas: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    name = attribute.type.name
    if name in _WHOLE:
        return pandas.Series(values, dtype="Int64" if None in values else "int64")
    if name == "bool":
        return pandas.Series(values, dtype="boolean" if None in values else "bool")
    if name in ("float32", "float64"):
        return pandas.Series(values, dtype="float64")
    if name == "datetime":
        return pandas.Series(values, dtype="datetime64[us]")
    if name in ("char", "varchar", "enum") or attribute.type is COMPUTED:
        return pandas.Series(values) if values else pandas.Series([], dtype=object)
    return pandas.Series(objects(values), dtype=object)


def to_arrow(heading: Heading, rows: Sequence[Row]) -> Any:
    """Return rows as an Arrow table.

    Each column has its attribute's type: decimals their precision, times microseconds; UUIDs and JSON are
    text. What codecs made is converted as Arrow sees fit.
    """
    arrow = _library("pyarrow", "to_arrow", "arrow")
    found = columns(heading.names, rows)
    return arrow.table({a.name: arrow_column(arrow, a, found[a.name], arrow_type(arrow, a)) for a in heading})


def to_polars(heading: Heading, rows: Sequence[Row]) -> Any:
    """Return rows as a polars frame; types are those of `to_arrow`, and codecs' values may be objects."""
    polars = _library("polars", "to_polars", "polars")
    found = columns(heading.names, rows)
    return polars.DataFrame([_polars_column(polars, a, found[a.name]) for a in heading])


def _polars_column(polars: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    kind = _polars_type(polars, attribute)
    try:
        return polars.Series(attribute.name, arrow_values(attribute, values), dtype=kind)
    except (TypeError, polars.exceptions.PolarsError):
        return polars.Series(attribute.name, list(values), dtype=polars.Object)


def _polars_type(polars: Any, attribute: HeadingAttribute) -> Any:
    kind = attribute.type
    match kind.name:
        case "int8" | "int16" | "int32" | "int64" | "float32" | "float64":
            return getattr(polars, "Int16" if kind.name == "int8" else kind.name.title())
        case "bool":
            return polars.Boolean
        case "decimal" if kind.args[0] <= DECIMAL128:
            return polars.Decimal(*kind.args)
        case "char" | "varchar" | "enum" | "uuid" | "json":
            return polars.String
        case "date":
            return polars.Date
        case "datetime":
            return polars.Datetime("us")
        case "bytes":
            return polars.Binary
        case _:
            return None
