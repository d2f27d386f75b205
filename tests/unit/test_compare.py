"""Comparing tables: every kind of difference has its change, and what means the same has none."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from declaring import parse

from djcli.catalog.snapshot import Catalog
from djcli.definition.attribute import Default
from djcli.definition.model import Index, TableId, TableModel
from djcli.migration.changes import Change
from djcli.migration.compare import compare, compare_tables
from djcli.names import Tier

PARENTS = {"p": "p : int32", "q": "q : int32", "m": "m : int32\nn : int32"}
TABLE = TableId("lab", "t")


def model(definition: str) -> TableModel:
    """Return the model of a table T, which may refer to P(p), Q(q) and M(m, n)."""
    return parse("lab", {**PARENTS, "t": definition})[TABLE]


def catalog(*models: TableModel, schemas: tuple[str, ...] = ("lab",)) -> Catalog:
    """Return the catalog of a database that has these tables."""
    return Catalog(
        requested=frozenset(schemas),
        schemas=frozenset(each.id.schema for each in models),
        tables={each.id: each for each in models},
        physical={},
        enums={},
        relations=frozenset(),
        others={},
    )


def lines(changes: tuple[Change, ...]) -> list[str]:
    """Return each change as its mark and its line."""
    return [f"{change.mark} {change.describe()}" for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("t : int32", "# c\nt : int32", ["~ table comment '' becomes 'c'"]),
        ("t : int32", "t : int32\n---\na : date", ["+ attribute a : date"]),
        ("t : int32", "t : int32\n---\na = null : date", ["+ attribute a = null : date"]),
        ("t : int32\n---\na = 'x' : varchar(4)", "t : int32", ["- attribute a = 'x' : varchar(4)"]),
        ("t : int32", "t : int64", ["~ attribute t: type int32 becomes int64"]),
        (
            "t : int32\n---\na : <blob>",
            "t : int32\n---\na : bytes",
            ["~ attribute a: type <blob> becomes bytes"],
        ),
        ("t : int16", "t : int8", ["~ attribute t: type int16 becomes int8"]),
        (
            "t : enum('a','b','c')",
            "t : enum('b','d','a')",
            ["~ attribute t: enum labels 'd' added, 'c' removed, reordered to enum('b','d','a')"],
        ),
        ("t : enum('a','b')", "t : enum('b','a')", ["~ attribute t: enum labels reordered to enum('b','a')"]),
        ("t : enum('a','b')", "t : varchar(1)", ["~ attribute t: type enum('a','b') becomes varchar(1)"]),
        (
            "t : int32\n---\na = 1 : int32",
            "t : int32\n---\na = 2 : int32",
            ["~ attribute a: default '1' becomes '2'"],
        ),
        (
            "t : int32\n---\na : datetime",
            "t : int32\n---\na = CURRENT_TIMESTAMP : datetime",
            ["~ attribute a: default none becomes CURRENT_TIMESTAMP"],
        ),
        ("t : int32\n---\na : date", "t : int32\n---\na = null : date", ["~ attribute a: may be null"]),
        (
            "t : int32\n---\na = null : date",
            "t : int32\n---\na : date",
            ["~ attribute a: may no longer be null"],
        ),
        ("t : int32  # old", "t : int32  # new", ["~ attribute t: comment 'old' becomes 'new'"]),
        (
            "t : int32\n---\na : date\nb : date",
            "t : int32\n---\nb : date\na : date",
            ["= order of attributes is (a, b) in the database"],
        ),
        ("t : int32\nu : int32", "u : int32\nt : int32", ["~ primary key (t, u) becomes (u, t)"]),
        ("t : int32\n---\nu : int32", "t : int32\nu : int32", ["~ primary key (t) becomes (t, u)"]),
        (
            "t : int32",
            "---\nt : int32",
            ["~ primary key (t) becomes ()", "+ attribute _singleton = 'true' : bool"],
        ),
        (
            "t : int32",
            "t : int32\n---\n-> [nullable, unique] P.proj(r='p')",
            ["+ attribute r = null : int32", "+ foreign key -> [nullable, unique] lab.P.proj(r='p')"],
        ),
        ("t : int32\np : int32", "t : int32\n-> P", ["+ foreign key -> lab.P"]),
        ("-> P\nt : int32", "p : int32\nt : int32", ["- foreign key -> lab.P"]),
        (
            "t : int32\n---\n-> P.proj(r='p')",
            "t : int32\n---\n-> Q.proj(r='q')",
            ["~ foreign key -> lab.P.proj(r='p') becomes -> lab.Q.proj(r='q')"],
        ),
        (
            "t : int32\n---\n-> M",
            "t : int32\n---\n-> M.proj(m='n', n='m')",
            [
                "= order of attributes is (m, n) in the database",
                "~ foreign key -> lab.M becomes -> lab.M.proj(n='m', m='n')",
            ],
        ),
        (
            "t : int32\n---\n-> P",
            "t : int32\n---\n-> [unique] P",
            ["~ foreign key -> lab.P becomes -> [unique] lab.P"],
        ),
        (
            "t : int32\n---\n-> [unique] P",
            "t : int32\n---\n-> P",
            ["~ foreign key -> [unique] lab.P becomes -> lab.P"],
        ),
        ("t : int32\n---\n-> P", "t : int32\n---\n-> [nullable] P", ["~ attribute p: may be null"]),
        ("t : int32", "t : int32\nindex(t)", ["+ index (t)"]),
        ("t : int32\nunique index(t)", "t : int32", ["- unique index (t)"]),
        ("t : int32\nindex(t)", "t : int32\nunique index(t)", ["- index (t)", "+ unique index (t)"]),
        (
            "t : int32\nu : int32\nindex(t, u)",
            "t : int32\nu : int32\nindex(u, t)",
            ["- index (t, u)", "+ index (u, t)"],
        ),
        ("t : int32\n---\n-> P", "t : int32\n---\n-> P\nunique index(p)", ["+ unique index (p)"]),
    ],
)
def test_every_kind_of_difference_has_its_change(before: str, after: str, expected: list[str]) -> None:
    """And no difference has two."""
    assert lines(compare_tables(model(after), model(before))) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("t : int32", "t   :  INT32   #"),
        ("t : int32", "t : integer"),
        ("t : int32\n---\na : varchar(3)", "t : int32\n---\na : VARCHAR( 3 )"),
        ("t : enum('a','b')", "t : Enum( \"a\" , 'b' )"),
        ("t : int32\n---\na = 5 : int32", "t : int32\n---\na = '5' : int32"),
        ("t : int32\n---\na = 1e3 : float64", "t : int32\n---\na = 1000.0 : float64"),
        ("t : int32\n---\na = 1.5 : decimal(5,2)", "t : int32\n---\na = 1.50 : decimal(5,2)"),
        ("t : int32\n---\na = yes : bool", "t : int32\n---\na = 1 : bool"),
        ("t : int32  # two  words ", "t : int32 # two words"),
        ("t : int32\n---\n-> P", "t : int32\n---\n-> P\nindex(p)"),  # the foreign key has that index
        ("t : int32\n---\n-> [unique] P", "t : int32\n---\n-> P\nunique index(p)"),
        ("t : int32\n---\n-> P\n-> Q", "t : int32\n---\n-> P\n# a remark\n-> Q"),
        ("t : int32\nindex(t)\nunique index(t)", "t : int32\nunique index(t)\nindex(t)"),
    ],
)
def test_what_means_the_same_is_no_difference(one: str, other: str) -> None:
    """However it is written, in both directions."""
    assert compare_tables(model(one), model(other)) == ()
    assert compare_tables(model(other), model(one)) == ()


def test_expressions_are_compared_as_the_catalog_prints_them() -> None:
    """Casts, parentheses, spaces and letter case are the catalog's own."""
    declared = model("t : int32\n---\na : datetime")

    def with_default(text: str) -> TableModel:
        default = Default(text, is_expression=True)
        attributes = (declared["t"], replace(declared["a"], default=default))
        return replace(declared, attributes=attributes)

    printed = with_default("(now() AT TIME ZONE 'utc'::text)")
    assert compare_tables(with_default("(NOW() at time zone 'utc')"), printed) == ()
    assert len(compare_tables(with_default("(now() at time zone 'cet')"), printed)) == 1


