"""Gathering writes: rows that makes insert wait, and go out together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from djcli.algebra.relation import Node
from djcli.codecs.scalars import is_unjudged
from djcli.definition.model import TableId, TableModel
from djcli.tables.chunks import LONG

Row = tuple[object, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """What rows of a table that give the same attributes have in common; one object for each such pair.

    Attributes
    ----------
    model, names
        The table, and the attributes in order.
    key_of
        Takes the primary key out of a row; None where the row does not give all of it.
    long_places
        Which of the values may be so long that their bytes count.
    is_unjudged
        Whether the table has attributes whose values are passed on as they are.
    """

    model: TableModel
    names: tuple[str, ...]
    key_of: Callable[[Row], object] | None
    long_places: tuple[int, ...]
    is_unjudged: bool


@lru_cache(maxsize=1024)
def shape_of(model: TableModel, names: tuple[str, ...]) -> Shape:
    """Return the shape of rows of a table that give the named attributes."""
    key = model.primary_key
    key_of = itemgetter(*(names.index(name) for name in key)) if key and set(key) <= set(names) else None
    long_places = tuple(place for place, name in enumerate(names) if model[name].type.name in LONG)
    is_raw = any(is_unjudged(attribute.type.name, attribute.type.column) for attribute in model)
    return Shape(model, names, key_of, long_places, is_raw)


class Gathered:
    """The rows that one key's make has inserted and that are not sent yet."""

    __slots__ = ("count", "groups", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.groups: dict[Shape, list[Row]] = {}
        self.count = 0

    def add(self, shape: Shape, rows: list[Row]) -> None:
        """Keep encoded rows."""
        known = self.groups.get(shape)
        if known is None:
            self.groups[shape] = rows
        else:
            known.extend(rows)
        self.count += len(rows)
        for place in shape.long_places:
            self.weight += sum(len(row[place]) for row in rows if isinstance(row[place], (bytes, str)))  # pyright: ignore[reportArgumentType]


class Inserted:
    """The keys of the rows that one make has inserted: a row that comes twice is refused at once, not when sent."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[TableId, set[object]] = {}

    def are_new(self, shape: Shape, rows: list[Row]) -> bool:
        """Note the keys of rows, and tell whether none has come before."""
        if shape.key_of is None:
            return True
        known = self._keys.get(shape.model.id)
        if known is None:
            known = self._keys[shape.model.id] = set()
        before = len(known)
        known.update(map(shape.key_of, rows))
        return len(known) == before + len(rows)


def merged(many: Iterable[Gathered], first: TableId) -> list[tuple[Shape, list[Row]]]:
    """Put the rows of many keys together by table and attributes, the table `first` before its parts."""
    groups: dict[Shape, list[Row]] = {}
    for gathered in many:
        for shape, rows in gathered.groups.items():
            known = groups.get(shape)
            if known is None:
                groups[shape] = list(rows)
            else:
                known.extend(rows)
    return sorted(groups.items(), key=lambda item: item[0].model.id != first)


class OwnTables:
    """The computed table and its parts: their rows wait, and reads of them cannot be fetched ahead."""

    def __init__(self, table: TableId) -> None:
        self._table = table
        self._tables: dict[TableId, bool] = {}
        self._nodes: dict[Node, bool] = {}

    def __contains__(self, table: TableId) -> bool:
        known = self._tables.get(table)
        if known is None:
            known = self._tables[table] = table.belongs_to(self._table)
        return known

    def are_read_by(self, node: Node) -> bool:
        """Whether a query reads any of them."""
        known = self._nodes.get(node)
        if known is None:
            known = self._nodes[node] = any(table in self for table in node.tables)
        return known
