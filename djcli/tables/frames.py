"""Rows as frames of pandas, polars and Arrow; these libraries are extras, imported when asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
from djcli.errors import DataJointError
from djcli.tables.fetch import Row, columns, objects

_WHOLE = ("int8", "int16", "int32", "int64")


def _library(name: str, method: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise DataJointError(f"{method}() needs {name}: pip install 'djcli[{extra}]'") from error


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
    return arrow.table({a.name: _arrow_column(arrow, a, found[a.name]) for a in heading})


def _arrow_column(arrow: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    kind = _arrow_type(arrow, attribute)
    try:
        return arrow.array(_plain(attribute, values), type=kind)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError) as error:
        raise DataJointError(
            f"attribute {attribute.name!r} ({attribute.type.text}) has values that Arrow has no type for: "
            f"{' '.join(str(error).split())}; leave it out with proj"
        ) from error


def _arrow_type(arrow: Any, attribute: HeadingAttribute) -> Any:
    kind = attribute.type
    match kind.name:
        case "int8" | "int16" | "int32" | "int64":
            # PostgreSQL has no smaller one
            return arrow.int16() if kind.name == "int8" else getattr(arrow, kind.name)()
        case "float32" | "float64":
            return getattr(arrow, kind.name)()
        case "bool":
            return arrow.bool_()
        case "decimal":
            return (
                arrow.decimal128(*kind.args) if kind.args[0] <= _DECIMAL128 else arrow.decimal256(*kind.args)
            )
        case "char" | "varchar" | "enum" | "uuid" | "json":
            return arrow.string()
        case "date":
            return arrow.date32()
        case "datetime":
            return arrow.timestamp("us")
        case "bytes":
            return arrow.binary()
        case _:
            return None


_DECIMAL128 = 38


def _plain(attribute: HeadingAttribute, values: Sequence[Any]) -> Sequence[Any]:
    """Return values that Arrow and polars take."""
    match attribute.type.name:
        case "uuid":
            return [None if v is None else str(v) for v in values]
        case "json":
            return [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
        case "native" | "computed" if any(type(v).__module__ == "uuid" for v in values):
            return [None if v is None else str(v) for v in values]
        case _:
            return values


def to_polars(heading: Heading, rows: Sequence[Row]) -> Any:
    """Return rows as a polars frame; types are those of `to_arrow`, and codecs' values may be objects."""
    polars = _library("polars", "to_polars", "polars")
    found = columns(heading.names, rows)
    return polars.DataFrame([_polars_column(polars, a, found[a.name]) for a in heading])


def _polars_column(polars: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    kind = _polars_type(polars, attribute)
    try:
        return polars.Series(attribute.name, _plain(attribute, values), dtype=kind)
    except (TypeError, polars.exceptions.PolarsError):
        return polars.Series(attribute.name, list(values), dtype=polars.Object)


def _polars_type(polars: Any, attribute: HeadingAttribute) -> Any:
    kind = attribute.type
    match kind.name:
        case "int8" | "int16" | "int32" | "int64" | "float32" | "float64":
            return getattr(polars, "Int16" if kind.name == "int8" else kind.name.title())
        case "bool":
            return polars.Boolean
        case "decimal" if kind.args[0] <= _DECIMAL128:
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
