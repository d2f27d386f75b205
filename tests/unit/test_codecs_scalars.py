"""Encoders of plain types: what they take, what they refuse and in which words."""

from __future__ import annotations

import datetime
import json
import math
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.codecs.scalars import (
    NO_MATCH,
    comparison_column,
    comparison_value,
    decoder,
    encoder,
    parse_text,
    shortest_float32,
)

DATE = datetime.date
UTC = datetime.UTC


def moment(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts)  # type: ignore[arg-type]


TYPES: dict[str, tuple[str, str, tuple[int, ...], tuple[str, ...]]] = {
    "int8": ("int8", "smallint", (), ()),
    "int16": ("int16", "smallint", (), ()),
    "int32": ("int32", "integer", (), ()),
    "int64": ("int64", "bigint", (), ()),
    "float32": ("float32", "real", (), ()),
    "float64": ("float64", "double precision", (), ()),
    "decimal": ("decimal", "numeric(5,2)", (5, 2), ()),
    "numeric": ("native", "numeric", (), ()),
    "bool": ("bool", "boolean", (), ()),
    "char": ("char", "character(4)", (4,), ()),
    "varchar": ("varchar", "character varying(4)", (4,), ()),
    "text": ("native", "text", (), ()),
    "date": ("date", "date", (), ()),
    "datetime": ("datetime", "timestamp without time zone", (), ()),
    "datetime3": ("datetime", "timestamp(3) without time zone", (3,), ()),
    "zoned": ("native", "timestamp with time zone", (), ()),
    "uuid": ("uuid", "uuid", (), ()),
    "json": ("json", "jsonb", (), ()),
    "bytes": ("bytes", "bytea", (), ()),
    "enum": ("enum", "enum_1a2b3c4d", (), ("left", "right")),
    "time": ("native", "time without time zone", (), ()),
}

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

