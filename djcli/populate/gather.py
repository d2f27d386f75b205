"""Gathering writes: rows that makes insert wait until the end of the batch, and go out together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from djcli.definition.model import TableId, TableModel
from djcli.populate.result import Key
from djcli.tables.insert import EncodedRow

MAX_ROWS = 200_000
"""Rows that wait at most; more are sent before the end of the batch."""


class Gathered:
    """The rows that one key's make has inserted and that are not sent yet."""

    def __init__(self) -> None:
        self.rows: dict[TableId, list[EncodedRow]] = {}
        self.models: dict[TableId, TableModel] = {}

    def add(self, model: TableModel, rows: Iterable[EncodedRow]) -> int:
        """Keep rows; returns how many there were."""
        kept = self.rows.setdefault(model.id, [])
        before = len(kept)
        kept.extend(rows)
        self.models[model.id] = model
        return len(kept) - before

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))

    @property
    def tables(self) -> frozenset[TableId]:
        """The tables that rows wait for."""
        return frozenset(table for table, rows in self.rows.items() if rows)

    def has_key(self, table: TableId, key: Key) -> bool:
        """Whether a row of the table waits whose key is this one, as encoded."""
        for names, values in self.rows.get(table, ()):
            row = dict(zip(names, values, strict=True))
            if all(row.get(name) == value for name, value in key.items()):
                return True
        return False


def merged(many: Sequence[Gathered], first: TableId) -> list[tuple[TableModel, list[EncodedRow]]]:
    """Put the rows of many keys together by table and attributes, the table `first` before its parts."""
    groups: dict[tuple[TableId, Any], tuple[TableModel, list[EncodedRow]]] = {}
    for gathered in many:
        for table, rows in gathered.rows.items():
            model = gathered.models[table]
            for row in rows:
                group = groups.get((table, row[0]))
                if group is None:
                    groups[table, row[0]] = (model, [row])
                else:
                    group[1].append(row)
    return sorted(groups.values(), key=lambda group: group[0].id != first)
