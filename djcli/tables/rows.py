"""From whatever users hold rows in to blocks: columns of values, with the numbers of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.tables.blocks import BLOCK, Block, RowError, Source, described, numbered, row_blocks
from djcli.tables.files.rowfile import RowFile

SPELLED = Source(spelled=("json",))
"""Frames whose libraries have no JSON type, so that it is text."""


def read_blocks(model: TableModel, rows: object) -> Iterator[Block | RowError]:
    """Read rows, a block at a time, in flat memory.

    Parameters
    ----------
    model
        The table they are meant for: sequences are in the order of its attributes.
    rows
        An iterable of mappings, sequences or numpy records; a structured array; a pandas or polars frame;
        an Arrow table; or a file, or its path, in one of `files.formats.FORMATS`.

    Yields
    ------
    Block or RowError
        The rows in order, and in place of a row that cannot be read what is wrong with it.

    Raises
    ------
    DataJointError
        If it is nothing of the kind.
    """
    if isinstance(rows, (str, bytes, Mapping)):
        kind = type(cast(object, rows)).__name__
        raise DataJointError(f"insert takes many rows, not one {kind}; insert one row with insert1")
    if isinstance(rows, Path):
        return RowFile(rows).blocks(model)
    if isinstance(rows, RowFile):
        return rows.blocks(model)
    given: Any = rows
    if isinstance(rows, type) or not (hasattr(given, "__iter__") or _is_frame(given)):
        raise DataJointError(f"insert takes an iterable of rows, not {described(given)}")
    if _is_frame(given):
        return _frame(model, given)
    if getattr(getattr(given, "dtype", None), "names", None) and given.shape:
        return numbered(_structured(given))
    return _items(model, given)


def _is_frame(rows: object) -> bool:
    return any(hasattr(rows, name) for name in ("iloc", "to_batches", "iter_slices", "collect_schema"))


def _items(model: TableModel, rows: Iterable[object]) -> Iterator[Block | RowError]:
    source = iter(rows)
    number = 1
    while chunk := list(islice(source, BLOCK)):
        yield from row_blocks(model, chunk, range(number, number + len(chunk)))
        number += len(chunk)


# ---- arrays and frames ----------------------------------------------------------------------------------


def _structured(array: Any) -> Iterator[tuple[tuple[str, ...], list[Sequence[object]]]]:
    names = tuple(array.dtype.names)
    for start in range(0, len(array), BLOCK):
        part = array[start : start + BLOCK]
        yield names, [_plain(part[name]) for name in names]


def _plain(column: Any) -> list[object]:
    """Return the values of an array; those that a Python type does not do justice stay numpy's."""
    is_single = column.dtype.kind == "f" and column.dtype.itemsize != 8
    if is_single or column.dtype.kind in "mMVc" or column.ndim > 1:
        return list(column)
    return column.tolist()


def _frame(model: TableModel, frame: Any) -> Iterator[Block]:
    if hasattr(frame, "to_batches"):
        return numbered(_arrow(frame.to_batches(max_chunksize=BLOCK)), SPELLED)
    if hasattr(frame, "iloc"):
        return numbered(_pandas(model, frame))
    return numbered(_polars(frame.collect() if hasattr(frame, "collect") else frame), SPELLED)


def _arrow(batches: Iterable[Any]) -> Iterator[tuple[tuple[str, ...], list[Sequence[object]]]]:
    for batch in batches:
        yield tuple(batch.schema.names), [column.to_pylist() for column in batch.columns]


def _polars(frame: Any) -> Iterator[tuple[tuple[str, ...], list[Sequence[object]]]]:
    names = tuple(frame.columns)
    for part in frame.iter_slices(BLOCK):
        yield names, [part.get_column(name).to_list() for name in names]


def _pandas(model: TableModel, frame: Any) -> Iterator[tuple[tuple[str, ...], list[Sequence[object]]]]:
    if [name for name in frame.index.names if name is not None]:
        frame = frame.reset_index()
    names = tuple(map(str, frame.columns))
    for start in range(0, len(frame), BLOCK):
        part = frame.iloc[start : start + BLOCK]
        yield names, [_series(model, name, part.iloc[:, place]) for place, name in enumerate(names)]


def _series(model: TableModel, name: str, series: Any) -> list[object]:
    """Return the values of a pandas column, None where they are missing.

    In a column of floats ``nan`` says that a value is missing; it stays a number only where the attribute
    may not be null.
    """
    is_single = getattr(series.dtype, "kind", "") == "f" and series.dtype.itemsize != 8
    values: list[object] = list(series) if is_single else series.tolist()
    missing = series.isna()
    if not missing.any():
        return values
    attribute = model.by_name.get(name)
    keeps_nan = attribute is not None and not attribute.has_default
    return [
        None if is_missing and not (keeps_nan and isinstance(value, float)) else value
        for value, is_missing in zip(values, missing.tolist(), strict=True)
    ]


def with_index(model: TableModel, frame: Any, index_as_pk: bool | None) -> Any:
    """Return a pandas frame whose index has become columns, or is gone; see `Table.insert_dataframe`."""
    if not hasattr(frame, "iloc"):
        raise DataJointError(f"insert_dataframe takes a pandas frame, not {described(frame)}")
    names = list(frame.index.names)
    if index_as_pk and set(names) != set(model.primary_key):
        raise DataJointError(
            f"{model.id}: the index of the frame is {names}, not the primary key ({', '.join(model.primary_key)})"
        )
    holds_attributes = any(name is not None for name in names) if index_as_pk is None else index_as_pk
    return frame.reset_index(drop=not holds_attributes)
