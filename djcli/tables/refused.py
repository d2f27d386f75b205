"""Telling which row the database refused, and why, in the words of the table."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg

from djcli.database.connection import Connection
from djcli.definition.model import ForeignKey, TableModel
from djcli.errors import DataJointError, DuplicateError, IntegrityError, LostConnectionError, QueryError
from djcli.names import display_name
from djcli.sql import insert as statements
from djcli.sql.insert import OnDuplicate
from djcli.tables.blocks import Block

_KEY = re.compile(r"Key \((.*?)\)=\(", re.DOTALL)
_COPY_LINE = re.compile(r"COPY [^\n]*?, line (\d+)")


def explain(
    connection: Connection, model: TableModel, block: Block, on_duplicate: OnDuplicate, error: QueryError
) -> DataJointError:
    """Return the error to raise for rows that the database refused; its transaction is rolled back.

    Parameters
    ----------
    connection
        The connection.
    model
        The table.
    block
        The encoded rows.
    on_duplicate
        How they were inserted.
    error
        What the connection told.
    """
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error):
        return error
    names = refused_names(cause)
    told: str | None = None
    try:
        if isinstance(error, DuplicateError) and names:
            told = _duplicate(connection, model, block, names, on_duplicate)
        elif isinstance(error, IntegrityError) and names:
            told = _parentless(connection, model, block, names)
    except LostConnectionError:
        raise
    except DataJointError:
        told = None  # the role may insert but not look
    if told is None:
        line = _COPY_LINE.search(cause.diag.context or "")
        where = (
            f"{block.source.unit} {block.numbers[int(line[1]) - 1]}: "
            if line and int(line[1]) <= len(block)
            else ""
        )
        plain = str(error).removeprefix(f"{model.id}: ")
        told = f"{model.id}: {where}{plain}"
    return type(error)(told)


def refused_names(cause: psycopg.Error) -> tuple[str, ...]:
    """Return the columns of the key that the database complains of; none where it names none."""
    match = _KEY.match(cause.diag.message_detail or "")
    return tuple(name.strip('"') for name in match[1].split(", ")) if match else ()


def _duplicate(
    connection: Connection,
    model: TableModel,
    block: Block,
    names: Sequence[str],
    on_duplicate: OnDuplicate,
) -> str | None:
    if not set(names) <= set(block.names):
        return None
    columns = columns_of(block, names)
    seen: dict[tuple[object, ...], int] = {}
    for number, key in zip(block.numbers, zip(*columns, strict=True), strict=True):
        if key in seen and None not in key:
            return f"{model.id}: {block.source.unit}s {seen[key]} and {number} have the same key: {shown(names, key)}"
        seen[key] = number
    places = taken(connection, model, block, names)
    if not places:
        return None
    key = tuple(column[places[0]] for column in columns)
    advice = "; skip_duplicates=True passes over it, replace=True replaces it"
    is_primary = set(names) == set(model.primary_key)
    return (
        f"{model.id}: {block.source.unit} {block.numbers[places[0]]}: a row with {shown(names, key)} already exists"
        + (advice if is_primary and on_duplicate is OnDuplicate.REFUSE else "")
    )


def _parentless(connection: Connection, model: TableModel, block: Block, names: Sequence[str]) -> str | None:
    keys = [key for key in model.foreign_keys if set(key.attributes) == set(names)]
    if not set(names) <= set(block.names):
        return None
    for key in keys:
        places = parentless(connection, model, block, key)
        if places:
            number = block.numbers[places[0]]
            values = tuple(column[places[0]] for column in columns_of(block, key.attributes))
            return f"{model.id}: {block.source.unit} {number}: {missing_parent(key, values)}"
    return None


def missing_parent(key: ForeignKey, values: Sequence[object]) -> str:
    """Return the message for a row whose parent is not there."""
    theirs = [name for _, name in key.columns]
    return f"there is no {display_name(key.parent.name)} with {shown(theirs, values)}: insert it first"


def shown(names: Sequence[str], values: Sequence[object]) -> str:
    """Return a key as text."""
    return ", ".join(
        f"{name}={value if not isinstance(value, str) else repr(value)}"
        for name, value in zip(names, values, strict=True)
    )


def columns_of(block: Block, names: Sequence[str]) -> list[Sequence[object]]:
    """Return some of the columns of a block."""
    return [block.columns[block.names.index(name)] for name in names]


def taken(connection: Connection, model: TableModel, block: Block, names: Sequence[str]) -> list[int]:
    """Return the places of rows whose values of a key the table has already."""
    return _ask(connection, statements.find_taken(model, names), columns_of(block, names))


def parentless(connection: Connection, model: TableModel, block: Block, key: ForeignKey) -> list[int]:
    """Return the places of rows whose parent is not there, nor among the rows themselves."""
    theirs = [name for _, name in key.columns]
    statement = statements.find_parentless(model, key.attributes, key.parent, theirs)
    columns = columns_of(block, key.attributes)
    places = _ask(connection, statement, columns)
    if key.parent != model.id or not set(theirs) <= set(block.names):
        return places
    own = set(zip(*columns_of(block, theirs), strict=True))
    return [place for place in places if tuple(column[place] for column in columns) not in own]


def _ask(connection: Connection, statement: str, columns: Sequence[Sequence[object]]) -> list[int]:
    values = {f"c{i}": list(column) for i, column in enumerate(columns)}
    return [n - 1 for (n,) in connection.rows(statement, values)]
