"""`RowFile`: a file of rows to be read into a table, whatever its format."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.names import did_you_mean
from djcli.tables.blocks import BLOCK, Block, RowError, Source, row_blocks
from djcli.tables.files.formats import BINARY, format_of

_OF_TEXT = ("json", "bytes")


@dataclass(frozen=True)
class RowFile:
    """A file of rows.

    Attributes
    ----------
    path
        Where it is; it is read as often as need be.
    format
        One of `formats.FORMATS`; by default what the file's ending says.
    name
        Its name in messages.
    renamed
        The attributes that columns stand for, where their names differ.
    delimiter
        What stands between two fields of CSV.
    without
        Numbers of rows that are passed over, ascending.
    follow
        Is told how far reading has come: rows more, and which part of the file is read, from 0 to 1.
    """

    path: Path
    format: str = ""
    name: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    delimiter: str | None = None
    without: Sequence[int] = ()
    follow: Callable[[int, float], None] | None = None

    @property
    def unit(self) -> str:
        """What the numbers of its rows count."""
        return "line" if self._format in ("csv", "tsv", "jsonl") else "row"

    @property
    def _format(self) -> str:
        return self.format or format_of(self.path)

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self.name or self.path.name

    def blocks(self, model: TableModel) -> Iterator[Block | RowError]:
        """Read the rows, a block at a time, in flat memory.

        Raises
        ------
        DataJointError
            If there is no such file, or it is not of its format.
        """
        format_ = self._format
        if not self.path.is_file():
            raise DataJointError(f"there is no file {self.path}")
        return self._followed(format_, model)

    def _followed(self, format_: str, model: TableModel) -> Iterator[Block | RowError]:
        size = self.path.stat().st_size or 1
        with self.path.open("rb") as file:
            for found in self._read(file, format_, model):
                block = self._kept(found)
                if self.follow is not None:
                    rows = 1 if isinstance(found, RowError) else len(found)
                    self.follow(rows, min(1.0, file.tell() / size))
                if block is not None:
                    yield block

    def _kept(self, found: Block | RowError) -> Block | RowError | None:
        """Return what is not to be passed over."""
        if not self.without:
            return found
        if isinstance(found, RowError):
            return None if _has(self.without, found.number) else found
        kept = [place for place, number in enumerate(found.numbers) if not _has(self.without, number)]
        return found if len(kept) == len(found) else found.at(kept) if kept else None

    def _read(self, file: BinaryIO, format_: str, model: TableModel) -> Iterator[Block | RowError]:
        if format_ in ("json", "jsonl"):
            return self._json(file, format_, model)
        return self._columnar(file, format_) if format_ in BINARY else self._delimited(file, format_)

    def _source(self, **options: Any) -> Source:
        return Source(f"{self.shown} {self.unit}", **options)

    # ---- the formats ------------------------------------------------------------------------------------

    def _delimited(self, file: BinaryIO, format_: str) -> Iterator[Block | RowError]:
        from djcli.tables.files.delimited import Delimited, values_of  # lazy: one format is read at a time

        source = self._source(header=self.shown, spelled=_OF_TEXT, is_text=True)
        opened = Delimited(file, self.shown, self.delimiter or ("\t" if format_ == "tsv" else ","))
        names = self._attributes(opened.header)
        for numbers, records in opened.records():
            if set(map(len, records)) != {len(names)}:
                for number, record in zip(numbers, records, strict=True):
                    if len(record) != len(names):
                        values = f"{len(record)} value{'s' * (len(record) != 1)}"
                        yield RowError(number, f"has {values} for {len(names)} columns", source.unit)
                fit = [place for place, record in enumerate(records) if len(record) == len(names)]
                numbers, records = [numbers[place] for place in fit], [records[place] for place in fit]
            if records:
                columns: list[Sequence[object]] = [values_of(c) for c in zip(*records, strict=True)]
                yield Block(names, columns, numbers, source)

    def _columnar(self, file: BinaryIO, format_: str) -> Iterator[Block]:
        from djcli.tables.files.parquet import (
            Columnar,
            columns_of_batch,
        )  # lazy: one format is read at a time

        source = self._source(header=self.shown, spelled=("json",))
        opened = Columnar(file, self.shown, format_)
        names = self._attributes(opened.header)
        number = 1
        for batch in opened.batches():
            if batch.num_rows:
                rows = range(number, number + batch.num_rows)
                yield Block(names, columns_of_batch(batch), rows, source)
            number += batch.num_rows

    def _json(self, file: BinaryIO, format_: str, model: TableModel) -> Iterator[Block | RowError]:
        source = self._source(spelled=("bytes",))
        items = self._items(file, format_)
        while chunk := list(islice(items, BLOCK)):
            rows: list[Any] = []
            numbers: list[int] = []
            for item in chunk:
                if isinstance(item, RowError):
                    yield item
                    continue
                number, row = item[0], cast("object", item[1])
                if isinstance(row, dict):
                    numbers.append(number)
                    rows.append(self._renamed(cast("dict[str, object]", row)))
                else:
                    kind = _JSON_KINDS.get(type(row), "a number")
                    yield RowError(number, f"is {kind}, not an object", source.unit)
            if rows:
                yield from row_blocks(model, rows, numbers, source)

    def _items(self, file: BinaryIO, format_: str) -> Iterator[tuple[int, Any, str] | RowError]:
        from djcli.tables.files import jsons  # lazy: one format is read at a time

        return (
            jsons.read_lines(file, self.shown) if format_ == "jsonl" else jsons.read_array(file, self.shown)
        )

    def _renamed(self, row: dict[str, object]) -> dict[str, object]:
        if not self.renamed:
            return row
        return {self.renamed.get(name, name): value for name, value in row.items()}

    def _attributes(self, header: Sequence[str]) -> tuple[str, ...]:
        """Return the attributes that the columns of a header stand for."""
        absent = next((column for column in self.renamed if column not in header), None)
        if absent is not None:
            raise DataJointError(
                f"{self.shown} has no column {absent!r}{did_you_mean(absent, header)} (it has {', '.join(header)})"
            )
        names = tuple(self.renamed.get(name, name) for name in header)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            columns = " and ".join(repr(c) for c, name in zip(header, names, strict=True) if name == twice)
            raise DataJointError(f"{self.shown}: the columns {columns} are both to be attribute {twice!r}")
        return names

    # ---- taking rows out --------------------------------------------------------------------------------

    def copy_rows(self, numbers: Sequence[int], target: BinaryIO) -> None:
        """Write some rows to another file as they are in this one, header and all.

        Parameters
        ----------
        numbers
            The numbers of the rows, ascending.
        target
            The other file.
        """
        format_ = self._format
        with self.path.open("rb") as file:
            if format_ in BINARY:
                from djcli.tables.files.parquet import Columnar  # lazy: one format is read at a time

                Columnar(file, self.shown, format_).copy(numbers, target)
            elif format_ == "json":
                items = self._items(file, format_)
                texts = (
                    item[2] for item in items if not isinstance(item, RowError) and _has(numbers, item[0])
                )
                target.write(b"[")
                for place, text in enumerate(texts):
                    target.write((",\n" if place else "\n").encode() + text.encode())
                target.write(b"\n]\n")
            else:
                target.writelines(self._texts(file, format_, numbers))

    def _texts(self, file: BinaryIO, format_: str, numbers: Sequence[int]) -> Iterator[bytes]:
        from djcli.tables.files.delimited import raw_records  # lazy: one format is read at a time

        has_header = format_ != "jsonl"
        records: Iterable[tuple[int, bytes]] = raw_records(file) if has_header else enumerate(file, start=1)
        for number, text in records:
            if (has_header and number == 1) or _has(numbers, number):
                yield text if text.endswith(b"\n") else text + b"\n"


_JSON_KINDS: dict[type, str] = {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}


def _has(numbers: Sequence[int], number: int) -> bool:
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number
