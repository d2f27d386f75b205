"""Random graphs of tables with random rows, for tests that follow foreign keys; and their declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.tables.instance import Instance

SCHEMAS = ("one", "two")

Row = tuple[int | None, ...]


@dataclass
class Reference:
    """A foreign key: which columns of the table refer to the key of which table."""

    parent: int
    columns: tuple[str, ...]
    nullable: bool


@dataclass
class Made:
    """A table of the example, with its rows by key."""

    schema: str
    name: str
    key: tuple[str, ...]
    columns: list[str] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    master: int | None = None
    rows: dict[Row, dict[str, int | None]] = field(default_factory=dict)


@st.composite
def pipelines(draw: st.DrawFn) -> list[Made]:
    """Make tables with foreign keys of all kinds, and rows that obey them."""
    tables: list[Made] = []
    for number in range(draw(st.integers(2, 6))):
        masters = [i for i, table in enumerate(tables) if table.master is None]
        master = draw(st.sampled_from(masters)) if masters and draw(st.booleans()) else None
        if master is None:
            table = Made(draw(st.sampled_from(SCHEMAS)), f"t{number}", ("id",), ["id"])
        else:
            up = tables[master]
            to_master = tuple(f"up_{name}" for name in up.key)
            key = (*to_master, "id")
            table = Made(up.schema, f"{up.name}__p{number}", key, list(key), master=master)
            table.references.append(Reference(master, to_master, nullable=False))
        tables.append(table)
        for other in range(draw(st.integers(0, 2))):
            _refer(draw, tables, number, other)
        _fill(draw, tables, table)
    return tables


def _refer(draw: st.DrawFn, tables: list[Made], number: int, other: int) -> None:
    """Add a foreign key, in the primary key or not, with columns of its own or some that there are."""
    table = tables[number]
    parent = draw(st.integers(0, number))
    own: list[str] = []
    for name in tables[parent].key:
        shared = draw(st.sampled_from([None, None, None, *table.key]))
        own.append(f"f{other}_{name}" if shared is None or shared in own else shared)
    fresh = tuple(name for name in own if name not in table.columns)
    # A table can refer to itself only if some row need not.
    nullable = parent == number or draw(st.booleans())
    if parent == number and not fresh:
        return
    table.columns += fresh
    table.references.append(Reference(parent, tuple(own), nullable))
    refers_to_itself = any(reference.parent == number for reference in table.references)
    if not nullable and not refers_to_itself and draw(st.booleans()):
        table.key += fresh


def _fill(draw: st.DrawFn, tables: list[Made], table: Made) -> None:
    for number in range(draw(st.integers(0, 6))):
        row: dict[str, int | None] = {"id": number}
        for reference in table.references:
            known = [(place, row[name]) for place, name in enumerate(reference.columns) if name in row]
            keys: list[Row] = [
                key
                for key in sorted(tables[reference.parent].rows)
                if all(key[place] == value for place, value in known)
            ]
            if reference.nullable and len(known) < len(reference.columns):
                # One NULL is enough to refer to nothing.
                free = {name for name in reference.columns if name not in row}
                gaps = draw(st.sets(st.sampled_from(sorted(free)), min_size=1), label="gaps")
                keys.append(tuple(None if name in gaps else row.get(name, 1) for name in reference.columns))
            if not keys:
                break
            row |= dict(zip(reference.columns, draw(st.sampled_from(keys)), strict=True))
        else:
            table.rows[tuple(row[name] for name in table.key)] = row


def declare(connection: psycopg.Connection, tables: list[Made]) -> None:
    """Create the tables with their rows, in place of those of the example before."""
    connection.execute("DROP SCHEMA IF EXISTS one, two CASCADE")
    connection.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    for table in tables:
        lines = [sql.SQL("{} int").format(sql.Identifier(name)) for name in table.columns]
        lines.append(sql.SQL("PRIMARY KEY ({})").format(names(table.key)))
        for reference in table.references:
            parent = tables[reference.parent]
            lines.append(
                sql.SQL("FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE RESTRICT").format(
                    names(reference.columns), sql.Identifier(parent.schema, parent.name), names(parent.key)
                )
            )
        name = sql.Identifier(table.schema, table.name)
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(lines)))
        for row in table.rows.values():
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    name, names(row), sql.SQL(", ").join(sql.Placeholder() * len(row))
                ),
                list(row.values()),
            )


def names(columns: Any) -> sql.Composed:
    """Return column names for a statement."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def quoted(table: Made) -> str:
    """Return the full name of a table, as djcli has it."""
    return f'"{table.schema}"."{table.name}"'


def table_of(instance: Instance, table: Made) -> Any:
    """Return the class of a table; other schemas are not loaded."""
    return class_in(
        {table.schema: dj.VirtualModule(table.schema, table.schema, connection=instance.connection)}, table
    )


def class_in(modules: Mapping[str, Any], table: Made) -> Any:
    """Return the class of a table in the virtual modules of the schemas."""
    master, _, part = table.name.partition("__")
    cls = getattr(modules[table.schema], master.title())
    return getattr(cls, part.title()) if part else cls
