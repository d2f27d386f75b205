"""Fetching: from a compiled statement to rows, dicts and arrays in the user's own types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from djcli.algebra.heading import Heading, HeadingAttribute
from djcli.algebra.nodes import Order
from djcli.algebra.relation import Node
from djcli.codecs.registry import decode_chain
from djcli.codecs.scalars import decoder
from djcli.errors import DataJointError
from djcli.sql.compile import compile_count, compile_exists, compile_select
from djcli.sql.statement import Statement, parameters
from djcli.tables.declare import ensure
from djcli.tables.instance import Instance

if TYPE_CHECKING:
    import numpy as np

Row = tuple[Any, ...]
OrderBy = str | Sequence[str] | None

_ORDER_TERM = re.compile(r"\s*([A-Za-z_]\w*)(?:\s+(ASC|DESC))?\s*", re.IGNORECASE)


def read_order(heading: Heading, order_by: OrderBy) -> tuple[Order, ...]:
    """Translate ``order_by``: names with an optional ``DESC``; ``KEY`` stands for the primary key.

    Raises
    ------
    DataJointError
        For a term that is none of these.
    """
    if order_by is None:
        return ()
    terms = [order_by] if isinstance(order_by, str) else list(order_by)
    order: list[Order] = []
    for text in (part for term in terms for part in term.split(",")):
        match = _ORDER_TERM.fullmatch(text)
        if match is None:
            raise DataJointError(f"cannot order by {text.strip()!r}: write an attribute, or 'attribute DESC'")
        descending = (match[2] or "").upper() == "DESC"
        if match[1].upper() == "KEY" and match[1] not in heading:
            order += [Order(name, descending) for name in heading.primary_key]
        else:
            heading.check((match[1],))
            order.append(Order(match[1], descending))
    return tuple(order)


class Query:
    """An expression bound to its database: what can be asked of it."""

    def __init__(self, instance: Instance, node: Node, values: Sequence[object]) -> None:
        self.instance = instance
        self.node = node
        self.values = values

    def _run(self, statement: Statement, extra: dict[str, object] | None = None) -> list[Row]:
        ensure(self.instance, self.node.tables)
        return self.instance.connection.rows(statement.text, parameters(self.values) | (extra or {}))

    def statement(
        self,
        names: tuple[str, ...] | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> tuple[Statement, dict[str, object]]:
        """Return the statement that fetches, with the parameters of its limit."""
        if (limit is not None and limit < 0) or (offset is not None and offset < 0):
            raise DataJointError(f"limit and offset must not be negative (they are {limit} and {offset})")
        limited = limit is not None or bool(offset)
        order = read_order(self.node.heading, order_by)
        extra: dict[str, object] = {"limit": limit, "offset": offset or 0} if limited else {}
        return compile_select(self.node, names, order, limited=limited), extra

    def rows(
        self,
        names: tuple[str, ...] | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        *,
        squeeze: bool = False,
    ) -> list[Row]:
        """Fetch rows as tuples, decoded, of the named attributes (all by default)."""
        statement, extra = self.statement(names, order_by, limit, offset)
        rows = decode(statement.columns, self._run(statement, extra))
        if squeeze:
            rows = [tuple(v.squeeze() if hasattr(v, "squeeze") else v for v in row) for row in rows]
        return rows

    def stream(self, names: tuple[str, ...] | None = None, order_by: OrderBy = None) -> Iterator[Row]:
        """Yield rows through a server-side cursor, in flat memory."""
        ensure(self.instance, self.node.tables)
        statement, _ = self.statement(names, order_by)
        found = decoders(statement.columns)
        for row in self.instance.connection.stream(statement.text, parameters(self.values)):
            yield _decode_row(found, row) if found else row

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._run(compile_count(self.node))[0][0])

    def exists(self) -> bool:
        """Whether there is any row."""
        return bool(self._run(compile_exists(self.node))[0][0])


@lru_cache(maxsize=1024)
def decoders(columns: tuple[HeadingAttribute, ...]) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """Return position and function for those columns whose values need decoding."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for place, attribute in enumerate(columns):
        kind = attribute.type
        decode_one = decode_chain(kind.codec) if kind.codec else decoder(kind.name, kind.column, kind.args)
        if decode_one is not None:
            found.append((place, decode_one))
    return tuple(found)


def decode(columns: tuple[HeadingAttribute, ...], rows: list[Row]) -> list[Row]:
    """Decode rows; they are returned as they are when no column needs it."""
    found = decoders(columns)
    return [_decode_row(found, row) for row in rows] if found else rows


def _decode_row(found: Iterable[tuple[int, Callable[[Any], Any]]], row: Row) -> Row:
    values = list(row)
    for place, decode_one in found:
        if values[place] is not None:
            values[place] = decode_one(values[place])
    return tuple(values)


_DTYPES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "int64"),
    "float32": "float64",
    "float64": "float64",
    "bool": "bool",
}


def array(attribute: HeadingAttribute, values: list[Any]) -> np.ndarray[Any, Any]:
    """Return a column as an array: numbers, booleans and text as such, anything with nulls as objects."""
    import numpy as np  # heavy, and not needed to declare or to populate

    if None not in values:
        dtype = _DTYPES.get(attribute.type.name)
        if dtype is not None:
            return np.array(values, dtype=dtype)
        if attribute.type.name in ("char", "varchar", "enum"):
            return np.array(values, dtype=str)
        kinds: set[type] = {type(value) for value in values}
        if len(kinds) == 1 and kinds <= {int, float, bool, str}:
            return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def columns(heading: Heading, names: Sequence[str], rows: list[Row]) -> dict[str, list[Any]]:
    """Turn rows into one list for each name."""
    heading.check(names)
    if not rows:
        return {name: [] for name in names}
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def structured_array(heading: Heading, rows: list[Row]) -> np.ndarray[Any, Any]:
    """Return rows as one structured array; a numeric column with nulls holds NaN, text is objects."""
    import numpy as np  # heavy, and not needed to declare or to populate

    found = columns(heading, heading.names, rows)
    dtype: list[tuple[str, Any]] = []
    for attribute in heading:
        kind = array(attribute, found[attribute.name]).dtype
        if kind.kind == "O" and attribute.type.name in _DTYPES and attribute.type.name != "bool":
            kind = np.dtype("float64")
            found[attribute.name] = [np.nan if v is None else v for v in found[attribute.name]]
        dtype.append((attribute.name, object if kind.kind == "U" else kind))
    result = np.empty(len(rows), dtype=dtype)
    for name, values in found.items():
        result[name] = (
            array(heading[name], values) if dtype[heading.names.index(name)][1] is object else values
        )
    return result
