"""Defaults: literals by value, expressions, and what the catalog prints for them."""

from __future__ import annotations

import re
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.definition.attribute import Default
from djcli.definition.defaults import expression_default, literal_default
from djcli.definition.types import default_from_catalog, parse_type
from djcli.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "spellings", "value"),
    [
        ("int8", ["5", "+5", "05", "5.0", " 5 ", "5e0"], "5"),
        ("int64", ["-9223372036854775808"], "-9223372036854775808"),
        ("float32", ["0.1", "1e-1", "0.100000001"], "0.1"),
        ("float32", ["16777217"], "16777216"),
        ("float32", ["1e-40"], "1e-40"),
        ("float32", ["3.4028235e38"], "3.4028235e+38"),
        ("float64", ["5", "5.0", "5.", "50e-1"], "5"),
        ("float64", ["NaN", "nan", "-nan"], "NaN"),
        ("float64", ["-inf", "-Infinity"], "-Infinity"),
        ("decimal(5,2)", ["1.5", "1.50", "1.4999"], "1.50"),
        ("decimal(5,2)", ["-0.001", "0"], "0.00"),
        ("decimal(5,2)", ["-1.555"], "-1.56"),
        ("decimal", ["1.50", "1.5"], "1.5"),
        ("bool", ["true", "True", "1", "t", "YES", "on"], "true"),
        ("bool", ["false", "0", "off"], "false"),
        ("char(4)", ["ab", "ab  "], "ab"),
        ("varchar(4)", ["ab  "], "ab  "),
        ("varchar(2)", ["éß"], "éß"),
        ("varchar(9)", ["5"], "5"),
        ("text", ["anything"], "anything"),
        ("date", ["2020-02-29"], "2020-02-29"),
        (
            "datetime",
            ["2020-01-01", "2020-01-01T00:00:00", "2020-01-01 02:00:00+02:00"],
            "2020-01-01 00:00:00",
        ),
        ("datetime", ["2020-01-01 00:00:00.120000", "2020-01-01 00:00:00.12"], "2020-01-01 00:00:00.12"),
        ("datetime(0)", ["2019-12-31 23:59:59.5"], "2020-01-01 00:00:00"),
        ("datetime(3)", ["2020-01-01 00:00:00.0004"], "2020-01-01 00:00:00"),
        ("uuid", ["{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}"], "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("json", ['{"b":1,"a":[null]}', '{"a": [null], "b": 1}'], '{"a": [null], "b": 1}'),
        ("bytes", ["ab", r"\x6162", r"\x61 62"], r"\x6162"),
        ("enum('a','it''s')", ["it's"], "it's"),
        ("int unsigned", ["4294967295"], "4294967295"),
        ("interval", ["1 day"], "1 day"),
    ],
)
def test_literals_are_compared_by_value(text: str, spellings: list[str], value: str) -> None:
    assert {literal_default(parse_type(text), spelling) for spelling in spellings} == {Default(value)}


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("int32", "abc", "'abc' is not a value of int32"),
        ("int32", "", "'' is not a value of int32"),
        ("int32", "1.5", "not a value of int32"),
        ("int32", "1e999999", "not a value of int32"),
        ("int32", "٣", "not a value of int32"),
        ("int8", "128", "it holds -128 to 127"),
        ("int8", "-129", "it holds -128 to 127"),
        ("int64", "9223372036854775808", "it holds"),
        ("tinyint", "40000", "it holds -32768 to 32767"),
        ("float32", "1e39", "out of range"),
        ("float64", "1e400", "out of range"),
        ("float64", "1e-400", "out of range"),
        ("float64", "1_0", "not a value of float64"),
        ("decimal(5,2)", "1000", "more than 3 digits before the point"),
        ("decimal(5,2)", "999.999", "more than 3 digits before the point"),
        ("decimal(5,2)", "1e9999", "more than 3 digits before the point"),
        ("bool", "2", "write true or false"),
        ("char(2)", "abc", "3 characters long"),
        ("varchar(2)", "ab ", "3 characters long"),
        ("date", "01.02.2020", "write YYYY-MM-DD"),
        ("date", "2021-02-29", "write YYYY-MM-DD"),
        ("datetime", "CURRENT_TIMESTAMP", "take the quotes off"),
        ("datetime", "soon", "write 'YYYY-MM-DD hh:mm:ss'"),
        ("datetime(0)", "9999-12-31 23:59:59.9", "not a value of datetime(0)"),
        ("uuid", "abc", "not a value of uuid"),
        ("json", "{", "is not a value of json"),
        ("json", "[NaN]", "cannot hold"),
        ("json", "[1e999]", "cannot hold"),
        ("json", r'"\ud800"', "cannot hold"),
        ("json", r'"\u0000"', "NUL"),
        ("json", "[" * 100_000, "nested too deep"),
        ("json", "9" * 5000, "cannot hold"),
        ("bytes", r"\x0", "come in pairs"),
        ("bytes", r"\001", "hexadecimal"),
        ("enum('left','right')", "lift", "is no label of enum('left','right') - did you mean left?"),
        ("<blob>", "", "the only default of <blob> is null"),
        ("serial", "1", "the database numbers the rows"),
    ],
)
def test_a_literal_of_another_type_is_refused(text: str, value: str, reason: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(reason)):
        literal_default(parse_type(text), value)


