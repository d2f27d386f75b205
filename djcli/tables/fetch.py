"""Fetching: from a compiled statement to rows and arrays in the user's own types."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from djcli.algebra.heading import Heading, HeadingAttribute
from djcli.algebra.nodes import Order
from djcli.algebra.ordering import OrderBy, check_limit, handed_on, read_order
from djcli.algebra.relation import Node
from djcli.codecs.registry import decode_chain
from djcli.codecs.scalars import decoder
from djcli.database.copy_out import Rows
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.sql.compile import compile_copy, compile_count, compile_exists, compile_select
from djcli.sql.statement import Statement, parameters
from djcli.tables.declare import ensure
from djcli.tables.instance import Instance

if TYPE_CHECKING:
    import numpy as np

__all__ = ["OrderBy", "Page", "Query", "Row", "array", "read_order", "structured_array"]

Row = tuple[Any, ...]
_NO_LIMITS: dict[str, object] = {}

Decoders = tuple[tuple[int, Callable[[Any], Any]], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows are fetched, and how.

    Attributes
    ----------
    order_by, limit, offset, squeeze
        As in `Results.to_dicts`.
    """

    order_by: OrderBy = None
    limit: int | None = None
    offset: int | None = None
    squeeze: bool = False


ALL = Page()
"""All rows, in whatever order they come."""


_TWO: dict[str, object] = {"limit": 2, "offset": 0}


class Query:
    """An expression bound to its database: what can be asked of it."""

    def __init__(self, instance: Instance, node: Node, values: tuple[object, ...]) -> None:
        self.instance = instance
        self.node = node
        self.values = values

    def _run(self, statement: Statement, extra: dict[str, object] | None = None) -> list[Row]:
        instance = self.instance
        ensure(instance, self.node.tables)
        limits = extra or _NO_LIMITS
        connection = instance.connection
        for witness in connection.witnesses:
            witness.reads(self.node, statement.text, {**parameters(self.values), **limits})
        if instance.interceptor is not None:
            return instance.interceptor.read(self.node, statement, self.values, limits)
        return connection.rows(statement.text, {**parameters(self.values), **limits})

    def statement(
        self, names: tuple[str, ...] | None = None, page: Page = ALL
    ) -> tuple[Statement, dict[str, object]]:
        """Return the statement that fetches, with the parameters of its limit.

        Without an ordering of its own it keeps that of a `Top`.
        """
        if page.order_by is None and page.limit is None and not page.offset:
            return compile_select(self.node, names), {}
        order, extra = self._paged(page)
        return compile_select(self.node, names, order, limited=bool(extra)), extra

    def _paged(self, page: Page) -> tuple[tuple[Order, ...], dict[str, object]]:
        """Return the ordering of a page, and the parameters of its limit."""
        limit, offset = check_limit(page.limit, page.offset)
        limited = limit is not None or offset > 0
        if page.order_by is not None:
            order = read_order(self.node.heading, page.order_by)
        else:
            order = handed_on(self.node) if limited else ()
        return order, {"limit": limit, "offset": offset} if limited else {}

    def dicts(self, names: tuple[str, ...] | None = None, page: Page = ALL) -> list[dict[str, Any]]:
        """Fetch rows as dicts of the named attributes (all by default)."""
        keys = self.node.heading.names if names is None else names
        with _NoCollection():
            # No check of lengths per row: they are those of the statement.
            return [dict(zip(keys, row)) for row in self.rows(names, page)]  # noqa: B905 - see above

    def rows(self, names: tuple[str, ...] | None = None, page: Page = ALL) -> list[Row]:
        """Fetch rows as tuples, decoded, of the named attributes (all by default)."""
        statement, extra = self.statement(names, page)
        with _NoCollection():
            rows = decode(statement, self._run(statement, extra))
        return squeezed(rows) if page.squeeze else rows

    def two(self, names: tuple[str, ...], *, squeeze: bool = False) -> list[Row]:
        """Fetch two rows of the named attributes, or fewer: enough to know whether there is one."""
        statement = compile_select(self.node, names, handed_on(self.node), limited=True)
        rows = decode(statement, self._run(statement, _TWO))
        return squeezed(rows) if squeeze else rows

    def copy(self, take: Callable[[Rows], None], page: Page = ALL) -> bool:
        """Fetch rows by binary COPY, all attributes; False if that cannot be, and nothing was fetched.

        Parameters
        ----------
        take
            Called with the rows, some megabytes at a time.
        page
            Which rows.
        """
        order, extra = self._paged(page)
        copy = compile_copy(self.node, None, order, limited=bool(extra))
        is_watched = self.instance.interceptor is not None or bool(self.instance.connection.witnesses)
        if copy is None or is_watched:  # whoever runs or watches a make knows nothing of this road
            return False
        ensure(self.instance, self.node.tables)
        self.instance.connection.copy_out(copy, parameters(self.values) | extra, take)
        return True

    def stream(self, names: tuple[str, ...] | None = None, order_by: OrderBy = None) -> Iterator[Row]:
        """Yield rows through a server-side cursor, in flat memory."""
        ensure(self.instance, self.node.tables)
        statement, _ = self.statement(names, Page(order_by))
        found, params = decoders(statement), parameters(self.values)
        for witness in self.instance.connection.witnesses:
            witness.reads(self.node, statement.text, params)
        rows = self.instance.connection.stream(statement.text, params)
        if not statement.columns:
            return (() for _ in rows)
        return (_decode_row(statement, found, row) for row in rows) if found else rows

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._run(compile_count(self.node))[0][0])

    def exists(self) -> bool:
        """Whether there is any row."""
        return bool(self._run(compile_exists(self.node))[0][0])


