"""JSON, one array or one object a line: read a row at a time, and written so that it reads back the same."""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any, BinaryIO, cast

from djcli.algebra.heading import Heading
from djcli.errors import DataJointError
from djcli.tables.blocks import BLOCK, RowError

_BATCH = 1 << 18
"""Bytes read at a time."""

Item = tuple[int, Any, str]
"""The number of a row, the row, and its text as it is in the file."""


def read_lines(file: BinaryIO, name: str) -> Iterator[Item | RowError]:
    """Read a file that has a JSON object on each line; a line that has none is an error of that row."""
    for number, line in enumerate(file, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataJointError(
                f"{name} line {number} is not UTF-8 (byte 0x{line[error.start]:02x}): convert it first"
            ) from None
        if not text.strip():
            continue
        try:
            yield number, json.loads(text), text
        except (json.JSONDecodeError, RecursionError) as error:
            yield RowError(number, f"is not JSON: {error}", f"{name} line")


def read_array(file: BinaryIO, name: str) -> Iterator[Item]:
    """Read a file that is one JSON array, or objects one after another, in flat memory.

    Raises
    ------
    DataJointError
        If it is neither.
    """
    text = _Text(file, name)
    first = text.peek()
    if first not in ("[", "{"):
        raise DataJointError(
            f"{name} is not a JSON array of objects" + (f": it starts with {first!r}" if first else "")
        )
    is_array = first == "["
    if is_array:
        text.skip()
    number = 0
    while (mark := text.peek()) not in ("", "]"):
        if number and is_array:
            if mark != ",":
                raise DataJointError(f"{name} row {number}: a comma must follow it, not {mark!r}")
            text.skip()
        number += 1
        value, raw = text.value(number)
        yield number, value, raw
    if is_array:
        if not mark:
            raise DataJointError(f"{name} ends after row {number} without the closing ]: is it cut off?")
        text.skip()
    if text.peek():
        raise DataJointError(f"{name}: there is more after the array ends")


class _Text:
    """A text that is read as far as it is needed."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._to_text = getincrementaldecoder("utf-8-sig")()
        self._name = name
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._place = 0

    def _more(self) -> bool:
        try:
            octets = self._file.read(max(_BATCH, len(self._text) - self._place))
            read = self._to_text.decode(octets, final=not octets)
        except UnicodeDecodeError as error:
            raise DataJointError(f"{self._name} is not UTF-8: convert it first") from error
        self._text = self._text[self._place :] + read
        self._place = 0
        return bool(octets)

    def peek(self) -> str:
        """Return the next character that is no blank, without reading on; empty at the end."""
        while True:
            while self._place < len(self._text):
                if not self._text[self._place].isspace():
                    return self._text[self._place]
                self._place += 1
            if not self._more():
                return ""

    def skip(self) -> None:
        """Pass over that character."""
        self._place += 1

    def value(self, number: int) -> tuple[Any, str]:
        """Read a value and return it with its text."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._place)
            except (json.JSONDecodeError, RecursionError) as error:
                if isinstance(error, json.JSONDecodeError) and self._more():
                    continue
                what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise DataJointError(f"{self._name} row {number} is not JSON: {what}") from None
            if end == len(self._text) and self._more():
                continue  # a number may go on
            raw = self._text[self._place : end]
            self._place = end
            return value, raw


# ---- writing --------------------------------------------------------------------------------------------


def write_json(file: BinaryIO, heading: Heading, rows: Iterable[Sequence[Any]], *, is_lines: bool) -> int:
    """Write rows as objects, one a line, in an array unless `is_lines`; see `formats.write_rows`."""
    names = heading.names
    source = iter(rows)
    count = 0
    if not is_lines:
        file.write(b"[")
    between = "\n" if is_lines else ",\n"
    while chunk := list(islice(source, BLOCK)):
        lines = [json_text(dict(zip(names, row, strict=True))) for row in chunk]
        start = "" if is_lines else "\n" if not count else ",\n"
        file.write((start + between.join(lines) + ("\n" if is_lines else "")).encode())
        count += len(chunk)
    if not is_lines:
        file.write(b"\n]\n" if count else b"]\n")
    return count


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON.

    Nan and the infinities become text, bytes hexadecimal text, arrays lists; what else JSON does not know is
    the text it prints as.
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=_default)
    except ValueError:
        return json.dumps(json_value(value), indent=indent, ensure_ascii=False, default=str)


def _default(value: Any) -> object:
    if isinstance(value, (bytes, bytearray)):
        return "\\x" + value.hex()
    to_list: Callable[[], object] | None = getattr(value, "tolist", None)
    if to_list is not None:
        return to_list()
    return list(cast("Iterable[object]", value)) if isinstance(value, (set, frozenset)) else str(value)


def json_value(value: Any) -> Any:
    """Return a value made of what JSON has."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_value(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    made = _default(value)
    return json_value(made) if not isinstance(made, str) else made
