"""Every kind of difference: diff sees it, its risk is right, apply removes it, and rows are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pytest
from migrating import (
    Definitions,
    edition,
    emptied,
    fresh_database,
    indexes,
    labels,
    migrate,
    query,
    rows,
)

from djcli.errors import DataJointError, RefusedError
from djcli.migration.apply import apply
from djcli.migration.planner import make_plan
from djcli.tables.instance import Instance

P = {"P": "p : int32", "Q": "q : int32"}


@pytest.fixture(scope="module")
def server(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make one database for all tests of this module, which are many and small."""
    with fresh_database(admin, server_url, template_database) as url:
        yield url


@pytest.fixture
def instance(server: str) -> Iterator[Instance]:
    """Make the default instance one without schemas."""
    with emptied(server) as made:
        yield made


def table(definition: str) -> Definitions:
    """Return tables P(p), Q(q) and T, which may refer to them."""
    return {**P, "T": definition}


@dataclass
class Case:
    """Two editions of a table, rows of the first, and what is to come of it."""

    name: str
    before: str
    insert: str
    after: str
    told: list[str]
    rows: list[tuple[Any, ...]]


CASES = [
    Case(
        "table comment",
        "t : int32",
        "(1)",
        "# c\nt : int32",
        ["~ lab.T: table comment '' becomes 'c'"],
        [(1,)],
    ),
    Case(
        "table comment gone",
        "# c\nt : int32",
        "(1)",
        "t : int32",
        ["~ lab.T: table comment 'c' becomes ''"],
        [(1,)],
    ),
    Case(
        "attribute with default",
        "t : int32",
        "(1)",
        "t : int32\n---\na = 7 : int16  # it's {x} 100%",
        ["+ lab.T: attribute a = '7' : int16"],
        [(1, 7)],
    ),
    Case(
        "attribute that may be null",
        "t : int32",
        "(1)",
        "t : int32\n---\na = null : date",
        ["+ lab.T: attribute a = null : date"],
        [(1, None)],
    ),
    Case(
        "attribute removed, never filled",
        "t : int32\n---\na = null : date",
        "(1, null)",
        "t : int32",
        ["- lab.T: attribute a = null : date"],
        [(1,)],
    ),
    Case(
        "wider type",
        "t : int32\n---\na = 5 : int16",
        "(1, 2)",
        "t : int32\n---\na = 5 : int64",
        ["~ lab.T: attribute a: type int16 becomes int64"],
        [(1, 2)],
    ),
    Case(
        "text that is numbers",
        "t : int32\n---\na : varchar(9)",
        "(1, '42')",
        "t : int32\n---\na : int32",
        ["~ lab.T: attribute a: type varchar(9) becomes int32"],
        [(1, 42)],
    ),
    Case(
        "numbers become text",
        "t : int32\n---\na : float64",
        "(1, 1.5)",
        "t : int32\n---\na : varchar(9)",
        ["~ lab.T: attribute a: type float64 becomes varchar(9)"],
        [(1, "1.5")],
    ),
    Case(
        "shorter text that fits",
        "t : int32\n---\na = 'long' : varchar(9)",
        "(1, 'abc')",
        "t : int32\n---\na = 'b' : varchar(3)",
        [
            "~ lab.T: attribute a: type varchar(9) becomes varchar(3)",
            "~ lab.T: attribute a: default 'long' becomes 'b'",
        ],
        [(1, "abc")],
    ),
    Case(
        "bool becomes a small number",
        "t : int32\n---\na = true : bool",
        "(1, true)",
        "t : int32\n---\na = 1 : int8",
        [
            "~ lab.T: attribute a: type bool becomes int8",
            "~ lab.T: attribute a: default 'true' becomes '1'",
        ],
        [(1, 1)],
    ),
    Case(
        "date becomes a time",
        "t : int32\n---\na : date",
        "(1, '2020-02-03')",
        "t : int32\n---\na : datetime(3)",
        ["~ lab.T: attribute a: type date becomes datetime(3)"],
        [(1, datetime(2020, 2, 3))],
    ),
    Case(
        "type of a key",
        "t : int32",
        "(1)",
        "t : varchar(12)",
        ["~ lab.T: attribute t: type int32 becomes varchar(12)"],
        [("1",)],
    ),
    Case(
        "enum labels added and reordered",
        "t : int32\n---\na = 'x' : enum('x','y')",
        "(1, 'y')",
        "t : int32\n---\na = 'z' : enum('z','y','x')",
        [
            "~ lab.T: attribute a: enum labels 'z' added, reordered to enum('z','y','x')",
            "~ lab.T: attribute a: default 'x' becomes 'z'",
        ],
        [(1, "y")],
    ),
    Case(
        "enum labels reordered",
        "t : int32\n---\na : enum('x','y')",
        "(1, 'y')",
        "t : int32\n---\na : enum('y','x')",
        ["~ lab.T: attribute a: enum labels reordered to enum('y','x')"],
        [(1, "y")],
    ),
    Case(
        "enum label removed that no row has",
        "t : int32\n---\na : enum('x','y')",
        "(1, 'y')",
        "t : int32\n---\na : enum('y')",
        ["~ lab.T: attribute a: enum labels 'x' removed"],
        [(1, "y")],
    ),
    Case(
        "enum becomes text",
        "t : int32\n---\na = 'x' : enum('x','y')",
        "(1, 'y')",
        "t : int32\n---\na = 'x' : varchar(4)",
        ["~ lab.T: attribute a: type enum('x','y') becomes varchar(4)"],
        [(1, "y")],
    ),
    Case(
        "text becomes enum",
        "t : enum('x','y')\n---\na : varchar(1)",
        "('x', 'y')",
        "t : enum('x','y')\n---\na : enum('x','y')",
        ["~ lab.T: attribute a: type varchar(1) becomes enum('x','y')"],
        [("x", "y")],
    ),
    Case(
        "default",
        "t : int32\n---\na = 1 : int32",
        "(1, 9)",
        "t : int32\n---\na = 2 : int32",
        ["~ lab.T: attribute a: default '1' becomes '2'"],
        [(1, 9)],
    ),
    Case(
        "default gone",
        "t : int32\n---\na = 1 : int32",
        "(1, 9)",
        "t : int32\n---\na : int32",
        ["~ lab.T: attribute a: default '1' becomes none"],
        [(1, 9)],
    ),
    Case(
        "default by the clock",
        "t : int32\n---\na : datetime",
        "(1, '2020-01-01')",
        "t : int32\n---\na = CURRENT_TIMESTAMP : datetime",
        ["~ lab.T: attribute a: default none becomes CURRENT_TIMESTAMP"],
        [(1, datetime(2020, 1, 1))],
    ),
    Case(
        "may be null",
        "t : int32\n---\na : int32",
        "(1, 9)",
        "t : int32\n---\na = null : int32",
        ["~ lab.T: attribute a: may be null"],
        [(1, 9)],
    ),
    Case(
        "null no more, default filled in",
        "t : int32\n---\na = null : int32",
        "(1, null), (2, 3)",
        "t : int32\n---\na = 8 : int32",
        ["~ lab.T: attribute a: may no longer be null", "~ lab.T: attribute a: default none becomes '8'"],
        [(1, 8), (2, 3)],
    ),
    Case(
        "attribute comment",
        "t : int32  # old",
        "(1)",
        't : int32  # new "one"',
        ["~ lab.T: attribute t: comment 'old' becomes 'new \"one\"'"],
        [(1,)],
    ),
    Case(
        "codec and its bytes",
        "t : int32\n---\na : <blob>",
        "(1, '\\x00')",
        "t : int32\n---\na : bytes",
        ["~ lab.T: attribute a: type <blob> becomes bytes"],
        [(1, b"\0")],
    ),
    Case(
        "order of the key",
        "t : int32\nu : int32",
        "(1, 2)",
        "u : int32\nt : int32",
        ["~ lab.T: primary key (t, u) becomes (u, t)"],
        [(1, 2)],
    ),
    Case(
        "attribute enters the key",
        "t : int32\n---\nu : int32",
        "(1, 2)",
        "t : int32\nu : int32",
        ["~ lab.T: primary key (t) becomes (t, u)"],
        [(1, 2)],
    ),
    Case(
        "attribute leaves the key",
        "t : int32\nu : int32",
        "(1, 2)",
        "t : int32\n---\nu = null : int32",
        ["~ lab.T: primary key (t, u) becomes (t)", "~ lab.T: attribute u: may be null"],
        [(1, 2)],
    ),
    Case(
        "new key attribute with a default",
        "t : int32",
        "(1), (2)",
        "t : int32\nu = 3 : int32",
        ["~ lab.T: primary key (t) becomes (t, u)", "+ lab.T: attribute u = '3' : int32"],
        [(1, 3), (2, 3)],
    ),
    Case(
        "table becomes a singleton",
        "t : int32",
        "(1)",
        "---\nt : int32",
        ["~ lab.T: primary key (t) becomes ()", "+ lab.T: attribute _singleton = 'true' : bool"],
        [(1, True)],
    ),
    Case(
        "singleton gets a key",
        "---\nt : int32",
        "(1)",
        "t : int32",
        ["~ lab.T: primary key () becomes (t)"],
        [(1,)],
    ),
    Case(
        "foreign key added",
        "t : int32\np : int32",
        "(5, 1)",
        "t : int32\n-> P",
        ["+ lab.T: foreign key -> lab.P"],
        [(5, 1)],
    ),
    Case(
        "foreign key that may be null added",
        "t : int32",
        "(5)",
        "t : int32\n---\n-> [nullable] P",
        ["+ lab.T: attribute p = null : int32", "+ lab.T: foreign key -> [nullable] lab.P"],
        [(5, None)],
    ),
    Case(
        "foreign key removed",
        "t : int32\n---\n-> P",
        "(5, 1)",
        "t : int32\n---\np : int32",
        ["- lab.T: foreign key -> lab.P"],
        [(5, 1)],
    ),
    Case(
        "foreign key re-targeted",
        "t : int32\n---\n-> P.proj(r='p')",
        "(5, 1)",
        "t : int32\n---\n-> Q.proj(r='q')",
        ["~ lab.T: foreign key -> lab.P.proj(r='p') becomes -> lab.Q.proj(r='q')"],
        [(5, 1)],
    ),
    Case(
        "foreign key becomes unique",
        "t : int32\n---\n-> P",
        "(5, 1)",
        "t : int32\n---\n-> [unique] P",
        ["~ lab.T: foreign key -> lab.P becomes -> [unique] lab.P"],
        [(5, 1)],
    ),
    Case(
        "foreign key unique no more",
        "t : int32\n---\n-> [unique, nullable] P",
        "(5, 1)",
        "t : int32\n---\n-> [nullable] P",
        ["~ lab.T: foreign key -> [nullable, unique] lab.P becomes -> [nullable] lab.P"],
        [(5, 1)],
    ),
    Case(
        "indexes",
        "t : int32\n---\na : int32\nb : int32\nindex(a)\nunique index(b, a)",
        "(1, 2, 3)",
        "t : int32\n---\na : int32\nb : int32\nunique index(a)\nindex(b)",
        [
            "- lab.T: index (a)",
            "- lab.T: unique index (b, a)",
            "+ lab.T: unique index (a)",
            "+ lab.T: index (b)",
        ],
        [(1, 2, 3)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_is_safe_is_done_and_rows_are_kept(instance: Instance, case: Case) -> None:
    """And nothing differs afterwards; indexes are those of a table declared so from the start."""
    migrate(instance, table(case.before))
    query(instance, "INSERT INTO lab.p VALUES (1); INSERT INTO lab.q VALUES (1)")
    query(instance, f"INSERT INTO lab.t VALUES {case.insert}")
    done = migrate(instance, table(case.after))
    assert labels(done) == case.told
    assert rows(instance, "t") == case.rows
    altered = indexes(instance, "t")
    query(instance, "DROP TABLE lab.t CASCADE; DELETE FROM lab.\"~lineage\" WHERE table_name = 't'")
    migrate(instance, table(case.after))
    assert altered == indexes(instance, "t")


DESTRUCTIVE = [
    (
        "t : int32\n---\na = null : date",
        "(1, '2020-01-01')",
        "t : int32",
        "- lab.T: attribute a = null : date",
        [(1,)],
    ),
    (
        "t : int32\n---\na : float64",
        "(1, 1.5)",
        "t : int32\n---\na : int32",
        "~ lab.T: attribute a: type float64 becomes int32",
        [(1, 2)],
    ),
    (
        "t : int32\n---\na : datetime",
        "(1, '2020-01-01 10:00')",
        "t : int32\n---\na : date",
        "~ lab.T: attribute a: type datetime becomes date",
        [(1, datetime(2020, 1, 1).date())],
    ),
    (
        "t : int32\n---\na : int32",
        "(1, 7)",
        "t : int32\n---\na : bool",
        "~ lab.T: attribute a: type int32 becomes bool",
        [(1, True)],
    ),
]


@pytest.mark.parametrize(("before", "insert", "after", "told", "kept"), DESTRUCTIVE)
def test_what_loses_data_needs_leave(
    instance: Instance, before: str, insert: str, after: str, told: str, kept: list[Any]
) -> None:
    """Without it nothing is done."""
    migrate(instance, table(before))
    query(instance, f"INSERT INTO lab.t VALUES {insert}")
    held = rows(instance, "t")
    with pytest.raises(RefusedError, match="lose data"):
        migrate(instance, table(after))
    assert rows(instance, "t") == held
    done = migrate(instance, table(after), allow_destructive=True)
    assert labels(done) == [f"{told} [destructive]"]
    assert done.changes[0].verdict.rows is not None
    assert done.changes[0].verdict.rows.number == 1
    assert rows(instance, "t") == kept


BLOCKED = [
    ("t : int32", "(1)", "t : int32\n---\na : date", "nothing tells its value"),
    ("t : int32\n---\na = null : int32", "(1, null)", "t : int32\n---\na : int32", "1 row has no value"),
    ("t : int32\n---\na : varchar(9)", "(1, 'x1')", "t : int32\n---\na : int32", '"x1"'),
    ("t : int32\n---\na : varchar(9)", "(1, 'long')", "t : int32\n---\na : varchar(3)", "'long' is too long"),
    ("t : int32\n---\na : int32", "(1, 70000)", "t : int32\n---\na : int16", "out of range"),
    ("t : int32\n---\na : int16", "(1, 200)", "t : int32\n---\na : int8", "200 is out of the range of int8"),
    ("t : int32\n---\na : bytes", "(1, '\\x00')", "t : int32\n---\na : <blob>", "not encoded by <blob>"),
    ("t : int32\n---\na : uuid", f"(1, '{'0' * 32}')", "t : int32\n---\na : int32", "cannot be cast"),
    ("t : int32\n---\na : enum('x','y')", "(1, 'x')", "t : int32\n---\na : enum('y')", "have the label 'x'"),
    ("t : int32\n---\na : varchar(1)", "(1, 'z')", "t : int32\n---\na : enum('x')", "'z' is no label"),
    ("t : int32\nu : int32", "(1, 1), (1, 2)", "t : int32\n---\nu : int32", "several rows would have t=1"),
    ("t : int32", "(1), (2)", "---\nt : int32", "several rows would have"),
    ("t : varchar(3)", "('1'), ('01')", "t : int32", "several rows would have t=1"),
    ("t : int32\n---\na : int32", "(1, 5), (2, 5)", "t : int32\n---\na : int32\nunique index(a)", "have a=5"),
    ("t : int32\n---\n-> P", "(1, 1), (2, 1)", "t : int32\n---\n-> [unique] P", "several rows have p=1"),
    ("t : int32\np : int32", "(1, 3)", "t : int32\n-> P", "no lab.P for the row with p=3"),
    (
        "t : int32\n---\n-> P.proj(r='p')",
        "(1, 2)",
        "t : int32\n---\n-> Q.proj(r='q')",
        "no lab.Q for the row with r=2",
    ),
    ("t : int32", "(1)", "t : int32\n---\n-> P", "nothing tells its value"),
]


@pytest.mark.parametrize(("before", "insert", "after", "reason"), BLOCKED)
def test_what_cannot_be_done_says_why(
    instance: Instance, before: str, insert: str, after: str, reason: str
) -> None:
    """And leaves everything as it is; once the rows are gone it is no trouble."""
    migrate(instance, table(before))
    query(instance, "INSERT INTO lab.p VALUES (1), (2); INSERT INTO lab.q VALUES (1)")
    query(instance, f"INSERT INTO lab.t VALUES {insert}")
    held = rows(instance, "t")
    plan = make_plan(instance, edition(instance, table(after)))
    [blocked] = plan.blocked
    assert reason in blocked.verdict.reason
    with pytest.raises(DataJointError, match=r"blocked: lab\.T"):
        migrate(instance, table(after), allow_destructive=True)
    assert rows(instance, "t") == held
    query(instance, "DELETE FROM lab.t")
    migrate(instance, table(after), allow_destructive=True)


def test_the_database_keeps_what_was_declared_by_another_than_the_classes(instance: Instance) -> None:
    """A table that nothing declares is dropped only with leave; a selection does not see it."""
    migrate(instance, table("t : int32"))
    query(instance, "INSERT INTO lab.t VALUES (1)")
    classes = edition(instance, P)
    assert labels(make_plan(instance, classes)) == [
        "- lab.T: the table is only in the database [destructive]"
    ]
    with pytest.raises(RefusedError):
        apply(instance, classes)
    migrate(instance, P, allow_destructive=True)
    assert query(instance, "SELECT to_regclass('lab.t')") == [(None,)]


def test_an_undeclared_table_that_others_refer_to_stays(instance: Instance) -> None:
    """Declared ones in the same plan, or some that nobody declares."""
    migrate(instance, {"P": "p : int32", "C": "-> P"})
    query(instance, "CREATE SCHEMA other; CREATE TABLE other.x (p int PRIMARY KEY REFERENCES lab.p)")
    [gone, blocked] = make_plan(instance, edition(instance, {"Z": "z : int32"})).changes[1:]
    assert (str(gone.change.table), gone.risk.value) == ("lab.P", "blocked")
    assert "other.X refer" in gone.verdict.reason
    assert (str(blocked.change.table), blocked.risk.value) == ("lab.C", "destructive")


def test_a_view_in_the_way_is_named(instance: Instance) -> None:
    """PostgreSQL refuses to alter or drop what a view shows."""
    migrate(instance, table("t : int32\n---\na : int32"))
    query(instance, "CREATE VIEW lab.shown AS SELECT a FROM lab.t")
    plan = make_plan(instance, edition(instance, table("t : int32\n---\na : int64")))
    assert "the view lab.shown" in plan.blocked[0].verdict.reason
    migrate(instance, table("t : int64\n---\na : int32"))