def squeezed(rows: list[Row]) -> list[Row]:
    """Remove dimensions of length one from arrays that are values."""
    return [tuple(v.squeeze() if hasattr(v, "squeeze") else v for v in row) for row in rows]


class _NoCollection:
    """Lets the garbage collector rest while many objects are made, none of which is garbage."""

    __slots__ = ("was_enabled",)

    def __enter__(self) -> None:
        self.was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self.was_enabled:
            gc.enable()


@lru_cache(maxsize=4096)
def decoders(statement: Statement) -> Decoders:
    """Return position and function for those columns whose values need decoding."""
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for place, attribute in enumerate(statement.columns):
        kind = attribute.type
        decode_one = decode_chain(kind.codec) if kind.codec else decoder(kind.name, kind.column, kind.args)
        if decode_one is not None:
            found.append((place, decode_one))
    return tuple(found)


def decode(statement: Statement, rows: list[Row]) -> list[Row]:
    """Decode rows; they are returned as they are when no column needs it."""
    if not statement.columns:  # SQL has no rows without columns
        return [()] * len(rows)
    found = decoders(statement)
    return [_decode_row(statement, found, row) for row in rows] if found else rows


def _decode_row(statement: Statement, found: Decoders, row: Row) -> Row:
    values = list(row)
    for place, decode_one in found:
        if values[place] is not None:
            try:
                values[place] = decode_one(values[place])
            except (ValueError, DataJointError) as error:
                raise _unreadable(statement, place, row, error) from error
    return tuple(values)


def _unreadable(statement: Statement, place: int, row: Row, error: Exception) -> DataJointError:
    """Return the error for a stored value that its codec cannot read: which table, attribute and key."""
    attribute = statement.columns[place]
    home = attribute.origin.place if attribute.origin is not None else None
    where = f"{home}: " if isinstance(home, TableId) else ""
    pairs = zip(statement.columns, row, strict=True)
    key = ", ".join(f"{column.name}={value}" for column, value in pairs if column.in_key)
    return DataJointError(
        f"{where}attribute {attribute.name!r} ({attribute.type.text})"
        f"{' of the row with ' + key if key else ''} cannot be read: {error}"
    )


_DTYPES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64"), "int64"),
    "float32": "float64",
    "float64": "float64",
    "bool": "bool",
}


def array(attribute: HeadingAttribute, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Return a column as an array: numbers, booleans and text as such, anything with nulls as objects.

    Arrays of one shape, as codecs give them, become one array with a dimension more.
    """
    import numpy as np  # heavy, and not needed to declare or to populate

    kinds = set(map(type, values))
    if type(None) not in kinds:
        dtype = _DTYPES.get(attribute.type.name)
        if dtype is not None:
            return np.array(values, dtype=dtype)
        if attribute.type.name in ("char", "varchar", "enum"):
            return np.array(values, dtype=str)
        if len(kinds) == 1 and kinds <= {int, float, bool, str}:
            return np.array(values)
        if attribute.type.codec is not None and values:
            return _stacked(values)
    return objects(values)


def _stacked(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    import numpy as np  # heavy, and not needed to declare or to populate

    try:
        return np.array(values)
    except ValueError:  # their shapes differ
        return objects(values)


def objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Return an array of these very objects."""
    import numpy as np  # heavy, and not needed to declare or to populate

    return np.fromiter(values, dtype=object, count=len(values))  # which spreads nothing out


def columns(names: Sequence[str], rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    """Turn rows into one sequence for each name."""
    if not rows:
        return dict.fromkeys(names, ())
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def structured_array(heading: Heading, rows: list[Row]) -> np.ndarray[Any, Any]:
    """Return rows as one structured array: text is objects, and so is what has nulls; a null float is NaN."""
    import numpy as np  # heavy, and not needed to declare or to populate

    found = columns(heading.names, rows)
    parts: dict[str, np.ndarray[Any, Any]] = {}
    for attribute in heading:
        values = found[attribute.name]
        dtype = _DTYPES.get(attribute.type.name)
        if dtype == "float64" and None in values:
            parts[attribute.name] = np.array([np.nan if v is None else v for v in values])
        elif dtype is not None and None not in values:
            parts[attribute.name] = np.array(values, dtype=dtype)
        else:
            parts[attribute.name] = objects(values)
    result = np.empty(len(rows), dtype=[(name, part.dtype) for name, part in parts.items()])
    for name, part in parts.items():
        result[name] = part
    return result
