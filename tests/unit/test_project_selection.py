"""Finding tables by the names that users type."""

from __future__ import annotations

from types import new_class
from typing import Any

import pytest

import djcli as dj
from djcli.errors import SelectionError
from djcli.project.selection import select_tables
from djcli.tables.instance import Instance, use_instance
from djcli.tables.table import Table


def make(module: str, schema: dj.Schema, name: str, part: str | None = None) -> list[type[Table]]:
    """Make a table class, with a part, as a module would."""
    body: dict[str, Any] = {"definition": "a : int32", "__module__": module}
    if part:
        bit = {"definition": "-> master\nb : int32", "__module__": module}
        body[part] = new_class(part, (dj.Part,), exec_body=lambda space: space.update(bit))
    cls = schema(new_class(name, (dj.Manual,), exec_body=lambda space: space.update(body)))
    return [cls, body[part]] if part else [cls]


@pytest.fixture
def tables() -> list[type[Table]]:
    """Make tables of three modules and two schemas, some of one name."""
    use_instance(Instance(create_tables=False))
    one, two = dj.Schema("one"), dj.Schema("two")
    return [
        *make("tutorial", one, "Session", "Trial"),
        *make("tutorial", one, "Summary"),
        *make("lab.ephys", two, "Summary"),
        *make("lab.ephys", two, "Probe"),
    ]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Session", 0),
        ("Session.Trial", 1),
        ("tutorial.Session", 0),
        ("one.Session", 0),
        ("tutorial.Session.Trial", 1),
        ("tutorial.Summary", 2),
        ("ephys.Summary", 3),
        ("lab.ephys.Summary", 3),
        ("two.Summary", 3),
    ],
)
def test_every_name_of_a_table(tables: list[type[Table]], name: str, index: int) -> None:
    assert select_tables([name], tables) == [tables[index]]


def test_the_order_is_that_of_the_names_and_each_comes_once(tables: list[type[Table]]) -> None:
    assert select_tables(["Probe", "Session", "one.Session"], tables) == [tables[4], tables[0]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Summary", "ambiguous: write one of ephys.Summary, tutorial.Summary"),
        ("Sesion", "did you mean Session or"),
        ("session", "did you mean Session"),
        ("Trial", "did you mean Session.Trial"),
        ("tutorial.Sumary", "did you mean tutorial.Summary"),
        ("Zzzzz", "djcli ls lists them"),
        ("", "djcli ls lists them"),
    ],
)
def test_a_wrong_name_is_told_with_the_near_ones(tables: list[type[Table]], name: str, said: str) -> None:
    with pytest.raises(SelectionError) as raised:
        select_tables([name], tables)
    assert said in str(raised.value)
    assert f"{name!r}" in str(raised.value)


def test_namesakes_that_nothing_tells_apart_but_the_whole_module() -> None:
    use_instance(Instance(create_tables=False))
    found = [*make("x.same", dj.Schema("s"), "T"), *make("y.same", dj.Schema("r"), "T")]
    with pytest.raises(SelectionError, match=r"write one of r\.T, s\.T"):
        select_tables(["same.T"], found)
