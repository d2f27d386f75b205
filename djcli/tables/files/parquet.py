"""Parquet and Arrow files: read and written a batch at a time; the package pyarrow is an extra."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from djcli.algebra.heading import Heading
from djcli.errors import DataJointError
from djcli.tables.arrow import arrow_column, arrow_type
from djcli.tables.blocks import BLOCK

_WRITTEN = 20_000
"""Rows in a batch that is written."""

_MAGIC = b"ARROW1"


def _library(name: str, what: str) -> Any:
    try:
        return import_module(name)  # heavy, and an extra that few need
    except ImportError:
        raise DataJointError(f"{what} needs the package pyarrow: pip install 'djcli[arrow]'") from None


class Columnar:
    """A Parquet or Arrow file that is open for reading.

    Parameters
    ----------
    file
        The file; it must be seekable.
    name
        Its name, for messages.
    format_
        ``parquet`` or ``arrow``, the file format or the stream.

    Attributes
    ----------
    header
        The names of its columns.

    Raises
    ------
    DataJointError
        If it is no file of that format, or two columns have one name.
    """

    def __init__(self, file: BinaryIO, name: str, format_: str) -> None:
        self._name = name
        self._format = format_
        with self._told():
            if format_ == "parquet":
                self._opened = _library("pyarrow.parquet", f"reading {name}").ParquetFile(file)
                self.schema: Any = self._opened.schema_arrow
            else:
                ipc = _library("pyarrow.ipc", f"reading {name}")
                is_file = file.read(len(_MAGIC)) == _MAGIC
                file.seek(0)
                self._opened = ipc.open_file(file) if is_file else ipc.open_stream(file)
                self.schema = self._opened.schema
        self.header: tuple[str, ...] = tuple(self.schema.names)
        twice = next((name for name in self.header if self.header.count(name) > 1), None)
        if twice is not None:
            raise DataJointError(f"{name} has two columns {twice!r}: each needs a name of its own")

    @contextmanager
    def _told(self) -> Generator[None]:
        arrow = _library("pyarrow", f"reading {self._name}")
        try:
            yield
        except arrow.ArrowException as error:
            reason = " ".join(str(error).split())
            raise DataJointError(f"{self._name} cannot be read as {self._format}: {reason}") from error

    def batches(self) -> Iterator[Any]:
        """Yield its rows as record batches."""
        with self._told():
            if self._format == "parquet":
                yield from self._opened.iter_batches(batch_size=BLOCK)
                return
            for batch in self._stored():
                for start in range(0, batch.num_rows, BLOCK):
                    yield batch.slice(start, BLOCK)

    def _stored(self) -> Iterator[Any]:
        if hasattr(self._opened, "num_record_batches"):
            return map(self._opened.get_batch, range(self._opened.num_record_batches))
        return iter(self._opened)

    def copy(self, numbers: Iterable[int], target: BinaryIO) -> None:
        """Write some of its rows, by their numbers in ascending order, to a file of the same format."""
        wanted = iter(numbers)
        number = next(wanted, 0)
        first = 1
        with open_writer(target, self.schema, self._format) as writer:
            for batch in self.batches():
                places: list[int] = []
                while number and number < first + batch.num_rows:
                    places.append(number - first)
                    number = next(wanted, 0)
                if places:
                    writer.write_batch(batch.take(_library("pyarrow", "writing").array(places)))
                first += batch.num_rows


def columns_of_batch(batch: Any) -> list[Sequence[object]]:
    """Return the values of a record batch, column by column."""
    return [_values(column) for column in batch.columns]


def _values(column: Any) -> list[object]:
    kind = str(column.type)
    if not column.null_count and (kind in ("double", "bool") or kind.lstrip("u").startswith("int")):
        return column.to_numpy(zero_copy_only=False).tolist()  # quicker
    return column.to_pylist()


# ---- writing --------------------------------------------------------------------------------------------


def open_writer(file: BinaryIO, schema: Any, format_: str) -> Any:
    """Return the writer of record batches of a schema to a file."""
    if format_ == "parquet":
        return _library("pyarrow.parquet", "writing Parquet").ParquetWriter(file, schema)
    return _library("pyarrow.ipc", "writing Arrow").new_file(file, schema)


def write_columnar(file: BinaryIO, heading: Heading, rows: Iterable[Sequence[Any]], format_: str) -> int:
    """Write rows as Parquet or Arrow; see `formats.write_rows`."""
    arrow = _library("pyarrow", f"writing {format_}")
    source = iter(rows)
    chunk = list(islice(source, _WRITTEN))
    first = _batch(arrow, heading, chunk, [arrow_type(arrow, attribute) for attribute in heading])
    count = 0
    with open_writer(file, first.schema, format_) as writer:
        while chunk:
            batch = first if not count else _batch(arrow, heading, chunk, first.schema.types)
            writer.write_batch(batch)
            count += len(chunk)
            chunk = list(islice(source, _WRITTEN))
    return count


def _batch(arrow: Any, heading: Heading, rows: Sequence[Sequence[Any]], types: Sequence[Any]) -> Any:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(heading)
    arrays = [
        arrow_column(arrow, attribute, column, kind)
        for attribute, column, kind in zip(heading, columns, types, strict=True)
    ]
    return arrow.record_batch(arrays, names=list(heading.names))
