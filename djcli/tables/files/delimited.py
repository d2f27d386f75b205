"""CSV: read by line, an empty field told from a quoted empty one; and written so that it reads back the same."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from io import StringIO
from itertools import chain, islice
from typing import Any, BinaryIO

from djcli.algebra.heading import Heading, HeadingAttribute
from djcli.codecs.scalars import kind_of
from djcli.errors import DataJointError
from djcli.tables.blocks import BLOCK

_BATCH = 1 << 18
"""Bytes read at a time."""

_FIELD_LIMIT = 1 << 30
"""PostgreSQL's own limit of a value."""

_BLANK = "\0"
"""Stands for a quoted empty field while csv, which does not tell it from an empty one, reads the lines."""

_DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}

Records = Iterator[tuple[list[int], list[list[str]]] | tuple[range, list[list[str]]]]


class Delimited:
    """A CSV file that is open for reading.

    Parameters
    ----------
    file
        The file.
    name
        Its name, for messages.
    delimiter
        What stands between two fields.

    Attributes
    ----------
    header
        The names in its first line.

    Raises
    ------
    DataJointError
        If its first line does not name each column, each once; later for what is no CSV.
    """

    def __init__(self, file: BinaryIO, name: str, delimiter: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), _FIELD_LIMIT))
        self._file = file
        self._name = name
        self._delimiter = delimiter
        lines = chain.from_iterable(_batches(file, delimiter))
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.header = self._read_header()

    def _read_header(self) -> tuple[str, ...]:
        first = self._take(1)
        if not first:
            raise DataJointError(f"{self._name} is empty: its first line must name the columns")
        names = tuple(name.strip().strip(_BLANK) for name in first[0])
        if not names or not all(names):
            raise DataJointError(
                f"{self._name}: the first line must name every column, each once: {shown(names)}"
            )
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataJointError(
                f"{self._name}: the first line names {twice!r} twice: each column needs its own"
            )
        other = next((d for d in _DELIMITERS if d != self._delimiter and d in names[0]), None)
        if len(names) == 1 and other is not None:
            raise DataJointError(
                f"{self._name}: the first line is one column {names[0]!r}; if {_DELIMITERS[other]} separates the "
                f"columns, say so: --delimiter {'tab' if other == chr(9) else repr(other)}"
            )
        return names

    def records(self) -> Records:
        """Yield some records at a time, each with the number of the line that it begins on."""
        while True:
            before = self._reader.line_num
            found = self._take(BLOCK)
            if not found:
                return
            if self._reader.line_num - before == len(found) and all(found):
                yield range(before + 1, before + 1 + len(found)), found
                continue
            numbers: list[int] = []
            for record in found:
                numbers.append(before + 1)
                before += 1 + sum(field.count("\n") for field in record)
            filled = [place for place, record in enumerate(found) if record]
            yield [numbers[place] for place in filled], [found[place] for place in filled]

    def _take(self, number: int) -> list[list[str]]:
        try:
            return list(islice(self._reader, number))
        except csv.Error as error:
            raise self._told(str(error)) from None
        except UnicodeDecodeError as error:
            raise self._not_utf8(error) from None
        except NulError:
            raise DataJointError(
                f"{self._name} is no text in UTF-8, it has NUL characters (is it UTF-16?): convert it first"
            ) from None

    def _told(self, what: str) -> DataJointError:
        if "unexpected end" in what:
            self._file.seek(0)
            start = next((n for n, record in raw_records(self._file) if record.count(b'"') % 2), 0)
            return DataJointError(f"{self._name} line {start}: a quote is opened there and never closed")
        return DataJointError(f"{self._name} line {self._reader.line_num}: this is no CSV: {what}")

    def _not_utf8(self, error: UnicodeDecodeError) -> DataJointError:
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as found:
                octet = line[found.start]
                return DataJointError(
                    f"{self._name} line {number} is not UTF-8 (byte 0x{octet:02x}): convert it first, "
                    "for instance with iconv -f windows-1252 -t utf-8"
                )
        return DataJointError(f"{self._name} is not UTF-8: {error.reason}")


