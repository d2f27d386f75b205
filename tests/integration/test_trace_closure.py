"""Tracing rows in random graphs of tables: what is found is what a closure in Python finds."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.definition.model import TableId
from djcli.diagram import Diagram
from djcli.errors import DataJointError
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance
from djcli.tables.relatives import graph_above
from djcli.tables.table import Table
from djcli.tables.trace import ancestor_rows, ancestor_rows_of_key, trace_down
from tests.conftest import database_in
from tests.integration.test_delete_closure import closure as closure_of_deletion
from tests.random_pipelines import Made, Row, class_in, declare, pipelines, quoted, table_of

Found = list[set[Row]]


def closure_up(tables: list[Made], found: Found) -> Found:
    """Return the keys of all rows that the found ones depend on, by brute force."""
    while True:
        before = sum(map(len, found))
        for table, keys in zip(tables, found, strict=True):
            for key in list(keys):
                for reference in table.references:
                    value = tuple(table.rows[key][name] for name in reference.columns)
                    if None not in value:
                        found[reference.parent].add(value)
        if sum(map(len, found)) == before:
            return found


def closure_down(tables: list[Made], found: Found) -> Found:
    """Return the keys of all rows that depend on the found ones, by brute force."""
    while True:
        before = sum(map(len, found))
        for table, keys in zip(tables, found, strict=True):
            for key, row in table.rows.items():
                if any(
                    tuple(row[name] for name in reference.columns) in found[reference.parent]
                    for reference in table.references
                ):
                    keys.add(key)
        if sum(map(len, found)) == before:
            return found


def is_below(tables: list[Made], lower: int, upper: int) -> bool:
    """Whether a table depends on another, or is the same."""
    return lower == upper or any(
        is_below(tables, reference.parent, upper)
        for reference in tables[lower].references
        if reference.parent != lower
    )


@pytest.fixture(scope="module")
def made(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[Instance]:
    name = "djcli_test_trace"
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


def traced_down(rows: Table, target: TableId) -> Table:
    """Return the rows of a descendant that depend on the given rows."""
    return trace_down(rows, graph_above(rows.instance, rows.instance.model(target))).table(target)


@given(tables=pipelines(), chosen=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_those_of_a_closure(made: Instance, tables: list[Made], chosen: st.DataObject) -> None:
    declare(made.connection.raw, tables)
    root = chosen.draw(st.integers(0, len(tables) - 1), label="root")
    ids = chosen.draw(st.sets(st.integers(0, 5)), label="ids")
    source = table_of(made, tables[root])
    rows = source & {"id": sorted(ids)}
    for closure, trace, upward in (
        (closure_up, ancestor_rows, True),
        (closure_down, traced_down, False),
    ):
        start: Found = [set() for _ in tables]
        start[root] = {key for key, row in tables[root].rows.items() if row["id"] in ids}
        for number, (table, keys) in enumerate(zip(tables, closure(tables, start), strict=True)):
            related = is_below(tables, root, number) if upward else is_below(tables, number, root)
            target = TableId(table.schema, table.name)
            if not related:
                if upward:
                    with pytest.raises(DataJointError, match=" is no "):
                        trace(rows, target)
                continue
            found = [tuple(key.values()) for key in trace(rows, target).proj()]
            assert len(found) == len(keys)
            assert set(found) == keys


@given(tables=pipelines(), chosen=st.data(), part_integrity=st.sampled_from(("enforce", "ignore", "cascade")))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_diagrams_count_the_rows_of_closures(
    made: Instance, tables: list[Made], chosen: st.DataObject, part_integrity: str
) -> None:
    declare(made.connection.raw, tables)
    root = chosen.draw(st.integers(0, len(tables) - 1), label="root")
    ids = chosen.draw(st.sets(st.integers(0, 5)), label="ids")
    rows = table_of(made, tables[root]) & {"id": sorted(ids)}
    start = {key for key, row in tables[root].rows.items() if row["id"] in ids}
    above = closure_up(tables, [start if number == root else set() for number in range(len(tables))])
    counts = Diagram.trace(rows).counts()
    assert counts == {
        quoted(table): len(keys)
        for number, (table, keys) in enumerate(zip(tables, above, strict=True))
        if is_below(tables, root, number)
    }
    gone = closure_of_deletion(tables, root, ids, with_masters=part_integrity == "cascade")
    counts = Diagram.cascade(rows, part_integrity).counts()
    assert {name: count for name, count in counts.items() if count} == {
        quoted(table): len(keys) for table, keys in zip(tables, gone, strict=True) if keys
    }


@given(tables=pipelines(), chosen=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_restrictions_of_a_diagram_all_hold(
    made: Instance, tables: list[Made], chosen: st.DataObject
) -> None:
    declare(made.connection.raw, tables)
    instance = Instance()
    instance.connection = made.connection
    use_instance(instance)
    modules = {name: dj.VirtualModule(name, name) for name in ("one", "two")}
    diagram = Diagram.from_sequence(modules[name] for name in sorted({table.schema for table in tables}))
    left: dict[int, set[Row]] = {}
    for _ in range(chosen.draw(st.integers(1, 2), label="restrictions")):
        root = chosen.draw(st.integers(0, len(tables) - 1), label="root")
        ids = chosen.draw(st.sets(st.integers(0, 5)), label="ids")
        diagram = diagram.restrict(class_in(modules, tables[root]) & {"id": sorted(ids)})
        kept = {root: {key for key, row in tables[root].rows.items() if row["id"] in ids}}
        for number, table in enumerate(tables):
            references = [r for r in table.references if r.parent in kept and r.parent != number]
            if references:
                kept[number] = {
                    key
                    for key, row in table.rows.items()
                    if all(tuple(row[c] for c in r.columns) in kept[r.parent] for r in references)
                    and (number != root or row["id"] in ids)
                }
        left = {n: kept.get(n, left.get(n, set())) & left.get(n, kept.get(n, set())) for n in {*kept, *left}}
    assert diagram.counts() == {quoted(tables[number]): len(keys) for number, keys in left.items()}
    empty = {number for number, table in enumerate(tables) if not left.get(number, table.rows)}
    pruned = {quoted(table) for number, table in enumerate(tables) if number not in empty}
    assert {table.full_table_name for table in diagram.prune()} == pruned
    for number, keys in left.items():
        assert {tuple(key.values()) for key in diagram[class_in(modules, tables[number])].proj()} == keys
    use_instance(None)


@given(tables=pipelines(), chosen=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_key_leads_where_its_row_will(made: Instance, tables: list[Made], chosen: st.DataObject) -> None:
    declare(made.connection.raw, tables)
    filled = [number for number, table in enumerate(tables) if table.rows]
    if not filled:
        return
    root = chosen.draw(st.sampled_from(filled), label="root")
    table = tables[root]
    key = chosen.draw(st.sampled_from(sorted(table.rows)), label="key")
    source = table_of(made, table)
    expected: Found = [set() for _ in tables]
    for reference in table.references:
        if set(reference.columns) <= set(table.key):
            expected[reference.parent].add(tuple(table.rows[key][name] for name in reference.columns))
    expected = closure_up(tables, expected)
    expected[root] = {key}
    with made.connection.transaction:
        made.connection.execute("SET LOCAL session_replication_role = replica")
        made.connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.schema, table.name)))
        for number, (above, keys) in enumerate(zip(tables, expected, strict=True)):
            if number != root and is_below(tables, root, number):
                target = TableId(above.schema, above.name)
                values = dict(zip(table.key, key, strict=True))
                found = ancestor_rows_of_key(source, values, target).keys()
                assert {tuple(row.values()) for row in found} == keys
        raise psycopg.Rollback
