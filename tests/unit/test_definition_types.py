"""Types: the text of a type, its column, and back from a column and its comment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.definition.attribute import Attribute, AttributeType
from djcli.definition.types import (
    CORE_NAMES,
    column_comment,
    enum_type,
    native_warning,
    parse_type,
    type_from_column,
)
from djcli.errors import DataJointError, DefinitionError

CORE = {
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float32": "real",
    "float64": "double precision",
    "decimal(5,2)": "numeric(5,2)",
    "bool": "boolean",
    "char(3)": "character(3)",
    "varchar(16)": "character varying(16)",
    "date": "date",
    "datetime": "timestamp without time zone",
    "datetime(3)": "timestamp(3) without time zone",
    "uuid": "uuid",
    "json": "jsonb",
    "bytes": "bytea",
    "<blob>": "bytea",
    "<attach>": "bytea",
}

NATIVE = {
    "tinyint": "smallint",
    "smallint": "smallint",
    "mediumint": "integer",
    "int": "integer",
    "integer": "integer",
    "bigint": "bigint",
    "tinyint unsigned": "smallint",
    "smallint unsigned": "integer",
    "int unsigned": "bigint",
    "bigint unsigned": "numeric(20,0)",
    "int(11)": "integer",
    "int (11) unsigned": "bigint",
    "float": "real",
    "float(7,4)": "real",
    "double": "double precision",
    "Double  Precision": "double precision",
    "text": "text",
    "tinytext": "text",
    "LONGTEXT": "text",
    "blob": "bytea",
    "longblob": "bytea",
    "timestamp": "timestamp without time zone",
    "timestamp(3)": "timestamp(3) without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "year": "smallint",
    "decimal": "numeric",
    "numeric(6,1)": "numeric(6,1)",
    "numeric(6)": "numeric(6,0)",
    "character varying(7)": "character varying(7)",
    "character varying": "character varying",
    "boolean": "boolean",
    "jsonb": "jsonb",
    "interval": "interval",
    "integer[]": "integer[]",
    "varchar(3)[]": "character varying(3)[]",
}

labels = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1, unique=True
)


@pytest.mark.parametrize(("text", "column"), CORE.items())
def test_core_types_have_their_columns(text: str, column: str) -> None:
    parsed = parse_type(text)
    assert (parsed.text, parsed.column, parsed.is_core) == (text, column, True)
    assert native_warning(parsed) is None


@pytest.mark.parametrize(("text", "column"), NATIVE.items())
def test_native_types_have_their_columns(text: str, column: str) -> None:
    parsed = parse_type(text)
    assert (parsed.name, parsed.column, parsed.is_core) == ("native", column, False)
    assert parse_type(parsed.text) == parsed
    assert parse_type(parsed.text).text == parsed.text


@pytest.mark.parametrize(
    ("text", "column"), [("serial", "integer"), ("bigint unsigned auto_increment", "numeric(20,0)")]
)
def test_numbered_rows(text: str, column: str) -> None:
    parsed = parse_type(text)
    assert parsed.is_identity
    assert parsed.column == column
    assert parse_type("int auto_increment").text == "integer auto_increment"
    assert parse_type("int auto_increment") == parse_type("SERIAL") != parse_type("int")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  VarChar( 16 ) ", "varchar(16)"),
        ("DECIMAL ( 5 , 2 )", "decimal(5,2)"),
        ("decimal(5)", "decimal(5,0)"),
        ("INT32", "int32"),
        ("Enum ( 'a' ,\"b\" )", "enum('a','b')"),
        ("enum('it''s', \"it's\"\"\")", None),
        ("< blob >", "<blob>"),
    ],
)
def test_case_and_spaces_do_not_matter(text: str, canonical: str | None) -> None:
    if canonical is None:
        canonical = parse_type(text).text
        assert parse_type(canonical).text == canonical
    assert parse_type(text).text == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the type is missing"),
        ("vachar(16)", "unknown type 'vachar(16)' - did you mean varchar"),
        ("int23", "did you mean int32"),
        ("longblub", "did you mean longblob"),
        ("wibble", "unknown type 'wibble'"),
        ("varchar", "varchar needs a length"),
        ("char()", "expected one or two numbers"),
        ("varchar(0)", "a length from 1 to 10485760 is needed, not 0"),
        ("varchar(-1)", "expected one or two numbers"),
        ("varchar(1,2)", "varchar needs a length"),
        ("varchar(16", "parentheses do not match"),
        ("decimal(2,5)", "a scale from 0 to 2 is needed, not 5"),
        ("decimal(0)", "a precision from 1 to 1000"),
        ("datetime(7)", "from 0 to 6 is needed, not 7"),
        ("datetime(1,2)", "datetime does not take these arguments"),
        ("int32(4)", "int32 does not take these arguments"),
        ("text unsigned", "unknown type"),
        ("time(9)", "time does not take these arguments"),
        ("int auto_increment unsigned", "unknown type"),
        ("enum", "an enum needs its labels"),
        ("enum()", "stand in quotes"),
        ("enum(a)", "stand in quotes"),
        ("enum('a'", "expected ',' or ')' after the label 'a'"),
        ("enum('a' 'b')", "expected ',' or ')' after the label 'a'"),
        ("enum('a','a')", "label 'a' stands twice"),
        ("enum('a", "a quote is never closed"),
        ("enum('a') x", "expected ',' or ')'"),
        (f"enum('{'é' * 32}')", "64 bytes long; PostgreSQL allows 63"),
        ("<blob", "a codec is written <name>"),
        ("<no such>", "a codec is written <name>"),
        ("integer[][]", "one dimension"),
        ("int auto_increment[]", "one dimension"),
    ],
)
def test_refused_types(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(message)):
        parse_type(text)


def test_unknown_codec_is_a_definition_error_with_near_names() -> None:
    with pytest.raises(DefinitionError, match="blob"):
        parse_type("<blbo>")


def test_store_belongs_to_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def column_type_text(codec: str) -> str:
        asked.append(codec)
        if codec == "gone":
            raise DataJointError("no codec <gone>")
        return "json"

    monkeypatch.setattr("djcli.codecs.registry.column_type_text", column_type_text)
    assert [parse_type(text).codec for text in ("<blob@main>", "<blob@>")] == ["blob@main", "blob@"]
    assert parse_type("<blob@main>").column == "jsonb"
    assert parse_type("<blob@main>").text == "<blob@main>"
    with pytest.raises(DefinitionError, match="no codec <gone>"):
        parse_type("<gone>")
    assert set(asked) == {"blob@main", "blob@", "gone"}


# ---- enums ------------------------------------------------------------------------------------------


def test_enum_name_depends_on_order_and_on_where_a_label_ends() -> None:
    families = (
        ["a", "b"],
        ["b", "a"],
        ["a,b"],
        ["a','b"],
        ["a", ",b"],
        ["a,", "b"],
        ["ab"],
        ["a\\"],
        ["a\\\\"],
        ["😀"],
    )
    names = {enum_type(family).column for family in families}
    assert len(names) == len(families)
    assert all(re.fullmatch("enum_[0-9a-f]{8}", name) for name in names)


def test_enum_name_never_changes() -> None:
    """Databases hold these names."""
    assert parse_type("enum('left','right')").column == "enum_ecfb03fc"


@given(labels)
def test_enum_text_reads_back(labels: list[str]) -> None:
    labels = [label[:15] for label in labels]
    if len(set(labels)) != len(labels):
        return
    kind = enum_type(labels)
    assert parse_type(kind.text).labels == tuple(labels)
    assert "\n" not in kind.text


# ---- native advice ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("int", "int32"),
        ("tinyint", "int16"),
        ("float", "float32"),
        ("double", "float64"),
        ("text", "varchar(n)"),
        ("longblob", "bytes"),
        ("timestamp", "datetime"),
        ("timestamptz", "UTC"),
        ("bigint unsigned", "decimal(20,0)"),
        ("serial", "int32"),
        ("interval", "no core equal"),
    ],
)
def test_native_warning_names_the_core_type(text: str, advice: str) -> None:
    warning = native_warning(parse_type(text))
    assert warning is not None
    assert advice in warning
    assert "\n" not in warning


# ---- equality ---------------------------------------------------------------------------------------


def test_types_are_equal_by_meaning() -> None:
    assert parse_type("int") == parse_type("int32")
    assert hash(parse_type("int")) == hash(parse_type("int32"))
    assert parse_type("smallint") == parse_type("int16") != parse_type("int8")
    assert parse_type("enum('a')") == enum_type(["a"], "enum_other", "elsewhere")
    assert parse_type("enum('a','b')") != parse_type("enum('b','a')")
    assert parse_type("<blob>") != parse_type("bytes")
    assert parse_type("varchar(3)") != parse_type("varchar(4)")
    assert parse_type("bool") != "bool"


# ---- columns and comments ---------------------------------------------------------------------------


def stored(text: str, comment: str = "") -> str | None:
    return column_comment(Attribute("x", parse_type(text), comment=comment))


def test_comment_carries_the_type_of_core_and_codec_columns() -> None:
    assert stored("float32", "mean reaction time (seconds)") == ":float32:mean reaction time (seconds)"
    assert stored("<blob>") == ":<blob>:"
    assert stored("int32", 'say "x"') == r":int32:say \"x\""
    assert stored("text", 'say "x"') == r"say \"x\""
    assert stored("text") is None
    assert column_comment(Attribute("x", parse_type("int32"), comment="c", inherited=True)) is None


comments = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])).map(str.strip)


@given(
    st.sampled_from([*CORE, "enum('a:b','c\"d')", "enum('a','b')", "text", "interval"]),
    comments,
)
def test_type_and_comment_come_back_from_the_column(text: str, comment: str) -> None:
    kind = parse_type(text)
    if not kind.is_core and comment.startswith(":"):
        return
    again, plain = type_from_column(kind.column, kind.labels, stored(text, comment))
    assert (again, again.text, plain) == (kind, kind.text, comment)


@pytest.mark.parametrize("text", [text for text in CORE if "<" not in text and text != "int8"])
def test_core_type_is_inferred_where_there_is_no_comment(text: str) -> None:
    assert type_from_column(CORE[text], None, None)[0].text == text


@pytest.mark.parametrize(
    ("column", "comment", "text", "plain"),
    [
        ("integer", "plain", "int32", "plain"),
        ("text", None, "text", ""),
        ("smallint", ":int8:tiny", "int8", "tiny"),
        ("bigint", ":int32:grown", "int64", "grown"),
        ("character varying(16)", ":varchar( 16 ):c", "varchar(16)", "c"),
        ("numeric(5,2)", ":decimal(5, 2):c", "decimal(5,2)", "c"),
        ("timestamp(6) without time zone", ":datetime(7):c", "datetime(6)", "c"),
        ("integer", ":not: a type", "int32", ":not: a type"),
        ("integer", ":int:c", "int32", ":int:c"),
        ("integer", ":int32", "int32", ":int32"),
        ("integer", ":int32::c:", "int32", ":c:"),
        ("bytea", ":< blob >:c", "<blob>", "c"),
        ("bytea", ":<not here@store>:c", "bytes", ":<not here@store>:c"),
        ("jsonb", ":<unknown@store>:c", "<unknown@store>", "c"),
        ("tsquery", None, "tsquery", ""),
        ("hstore", "c", "hstore", "c"),
    ],
)
def test_columns_as_they_are_found(column: str, comment: str | None, text: str, plain: str) -> None:
    kind, left = type_from_column(column, None, comment)
    assert (kind.text, kind.column, left) == (text, column, plain)


def test_enum_columns_as_they_are_found() -> None:
    for column in ("enum_1a2b3c4d", "lab.enum_1a2b3c4d", '"My-Lab"."enum_1a2b3c4d"'):
        kind, plain = type_from_column(column, ["a", "b"], ":enum('a', \"b\"):side", enum_schema="lab")
        assert (kind.text, kind.column, kind.enum_schema, plain) == (
            "enum('a','b')",
            "enum_1a2b3c4d",
            "lab",
            "side",
        )


def test_enum_comment_tells_the_order_of_labels() -> None:
    kind, _ = type_from_column("enum_x", ["a", "b"], ":enum('b','a'):")
    assert (kind.labels, kind.column) == (("b", "a"), "enum_x")
    kind, plain = type_from_column("enum_x", ["a", "b"], ":enum('a','c'):side")
    assert (kind.labels, plain) == (("a", "b"), "side")


def test_identity_columns_are_native() -> None:
    kind, plain = type_from_column("integer", None, "row", is_identity=True)
    assert (kind, plain) == (parse_type("int auto_increment"), "row")


def test_core_names_are_all_types() -> None:
    assert {parse_type(text).name for text in (*CORE, "enum('a')")} == {*CORE_NAMES, "codec"}


def test_type_is_frozen() -> None:
    with pytest.raises(AttributeError):
        parse_type("int32").name = "x"  # pyright: ignore[reportAttributeAccessIssue] - that is the test
    assert isinstance(parse_type("int32"), AttributeType)
