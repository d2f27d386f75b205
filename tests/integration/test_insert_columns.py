"""Whole columns that are left as they are: only where their encoder would leave every value as it is."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.codecs.scalars import encoder
from djcli.definition.model import Attribute, TableId, TableModel
from djcli.definition.types import parse_type
from djcli.errors import DataJointError
from djcli.tables.blocks import Block
from djcli.tables.columns import encode_at_once, fits
from djcli.tables.encode import Problem, encode_blocks

KINDS = [
    "int8", "int16", "int32", "int64", "float32", "float64", "bool", "varchar(3)", "char(3)", "date",
    "datetime", "uuid", "json", "bytes", "enum('a','b','ab')", "decimal(4,2)",
]  # fmt: skip

values = st.one_of(
    st.integers(-300, 300),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.sampled_from(["a", "b", "ab", "abc", "abcd"]),
    st.text(max_size=4),
    st.just("\0"),
    st.just("\ud800"),
    st.dates(),
    st.datetimes(),
    st.uuids(),
    st.binary(max_size=3),
    st.decimals(),
)


@pytest.mark.parametrize("text", KINDS)
def test_a_column_that_fits_is_what_its_encoder_makes_of_it(text: str) -> None:
    kind = parse_type(text)
    encode = encoder(kind.name, kind.column, kind.args, kind.labels)

    @given(
        st.one_of(
            *(
                st.lists(one, min_size=1, max_size=4)
                for one in (values, st.integers(-200, 200), st.text("ab", max_size=4))
            )
        )
    )
    def check(column: list[Any]) -> None:
        if fits(kind, set(map(type, column)), column):
            encoded = [encode(value) for value in column]
            assert [(type(v), repr(v)) for v in encoded] == [(type(v), repr(v)) for v in column]

    check()


_numbers = st.one_of(
    st.floats(), st.floats(width=32), st.integers(-300, 300), st.sampled_from([1e-50, 1e39, -0.0])
)
_spellings = st.one_of(_numbers.map(str), _numbers.map("{:+.3E}".format), st.text("01.-+eE_ ", max_size=5))


@pytest.mark.parametrize("text", [kind for kind in KINDS if not kind.startswith("decimal")])
def test_a_column_encoded_at_once_is_what_its_encoder_makes_of_each_value(text: str) -> None:
    kind = parse_type(text)
    encode = encoder(kind.name, kind.column, kind.args, kind.labels)

    @given(
        st.one_of(st.lists(st.none() | one, min_size=1, max_size=4) for one in (_numbers, _spellings, values))
    )
    def check(column: list[Any]) -> None:
        found = encode_at_once(Attribute("x", kind), set(map(type, column)), column)
        if found is not None:
            encoded = [None if value is None else encode(value) for value in column]
            assert [(type(v), repr(v)) for v in found] == [(type(v), repr(v)) for v in encoded]

    check()


_texts = st.one_of(st.floats().map(repr), st.decimals().map(str), st.text("0123456789.-", max_size=5))


@given(st.one_of(st.lists(one, min_size=1, max_size=4) for one in (st.floats(), st.floats(-99, 99), _texts)))
def test_numbers_for_a_decimal_are_rounded_alike_here_and_there(column: list[Any]) -> None:
    kind = parse_type("decimal(4,2)")
    model = TableModel(TableId("s", "t"), (Attribute("x", kind),))
    encode = encoder(kind.name, kind.column, kind.args, kind.labels)
    problems: list[Problem] = []
    block = Block(("x",), [column], range(1, len(column) + 1))
    [found] = encode_blocks(model, [block], ignore_extra_fields=False, report=problems.append)
    refused = {problem.number for problem in problems}
    for number, value, sent in zip(block.numbers, column, found.columns[0], strict=True):
        try:
            expected: Any = encode(value)
        except (ValueError, DataJointError):
            assert number in refused
            continue
        assert number not in refused
        assert isinstance(sent, Decimal)
        # What is not rounded yet is rounded by PostgreSQL, half away from zero as here.
        assert expected.is_nan() or encode(sent) == expected


def test_the_kinds_are_told_apart() -> None:
    assert fits(parse_type("date"), {date}, [date(2026, 1, 1)])
    assert not fits(parse_type("date"), {datetime}, [datetime(2026, 1, 1)])
    assert not fits(parse_type("int32"), {bool}, [True])
    assert fits(parse_type("uuid"), {UUID}, [UUID(int=1)])
    assert not fits(parse_type("float32"), {float}, [0.1])
