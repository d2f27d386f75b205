"""Rendering: what is printed, and that any model reads back from it."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.grammar import parse_definition
from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.definition.render import render
from djcli.definition.resolve import resolve
from djcli.definition.types import parse_type
from djcli.errors import DataJointError
from djcli.names import Tier, table_name

PARENTS = {
    "Subject": (TableId("lab", "subject"), "subject_id : varchar(8)"),
    "Session": (TableId("lab", "session"), "-> Subject\nsession : int16"),
    "Session.Trial": (TableId("lab", "session__trial"), "-> Session\ntrial : int16"),
    "Rig": (TableId("lab", "#rig"), "rig : enum('a','b')"),
    "My_lab2.Person": (TableId("My-lab2", "person"), "person : uuid"),
    "_2nd.Room": (TableId("2nd", "room"), "floor : int8\nroom : int8\nwing : char(1)"),
}

THING = TableId("lab", "thing")


def find(name: str) -> TableModel:
    if name not in PARENTS:
        raise DataJointError(f"unknown table {name}")
    table, text = PARENTS[name]
    return resolve(parse_definition(text), table, find)


def model_of(text: str) -> TableModel:
    return resolve(parse_definition(text), THING, find)


def read_back(model: TableModel) -> TableModel:
    return resolve(parse_definition(render(model)), model.id, find)


def check(model: TableModel) -> None:
    """Check that a model reads back, to the last text and flag."""
    again = read_back(model)
    assert again == model
    assert repr(again) == repr(model)
    assert render(again) == render(model)


def test_a_whole_table() -> None:
    text = """\
