"""Fuzzing: a damaged definition is read or refused with our error, and never takes long."""

from __future__ import annotations

import os
import random
from time import process_time

import pytest

from djcli.definition.grammar import parse_definition
from djcli.definition.model import TableId, TableModel
from djcli.definition.render import render
from djcli.definition.resolve import resolve
from djcli.errors import DefinitionError, MissingTableError

RUNS = 10_000 if os.environ.get("DJCLI_SOAK") == "1" else 500

PARENTS = {
    "Session": "subject_id : varchar(8)\nsession : int16",
    "lab.Rig": "rig : enum('a','b')",
    "Setting": "---\nvalue : int32",
}

WHOLE = (
    """
    # Trials of a session, {it's} "so"
    -> Session
    trial = 5 : int16      # counted from 1
    ---
    -> [nullable, unique] Session.proj(other='session')
    -> [nullable] Thing.proj(before='trial', former="session")
    choice = "left" : enum('left', "it's", 'a,b')  # which : one
    rt = null : float32 # seconds
    made = CURRENT_TIMESTAMP(3) : datetime(3)
    due = (now() + '1 day'::interval) : datetime
    index (choice, rt)
    unique index(made)
    """,
    """
    a : uuid
    b = -1.5e3 : decimal(9,2) # costs
    -> lab.Rig.proj(r='rig')
    -----  # the rest
    raw = null : <blob>
    where = '' : varchar(16)
    day = '2020-01-01' : DATE
    note = 'it''s #1: {x}' : longtext
    number : int(11) unsigned
    flag = true : bool
    data = '{"a": [1, null]}' : json
    line = E'a\\n' : char(4)
    -> Setting
    """,
)

PIECES = [
    *"'\"#:=()[]{}<>,.-\\%@;\t\r\n\0 \u2028\u00e9\ud800",
    *("😀", "''", "---", "->", "->[", ".proj(", "enum(", "null", " : ", "index(", "E'", "::", "/*"),
    *("[]", "<blob>", "1e9999", "9" * 20, "Session", "CURRENT_TIMESTAMP", "int32", "auto_increment"),
]


def find(name: str) -> TableModel:
    if name not in PARENTS:
        raise MissingTableError(f"unknown table {name}")
    return resolve(parse_definition(PARENTS[name]), TableId("lab", name.split(".")[-1].lower()), find)


def damage(text: str, chance: random.Random) -> str:
    """Return the text with a few changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 1, 1, 2, 5, 40)))
        piece = chance.choice(("", chance.choice(PIECES), text[start:end] * 2, chance.choice(PIECES) * 3))
        if chance.random() < 0.2:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
        text = text[:start] + piece + text[end:]
    return text


@pytest.mark.parametrize("part", range(10))
def test_a_damaged_definition_is_read_or_refused(part: int) -> None:
    chance = random.Random(part)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(RUNS // 10):
        text = damage(chance.choice(WHOLE), chance)
        try:
            model = resolve(parse_definition(text), TableId("lab", "thing"), find)
        except DefinitionError as error:
            outcomes["refused"] += 1
            check_error(error, text)
            continue
        outcomes["read"] += 1
        again = resolve(parse_definition(render(model, name_parent)), TableId("lab", "thing"), find)
        assert repr(again) == repr(model), text
    assert min(outcomes.values()) > 0, outcomes


def check_error(error: DefinitionError, text: str) -> None:
    """Check that an error says in one line what is wrong, and where."""
    assert error.line is not None, text
    assert 1 <= error.line <= text.count("\n") + 1, text
    assert "\n" not in error.message, text


def name_parent(table: TableId) -> str:
    return {"rig": "lab.Rig"}.get(table.name, table.name.title())


LONG = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "a" * LONG,
        " " * LONG,
        "-" * LONG,
        "\n" * LONG,
        "(" * LONG,
        "a : " + "(" * LONG,
        "a : " + "int32 " * LONG,
        "a : " + "9" * LONG,
        "a : varchar(" + "9" * LONG + ")",
        "a = " + "9" * LONG + " : int32",
        "a = " + "9" * LONG + " : float64",
        "a = " + "9" * LONG + " : decimal(5,2)",
        "a = 1e" + "9" * LONG + " : int32",
        "a = " + "(" * LONG + ")" * LONG + " : int32",
        "a = f" + "()" * LONG + " : int32",
        "a = '" + "''" * LONG + "' : varchar(3)",
        "a = E'" + "\\'" * LONG + "' : varchar(3)",
        "a = " + "'" * LONG + " : varchar(3)",
        "a = " + "' '" * LONG + " : varchar(3)",
        "k : int32\n---\na = '" + "[" * LONG + "' : json",
        "a : enum('" + "','".join(map(str, range(LONG // 5))) + "')",
        "a : enum(" + "'a'," * LONG,
        "a : <" + "a " * LONG,
        "-> " + "a." * LONG,
        "-> " + "a . " * LONG,
        "-> " + "[unique] " * LONG + "A",
        "-> A.proj(" + "," * LONG,
        "unique " * LONG + "index",
        "unique" + " " * LONG,
        "a : int # " + ":" * LONG,
        "a : int # :enum(" + "'" * LONG,
        "".join(f"a{number} : int32\n" for number in range(LONG // 20)),
    ],
    ids=lambda text: repr(text[:24]),
)
def test_long_texts_take_linear_time(text: str) -> None:
    """What took quadratic time would take minutes."""
    started = process_time()
    try:
        resolve(parse_definition(text), TableId("lab", "thing"), find)
    except DefinitionError as error:
        check_error(error, text)
    assert process_time() - started < 3


def test_many_renamings_take_linear_time() -> None:
    names = [f"a{number}" for number in range(5_000)]
    parent = resolve(
        parse_definition("\n".join(f"{name} : int8" for name in names)), TableId("lab", "p"), find
    )
    text = "-> P.proj(" + ", ".join(f"b{name}='{name}'" for name in names) + ")\n"
    text += f"index({', '.join(f'b{name}' for name in names)})\n"
    started = process_time()
    model = resolve(parse_definition(text), TableId("lab", "c"), lambda _: parent)
    render(model)
    assert process_time() - started < 3
