"""Lookup tables: the rows that their classes hold, against those in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from djcli.algebra import nodes
from djcli.catalog.snapshot import Catalog
from djcli.definition.model import TableModel
from djcli.migration.changes import TableChange
from djcli.names import Tier
from djcli.tables.fetch import Query
from djcli.tables.insert import encode_rows, encoders
from djcli.tables.instance import Instance
from djcli.tables.table import Table

_SHOWN = 3

Key = tuple[object, ...]


@dataclass(frozen=True)
class LookupRowsMissing(TableChange):
    """Contents of a lookup table that the database does not have."""

    mark = "+"
    keys: tuple[Key, ...]

    def describe(self) -> str:
        """Return what it is in one line."""
        return f"{_rows(len(self.keys))} of contents missing: {_shown(self.keys)}"

    def details(self) -> Mapping[str, object]:
        """Return the keys, for JSON."""
        return {"keys": [list(key) for key in self.keys]}


@dataclass(frozen=True)
class LookupRowsExtra(TableChange):
    """Rows of a lookup table that are not among its contents; they are left alone."""

    mark = "="
    keys: tuple[Key, ...]

    def describe(self) -> str:
        """Return what it is in one line."""
        return f"{_rows(len(self.keys))} not among the contents (left alone): {_shown(self.keys)}"

    def details(self) -> Mapping[str, object]:
        """Return the keys, for JSON."""
        return {"keys": [list(key) for key in self.keys]}


def compare_lookups(
    instance: Instance, classes: Iterable[type[Table]], catalog: Catalog
) -> list[LookupRowsMissing | LookupRowsExtra]:
    """Compare the contents of lookup tables with their rows, by primary key.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes; those of other tiers, and lookup tables without contents, are passed over.
    catalog
        What the database has. A table whose key differs from its definition is passed over.

    Raises
    ------
    DataJointError
        If contents do not fit their own table.
    """
    found: list[LookupRowsMissing | LookupRowsExtra] = []
    for cls in classes:
        if cls.tier is not Tier.LOOKUP:
            continue
        contents = list(cls.rows_to_hold())
        model = cls.model
        actual = catalog.tables.get(model.id)
        if not contents or (actual is not None and actual.primary_key != model.primary_key):
            continue
        wanted = dict.fromkeys(_keys(model, contents))
        present = dict.fromkeys(_present(instance, model)) if actual is not None else {}
        missing = tuple(key for key in wanted if key not in present)
        extra = tuple(key for key in present if key not in wanted)
        if missing:
            found.append(LookupRowsMissing(model.id, missing))
        if extra:
            found.append(LookupRowsExtra(model.id, extra))
    return found


def _keys(model: TableModel, contents: Iterable[object]) -> Iterable[Key]:
    for names, values in encode_rows(model, contents, ignore_extra_fields=False):
        row = dict(zip(names, values, strict=True))
        yield tuple(row.get(name) for name in model.primary_key)


def _present(instance: Instance, model: TableModel) -> Iterable[Key]:
    encode = [encoders(model)[name] for name in model.primary_key]
    rows: list[tuple[Any, ...]] = Query(instance, nodes.base(model), ()).rows(model.primary_key, "KEY")
    # A fetched value goes through the encoder too, so that both sides have one form.
    return (tuple(each(value) for each, value in zip(encode, row, strict=True)) for row in rows)


def _rows(number: int) -> str:
    return f"{number} row" + ("" if number == 1 else "s")


def _shown(keys: tuple[Key, ...]) -> str:
    shown = [", ".join(map(str, key)) or "the only row" for key in keys[:_SHOWN]]
    return "; ".join(shown) + (" …" if len(keys) > _SHOWN else "")
