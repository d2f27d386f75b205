"""All printing: data to stdout, talk to stderr, tables, questions.

Colour and boxes only on a terminal, and never under `NO_COLOR`; elsewhere plain aligned text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, TextIO, cast

from djcli.errors import RefusedError


def is_plain(stream: TextIO) -> bool:
    """Tell whether a stream is to get neither colour nor anything that moves."""
    return not stream.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def out(text: str = "") -> None:
    """Write a line of data to stdout."""
    sys.stdout.write(text + "\n")


def raw(data: bytes) -> None:
    """Write bytes to stdout as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """Write a line to stderr, or several; other control characters are escaped."""
    _talk(text)


def warn(text: str) -> None:
    """Write a warning to stderr."""
    _talk(text, _coloured("warning:", "33") + " ")


def error(text: str) -> None:
    """Write an error to stderr."""
    _talk(text, _coloured("error:", "31") + " ")


def _talk(text: str, head: str = "") -> None:
    sys.stderr.write(f"{head}{_harmless(text)}\n")
    sys.stderr.flush()


def _harmless(text: str) -> str:
    """Escape control characters, so that what files and databases hold does not steer the terminal."""
    return text if text.isprintable() else "".join(c if c in "\n\t" else _printable(c) for c in text)


def _coloured(text: str, code: str) -> str:
    return text if is_plain(sys.stderr) else f"\x1b[1;{code}m{text}\x1b[0m"


def json(value: object) -> None:
    """Write a value as JSON to stdout; what JSON does not know becomes text, arrays become lists."""
    from json import dumps  # lazy: start-up time

    out(dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False, default=str))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no NaN, no bytes, no arrays."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    to_list: Any = getattr(value, "tolist", None)
    return value if to_list is None else _plain(to_list())


def table(header: Sequence[str], rows: Iterable[Sequence[object]], footer: Sequence[object] = ()) -> None:
    """Write rows as a table to stdout, numbers to the right; the footer below a line of its own."""
    body = [list(row) for row in rows]
    right = [_is_numeric(row[index] for row in body) for index in range(len(header))]
    cells = [[_cell(value) for value in row] for row in body]
    bottom = [_cell(value) for value in footer]
    if is_plain(sys.stdout):
        for line in plain_lines([list(header), *cells, *([bottom] if bottom else [])], right):
            out(line)
    else:
        _rich_table(header, cells, bottom, right)


def pairs(facts: Iterable[tuple[str, str]]) -> None:
    """Write names and their values to stdout, one pair a line."""
    for line in plain_lines([list(pair) for pair in facts], [False, False]):
        out(line)


def plain_lines(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Align the cells of rows with spaces."""
    widths = [max(_width(row[index]) for row in rows) for index in range(len(right))]
    lines: list[str] = []
    for row in rows:
        padded = [
            " " * (width - _width(cell)) + cell if to_right else cell + " " * (width - _width(cell))
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def _rich_table(
    header: Sequence[str], cells: list[list[str]], bottom: list[str], right: Sequence[bool]
) -> None:
    # lazy: start-up time
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    grid = Table(box=SIMPLE_HEAD, show_footer=bool(bottom), pad_edge=False)
    between = 3 * len(header) + 1  # what the grid takes beside the columns
    widths = fit([header, *cells, *([bottom] if bottom else [])], console.width - between)
    for index, name in enumerate(header):
        footer = Text(bottom[index]) if bottom else ""
        justify = "right" if right[index] else "left"
        grid.add_column(Text(name), footer, justify=justify, overflow="fold", width=widths[index])
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    console.print(grid)


def fit(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return the widths of columns that are to go into so much room.

    The widest gives first, but none so much that a word, such as a table's name, is broken, while another can
    still give. Then the others go before the first, which has the names.
    """
    columns = list(zip(*rows, strict=True))
    words = [max(_width(word) for cell in column for word in [*cell.split(), ""]) for column in columns]
    widths = [max(map(_width, column)) for column in columns]
    few = [min(words[0], room // 2), *(min(word, 5) for word in words[1:])]
    for least in (words, few, [1] * len(columns)):
        widths = _shrink(widths, least, room)
    return widths


def _shrink(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    found = list(widths)
    while sum(found) > room:
        giving = [index for index, width in enumerate(found) if width > least[index]]
        if not giving:
            break
        found[max(giving, key=found.__getitem__)] -= 1
    return found


def _is_numeric(values: Iterable[object]) -> bool:
    found = [value for value in values if value is not None and value != ""]
    return bool(found) and all(_looks_numeric(value) for value in found)


def _looks_numeric(value: object) -> bool:
    if isinstance(value, (bool, str)):
        return isinstance(value, str) and value.endswith("%")
    return hasattr(value, "__float__")


def _cell(value: object) -> str:
    """Return what is shown of a value: one line, control characters escaped."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # lazy: start-up time

    return cell_len(text)


def can_ask() -> bool:
    """Tell whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, instead: str) -> None:
    """Ask for a yes on the terminal.

    Parameters
    ----------
    question
        What to ask.
    instead
        What to type where nobody can be asked, for the message.

    Raises
    ------
    RefusedError
        If the answer is no, or there is no terminal to ask on.
    """
    if not can_ask():
        raise RefusedError(f"{question} There is no terminal to ask on: {instead}")
    sys.stderr.write(f"{_harmless(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed: nothing was done")


def close_stdout() -> None:
    """Let what is still to be written go nowhere: whoever read stdout has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
