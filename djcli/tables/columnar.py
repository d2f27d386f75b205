"""The fast road to frames: rows by binary COPY, read a column at a time into an Arrow table.

It is taken where every column is of a type that numpy reads; the types are those of the slow road, which
makes Python values of every row first.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from djcli.algebra.heading import HeadingAttribute
from djcli.codecs.scalars import kind_of
from djcli.database.copy_out import Rows
from djcli.tables.arrow import arrow_type
from djcli.tables.fetch import Page, Query

if TYPE_CHECKING:
    from djcli.codecs.binary import Column

_READ_AS = {
    "int8": "int16",
    "char": "text",
    "varchar": "text",
    "enum": "text",
    **{name: name for name in ("int16", "int32", "int64", "float32", "float64", "bool", "bytes", "uuid")},
    **{name: name for name in ("date", "datetime", "zoned")},
}


def copied_table(arrow: Any, query: Query, page: Page) -> Any:
    """Fetch a query by COPY as an Arrow table.

    Parameters
    ----------
    arrow
        The library.
    query, page
        What to fetch.

    Returns
    -------
    pyarrow.Table or None
        None where the rows have to be fetched otherwise: for values that codecs or the user's own SQL make,
        while a populate reads ahead, or for values that Arrow does not know.
    """
    heading = query.node.heading
    kinds = [kind for kind in map(_read_as, heading) if kind is not None]
    if page.squeeze or not kinds or len(kinds) < len(heading):
        return None
    from djcli.codecs.binary import UnpackedError, read_columns  # heavy: numpy

    schema = arrow.schema([(a.name, arrow_type(arrow, a)) for a in heading])
    batches: list[Any] = []
    failed: list[UnpackedError] = []

    def take(rows: Rows) -> None:
        if failed:
            return
        try:
            columns = read_columns(rows.data, rows.ends, kinds)
        except UnpackedError as error:  # what is left of the rows is let pass
            failed.append(error)
            return
        arrays = [
            _array(arrow, attribute, column, len(rows.ends))
            for attribute, column in zip(heading, columns, strict=True)
        ]
        batches.append(arrow.RecordBatch.from_arrays(arrays, schema=schema))

    if not query.copy(take, page) or failed:
        return None
    return arrow.Table.from_batches(batches, schema=schema)


def _read_as(attribute: HeadingAttribute) -> str | None:
    """Return how the column is read; None if it cannot be."""
    from djcli.codecs.binary import MOST_DIGITS  # heavy: numpy

    kind = attribute.type
    if kind.codec is not None:
        return None
    name = kind_of(kind.name, kind.column)
    if name == "decimal" and kind.args and kind.args[0] <= MOST_DIGITS:
        return f"decimal{kind.args[1]}"
    return _READ_AS.get(name)


def _array(arrow: Any, attribute: HeadingAttribute, column: Column, size: int) -> Any:
    import numpy as np  # heavy

    kind = arrow_type(arrow, attribute)
    values = column.values
    known, missing = None, 0
    if column.is_null is not None:
        known = arrow.py_buffer(np.packbits(~column.is_null, bitorder="little"))
        missing = int(column.is_null.sum())
    if arrow.types.is_boolean(kind):
        values = np.packbits(values, bitorder="little")
    elif arrow.types.is_decimal(kind):
        values = np.stack((values, values >> 63), axis=1)  # 128 bits
    buffers: list[Any] = [known, arrow.py_buffer(np.ascontiguousarray(values))]
    if column.offsets is not None:
        buffers.insert(1, arrow.py_buffer(column.offsets.astype(np.int32)))
    made = arrow.Array.from_buffers(kind, size, buffers, missing)
    if kind_of(attribute.type.name, attribute.type.column) == "char":
        compute: Any = import_module("pyarrow.compute")
        return compute.utf8_rtrim(made, " ")
    return made