class NulError(Exception):
    """A NUL character in a text file."""


def _batches(file: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    """Yield lines, many at a time, their quoted empty fields marked."""
    in_quotes = False
    encoding = "utf-8-sig"
    while octets := file.readlines(_BATCH):
        whole = b"".join(octets).decode(encoding)
        encoding = "utf-8"
        lines = StringIO(whole, newline="\n").readlines()
        if _BLANK in whole:
            raise NulError
        if '""' not in whole:
            in_quotes ^= bool(whole.count('"') & 1)
        else:
            for place, line in enumerate(lines):
                if '""' in line:
                    lines[place] = _marked(line, delimiter, in_quotes=in_quotes)
                in_quotes ^= bool(line.count('"') & 1)
        yield lines


@lru_cache(maxsize=8)
def _fields(delimiter: str) -> re.Pattern[str]:
    edge = re.escape(delimiter)
    return re.compile(rf'(?P<lead>^|{edge})""(?=[{edge}\r\n]|$)|"(?:[^"]|"")*(?:"|$)|[^"{edge}]+|{edge}|"')


_REST_OF_FIELD = re.compile(r'(?:[^"]|"")*"')


def _marked(line: str, delimiter: str, *, in_quotes: bool) -> str:
    start = 0
    if in_quotes:  # of a field that began on a line before
        rest = _REST_OF_FIELD.match(line)
        if rest is None:
            return line
        start = rest.end()

    def mark(match: re.Match[str]) -> str:
        lead = match["lead"]
        return match[0] if lead is None or (start and not match.start() and not lead) else lead + _BLANK

    return line[:start] + _fields(delimiter).sub(mark, line[start:])


def values_of(column: Sequence[str]) -> Sequence[str | None]:
    """Return the values of a column's fields: None for an empty one, an empty text for a quoted empty one."""
    if "" not in column and _BLANK not in column:
        return column
    return [None if field == "" else field.strip(_BLANK) for field in column]


def shown(names: Iterable[str]) -> str:
    """Return names for messages."""
    return ", ".join(repr(name) for name in names)


def raw_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a file as they are, each with the number of the line that it begins on."""
    start, waiting, is_open = 1, b"", False
    for number, line in enumerate(file, start=1):
        waiting += line
        is_open ^= bool(line.count(b'"') & 1)
        if not is_open:
            yield start, waiting
            start, waiting = number + 1, b""
    if waiting:
        yield start, waiting


# ---- writing --------------------------------------------------------------------------------------------


def write_delimited(
    file: BinaryIO, heading: Heading, rows: Iterable[Sequence[Any]], delimiter: str = ","
) -> int:
    """Write rows as CSV; see `formats.write_rows`."""
    writers = [_writer_of(attribute) for attribute in heading]
    source = iter(rows)
    _write(file, [heading.names], delimiter)
    count = 0
    while chunk := list(islice(source, BLOCK)):
        columns = [
            [None if value is None else write(value) for value in column]
            for write, column in zip(writers, zip(*chunk, strict=True), strict=True)
        ]
        _write(file, zip(*columns, strict=True) if columns else chunk, delimiter)
        count += len(chunk)
    return count


def _write(file: BinaryIO, records: Iterable[Sequence[object]], delimiter: str) -> None:
    text = StringIO()
    # csv quotes what holds a character of the line's end: so lone carriage returns and blanks are quoted.
    csv.writer(text, delimiter=delimiter, lineterminator=_BLANK + "\r\n").writerows(records)
    file.write(text.getvalue().replace(_BLANK + "\r\n", "\n").replace(_BLANK, "").encode())


def _writer_of(attribute: HeadingAttribute) -> Callable[[Any], object]:
    kind = attribute.type
    match kind_of(kind.name, kind.column):
        case "json":
            return lambda value: json.dumps(value, ensure_ascii=False)
        case "bytes":
            return lambda value: "\\x" + value.hex()
        case "bool":
            return lambda value: "true" if value else "false"
        case "float32" | "float64" | "int16" | "int32" | "int64" | "int8":
            return lambda value: value
        case _:
            return _plain


def _plain(value: Any) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value) or _BLANK
