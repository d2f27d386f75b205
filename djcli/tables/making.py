"""`Making`: the make that runs here, and the key that its rows must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from djcli.algebra.restriction import Expression
from djcli.codecs.scalars import NO_MATCH
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError

Row = tuple[object, ...]
Places = tuple[tuple[int, str, str], ...]
"""Of a row's values those that the key gives: the place, the attribute, and the key's attribute."""


@dataclass(slots=True)
class Making:
    """One call of make.

    Attributes
    ----------
    table
        The table that is computed.
    label
        Its name as one writes it in Python.
    key
        The key, as make was given it.
    encoded
        The key's values as they are stored; `NO_MATCH` for those that cannot be compared.
    names
        The names of the key's attributes.
    upstream
        The rows that the key depends on, once make has asked for them.
    """

    table: TableModel
    label: str
    key: Mapping[str, Any]
    encoded: Mapping[str, object]
    names: tuple[str, ...]
    upstream: Any = field(default=None)

    def check_row(self, model: TableModel, names: tuple[str, ...], row: Row) -> None:
        """Refuse a row of the table or of a part that belongs to another key.

        Parameters
        ----------
        model
            The table that it is inserted into; a row of any other is passed over.
        names
            The attributes that it gives.
        row
            Their encoded values.

        Raises
        ------
        DataJointError
            Naming the attribute and both values.
        """
        for place, own, name in key_places(model, self.table.id, names, self.names):
            if row[place] != self.encoded[name]:
                self._check(model, own, row[place], name)

    def check_columns(
        self, model: TableModel, names: tuple[str, ...], columns: Sequence[Sequence[object]]
    ) -> None:
        """Refuse rows, given by their columns, that belong to another key; see `check_row`."""
        for place, own, name in key_places(model, self.table.id, names, self.names):
            wanted, column = self.encoded[name], columns[place]
            if column.count(wanted) != len(column):
                for value in column:
                    if value != wanted:
                        self._check(model, own, value, name)

    def takes(self, model: TableModel) -> bool:
        """Whether rows of a table may be inserted by the make that runs."""
        return model is self.table or model.id == self.table.id

    def check_query(self, model: TableModel, rows: Any) -> None:
        """Refuse to copy rows of another key; see `check_row`."""
        names = tuple(rows.heading.names)
        places = key_places(model, self.table.id, names, self.names)
        wanted = {own: self.key[name] for _, own, name in places if self.encoded[name] is not NO_MATCH}
        others = (rows - wanted).to_dicts(limit=1) if wanted else ()
        for row in others:
            own = next((name for name in wanted if row[name] != wanted[name]), next(iter(wanted)))
            self._refuse(model, own, row[own], wanted[own])

    def _check(self, model: TableModel, own: str, value: object, name: str) -> None:
        wanted = self.encoded[name]
        blank_padded = model[own].type.name in ("char", "native")
        if wanted is NO_MATCH or (blank_padded and _stripped(value) == _stripped(wanted)):
            return
        self._refuse(model, own, value, wanted)

    def _refuse(self, model: TableModel, own: str, value: object, wanted: object) -> None:
        where = "" if model.id == self.table.id else f" into its part {model.id}"
        raise DataJointError(
            f"make() of {self.label} was called for {own}={wanted!r} and inserts a row with {own}={value!r}{where}: "
            "a make inserts rows of its own key alone"
        )


making: ContextVar[Making | None] = ContextVar("making", default=None)
"""The make that runs here; its table may therefore be inserted into."""


@lru_cache(maxsize=1024)
def key_places(model: TableModel, table: TableId, names: tuple[str, ...], key: tuple[str, ...]) -> Places:
    """Return where rows of a table or its parts hold the key; nowhere for any other table.

    Parameters
    ----------
    model
        The table that the rows belong to.
    table
        The table that is computed.
    names
        The attributes that the rows give.
    key
        The names of the key's attributes.
    """
    if model.id == table:
        columns = {name: name for name in model.primary_key}
    elif model.id.is_part_of(table):
        reference = next((each for each in model.foreign_keys if each.parent == table), None)
        columns = dict(reference.columns) if reference is not None else {}
    else:
        return ()
    return tuple((place, name, columns[name]) for place, name in enumerate(names) if columns.get(name) in key)


def check_rows_of_query(model: TableModel, rows: Expression) -> None:
    """Refuse to copy rows of another key than that of the make that runs here."""
    made = making.get()
    if made is not None and model.id.belongs_to(made.table.id):
        made.check_query(model, rows)


def _stripped(value: object) -> object:
    return value.rstrip(" ") if isinstance(value, str) else value
