"""Reading `--restrict`: what it says comes back, what it does not say is an error."""

from __future__ import annotations

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from djcli.cli.restriction import OPERATORS, Restriction, parse_restriction, parse_restrictions

attributes = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)


@given(attributes, st.sampled_from(OPERATORS), st.text())
def test_what_was_meant_is_read(attribute: str, operator: str, text: str) -> None:
    if text.startswith("="):  # `a==b` is refused and `a<=b` reads as <=
        text = f"x{text}"
    assert parse_restriction(f"{attribute}{operator}{text}") == Restriction(attribute, operator, text)


@given(attributes, st.sampled_from(OPERATORS), st.text())
def test_blanks_around_the_operator_are_no_part_of_the_value(
    attribute: str, operator: str, text: str
) -> None:
    read = parse_restriction(f" {attribute} {operator} {text} ")
    assert read == Restriction(attribute, operator, text.strip())


@given(st.text())
@example("²<")
def test_anything_is_read_or_refused_as_usage(text: str) -> None:
    try:
        read = parse_restriction(text)
    except typer.BadParameter:
        return
    assert read.operator in OPERATORS
    assert read.attribute.isidentifier()


@pytest.mark.parametrize(
    ("text", "attribute", "operator", "value"),
    [
        ("subject_id=M001", "subject_id", "=", "M001"),
        ("a!=", "a", "!=", ""),
        ("a<=-1.5", "a", "<=", "-1.5"),
        ("a>b=c", "a", ">", "b=c"),
        ("note= two words ", "note", "=", " two words "),
        ("note=a<b", "note", "=", "a<b"),
        ("note=a.b=c", "note", "=", "a.b=c"),
    ],
)
def test_examples(text: str, attribute: str, operator: str, value: str) -> None:
    assert parse_restriction(text) == Restriction(attribute, operator, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject_id", "'subject_id' has no operator: write ATTR=VALUE"),
        ("", "is not ATTR=VALUE"),
        ("two words", "is not ATTR=VALUE"),
        ("=M001", "there is no attribute before '='"),
        ("1a=2", "'1a' is no attribute"),
        ("a==b", "write = once: a=b"),
        ("a like b", "is not ATTR=VALUE"),
        (".species=Mus", "'.species' is no attribute"),
        ("Subject.=Mus", "'Subject.' is no attribute"),
        ("Subject.species", "'Subject.species' has no operator: write ATTR=VALUE"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        parse_restriction(text)
    assert message in raised.value.message


def test_the_table_of_an_attribute_can_be_told() -> None:
    read = parse_restriction("lab.Session.Trial.stimulus != left")
    assert read == Restriction("stimulus", "!=", "left", "lab.Session.Trial")
    assert str(read) == "lab.Session.Trial.stimulus!=left"


def test_all_are_read() -> None:
    assert parse_restrictions(None) == []
    assert [str(read) for read in parse_restrictions(["a=1", "b > 2"])] == ["a=1", "b>2"]
