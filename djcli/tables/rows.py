"""From whatever users hold rows in to blocks: columns of values, with the numbers of their rows."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from djcli.definition.model import TableModel
from djcli.errors import DataJointError

BLOCK = 1_000
"""Rows in a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows that give the same attributes.

    Attributes
    ----------
    names
        The attributes.
    columns
        The values of each.
    numbers
        The numbers of the rows, counted from 1 in what the user gave.
    is_text
        Whether every value is text that stands for one, as in a CSV file.
    """

    names: tuple[str, ...]
    columns: list[Sequence[object]]
    numbers: Sequence[int]
    is_text: bool = False

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows as tuples."""
        return zip(*self.columns, strict=True) if self.columns else iter([()] * len(self.numbers))


class RowError(DataJointError):
    """A row that is none: of a wrong kind, or with a wrong number of values.

    Parameters
    ----------
    number
        The number of the row.
    message
        What is wrong with it.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"row {number} {message}")
        self.number = number
        self.problem = message


def read_blocks(model: TableModel, rows: object) -> Iterator[Block | RowError]:
    """Read rows, a block at a time, in flat memory.

    Parameters
    ----------
    model
        The table they are meant for: sequences are in the order of its attributes.
    rows
        An iterable of mappings, sequences or numpy records; a structured array; a pandas or polars frame;
        an Arrow table; or the path of a CSV or Parquet file.

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
        return _file(rows)
    given: Any = rows
    if isinstance(rows, type) or not (hasattr(given, "__iter__") or _is_frame(given)):
        raise DataJointError(f"insert takes an iterable of rows, not {_kind(given)}")
    if _is_frame(given):
        return _frame(model, given)
    if getattr(getattr(given, "dtype", None), "names", None) and given.shape:
        return _numbered(_structured(given))
    return _items(model, given)


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _is_frame(rows: object) -> bool:
    return any(hasattr(rows, name) for name in ("iloc", "to_batches", "iter_slices", "collect_schema"))


def _numbered(found: Iterable[tuple[tuple[str, ...], list[Sequence[object]]]]) -> Iterator[Block]:
    number = 1
    for names, columns in found:
        size = len(columns[0]) if columns else 0
        if size:
            yield Block(names, columns, range(number, number + size))
        number += size


# ---- mappings, sequences and records --------------------------------------------------------------------


def _items(model: TableModel, rows: Iterable[object]) -> Iterator[Block | RowError]:
    source = iter(rows)
    number = 1
    while chunk := list(islice(source, BLOCK)):
        block = uniform_dicts(chunk, number)
        if block is not None:
            yield block
        else:
            yield from _one_by_one(model, chunk, number)
        number += len(chunk)


def uniform_dicts(chunk: list[Any], number: int) -> Block | None:
    """Return the block of dicts that all have the same keys; None for anything else."""
    if set(map(type, chunk)) != {dict}:
        return None
    names = tuple(chunk[0])
    if set(map(len, chunk)) != {len(names)} or not names or set(map(type, names)) != {str}:
        return None
    try:
        columns = [list(map(itemgetter(name), chunk)) for name in names]
    except KeyError:
        return None
    return Block(names, cast("list[Sequence[object]]", columns), range(number, number + len(chunk)))


def _one_by_one(model: TableModel, chunk: list[object], number: int) -> Iterator[Block | RowError]:
    groups: dict[tuple[str, ...], tuple[list[int], list[tuple[object, ...]]]] = {}
    for place, row in enumerate(chunk, start=number):
        try:
            names, values = _fields(model, row, place)
        except RowError as error:
            yield error
            continue
        numbers, rows = groups.setdefault(names, ([], []))
        numbers.append(place)
        rows.append(values)
    for names, (numbers, rows) in groups.items():
        yield Block(names, [list(column) for column in zip(*rows, strict=True)], numbers)


def _fields(model: TableModel, row: object, number: int) -> tuple[tuple[str, ...], tuple[object, ...]]:
    if isinstance(row, Mapping):
        fields = cast(Mapping[object, object], row)
        odd = [name for name in fields if not isinstance(name, str)]
        if odd:
            raise RowError(number, f"has a key that is no attribute's name: {odd[0]!r}")
        return cast("tuple[str, ...]", tuple(fields)), tuple(fields.values())
    names = getattr(getattr(row, "dtype", None), "names", None)
    if names:
        record: Any = row
        return tuple(names), tuple(record[name] for name in names)
    is_array = type(row).__name__ == "ndarray"
    if is_array or (isinstance(row, Sequence) and not isinstance(row, (str, bytes, bytearray))):
        values = tuple(cast("Sequence[object]", row))
        if len(values) != len(model.names):
            listed = ", ".join(model.names)
            raise RowError(number, f"has {len(values)} values for {len(model.names)} attributes ({listed})")
        return model.names, values
    raise RowError(number, f"is {_kind(row)}; give a dict or a sequence")


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
        return _numbered(_arrow(frame.to_batches(max_chunksize=BLOCK)))
    if hasattr(frame, "iloc"):
        return _numbered(_pandas(model, frame))
    return _numbered(_polars(frame.collect() if hasattr(frame, "collect") else frame))


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
        raise DataJointError(f"insert_dataframe takes a pandas frame, not {_kind(frame)}")
    names = list(frame.index.names)
    if index_as_pk and set(names) != set(model.primary_key):
        raise DataJointError(
            f"{model.id}: the index of the frame is {names}, not the primary key ({', '.join(model.primary_key)})"
        )
    holds_attributes = any(name is not None for name in names) if index_as_pk is None else index_as_pk
    return frame.reset_index(drop=not holds_attributes)


# ---- files ----------------------------------------------------------------------------------------------


def _file(path: Path) -> Iterator[Block]:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataJointError(f"there is no file {path}")
    if suffix == ".csv":
        return _csv(path)
    if suffix in (".parquet", ".pq"):
        return _numbered(_parquet(path))
    raise DataJointError(f"cannot read rows from {path.name}: it must end in .csv or .parquet")


def _csv(path: Path) -> Iterator[Block]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        names = tuple(name.strip() for name in next(reader, ()))
        if len(set(names)) != len(names) or not all(names):
            raise DataJointError(f"{path.name}: the first line must name every column, each once")
        number = 1
        while chunk := [row for row in islice(reader, BLOCK) if row]:
            _check_lengths(path, names, chunk, number)
            columns: list[Sequence[object]] = list(zip(*chunk, strict=True))
            yield Block(names, columns, range(number, number + len(chunk)), is_text=True)
            number += len(chunk)


def _check_lengths(path: Path, names: Collection[str], chunk: list[list[str]], first: int) -> None:
    for number, row in enumerate(chunk, start=first):
        if len(row) != len(names):
            raise DataJointError(f"{path.name}: row {number} has {len(row)} values for {len(names)} columns")


def _parquet(path: Path) -> Iterator[tuple[tuple[str, ...], list[Sequence[object]]]]:
    try:
        parquet: Any = import_module("pyarrow.parquet")  # heavy, and an extra that few need
    except ImportError:
        raise DataJointError(f"reading {path.name} needs the package pyarrow: pip install pyarrow") from None
    with parquet.ParquetFile(path) as file:
        yield from _arrow(file.iter_batches(batch_size=BLOCK))
