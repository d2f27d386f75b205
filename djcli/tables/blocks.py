"""Blocks of rows on their way into a table: columns of values, with the numbers of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, cast

from djcli.definition.model import TableModel
from djcli.errors import DataJointError

BLOCK = 1_000
"""Rows in a block."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a block was read from, as far as it matters to what its values mean.

    Attributes
    ----------
    unit
        What the numbers count, for messages: ``row``, or ``trials.csv line``.
    header
        The file whose header names the attributes of all rows; empty where each row does so itself.
    spelled
        The kinds of types whose values are spelled as text: ``json``, ``bytes``.
    is_text
        Whether every value is text that stands for one, as in a CSV file; None is an empty field.
    """

    unit: str = "row"
    header: str = ""
    spelled: tuple[str, ...] = ()
    is_text: bool = False


MEMORY = Source()
"""Rows that are Python objects."""


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
    source
        What they were read from.
    """

    names: tuple[str, ...]
    columns: list[Sequence[object]]
    numbers: Sequence[int]
    source: Source = MEMORY

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows as tuples."""
        return zip(*self.columns, strict=True) if self.columns else iter([()] * len(self.numbers))

    def at(self, places: Sequence[int]) -> Block:
        """Return the block of some of the rows, by their places."""
        columns: list[Sequence[object]] = [[column[p] for p in places] for column in self.columns]
        return replace(self, columns=columns, numbers=[self.numbers[p] for p in places])

    def part(self, rows: slice) -> Block:
        """Return the block of a slice of the rows."""
        return replace(self, columns=[c[rows] for c in self.columns], numbers=self.numbers[rows])


class RowError(DataJointError):
    """A row that is none: of a wrong kind, or with a wrong number of values.

    Parameters
    ----------
    number
        The number of the row.
    message
        What is wrong with it.
    unit
        What the number counts.
    """

    def __init__(self, number: int, message: str, unit: str = "row") -> None:
        super().__init__(f"{unit} {number} {message}")
        self.number = number
        self.problem = message
        self.unit = unit


def row_blocks(
    model: TableModel, rows: list[Any], numbers: Sequence[int], source: Source = MEMORY
) -> Iterator[Block | RowError]:
    """Put rows that give the same attributes into blocks; in place of a row that is none, what is wrong."""
    block = uniform_dicts(rows, numbers, source)
    if block is not None:
        yield block
        return
    groups: dict[tuple[str, ...], tuple[list[int], list[tuple[object, ...]]]] = {}
    for number, row in zip(numbers, rows, strict=True):
        try:
            names, values = _fields(model, row, number)
        except RowError as error:
            yield RowError(number, error.problem, source.unit)
            continue
        theirs, found = groups.setdefault(names, ([], []))
        theirs.append(number)
        found.append(values)
    for names, (theirs, found) in groups.items():
        yield Block(names, [list(column) for column in zip(*found, strict=True)], theirs, source)


def uniform_dicts(rows: list[Any], numbers: Sequence[int], source: Source = MEMORY) -> Block | None:
    """Return the block of dicts that all have the same keys; None for anything else."""
    found = uniform_columns(rows)
    return None if found is None else Block(found[0], found[1], numbers, source)


def uniform_columns(rows: list[Any]) -> tuple[tuple[str, ...], list[Sequence[object]]] | None:
    """Return the keys of dicts that all have the same, and the values of each; None for anything else."""
    if set(map(type, rows)) != {dict}:
        return None
    names = tuple(rows[0])
    if set(map(len, rows)) != {len(names)} or set(map(type, names)) != {str}:
        return None
    try:
        return names, [list(map(itemgetter(name), rows)) for name in names]
    except KeyError:
        return None


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
    raise RowError(number, f"is {described(row)}; give a dict or a sequence")


def described(value: object) -> str:
    """Return what a value is, for messages."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def numbered(
    found: Iterable[tuple[tuple[str, ...], list[Sequence[object]]]], source: Source = MEMORY
) -> Iterator[Block]:
    """Turn names and columns into blocks whose rows are counted on."""
    number = 1
    for names, columns in found:
        size = len(columns[0]) if columns else 0
        if size:
            yield Block(names, columns, range(number, number + size), source)
        number += size
