"""Any edition of a pipeline to any other: apply ends with an empty diff or refuses, and loses no row."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from migrating import Definitions, assert_settled, edition, emptied, fresh_database, query

from djcli.catalog.introspect import load
from djcli.definition.model import TableModel
from djcli.errors import DataJointError, DuplicateError, RefusedError
from djcli.migration.apply import apply
from djcli.migration.plan import Options
from djcli.migration.planner import make_plan
from djcli.sql.alter import same_column
from djcli.sql.insert import OnDuplicate
from djcli.tables.insert import insert
from djcli.tables.instance import Instance
from djcli.tables.table import Table

EXAMPLES = 800 if os.environ.get("DJCLI_SOAK") == "1" else 30

DEFAULTS = {
    "int8": "5",
    "int16": "6",
    "int32": "7",
    "int64": "8",
    "float32": "1.5",
    "float64": "2.5",
    "bool": "true",
    "decimal(6,2)": "1.25",
    "varchar(3)": "'7'",
    "varchar(12)": "'x'",
    "char(4)": "'1'",
    "date": "'2020-01-01'",
    "datetime": "CURRENT_TIMESTAMP",
    "enum('a','b')": "'a'",
    "enum('b','a','c')": "'b'",
    "uuid": f"'{'0' * 32}'",
    "json": "null",
    "bytes": "null",
    "<blob>": "null",
}
"""The types of attributes, each with a default."""

VALUES: dict[str, list[Any]] = {
    "int": [1, 2, 100, -3],
    "float": [1.5, 2.0, 0.1, 300.25],
    "decimal": ["1.25", "2.00", "30.50", "4.00"],
    "bool": [True, False],
    "varchar": ["1", "2", "a", "b"],
    "char": ["1", "2", "a", "b"],
    "date": ["2020-01-01", "2020-01-02", "2021-03-04"],
    "datetime": ["2020-01-01 00:00:00", "2020-01-02 10:11:12", "2021-03-04"],
    "uuid": [f"{n:032x}" for n in range(1, 4)],
    "json": [{"a": 1}, [1, 2], "x"],
    "bytes": [b"1", b"2"],
    "codec": [1, [2, 3]],
}

KEY_TYPES = ["int16", "int32", "varchar(3)", "varchar(12)", "enum('a','b')", "enum('b','a','c')", "date"]


@st.composite
def secondary(draw: st.DrawFn, names: str) -> list[str]:
    """Draw the lines of a definition below the dashes."""
    lines: list[str] = []
    for name in draw(st.permutations(names)):
        kind = draw(st.sampled_from(["absent", "plain", "null", "default"]))
        type_ = draw(st.sampled_from(list(DEFAULTS)))
        comment = draw(st.sampled_from(["", "  # some: 'comment' 5%"]))
        if kind == "plain" or (kind == "default" and DEFAULTS[type_] == "null"):
            lines.append(f"{name} : {type_}{comment}")
        elif kind == "null":
            lines.append(f"{name} = null : {type_}{comment}")
        elif kind == "default":
            lines.append(f"{name} = {DEFAULTS[type_]} : {type_}{comment}")
    return lines


@st.composite
def own_key(draw: st.DrawFn, name: str, other: str) -> list[str]:
    """Draw the lines of a primary key: one attribute, or two in either order."""
    lines = [f"{name} : {draw(st.sampled_from(KEY_TYPES))}"]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, 1)), f"{other} = 1 : int32")
    return lines


def reference(parent: str, *modifiers: str) -> st.SearchStrategy[str]:
    """Draw a foreign key, perhaps with modifiers."""
    plain = [f"-> {parent}", *(f"-> [{modifier}] {parent}" for modifier in modifiers)]
    return st.sampled_from(plain)


@st.composite
def editions(draw: st.DrawFn) -> Definitions:
    """Draw an edition of a pipeline of six tables."""
    a = [*draw(own_key("a", "aa")), "---", *draw(secondary("xyz"))]
    if any(line.startswith("x ") for line in a) and draw(st.booleans()):
        a.append(draw(st.sampled_from(["index(x)", "unique index(x)", "index(x, a)"])))
    b = [draw(reference("A")), *draw(own_key("b", "bb")), "---", *draw(secondary("xy"))]
    part = ["-> master", "p : int16", "---", *draw(secondary("x"))]
    contents = [{"l": value} for value in ("1", "2")]
    c = ["-> B" if draw(st.booleans()) else "-> A", "---", *draw(secondary("xy"))]
    m = [draw(st.sampled_from(["m : int32", "-> A\nm : int32"])), "---", *draw(secondary("x"))]
    target = draw(st.sampled_from(["", "B", "L"]))
    if target:
        m.append(draw(reference(target, "nullable", "unique", "nullable, unique")))
    if target == "B" and "-> A" in m[0]:
        m.pop()  # a nullable key would share an attribute with the primary key
    return {
        "A": "\n".join(a),
        "L:lookup": (
            "l : varchar(3)\n---\n" + "\n".join(draw(st.sampled_from([[], ["n = null : int32"]]))),
            contents,
        ),
        "B": "\n".join(b),
        "B.Part": "\n".join(part),
        "C:computed": "\n".join(c),
        "M": "\n".join(m),
    }


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Definitions, Definitions]:
    """Draw two editions: unlike in everything, in some tables, or in a few attributes."""
    first, other = draw(editions()), draw(editions())
    if draw(st.integers(0, 3)) == 0:
        return first, other
    second = dict(first)
    for name in draw(st.lists(st.sampled_from(["A", "B", "B.Part", "C:computed", "M"]), max_size=2)):
        second[name] = draw(st.sampled_from([other[name], mixed(draw, str(first[name]), str(other[name]))]))
    return first, second


def mixed(draw: st.DrawFn, one: str, other: str) -> str:
    """Return the first definition with some attributes as the other has them."""
    key, _, below = one.partition("---")
    lines = {line.split()[0]: line for line in below.strip().splitlines()}
    for line in other.partition("---")[2].strip().splitlines():
        if line[0] in "xyz" and line[1] == " " and draw(st.booleans()):
            lines[line.split()[0]] = line
    return "\n".join([key.rstrip("\n"), "---", *lines.values()])


def value_of(model: TableModel, name: str, number: int) -> Any:
    """Return a value of an attribute for the row of this number."""
    kind = model[name].type
    if kind.is_enum:
        values: list[Any] = ["a", "b"]
    else:
        family = next(key for key in VALUES if kind.name.startswith(key))
        values = VALUES[family]
    return values[number % len(values)]


def fill(instance: Instance, classes: list[type[Table]]) -> None:
    """Insert up to three rows into each table; parents come first."""
    for cls in classes:
        model = cls.class_model()
        if model.id.name == "#l":
            continue
        for number in range(3):
            row = {name: value_of(model, name, number + (name != "p")) for name in model.names}
            for key in model.foreign_keys:
                columns = ", ".join(f'"{theirs}"::text' for _, theirs in key.columns)
                parents = query(instance, f'SELECT {columns} FROM lab."{key.parent.name}" ORDER BY 1')
                if not parents:
                    break
                found = parents[number % len(parents)]
                for (own, theirs), text in zip(key.columns, found, strict=True):
                    kind = key.parent and instance.classes[key.parent].class_model()[theirs].type.name
                    row[own] = int(text) if kind.startswith("int") else text
            else:
                with suppress(DuplicateError):  # a unique index may object
                    insert(instance, model, [row], on_duplicate=OnDuplicate.SKIP)


def contents_of(instance: Instance) -> dict[str, Counter[tuple[tuple[str, str], ...]]]:
    """Return the rows of all tables as texts by attribute."""
    found: dict[str, Counter[tuple[tuple[str, str], ...]]] = {}
    for table in load(instance.connection, ["lab"]).pipeline_tables.values():
        columns = ", ".join(f'"{name}"::text' for name in table.names)
        rows = query(instance, f'SELECT {columns} FROM lab."{table.id.name}"')
        found[table.id.name] = Counter(tuple(zip(table.names, row, strict=True)) for row in rows)
    return found


def kept(
    before: dict[str, Counter[Any]], old: dict[str, TableModel], new: dict[str, TableModel]
) -> dict[str, Counter[Any]]:
    """Return rows without the attributes that the other edition lacks, or has in another type, or fills."""
    found: dict[str, Counter[Any]] = {}
    for name, rows in before.items():
        names = {
            each.name
            for each in old[name]
            if each.name in new[name]
            and same_column(each.type, new[name][each.name].type)
            and each.nullable == new[name][each.name].nullable
            and name != "#l"
        }
        found[name] = Counter()
        for row, times in rows.items():
            found[name][tuple((key, value) for key, value in sorted(row) if key in names)] += times
    return found


def attempt(
    instance: Instance, classes: list[type[Table]], options: Options, *, lose: bool
) -> DataJointError | None:
    """Apply, and return the refusal if there is one."""
    try:
        apply(instance, classes, options, allow_destructive=lose)
    except DataJointError as error:
        return error
    return None


@pytest.fixture(scope="module")
def server(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make one database for all examples."""
    with fresh_database(admin, server_url, template_database) as url:
        yield url


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(both=pairs(), has_rows=st.integers(0, 3), mode=st.sampled_from(["", "lose", "redo"]))
def test_apply_settles_or_refuses_and_loses_no_row(
    server: str, both: tuple[Definitions, Definitions], has_rows: int, mode: str
) -> None:
    """Whatever the editions are; a plan that was not refused always works."""
    first, second = both
    with emptied(server) as instance:
        classes = edition(instance, first)
        apply(instance, classes)
        assert_settled(instance, classes)
        if has_rows:
            fill(instance, classes)
        before = contents_of(instance)
        old = {cls.class_model().id.name: cls.class_model() for cls in classes}
        classes = edition(instance, second)
        new = {cls.class_model().id.name: cls.class_model() for cls in classes}
        options = Options(recompute=mode == "redo")
        plan = make_plan(instance, classes, options)
        refusal = attempt(instance, classes, options, lose=mode == "lose")
        if refusal is not None:
            assert contents_of(instance) == before
            assert has_rows, "without rows all can be done"
            if isinstance(refusal, RefusedError):
                assert plan.destructive
                assert mode != "lose"
            else:
                assert str(refusal).startswith("blocked: "), "whatever cannot be done is known beforehand"
                assert all(each.verdict.reason for each in plan.blocked)
            return
        assert_settled(instance, classes)
        after = contents_of(instance)
        redone = {each.change.table.name for each in plan.changes if each.change.kind == "table-recomputed"}
        for name in redone:
            before.pop(name), after.pop(name)
        assert kept(after, new, old) == kept(before, old, new)
