"""Deleting in random graphs of tables with random rows: what remains is what a closure in Python leaves."""

from __future__ import annotations

from collections.abc import Iterator
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
from tests.random_pipelines import Made, Reference, Row, declare, names, pipelines, table_of


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
                gone[table.master] |= {key[: len(tables[table.master].key)] for key in keys}
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
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_remains_is_what_a_closure_leaves(
    made: Instance, tables: list[Made], chosen: st.DataObject, policy: str, nested: bool, prompt: bool
) -> None:
    declare(made.connection.raw, tables)
    root = chosen.draw(st.integers(0, len(tables) - 1), label="root")
    ids = chosen.draw(st.sets(st.integers(0, 5)), label="ids")
    gone = closure(tables, root, ids, with_masters=policy == "cascade")
    strays = {
        key
        for table, keys in zip(tables, gone, strict=True)
        if table.master is not None
        for key in keys
        if key[: len(tables[table.master].key)] not in gone[table.master]
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
        left = made.connection.rows(sql.SQL("SELECT {} FROM {}").format(names(table.key), name))
        assert set(left) == table.rows.keys() - keys
    assert not made.connection.rows(
        "SELECT 1 FROM pg_class WHERE relname LIKE %(name)s", {"name": "djcli_keys%"}
    )


def delete(instance: Instance, table: Any, policy: str, *, nested: bool, prompt: bool) -> int:
    """Delete, inside a transaction or not, with a preview or without."""
    consent = bool if prompt else None  # a preview of any rows is agreed to
    if not nested:
        return delete_rows(table, prompt=False, part_integrity=policy, consent=consent)
    with instance.connection.transaction:
        return delete_rows(table, prompt=False, part_integrity=policy, consent=consent)


@pytest.mark.parametrize("prompt", [False, True])
def test_long_chains_and_two_ways_to_one_row_are_followed(made: Instance, prompt: bool) -> None:
    chain = Made("one", "t0", ("id",), ["id", "up"], [Reference(0, ("up",), nullable=True)])
    chain.rows = {(n,): {"id": n, "up": n - 1 if n % 6 else n} for n in range(12)}
    leaf = Made("two", "t1", ("id",), ["id", "a", "b"])
    leaf.references = [Reference(0, ("a",), nullable=True), Reference(0, ("b",), nullable=True)]
    leaf.rows = {
        (n,): {"id": n, "a": a, "b": b}
        for n, (a, b) in enumerate([(5, None), (None, 5), (6, 5), (5, 6), (5, 4), (6, 7), (None, None)])
    }
    declare(made.connection.raw, [chain, leaf])
    assert delete(made, table_of(made, chain) & {"id": 1}, "enforce", nested=False, prompt=prompt) == 5
    assert [row for (row,) in made.connection.rows("SELECT id FROM one.t0 ORDER BY id")] == [0, *range(6, 12)]
    assert made.connection.rows("SELECT id FROM two.t1 ORDER BY id") == [(5,), (6,)]