# A thing, {it's} "so"
-> Session
number       : int16  # counted
---
-> [nullable, unique] Session.proj(before='session')
-> My_lab2.Person
kind = 'left' : enum('left','it''s')  # which : one
size = null  : float32
flag = true  : bool
made = CURRENT_TIMESTAMP(3) : datetime(3)
note = ''    : varchar(9)
index(kind, number)
unique index(person)
"""
    model = model_of(text)
    assert [line.split() for line in render(model).splitlines()] == [
        line.split() for line in text.splitlines()
    ]
    check(model)


@pytest.mark.parametrize(
    "text",
    [
        "---",
        "---\na : int32",
        "a : int32",
        "a : int32\nindex(a)",
        "-> Session",
        "-> Session\n---\n-> Subject",
        "-> Subject\n-> Session",
        "a : int32\n---\n-> Session\n-> Subject\nb : int32",
        "a : int32\n---\n-> [nullable] Subject\n-> Session",
        "-> Subject\n---\nb : int32\n-> [nullable] Session\n-> Rig",
        "-> Session.proj(session='subject_id', subject_id='session')",
        "-> Session\n-> Session.proj(s='session')\n-> Session.proj(t='session')",
        "-> Session.Trial\n---\n-> Session.Trial.proj(t='trial', s='session')",
        "a : int32\n---\n-> [unique] Thing.proj(b='a')",
        "-> _2nd.Room\n---\n-> Rig",
    ],
)
def test_keys_read_back(text: str) -> None:
    check(model_of(text))


def test_a_part_calls_its_master_so() -> None:
    def find_master(name: str) -> TableModel:
        return find("Session" if name == "master" else name)

    table = TableId("lab", "session__trial")
    text = "-> master\nn : int16\n---\n-> Session.Trial.proj(m='n')\n"
    model = resolve(parse_definition(text), table, find_master)
    assert [line.split() for line in render(model).splitlines()] == [
        line.split() for line in text.splitlines()
    ]
    other = resolve(parse_definition("-> Session"), TableId("other", "session__trial"), find)
    assert render(other) == "-> lab.Session\n"


def test_parents_are_named_as_the_caller_likes() -> None:
    def name_parent(table: TableId) -> str:
        return f"vm.{table.name.title()}"

    assert render(model_of("-> [unique] Session"), name_parent) == "-> [unique] vm.Session\n"


@pytest.mark.parametrize(
    ("default", "printed"),
    [
        (Default("5"), "5"),
        (Default("it's"), "'it''s'"),
        (Default("a\nb\\"), r"E'a\nb\\'"),
        (Default("CURRENT_TIMESTAMP"), "'CURRENT_TIMESTAMP'"),
        (Default("null"), "'null'"),
        (Default("now()", is_expression=True), "now()"),
        (Default("now()::text", is_expression=True), "(now()::text)"),
        (Default("'a'::text || 'b'", is_expression=True), "('a'::text || 'b')"),
        (Default("(1) + (2)", is_expression=True), "(1) + (2)"),
        (Default("f('#:')", is_expression=True), "f('#:')"),
    ],
)
def test_odd_defaults(default: Default, printed: str) -> None:
    model = TableModel(
        THING,
        (Attribute("x", parse_type("varchar(40)"), in_key=True, default=default, lineage="lab.thing.x"),),
    )
    assert render(model) == f"x = {printed} : varchar(40)\n"
    check(model)


def test_what_cannot_stand_on_one_line_is_joined() -> None:
    attribute = Attribute(
        "x", parse_type("int32"), in_key=True, comment=" two\nlines ", lineage="lab.thing.x"
    )
    model = TableModel(THING, (attribute,), comment="a\nb")
    assert render(model) == "# a b\nx : int32  # two lines\n"


def test_tables_of_others_are_shown_as_well_as_can_be() -> None:
    """A foreign key to something else than a primary key, and an attribute without its foreign key."""
    columns = (
        Attribute("a", AttributeType("native", "hstore", "hstore"), in_key=True, lineage="lab.thing.a"),
        Attribute("b", parse_type("int32"), inherited=True),
        Attribute("c", parse_type("int32")),
    )
    model = TableModel(THING, columns, (ForeignKey(TableId("lab", "~odd"), (("c", "d"),)),))
    assert render(model).splitlines() == [
        "a : hstore",
        "---",
        "b : int32",
        "c : int32",
        "-> ~odd.proj(c='d')",
    ]


# ---- any model --------------------------------------------------------------------------------------

TYPES = (
    *("int8", "int16", "int32", "int64", "float32", "float64", "decimal(5,2)", "bool", "char(6)"),
    *("varchar(6)", "date", "datetime", "datetime(3)", "uuid", "json", "bytes", "<blob>", "<attach>"),
    *("text", "int", "numeric", "timestamp", "time", "bigint auto_increment", "enum('a')"),
)
printable = st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"])
words = st.text(printable, max_size=6)
one_line = st.text(printable.filter(lambda char: char != "\n"), max_size=20).map(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
literals = {
    "int8": st.integers(-128, 127).map(str),
    "int16": st.integers(-(2**15), 2**15 - 1).map(str),
    "int32": st.integers(-(2**31), 2**31 - 1).map(str),
    "int64": st.integers(-(2**63), 2**63 - 1).map(str),
    "float32": st.floats(width=32).map(repr),
    "float64": st.floats().map(repr),
    "decimal(5,2)": st.decimals(-999, 999, places=2).map(str),
    "bool": st.booleans().map(str),
    "char(6)": words,
    "varchar(6)": words,
    "text": words,
    "date": st.dates().map(str),
    "datetime": st.datetimes().map(str),
    "datetime(3)": st.datetimes(max_value=datetime(9999, 1, 1)).map(str),
    "uuid": st.uuids().map(str),
    "json": st.recursive(st.none() | st.booleans() | st.integers() | words, st.lists).map(json.dumps),
    "bytes": st.binary(max_size=4).map(lambda value: rf"\x{value.hex()}"),
    "enum('a')": st.just("a"),
}
expressions = {
    "datetime": st.sampled_from(["CURRENT_TIMESTAMP", "now()", "(now() - '1 : day'::interval)"]),
    "text": st.sampled_from(["lower('#:')", "('a' || ':')", "CURRENT_USER"]),
}


def quoted(value: str) -> str:
    if "\n" in value:
        return "E'" + value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"
    return '"' + value.replace('"', '""') + '"'


@st.composite
def attribute_lines(draw: st.DrawFn, name: str, *, in_key: bool) -> str:
    allowed = [text for text in TYPES if not (in_key and ("<" in text or text == "json"))]
    text = draw(st.sampled_from(allowed))
    if text.startswith("enum"):
        labels = draw(st.lists(words, min_size=1, max_size=4, unique=True))
        text = f"enum({', '.join(map(quoted, labels))})"
        default = quoted(draw(st.sampled_from(labels)))
    elif text in literals:
        default = quoted(draw(literals[text]))
    else:
        default = None
    if text in expressions and draw(st.booleans()):
        default = draw(expressions[text])
    choice = draw(st.integers(0, 2))
    if choice == 0 and not in_key and "auto_increment" not in text:
        default = "null"
    elif choice == 1:
        default = None
    comment = draw(one_line)
    if not parse_type(text).is_core:
        comment = comment.lstrip(": ")
    return f"{name}{f' = {default}' if default is not None else ''} : {text} # {comment}"


@st.composite
def foreign_key_lines(draw: st.DrawFn, *, in_key: bool) -> str:
    parent = draw(st.sampled_from([*PARENTS]))
    own = find(parent).primary_key
    renamed = draw(st.lists(st.sampled_from(own), unique=True))
    new = draw(st.lists(names, min_size=len(renamed), max_size=len(renamed), unique=True))
    options = draw(st.sets(st.sampled_from(["unique"] if in_key else ["unique", "nullable"])))
    projection = ", ".join(f"{a}='{b}'" for a, b in zip(new, renamed, strict=True))
    written = f"[{', '.join(sorted(options))}] " if options else ""
    return f"-> {written}{parent}.proj({projection})"


@st.composite
def definitions(draw: st.DrawFn) -> str:
    taken = draw(st.lists(names, max_size=6, unique=True))
    lines = [f"#{draw(one_line)}"] if draw(st.booleans()) else []
    split = draw(st.integers(0, len(taken)))
    for part, in_key in ((taken[:split], True), (taken[split:], False)):
        items = [draw(attribute_lines(name, in_key=in_key)) for name in part]
        for _ in range(draw(st.integers(0, 2))):
            items.insert(draw(st.integers(0, len(items))), draw(foreign_key_lines(in_key=in_key)))
        lines += items
        if in_key:
            lines.append("---")
    if taken:
        for columns in draw(st.lists(st.lists(st.sampled_from(taken), min_size=1, unique=True), max_size=2)):
            lines.append(f"{draw(st.sampled_from(['', 'unique ']))}index({', '.join(columns)})")
    return "\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(definitions())
def test_any_model_reads_back(text: str) -> None:
    parsed = parse_definition(text)
    try:
        model = resolve(parsed, TableId("lab", table_name(Tier.COMPUTED, "Thing")), find)
    except DataJointError:  # foreign keys that do not go together
        return
    check(model)
