"""Updating one row by its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from djcli.algebra.nodes import Base
from djcli.database.connection import Connection
from djcli.definition.model import TableModel
from djcli.errors import DataJointError, MissingAttributeError, UnknownAttributeError
from djcli.sql.insert import update_row
from djcli.tables.encode import unknown
from djcli.tables.insert import encode_rows
from djcli.tables.refused import shown


def update1(table: Any, row: object) -> None:
    """Update one row; see `Table.update1`."""
    model: TableModel = table.model
    if not isinstance(table.node, Base):
        raise DataJointError(f"update1 takes the key in the row: call it on {table.class_label} unrestricted")
    if not isinstance(row, Mapping):
        raise DataJointError(f"{model.id}: update1 takes a dict, not {type(row).__name__}")
    given = cast(Mapping[str, object], row)
    _check(model, given)
    reset = [name for name, value in given.items() if value is None and not model[name].in_key]
    values = {name: value for name, value in given.items() if value is not None}
    encoded = _encode(model, values)
    names = [name for name in values if not model[name].in_key]
    key = tuple(encoded[name] for name in model.primary_key)
    connection: Connection = table.connection
    if not names and not reset:
        found = len(table & {name: given[name] for name in model.primary_key})
    else:
        parameters = {f"c{i}": encoded[name] for i, name in enumerate(names)}
        parameters |= {f"k{i}": value for i, value in enumerate(key)}
        found = connection.execute(update_row(model, names, reset), parameters)
    if not found:
        raise DataJointError(
            f"{model.id}: there is no row with {shown(model.primary_key, key)} to update; insert it instead"
        )


def _check(model: TableModel, given: Mapping[str, object]) -> None:
    for name in given:
        if name not in model:
            raise UnknownAttributeError(f"{model.id}: {unknown(model, name)}")
    for name in model.primary_key:
        if given.get(name) is None:
            raise MissingAttributeError(f"{model.id}: update1 needs the whole key: {name!r} is missing")
    for name, value in given.items():
        if value is None and not model[name].has_default:
            raise MissingAttributeError(
                f"{model.id}: attribute {name!r} may not be null, and it has no default to be reset to"
            )


def _encode(model: TableModel, values: Mapping[str, object]) -> dict[str, object]:
    """Encode the values of some attributes as an insert does."""
    names = tuple(name for name in model.names if name in values)
    part = TableModel(model.id, tuple(model[name] for name in names))
    [(found, encoded)] = encode_rows(
        part, [{name: values[name] for name in names}], ignore_extra_fields=False
    )
    return dict(zip(found, encoded, strict=True))
