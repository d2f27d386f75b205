"""What can be told of a plan without a database: casts, words, JSON, and the order of risks."""

from __future__ import annotations

import json

import pytest

from djcli.definition.model import TableId
from djcli.definition.types import parse_type
from djcli.errors import DataJointError, RefusedError
from djcli.migration.apply import check
from djcli.migration.attributes import NullabilityChanged
from djcli.migration.changes import Change, SchemaExtra, SchemaMissing, TableExtra
from djcli.migration.lookups import LookupRowsExtra
from djcli.migration.plan import Plan, PlannedChange
from djcli.migration.questions import Count
from djcli.migration.report import lines, script_text
from djcli.migration.risk import SAFE, Risk, Verdict
from djcli.migration.view import jobs_name, master_of, root_tier
from djcli.names import Tier
from djcli.sql.alter import always_fits, can_be_compared_back, cast_route, same_column

T = TableId("lab", "t")


def planned(change: Change, verdict: Verdict = SAFE, **more: object) -> PlannedChange:
    """Return a change with its verdict."""
    return PlannedChange(change, verdict, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "route", "fits"),
    [
        ("int16", "int64", (), True),
        ("int64", "int16", (), False),
        ("int8", "int16", (), True),
        ("int16", "int8", (), False),
        ("int32", "float64", (), True),
        ("int64", "float64", (), False),
        ("float32", "float64", (), True),
        ("float64", "float32", (), False),
        ("decimal(5,2)", "decimal(6,2)", (), True),
        ("decimal(5,2)", "decimal(6,3)", (), True),
        ("decimal(5,2)", "decimal(6,4)", (), False),
        ("decimal(5,2)", "decimal(5,3)", (), False),
        ("varchar(5)", "varchar(6)", (), True),
        ("varchar(6)", "varchar(5)", (), False),
        ("char(5)", "varchar(5)", (), True),
        ("varchar(5)", "text", (), True),
        ("text", "varchar(5)", (), False),
        ("bool", "int32", (), True),
        ("bool", "int16", ("integer",), True),
        ("bool", "float32", None, False),
        ("int16", "bool", ("integer",), False),
        ("date", "datetime", (), True),
        ("datetime", "date", (), False),
        ("enum('a','b')", "enum('b','a','c')", ("text",), True),
        ("enum('a','b')", "enum('b')", ("text",), False),
        ("enum('a','bcd')", "varchar(3)", ("text",), True),
        ("enum('a','bcd')", "varchar(2)", ("text",), False),
        ("enum('a')", "int32", None, False),
        ("varchar(3)", "enum('a')", ("text",), False),
        ("int32", "varchar(20)", ("text",), False),
        ("varchar(20)", "int32", ("text",), False),
        ("uuid", "varchar(36)", ("text",), False),
        ("uuid", "int32", None, False),
        ("json", "bytes", None, False),
        ("json", "int32", (), False),
        ("int32", "json", None, False),
        ("<blob>", "bytes", (), True),
        ("bytes", "<blob>", (), False),
        ("<blob>", "<attach>", (), False),
    ],
)
def test_casts_between_types(before: str, after: str, route: tuple[str, ...] | None, fits: bool) -> None:
    """Which way a value goes, and whether every value arrives."""
    old, new = parse_type(before), parse_type(after)
    assert cast_route(old, new) == route
    assert always_fits(old, new) is fits


def test_only_what_can_go_back_tells_of_rounding() -> None:
    """Text does not: ``'1.50'`` is 1.5 all the same."""
    assert can_be_compared_back(parse_type("float64"), parse_type("int32"))
    assert can_be_compared_back(parse_type("datetime"), parse_type("date"))
    assert can_be_compared_back(parse_type("int32"), parse_type("bool"))
    assert not can_be_compared_back(parse_type("varchar(9)"), parse_type("float64"))
    assert not can_be_compared_back(parse_type("uuid"), parse_type("int32"))
    assert same_column(parse_type("int8"), parse_type("int16"))
    assert same_column(parse_type("<blob>"), parse_type("bytes"))
    assert not same_column(parse_type("enum('a')"), parse_type("enum('b')"))


def test_the_tier_that_counts_is_that_of_the_master() -> None:
    """For raw and for computed tables."""
    assert root_tier(TableId("lab", "__sum__item")) is Tier.COMPUTED
    assert root_tier(TableId("lab", "session__trial")) is Tier.MANUAL
    assert root_tier(TableId("lab", "#method")) is Tier.LOOKUP
    assert root_tier(TableId("lab", "no such Name")) is Tier.MANUAL
    assert master_of(TableId("lab", "__sum__item")) == TableId("lab", "__sum")
    assert jobs_name(TableId("lab", "__sum")) == TableId("lab", "~~sum")


def plan() -> Plan:
    """Return a plan with a change of every risk."""
    a = NullabilityChanged(T, "a", nullable=False)
    return Plan(
        (
            planned(SchemaMissing("lab")),
            planned(a, Verdict(Risk.BLOCKED, "1 row has no value"), hint="mend it"),
            planned(
                TableExtra(TableId("lab", "old")), Verdict(Risk.DESTRUCTIVE, "gone", Count(7, estimated=True))
            ),
            planned(LookupRowsExtra(T, (("x",),))),
            planned(SchemaExtra("elsewhere")),
        )
    )


def test_a_plan_in_words() -> None:
    """Grouped by table; a group of one change is one line."""
    assert list(lines(plan())) == [
        "+ schema lab: the schema does not exist yet",
        "lab.T",
        "  ~ attribute a: may no longer be null  (BLOCKED: 1 row has no value)",
        "      mend it",
        "  = 1 row not among the contents (left alone): x",
        "- lab.Old: the table is only in the database  (DESTRUCTIVE: gone, about 7 rows)",
        "= schema elsewhere: no pipeline declares this schema (left alone)",
        "3 changes: 1 safe, 1 destructive, 1 blocked",
    ]
    assert list(lines(Plan(()))) == []
    assert list(script_text(plan())) == [
        "-- blocked: lab.T: attribute a: may no longer be null: 1 row has no value",
        "-- destructive: lab.Old: the table is only in the database: gone",
    ]


def test_a_plan_in_json() -> None:
    """Notes have no risk and are no difference."""
    told = json.loads(json.dumps(plan().as_json()))
    assert [change["risk"] for change in told["changes"]] == ["safe", "blocked", "destructive", None, None]
    assert told["differs"] is True
    assert (told["changes"][2]["rows"], told["changes"][2]["estimated"]) == (7, True)
    notes = Plan(plan().changes[3:])
    assert notes.as_json()["differs"] is False
    assert notes.schemas == ()


def test_a_plan_is_refused_for_what_cannot_be_done_first() -> None:
    """Then for what may not be done."""
    with pytest.raises(DataJointError, match=r"blocked: lab\.T: attribute a.*nothing was changed") as caught:
        check(plan(), allow_destructive=True)
    assert not isinstance(caught.value, RefusedError)
    lossy = Plan(tuple(each for each in plan().changes if each.risk is not Risk.BLOCKED))
    with pytest.raises(RefusedError, match=r"1 change would lose data: lab\.Old"):
        check(lossy, allow_destructive=False)
    check(lossy, allow_destructive=True)