def test_hidden_columns_of_the_database_are_no_difference() -> None:
    """The other way round they are: the definition's settings ask for them."""
    plain = model("t : int32")
    note = replace(plain["t"], name="_job_version", in_key=False)
    hidden = replace(plain, hidden=(note,))
    assert compare_tables(plain, hidden) == ()
    assert lines(compare_tables(hidden, plain)) == ["+ attribute _job_version : int32"]


def test_missing_and_extra_tables_are_named() -> None:
    """Missing schemas come first, then missing tables, then extra ones; never those of other schemas."""
    ours = parse("lab", PARENTS)
    theirs = parse("old", {"x": "x : int32", "~lineage": "x : int32"})
    elsewhere = parse("elsewhere", {"y": "y : int32"})
    changes = compare(ours, catalog(*theirs.values(), *elsewhere.values(), schemas=("lab", "old")))
    assert [str(change) for change in changes] == [
        "+ lab: the schema does not exist yet",
        "+ lab.P: the table does not exist yet",
        "+ lab.Q: the table does not exist yet",
        "+ lab.M: the table does not exist yet",
        "- old.X: the table is only in the database",
    ]
    assert theirs[TableId("old", "~lineage")].tier is Tier.HIDDEN


def test_equal_tables_give_nothing() -> None:
    """A table is compared with the one of its name in its schema."""
    ours = parse("lab", PARENTS)
    assert compare(ours, catalog(*ours.values())) == ()
    assert compare({}, catalog()) == ()


