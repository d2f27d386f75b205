"""Rows as frames of pandas, polars and Arrow; these libraries are extras, imported when asked for.

Where every column allows it, rows come by `djcli.tables.columnar`; otherwise each is made of Python values
first. What the user gets is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute
from djcli.codecs.scalars import kind_of
from djcli.errors import DataJointError
from djcli.tables.arrow import arrow_column, arrow_type
from djcli.tables.columnar import copied_table
from djcli.tables.fetch import Page, Query, columns, objects

_POLARS_DIGITS = 38
_WHOLE = ("int8", "int16", "int32", "int64")


def _library(name: str, method: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise DataJointError(f"{method}() needs {name}: pip install 'djcli[{extra}]'") from error


# ---- Arrow ----------------------------------------------------------------------------------------------


def to_arrow(query: Query, page: Page) -> Any:
    """Return all rows as an Arrow table.

    Each column has its attribute's type: decimals their precision, times microseconds; UUIDs and JSON are
    text. What codecs made is converted as Arrow sees fit.
    """
    arrow = _library("pyarrow", "to_arrow", "arrow")
    table = copied_table(arrow, query, page)
    if table is not None:
        return table
    heading = query.node.heading
    found = columns(heading.names, query.rows(None, page))
    return arrow.table({a.name: arrow_column(arrow, a, found[a.name], arrow_type(arrow, a)) for a in heading})


# ---- polars ---------------------------------------------------------------------------------------------


def to_polars(query: Query, page: Page) -> Any:
    """Return all rows as a polars frame; types are those of `to_arrow`, and codecs' values may be objects."""
    polars = _library("polars", "to_polars", "polars")
    arrow = _library("pyarrow", "to_polars", "polars")
    heading = query.node.heading
    table = None if _has_wide_decimals(heading) else copied_table(arrow, query, page)
    if table is not None:
        return polars.from_arrow(table)
    found = columns(heading.names, query.rows(None, page))
    return polars.DataFrame([_polars_column(polars, arrow, a, found[a.name]) for a in heading])


def _has_wide_decimals(heading: Heading) -> bool:
    """Whether a column has more digits than a decimal of polars."""
    return any(a.type.name == "decimal" and a.type.args[0] > _POLARS_DIGITS for a in heading)


def _polars_column(polars: Any, arrow: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    try:
        if attribute.type.codec is not None:
            return polars.Series(attribute.name, values)
        column = arrow_column(arrow, attribute, values, arrow_type(arrow, attribute))
        if not arrow.types.is_decimal256(column.type):  # which polars has not
            return polars.Series(attribute.name, polars.from_arrow(column))
    except (DataJointError, TypeError, ValueError, polars.exceptions.PolarsError):
        pass  # objects, then
    return polars.Series(attribute.name, list(values), dtype=polars.Object)


# ---- pandas ---------------------------------------------------------------------------------------------


def to_pandas(query: Query, page: Page) -> Any:
    """Return all rows as a pandas frame, indexed by the primary key.

    Whole numbers and booleans with nulls are ``Int64`` and ``boolean``, times ``datetime64[us]``; dates,
    decimals and UUIDs stay Python's own.
    """
    pandas = _library("pandas", "to_pandas", "pandas")
    heading = query.node.heading
    table = _pandas_table(query, page)
    if table is not None:
        series = {a.name: _copied_series(pandas, a, table[a.name]) for a in heading}
    else:
        found = columns(heading.names, query.rows(None, page))
        series = {a.name: _series(pandas, a, found[a.name]) for a in heading}
    frame = pandas.DataFrame(series)
    return frame.set_index(list(heading.primary_key)) if heading.primary_key else frame


def _pandas_table(query: Query, page: Page) -> Any:
    """Fetch the fast way; None without pyarrow, and for UUIDs, which the driver makes faster."""
    if any(kind_of(a.type.name, a.type.column) == "uuid" for a in query.node.heading):
        return None
    try:
        arrow = import_module("pyarrow")
    except ImportError:
        return None
    return copied_table(arrow, query, page)


def _series(pandas: Any, attribute: HeadingAttribute, values: Sequence[Any]) -> Any:
    kind = kind_of(attribute.type.name, attribute.type.column)
    if kind in _WHOLE:
        return pandas.Series(values, dtype="Int64" if None in values else "int64")
    if kind == "bool":
        return pandas.Series(values, dtype="boolean" if None in values else "bool")
    if kind in _TYPES:
        return pandas.Series(values, dtype=_TYPES[kind])
    if kind in ("char", "varchar", "enum"):
        return pandas.Series(values, dtype=pandas.Series([""]).dtype)  # which depends on the version
    if attribute.type is COMPUTED:
        return pandas.Series(values) if values else pandas.Series([], dtype=object)
    return pandas.Series(objects(values), dtype=object)


_TYPES = {
    "float32": "float64",
    "float64": "float64",
    "datetime": "datetime64[us]",
    "zoned": "datetime64[us, UTC]",
}


def _copied_series(pandas: Any, attribute: HeadingAttribute, column: Any) -> Any:
    """Return what `_series` would, of a column of Arrow."""
    from djcli.codecs.binary import shortest_doubles  # heavy: numpy

    match kind_of(attribute.type.name, attribute.type.column):
        case "int8" | "int16" | "int32" | "int64" | "bool" as kind:
            dtype = "bool" if kind == "bool" else "int64"
            values = column.fill_null(kind != "bool" and 0).to_numpy().astype(dtype)
            if column.null_count:
                masked = pandas.arrays.BooleanArray if kind == "bool" else pandas.arrays.IntegerArray
                values = masked(values, column.is_null().to_numpy())
            return pandas.Series(values)
        case "float32":
            return pandas.Series(shortest_doubles(column.to_numpy()))
        case "float64" | "datetime":
            return pandas.Series(column.to_numpy())
        case "char" | "varchar" | "enum" | "zoned":
            return column.to_pandas()
        case _:
            return pandas.Series(_objects_of(column), dtype=object)


def _objects_of(column: Any) -> Any:
    """Return a column as Python values, each different one made once."""
    encoded = column.combine_chunks().dictionary_encode()
    if str(encoded.type.value_type).startswith("decimal"):
        different = [Decimal(text) for text in encoded.dictionary.cast("string").to_pylist()]
    else:
        different = encoded.dictionary.to_pylist()
    return objects([*different, None])[encoded.indices.fill_null(len(different)).to_numpy()]