def test_backslashed_zero_is_no_nul() -> None:
    assert literal_default(parse_type("json"), r'"\\u0000"').value == r'"\\u0000"'


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_text_reads_back_and_is_shortest(value: float) -> None:
    text = literal_default(parse_type("float32"), repr(value)).value
    assert struct.pack("f", float(text)) == struct.pack("f", value)
    assert len(f"{Decimal(text).normalize():e}") <= len(f"{Decimal(repr(value)).normalize():e}")


@pytest.mark.parametrize(
    ("text", "expression", "value"),
    [
        ("datetime", "current_timestamp", "CURRENT_TIMESTAMP"),
        ("datetime(3)", "Current_Timestamp ( 3 )", "CURRENT_TIMESTAMP(3)"),
        ("date", "current_date", "CURRENT_DATE"),
        ("timestamp", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("uuid", "gen_random_uuid()", "gen_random_uuid()"),
        ("varchar(9)", "current_user", "CURRENT_USER"),
        ("int32", "((1 + 2))", "1 + 2"),
        ("int32", "(1) + (2)", "(1) + (2)"),
        ("datetime", "( now() + '1 (day'::interval )", "now() + '1 (day'::interval"),
    ],
)
def test_expressions(text: str, expression: str, value: str) -> None:
    assert expression_default(parse_type(text), expression) == Default(value, is_expression=True)


@pytest.mark.parametrize(
    ("text", "expression", "reason"),
    [
        ("int32", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP is not a value of int32"),
        ("bool", "CURRENT_DATE", "not a value of bool"),
        ("<blob>", "f()", "the only default of <blob> is null"),
        ("serial", "f()", "the database numbers the rows"),
        ("int32", "(1); drop table x", "not one SQL expression"),
        ("int32", "f() -- x", "not one SQL expression"),
        ("int32", "f(/* x)", "not one SQL expression"),
        ("int32", "f())", "not one SQL expression"),
        ("int32", "()", "never closed"),
    ],
)
def test_refused_expressions(text: str, expression: str, reason: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(reason)):
        expression_default(parse_type(text), expression)


@pytest.mark.parametrize(
    ("text", "printed", "default"),
    [
        ("int16", "'5'::smallint", "5"),
        ("int32", "5", "5"),
        ("int32", "'-5'::integer", "-5"),
        ("int32", "(- 5)", "-5"),
        ("int32", "('5'::integer)::smallint", "5"),
        ("bool", "true", "true"),
        ("char(3)", "'a'::bpchar", "a"),
        ("varchar(19)", "'it''s \\ ::text'::character varying", "it's \\ ::text"),
        ("varchar(9)", "'null'::character varying", "null"),
        ("varchar(9)", "('abc'::character varying)::text", "abc"),
        ("decimal(5,2)", "1.5", "1.50"),
        ("decimal(5,2)", "'-1.5'::numeric(5,2)", "-1.50"),
        ("float32", "'0.1'::real", "0.1"),
        ("float64", "'-2.5'::double precision", "-2.5"),
        ("date", "'2020-01-01'::date", "2020-01-01"),
        ("datetime(3)", "'2020-01-01 00:00:00.5'::timestamp(3) without time zone", "2020-01-01 00:00:00.5"),
        ("json", "'{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("bytes", r"'\x'::bytea", r"\x"),
        ("enum('x','y')", "'x'::p24.enum_52102d8e", "x"),
        ("enum('x','y')", '\'x\'::"My-Lab"."enum_52102d8e"', "x"),
    ],
)
def test_literals_as_the_catalog_prints_them(text: str, printed: str, default: str) -> None:
    assert default_from_catalog(printed, parse_type(text)) == Default(default)


@pytest.mark.parametrize("printed", [None, "NULL", "NULL::character varying", "NULL::bpchar", "(NULL)::text"])
def test_null_is_no_default(printed: str | None) -> None:
    assert default_from_catalog(printed, parse_type("varchar(9)")) is None


@pytest.mark.parametrize(
    ("text", "printed", "value"),
    [
        ("datetime", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("datetime(3)", "CURRENT_TIMESTAMP(3)", "CURRENT_TIMESTAMP(3)"),
        ("datetime", "now()", "now()"),
        ("int32", "nextval('p18.xx_b_seq'::regclass)", "nextval('p18.xx_b_seq'::regclass)"),
        ("int32", "(1 + 2)", "1 + 2"),
        ("date", "('now'::text)::date", "('now'::text)::date"),
        ("int32", "'x'::integer", "'x'::integer"),
        ("<blob>", r"'\x'::bytea", r"'\x'::bytea"),
        ("int32", "(broken", "(broken"),
    ],
)
def test_other_catalog_defaults_are_expressions(text: str, printed: str, value: str) -> None:
    assert default_from_catalog(printed, parse_type(text)) == Default(value, is_expression=True)


def test_identity_has_no_default() -> None:
    assert default_from_catalog("nextval('x'::regclass)", parse_type("serial")) is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_comes_back_from_the_catalog(value: str) -> None:
    literal = "'" + value.replace("'", "''") + "'"
    assert default_from_catalog(f"{literal}::text", parse_type("text")) == Default(value)


@given(st.text(alphabet="'\"():;-/*Ee\\ nul5.ax", max_size=40))
def test_the_catalog_never_confuses_us(printed: str) -> None:
    for text in ("text", "int32", "enum('a')"):
        default = default_from_catalog(printed, parse_type(text))
        assert default is None or isinstance(default, Default)
