"""Deleting in random graphs of tables with random rows: what remains is what a closure in Python leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.settings import DatabaseTarget
from djcli.tables.delete import delete as delete_rows
from djcli.tables.instance import Instance
from tests.conftest import database_in

SCHEMAS = ("one", "two")
_numbers = count(1)

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
    tables: list[Made] = []
    for number in range(draw(st.integers(2, 6))):
        masters = [i for i, table in enumerate(tables) if table.master is None]
        master = draw(st.sampled_from(masters)) if masters and draw(st.booleans()) else None
        if master is None:
            table = Made(draw(st.sampled_from(SCHEMAS)), f"t{number}", ("id",), ["id"])
        else:
            up = tables[master]
            table = Made(up.schema, f"{up.name}__p{number}", ("up", "id"), ["up", "id"], master=master)
            table.references.append(Reference(master, ("up",), nullable=False))
        tables.append(table)
        for other in range(draw(st.sampled_from((2, 1, 0)))):
            parent = draw(st.sampled_from((number, *range(number))))
            names = tuple(f"f{other}_{name}" for name in tables[parent].key)
            # A table can refer to itself only if some row need not.
            nullable = parent == number or draw(st.booleans())
            table.columns += names
            table.references.append(Reference(parent, names, nullable))
        _fill(draw, tables, table)
    return tables


def _fill(draw: st.DrawFn, tables: list[Made], table: Made) -> None:
    for number in range(draw(st.sampled_from((6, 6, 3, 0)))):
        row: dict[str, int | None] = {"id": number}
        for reference in table.references:
            keys: list[Row] = sorted(tables[reference.parent].rows)
            if not keys and not reference.nullable:
                break
            none: list[Row] = [(None,) * len(reference.columns)] if reference.nullable else []
            if tables[reference.parent] is table:
                keys.append(tuple(row[name] for name in table.key))  # a row may refer to itself
            # often the one before, so that chains are long
            places = st.just(max(number - 1, 0)) | st.integers(0, 6)
            chosen = (none + keys)[draw(places) % len(none + keys)]
            row |= dict(zip(reference.columns, chosen, strict=True))
        else:
            table.rows[tuple(row[name] for name in table.key)] = row


def declare(connection: psycopg.Connection, tables: list[Made]) -> None:
    connection.execute("DROP SCHEMA IF EXISTS one, two CASCADE")
    connection.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    for table in tables:
        lines = [sql.SQL("{} int").format(sql.Identifier(name)) for name in table.columns]
        lines.append(sql.SQL("PRIMARY KEY ({})").format(_names(table.key)))
        for reference in table.references:
            parent = tables[reference.parent]
            lines.append(
                sql.SQL("FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE RESTRICT").format(
                    _names(reference.columns), sql.Identifier(parent.schema, parent.name), _names(parent.key)
                )
            )
        name = sql.Identifier(table.schema, table.name)
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(lines)))
        for row in table.rows.values():
            connection.execute(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    name, _names(row), sql.SQL(", ").join(sql.Placeholder() * len(row))
                ),
                list(row.values()),
            )


def _names(names: Any) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def closure(tables: list[Made], root: int, ids: set[int], *, with_masters: bool) -> list[set[Row]]:
    """Return the keys that go, by brute force."""
    gone: list[set[Row]] = [set() for _ in tables]
    gone[root] = {key for key, row in tables[root].rows.items() if row["id"] in ids}
    while True:
        before = sum(map(len, gone))
        for table, keys in zip(tables, gone, strict=True):
            for key, row in table.rows.items():
                if any(
                    tuple(row[name] for name in reference.columns) in gone[reference.parent]
                    for reference in table.references
                ):
                    keys.add(key)
            if with_masters and table.master is not None:
                gone[table.master] |= {key[:1] for key in keys}
        if sum(map(len, gone)) == before:
            return gone


@pytest.fixture(scope="module")
def made(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[Instance]:
    name = "djcli_test_closure"
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template_database)
        )
    )
    instance = Instance(DatabaseTarget(database_in(server_url, name), "the test"))
    yield instance
    instance.connection.close()
    admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@given(
    tables=pipelines(),
    chosen=st.data(),
    policy=st.sampled_from(("enforce", "ignore", "cascade")),
    nested=st.booleans(),
    prompt=st.booleans(),
)
@settings(
    max_examples=2_000 if os.environ.get("DJCLI_SOAK") == "1" else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_remains_is_what_a_closure_leaves(
    made: Instance, tables: list[Made], chosen: st.DataObject, policy: str, nested: bool, prompt: bool
) -> None:
    declare(made.connection.raw, tables)
    root = chosen.draw(st.integers(0, len(tables) - 1), label="root")
    ids = chosen.draw(st.sets(st.integers(0, 5), max_size=3), label="ids")
    gone = closure(tables, root, ids, with_masters=policy == "cascade")
    strays = {
        key
        for table, keys in zip(tables, gone, strict=True)
        if table.master is not None
        for key in keys
        if key[:1] not in gone[table.master]
    }
    restricted = table_of(made, tables[root]) & {"id": sorted(ids)}
    if policy == "enforce" and strays:
        with pytest.raises(dj.DataJointError, match="nothing was deleted"):
            delete(made, restricted, policy, nested=nested, prompt=prompt)
        gone = [set() for _ in tables]
    else:
        assert delete(made, restricted, policy, nested=nested, prompt=prompt) == len(gone[root])
    for table, keys in zip(tables, gone, strict=True):
        name = sql.Identifier(table.schema, table.name)
        left = made.connection.rows(sql.SQL("SELECT {} FROM {}").format(_names(table.key), name))
        assert set(left) == table.rows.keys() - keys
    assert not made.connection.rows(
        "SELECT 1 FROM pg_class WHERE relname LIKE %(name)s", {"name": "djcli_keys%"}
    )


def table_of(instance: Instance, table: Made) -> Any:
    """Return the class of a table; other schemas are not loaded."""
    module: Any = dj.VirtualModule(table.schema, table.schema, connection=instance.connection)
    master, _, part = table.name.partition("__")
    cls = getattr(module, master.title())
    return getattr(cls, part.title()) if part else cls


def delete(instance: Instance, table: Any, policy: str, *, nested: bool, prompt: bool) -> int:
    """Delete, inside a transaction or not, with a preview or without."""
    consent = bool if prompt else None  # a preview of any rows is agreed to
    if not nested:
        return delete_rows(table, prompt=False, part_integrity=policy, consent=consent)
    with instance.connection.transaction:
        return delete_rows(table, prompt=False, part_integrity=policy, consent=consent)
