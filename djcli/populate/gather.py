"""Gathering writes: rows that makes insert wait, and go out together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from djcli.algebra.relation import Node
from djcli.codecs.scalars import is_unjudged
from djcli.definition.model import TableId, TableModel
from djcli.populate.result import Key
from djcli.tables.table import Table

_LONG = frozenset(("json", "bytes", "codec", "native"))

Row = tuple[object, ...]
Group = tuple[TableModel, tuple[str, ...]]
"""A table and the attributes that rows give."""


class Gathered:
    """The rows that one key's make has inserted and that are not sent yet."""

    __slots__ = ("count", "groups", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.groups: dict[Group, list[Row]] = {}
        self.count = 0

    def add(
        self, model: TableModel, names: tuple[str, ...], rows: list[Row], long: tuple[int, ...] = ()
    ) -> None:
        """Keep encoded rows that give the named attributes, some of whose values may be long."""
        known = self.groups.get((model, names))
        if known is None:
            self.groups[model, names] = rows
        else:
            known.extend(rows)
        self.count += len(rows)
        for place in long:
            self.weight += sum(len(row[place]) for row in rows if isinstance(row[place], (bytes, str)))  # pyright: ignore[reportArgumentType]

    def has_key(self, table: TableId, key: Key) -> bool:
        """Whether a row of the table waits whose key is this one, as encoded."""
        for (model, names), rows in self.groups.items():
            if model.id == table and all(name in names for name in key):
                wanted = [(names.index(name), value) for name, value in key.items()]
                if any(all(row[place] == value for place, value in wanted) for row in rows):
                    return True
        return False


class Inserted:
    """The keys of the rows that one make has inserted: a row that comes twice is refused at once, not when sent."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[TableId, set[object]] = {}

    def are_new(self, table: TableId, way: Way, rows: list[Row]) -> bool:
        """Note the keys of rows, and tell whether none has come before."""
        key_of = way.key_of
        if key_of is None:
            return True
        known = self._keys.setdefault(table, set())
        before = len(known)
        known.update(map(key_of, rows))
        return len(known) == before + len(rows)


class Way(NamedTuple):
    """How rows of a table that give certain attributes are gathered.

    Attributes
    ----------
    key_of
        Takes the key out of a row; None where the row does not give all of it.
    long
        The places of values that may be so long that their bytes count.
    """

    key_of: Callable[[Row], object] | None
    long: tuple[int, ...]


@lru_cache(maxsize=1024)
def way_of(model: TableModel, names: tuple[str, ...]) -> Way | None:
    """Return how rows are gathered; None for a table whose values may change yet, or be read otherwise by COPY."""
    if any(is_unjudged(attribute.type.name, attribute.type.column) for attribute in model):
        return None
    key = model.primary_key
    is_whole = bool(key) and all(name in names for name in key)
    return Way(
        itemgetter(*(names.index(name) for name in key)) if is_whole else None,
        tuple(place for place, name in enumerate(names) if model[name].type.name in _LONG),
    )


def merged(many: Iterable[Gathered], first: TableId) -> list[tuple[Group, list[Row]]]:
    """Put the rows of many keys together by table and attributes, the table `first` before its parts."""
    groups: dict[Group, list[Row]] = {}
    for gathered in many:
        for group, rows in gathered.groups.items():
            groups.setdefault(group, []).extend(rows)
    return sorted(groups.items(), key=lambda item: item[0][0].id != first)


class OwnTables:
    """The computed table and its parts: their rows wait, and reads of them cannot be fetched ahead."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._tables: dict[TableId, bool] = {}
        self._nodes: dict[Node, bool] = {}

    def __contains__(self, table: TableId) -> bool:
        known = self._tables.get(table)
        if known is None:
            known = self._tables[table] = table == self._table.id or self._table.has_part(table)
        return known

    def are_read_by(self, node: Node) -> bool:
        """Whether a query reads any of them."""
        known = self._nodes.get(node)
        if known is None:
            known = self._nodes[node] = any(table in self for table in node.tables)
        return known
