"""Gathering writes: rows that makes insert wait, and go out together."""

from __future__ import annotations

from collections.abc import Iterable

from djcli.definition.model import TableId, TableModel
from djcli.populate.result import Key

Row = tuple[object, ...]
Group = tuple[TableModel, tuple[str, ...]]
"""A table and the attributes that rows give."""


class Gathered:
    """The rows that one key's make has inserted and that are not sent yet."""

    __slots__ = ("count", "groups")

    def __init__(self) -> None:
        self.groups: dict[Group, list[Row]] = {}
        self.count = 0

    def add(self, model: TableModel, names: tuple[str, ...], rows: list[Row]) -> None:
        """Keep encoded rows that give the named attributes."""
        known = self.groups.get((model, names))
        if known is None:
            self.groups[model, names] = rows
        else:
            known.extend(rows)
        self.count += len(rows)

    def has_key(self, table: TableId, key: Key) -> bool:
        """Whether a row of the table waits whose key is this one, as encoded."""
        for (model, names), rows in self.groups.items():
            if model.id == table and all(name in names for name in key):
                wanted = [(names.index(name), value) for name, value in key.items()]
                if any(all(row[place] == value for place, value in wanted) for row in rows):
                    return True
        return False


def merged(many: Iterable[Gathered], first: TableId) -> list[tuple[Group, list[Row]]]:
    """Put the rows of many keys together by table and attributes, the table `first` before its parts."""
    groups: dict[Group, list[Row]] = {}
    for gathered in many:
        for group, rows in gathered.groups.items():
            groups.setdefault(group, []).extend(rows)
    return sorted(groups.items(), key=lambda item: item[0][0].id != first)
