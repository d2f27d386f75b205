"""Hostile values and names through every place that takes one: no value changes a statement, no name passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from lab import filled_lab

import djcli as dj
from djcli.algebra.restriction import Where
from djcli.errors import DataJointError

PIECES = [
    "'",
    '"',
    "\\",
    "%",
    "%s",
    "%(p0)s",
    "{}",
    "{0}",
    ";",
    "--",
    "/*",
    "$$",
    "`",
    "\n",
    "é",
    "\u202e",
    " ",
    "]",
    "(",
]
HOSTILE = [a + b + "DROP TABLE subject" + b for a in PIECES for b in PIECES][:200]


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_injection") as made:
        yield made


@pytest.fixture
def seen(lab: SimpleNamespace) -> Iterator[list[str]]:
    """Record the statements that are sent."""
    texts: list[str] = []
    lab.schema.connection.observers.append(texts.append)
    yield texts
    lab.schema.connection.observers.remove(texts.append)


def restrictions(value: str) -> list[Any]:
    """Return restrictions of Subject by a value, wherever one can be."""
    return [
        {"species": value},
        {"species": [value, "x"]},
        [{"species": value}, {"subject_id": "nobody"}],
        [{"species": value, "subject_id": "M1"}, {"species": "x", "subject_id": "M2"}],
        dj.AndList([{"species": value}, {"subject_id": "M1"}]),
        dj.Not([dj.Not({"species": value}), {"weight": None}]),
        Where("species", "<=", value) if value < "M" else Where("species", ">=", "\U0010ffff" + value),
    ]


def reads(lab: SimpleNamespace, value: str) -> None:
    """Ask every kind of question about a value that no row has."""
    subject = lab.Subject
    for given in restrictions(value)[:-1]:
        query = subject & given
        assert not query
        assert len(query) == 0
        assert query.to_dicts(order_by="KEY", limit=2) == []
        assert query.to_arrow().num_rows == 0
        assert len(query.to_pandas(limit=3, offset=1)) == 0
        assert list(query.cursor()) == []
    query = subject & {"species": value}
    assert len(query.proj(kind="species") & {"kind": value}) == 0
    assert len(lab.Session & query) == 0
    assert (lab.Session & query).to_polars().shape == (0, 5)
    assert len(subject - query) == 3
    assert len(query * lab.Session) == 0
    assert len(subject.join(query.proj(other="species"), left=True)) == 3
    assert len(query.aggr(lab.Session, n="count(session_idx)")) == 0
    assert dj.U().aggr(query, n="count(*)").fetch1("n") == 0
    assert len(dj.U("species") & query) == 0
    assert len(query.proj() + subject.proj()) == 3
    assert len(query & dj.Top(2, "species")) == 0
    assert len(lab.Rig & {"meta.probe.name": value}) == 0
    assert (lab.Rig & {"meta.probe.name": value}).proj().to_arrow().num_rows == 0
    assert len(lab.Rig & {"meta": {"probe": value}}) == 0
    assert len(lab.Note & {"code": value}) == 0
    assert {"species": value} not in subject()
    with pytest.raises(DataJointError, match="no row"):
        query.fetch1()


def writes(lab: SimpleNamespace, value: str) -> None:
    """Write a value by every road, read it, and take it out again."""
    note = lab.Note
    key = {"note_id": UUID(int=9)}
    meta = {"note": value, value: [value]}
    note.insert1({**key, "note": value, "raw": value.encode(), "blob": meta})
    assert (note & {"note": value}).fetch1() == {
        **key, "note": value, "raw": value.encode(), "blob": meta, "stamp": None, "code": None,
    }  # fmt: skip
    assert (note & {"note": value}).proj("note").to_arrow()["note"].to_pylist() == [value]
    note.update1({**key, "note": f"{value}2"})
    note.insert([{**key, "note": value}], replace=True)
    note.insert([{**key, "note": value}], skip_duplicates=True)
    assert (note & {"note": value}).delete(prompt=False) == 1
    note.insert([{"note_id": UUID(int=n), "note": value} for n in range(10, 13)])
    (note & {"note": value}).delete_quick()
    lab.Rig.insert1({"rig": 9, "room": "x", "meta": meta})
    assert len(lab.Rig & {"meta": meta}) == 1
    (lab.Rig & {"meta": meta}).delete_quick()


def statements_of(
    seen: list[str], act: Callable[[SimpleNamespace, str], None], lab: Any, value: str
) -> list[str]:
    seen.clear()
    act(lab, value)
    # a cursor is named at random, and what follows PREPARE never shows here
    return list(seen)


@pytest.mark.parametrize("act", [reads, writes])
def test_hostile_values_change_no_statement(
    lab: SimpleNamespace, seen: list[str], act: Callable[[SimpleNamespace, str], None], soak: Any
) -> None:
    """The statements for a hostile value are, word for word, those for a harmless one."""
    statements_of(seen, act, lab, "harmless")  # catalogs are read but once
    expected = statements_of(seen, act, lab, "harmless")
    step = soak(3 if act is reads else 8, 1)
    for value in HOSTILE[::step]:
        assert statements_of(seen, act, lab, value) == expected, value
    assert len(lab.Subject()) == 3


def test_hostile_comparisons(lab: SimpleNamespace) -> None:
    """Orderings take values as equalities do."""
    for value in HOSTILE:
        query = lab.Subject & restrictions(value)[-1]
        assert value not in query.make_sql()
        assert (len(query), query.to_arrow().num_rows) == (0, 0)


def test_hostile_names_are_refused(lab: SimpleNamespace, seen: list[str]) -> None:
    """Names are checked before anything is sent."""
    for name in HOSTILE:
        for use in (
            lambda name: lab.Subject.proj(name if name[0] != "-" else f"x{name}"),  # -x leaves x out
            lambda name: lab.Subject.proj(**{name: "species"}),
            lambda name: lab.Subject.to_dicts(order_by=name),
            lambda name: lab.Subject.to_arrow(order_by=name),
            lambda name: lab.Subject.to_arrays(name),
            lambda name: lab.Subject.fetch1(name),
            lambda name: lab.Subject.make_sql(fields=[name]),
            lambda name: lab.Subject & dj.Top(1, name),
            lambda name: lab.Subject & Where(name, "=", 1),
            lambda name: lab.Subject & Where("species", name, 1),
            lambda name: dj.U(name) & lab.Subject,
            lambda name: dj.U(name).aggr(lab.Subject, n="count(*)"),
            lambda name: dj.U("species").aggr(lab.Subject, **{name: "count(*)"}),
            lambda name: lab.Subject.aggr(lab.Session, **{name: "count(*)"}),
            lambda name: lab.Rig & {f"meta.{name}": 1},
            lambda name: lab.Rig & {f"meta.a:{name}": 1},
            lambda name: lab.Subject.insert1({"subject_id": "X", "species": "x", name: 1}),
            lambda name: lab.Subject.update1({"subject_id": "M1", name: 1}),
        ):
            with pytest.raises(DataJointError):
                use(name)
    assert seen == []
    assert all(len(lab.Subject & {name: 1}) == 3 for name in HOSTILE[::10])