ACCEPTED: list[tuple[str, Any, Any]] = [
    *(
        ("int16", value, 5)
        for value in (5, 5.0, "5", " 5 ", "5.0", "0.5e1", Decimal(5), np.int64(5), np.uint8(5))
    ),
    ("int16", np.array(5), 5),
    ("int16", np.float32(5), 5),
    ("int8", True, 1),
    ("int8", np.True_, 1),
    ("int64", 2**63 - 1, 2**63 - 1),
    ("int64", str(-(2**63)), -(2**63)),
    ("float64", "1.5e3", 1500.0),
    ("float64", True, 1.0),
    ("float64", Decimal("0.1"), 0.1),
    ("float64", "-Infinity", -math.inf),
    ("float64", np.float32(0.5), 0.5),
    ("float64", np.longdouble(0.5), 0.5),
    ("float32", 0.1, 0.10000000149011612),
    ("float32", "0.46933332", 0.46933332085609436),
    ("float32", math.inf, math.inf),
    ("decimal", 1.005, Decimal("1.01")),
    ("decimal", "-1.005", Decimal("-1.01")),
    ("decimal", 1.004999, Decimal("1.00")),
    ("decimal", "-0.001", Decimal("0.00")),
    ("decimal", np.float32(0.1), Decimal("0.10")),
    ("decimal", 7, Decimal("7.00")),
    ("decimal", "999.994", Decimal("999.99")),
    ("decimal", "1e-999999", Decimal("0.00")),
    ("numeric", "12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
    *(
        ("bool", value, True)
        for value in (True, 1, 1.0, np.True_, np.int8(1), "t", "TRUE", " yes", "on", "1", "y")
    ),
    *(("bool", value, False) for value in (False, 0, "f", "no", "off", "of", "0", Decimal(0))),
    ("char", "ab  ", "ab"),
    ("char", "abcd    ", "abcd"),
    ("varchar", "ab  ", "ab  "),
    ("varchar", "😀😀😀😀", "😀😀😀😀"),
    ("varchar", 12, "12"),
    ("varchar", 1.5, "1.5"),
    ("varchar", True, "true"),
    ("varchar", np.str_("ab"), "ab"),
    ("text", PurePosixPath("/a/b"), "/a/b"),
    ("text", ID, str(ID)),
    ("text", DATE(2024, 1, 2), "2024-01-02"),
    ("date", DATE(2024, 1, 2), DATE(2024, 1, 2)),
    ("date", "2024-01-02", DATE(2024, 1, 2)),
    ("date", "2024-1-2", DATE(2024, 1, 2)),
    ("date", "20240102", DATE(2024, 1, 2)),
    ("date", moment(2024, 1, 2), DATE(2024, 1, 2)),
    ("date", np.datetime64("2024-01-02"), DATE(2024, 1, 2)),
    ("date", np.datetime64("2024-02"), DATE(2024, 2, 1)),
    ("date", np.datetime64("2024"), DATE(2024, 1, 1)),
    ("datetime", DATE(2024, 1, 2), moment(2024, 1, 2)),
    ("datetime", "2024-01-02 03:04:05.5", moment(2024, 1, 2, 3, 4, 5, 500_000)),
    ("datetime", "2024-01-02T03:04Z", moment(2024, 1, 2, 3, 4)),
    ("datetime", "2024-01-02 03:04:05+02", moment(2024, 1, 2, 1, 4, 5)),
    ("datetime", "2024-01-02 03:04:05 -05:30", moment(2024, 1, 2, 8, 34, 5)),
    ("datetime", moment(2024, 1, 2).replace(tzinfo=UTC), moment(2024, 1, 2)),
    ("datetime", "2024-12-31 23:59:59.9999996", moment(2025, 1, 1)),
    ("datetime", np.datetime64("2024-01-02T03:04:05.123456789"), moment(2024, 1, 2, 3, 4, 5, 123_457)),
    ("datetime", np.datetime64("2024-01-02T03", "h"), moment(2024, 1, 2, 3)),
    ("datetime3", moment(2024, 1, 2, 3, 4, 5, 678_500), moment(2024, 1, 2, 3, 4, 5, 679_000)),
    ("datetime3", moment(1999, 1, 2, 3, 4, 5, 678_500), moment(1999, 1, 2, 3, 4, 5, 678_000)),
    ("zoned", moment(2024, 1, 2), moment(2024, 1, 2).replace(tzinfo=UTC)),
    ("uuid", ID, ID),
    ("uuid", str(ID), ID),
    ("uuid", ID.bytes, ID),
    ("json", {"a": [1, None, True, "é\\u0000"]}, '{"a": [1, null, true, "é\\\\u0000"]}'),
    ("json", "text", '"text"'),
    ("json", {"a": np.arange(2), "b": np.float64(0.5), "c": np.int8(3)}, '{"a": [0, 1], "b": 0.5, "c": 3}'),
    ("bytes", bytearray(b"a\0"), b"a\0"),
    ("bytes", memoryview(b"abcd")[::2], b"ac"),
    ("bytes", np.bytes_(b"ab"), b"ab"),
    ("enum", "left", "left"),
    ("enum", np.str_("right"), "right"),
    ("time", datetime.time(1, 2), datetime.time(1, 2)),
    ("time", "01:02", "01:02"),
    ("time", datetime.timedelta(hours=1), datetime.timedelta(hours=1)),
]


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted(kind: str, value: Any, expected: Any) -> None:
    encoded = encoder(*TYPES[kind])(value)
    assert encoded == expected
    assert type(encoded) is type(expected)
    if isinstance(expected, Decimal):
        assert str(encoded) == str(expected)


class Unprintable:
    def __repr__(self) -> str:
        return "x\n" * 200


REFUSED: list[tuple[str, Any, str]] = [
    ("int16", "abc", "'abc' is not a whole number"),
    ("int16", 40000, "40000 is out of range for int16 (-32768 to 32767)"),
    ("int8", 128, "128 is out of range for int8 (-128 to 127)"),
    ("int64", 1e300, "1e+300 is out of range for int64"),
    ("int64", "9" * 90, "is out of range for int64"),
    ("int64", Decimal("1e999999999"), "is out of range"),
    ("int64", 10**5000, "out of range"),
    ("int16", 1.5, "1.5 is not a whole number"),
    ("int16", "1.5", "'1.5' is not a whole number"),
    ("int16", math.nan, "nan is not a whole number"),
    ("int16", "nan", "'nan' is not a whole number"),
    ("int16", [1], "[1] (list) is not a whole number"),
    ("int16", np.arange(3), "a numpy array of int64 and shape (3,) is not a whole number"),
    ("int16", "٣", "is not a whole number"),
    ("int16", "1_0", "is not a whole number"),
    ("int16", Unprintable(), "(Unprintable) is not a whole number"),
    ("float64", "a", "'a' is not a number"),
    ("float64", "1e999", "out of range for float64"),
    ("float64", Decimal("1e999"), "out of range for float64"),
    ("float64", 10**400, "out of range for float64"),
    ("float64", 1j, "(complex) is not a number"),
    ("float32", 1e39, "1e+39 is out of range for float32"),
    ("float32", 1e-60, "1e-60 is too small for float32"),
    ("decimal", 1000, "1000 is out of range for decimal(5,2): its absolute value must be below 1e3"),
    ("decimal", "999.995", "'999.995' is out of range for decimal(5,2)"),
    ("decimal", math.inf, "inf is out of range for decimal(5,2)"),
    ("decimal", "1e999999999999999999999", "is out of range"),
    ("decimal", "ten", "'ten' is not a decimal number"),
    ("bool", 2, "2 is not a boolean"),
    ("bool", "maybe", "'maybe' is not a boolean (true or false)"),
    ("bool", "o", "is not a boolean"),
    ("varchar", "x" * 20, "'xxxxxxxxxxxxxxxxxxxx' has 20 characters, varchar(4) allows 4"),
    ("varchar", "x" * 200, f"'{'x' * 39}…' has 200 characters, varchar(4) allows 4"),
    ("char", "abcde", "'abcde' has 5 characters, char(4) allows 4"),
    ("varchar", "a\0", "holds a NUL character"),
    ("text", "\ud800", "lone surrogate"),
    ("text", {"a": 1}, "{'a': 1} (dict) is not text"),
    ("text", b"abc", "b'abc' is not text"),
    ("enum", "lft", "'lft' is not one of 'left', 'right' - did you mean left?"),
    ("enum", 5, "'5' is not one of 'left', 'right'"),
    ("date", "2024-02-30", "'2024-02-30' is not a date (2024-01-31)"),
    ("date", moment(2024, 1, 2, 3), "has a time of day"),
    ("date", "soon", "'soon' is not a date"),
    ("date", 5, "5 is not a date"),
    ("datetime", "2024-01-02 25:00", "'2024-01-02 25:00' is not a datetime (2024-01-31 12:30:00)"),
    ("datetime", np.datetime64("NaT"), "NaT is not a moment"),
    ("datetime", np.datetime64("20240-01-02"), "is not a datetime"),
    ("datetime", "9999-12-31 23:59:59.9999999", "beyond the years"),
    ("datetime", "0001-01-01 00:00+12", "beyond the years"),
    ("uuid", "abc", "'abc' is not a UUID"),
    ("uuid", b"abc", "b'abc' is not a UUID"),
    ("uuid", 5, "5 is not a UUID"),
    ("json", {"a": math.nan}, "is not JSON"),
    ("json", {"a": {1, 2}}, "set has no JSON form"),
    ("json", {"a": "\0"}, "NUL character"),
    ("json", "\ud800", "lone surrogate"),
    ("json", {(1, 2): 3}, "is not JSON"),
    ("bytes", "abc", "'abc' is not bytes"),
    ("bytes", np.arange(3), "is not bytes; <blob> stores arrays"),
    ("time", "\0", "NUL character"),
]


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(kind: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared below, as plain text
        encoder(*TYPES[kind])(value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_json_that_holds_itself_or_is_too_deep_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        encoder(*TYPES["json"])(loop)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        encoder(*TYPES["json"])(deep)


def test_pandas_kin_by_their_shape() -> None:
    """Pandas is no dependency; what matters is a subclass of datetime with nanoseconds, and NaT."""
    timestamp = type(
        "Timestamp", (datetime.datetime,), {"isoformat": lambda _: "2024-01-02T03:04:05.123456789"}
    )
    timestamp.__module__ = "pandas._libs.tslibs.timestamps"
    assert encoder(*TYPES["datetime"])(timestamp(2024, 1, 2)) == moment(2024, 1, 2, 3, 4, 5, 123_457)
    not_a_time = type("NaTType", (datetime.datetime,), {"__ne__": lambda _a, _b: True, "__hash__": None})
    for kind in ("date", "datetime"):
        with pytest.raises(ValueError, match="NaT"):
            encoder(*TYPES[kind])(not_a_time(2024, 1, 1))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int16", 1.5),
        ("int16", 40000),
        ("int16", "1.5"),
        ("int16", math.nan),
        ("float32", 1e39),
        ("decimal", 1000),
        ("bool", 2),
        ("char", "abcde"),
        ("varchar", "abcde"),
        ("date", moment(2024, 1, 2, 3)),
        ("date", "2024-01-02 03:00"),
    ],
)
def test_a_value_that_no_row_can_have_matches_nothing(kind: str, value: Any) -> None:
    assert comparison_value(*TYPES[kind], value) is NO_MATCH
    with pytest.raises(ValueError, match=r"\w"):
        encoder(*TYPES[kind])(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int16", "abc"), ("int16", [1]), ("enum", "lft"), ("date", "soon"), ("uuid", "x"), ("float64", "x")],
)
def test_a_value_of_another_kind_cannot_be_compared(kind: str, value: Any) -> None:
    with pytest.raises(ValueError, match="is not"):
        comparison_value(*TYPES[kind], value)


def test_columns_of_comparisons_have_no_length() -> None:
    compared = {kind: comparison_column(*TYPES[kind][:2]) for kind in TYPES}
    assert compared["varchar"] == compared["text"] == "text"
    assert compared["char"] == "bpchar"
    assert compared["datetime3"] == "timestamp"
    assert compared["decimal"] == compared["numeric"] == "numeric"
    assert compared["float32"] == "real"
    assert compared["json"] == "jsonb"
    assert compared["enum"] == "enum_1a2b3c4d"
    assert not any("(" in column for column in compared.values())


def test_only_char_has_a_decoder() -> None:
    decoders = {kind: decoder(*TYPES[kind][:3]) for kind in TYPES}
    strip = decoders.pop("char")
    assert strip is not None
    assert strip("ab  ") == "ab"
    assert set(decoders.values()) == {None}
    native: Callable[[object], object] | None = decoder("native", "character(3)")
    assert native is strip


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int32", "12", 12),
        ("float32", "0.1", 0.10000000149011612),
        ("bool", "no", False),
        ("bytes", "\\x00ff", b"\0\xff"),
        ("bytes", "0x00FF", b"\0\xff"),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("json", '"text"', "text"),
        ("date", "2024-01-02", DATE(2024, 1, 2)),
        ("varchar", "12", "12"),
        ("varchar", "", ""),
        ("enum", "left", "left"),
        ("uuid", str(ID), ID),
    ],
)
def test_text_is_read_by_type(kind: str, text: str, expected: Any) -> None:
    value = parse_text(*TYPES[kind], text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("bytes", "abc", "hexadecimal"),
        ("bytes", "\\xabc", "hexadecimal"),
        ("json", "{a: 1}", "is not JSON"),
        ("json", "NaN", "is not JSON"),
        ("json", "[" * 100_000, "deep"),
        ("int32", "", "'' is not a whole number"),
        ("enum", "middle", "is not one of"),
    ],
)
def test_text_that_stands_for_nothing_is_refused(kind: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_text(*TYPES[kind], text)


def test_what_codecs_end_in_goes_by_its_column() -> None:
    assert encoder("codec", "bytea")(b"x") == b"x"
    assert encoder("codec", "jsonb")({"a": 1}) == '{"a": 1}'
    assert encoder("codec", "character varying(3)")("abc") == "abc"
    assert encoder("native", "integer") is not encoder("native", "smallint")
    with pytest.raises(ValueError, match="no encoder"):
        encoder("nonsense", "nonsense")


def test_an_enum_names_a_dozen_labels_at_most() -> None:
    labels = tuple(f"label{number}" for number in range(40))
    with pytest.raises(ValueError, match="and 28 more"):
        encoder("enum", "enum_x", (), labels)("other")


@given(st.floats(width=32, allow_nan=False))
def test_shortest_float32_reads_back(single: float) -> None:
    short = shortest_float32(single)
    assert encoder(*TYPES["float32"])(short) == single
    assert len(repr(short)) <= len(repr(single)) + 1
    if math.isfinite(single):
        assert short == float(str(np.float32(single)))


@given(st.floats(allow_nan=False))
def test_float32_rounds_like_numpy(number: float) -> None:
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(number))
    try:
        encoded = encoder(*TYPES["float32"])(number)
    except ValueError:
        assert math.isinf(single) or single == 0
    else:
        assert struct.pack("d", encoded) == struct.pack("d", single)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.lists
    )
)
def test_json_text_reads_back(value: Any) -> None:
    assert json.loads(encoder(*TYPES["json"])(value)) == value