def test_a_foreign_key_of_two_uses_keeps_both() -> None:
    """One of two foreign keys to one parent is removed, and that one is named."""
    both = model("t : int32\n---\n-> P.proj(a='p')\n-> P.proj(b='p')")
    one = model("t : int32\n---\n-> P.proj(a='p')\nb : int32")
    told = lines(compare_tables(one, both))
    assert [line for line in told if "foreign" in line] == ["- foreign key -> lab.P.proj(b='p')"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("t : int32", "t : enum('a')\n---\n-> P.proj(r='p')\na = 1 : int32\nindex(a)"),
        (
            "t : int32\n---\n-> P.proj(r='p')\na : enum('x')",
            "# c\nt : int32\n---\n-> Q.proj(r='q')\na = 'y' : enum('y')",
        ),
        ("t : int32\nu : int32\nindex(u)", "u : int32  # c\nt : int32"),
    ],
)
def test_json_has_a_stable_head_and_the_details(before: str, after: str) -> None:
    """Every change is a value of JSON with its kind, mark, schema, table and text."""
    for change in compare_tables(model(after), model(before)):
        told = json.loads(json.dumps(change.as_json()))
        assert list(told)[:6] == ["change", "mark", "schema", "table", "name", "text"]
        assert (told["schema"], told["table"], told["name"]) == ("lab", "T", "t")
        assert told["text"] == change.describe()
        assert len(told) > 6


def test_json_of_a_change() -> None:
    """The names are those a script reads."""
    [change] = compare_tables(model("t : int32\nunique index(t)"), model("t : int32"))
    assert change.as_json() == {
        "change": "index-added",
        "mark": "+",
        "schema": "lab",
        "table": "T",
        "name": "t",
        "text": "unique index (t)",
        "index": {"attributes": ["t"], "unique": True},
    }
    assert Index(("t",), unique=True) in model("t : int32\nunique index(t)").indexes
