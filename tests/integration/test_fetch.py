"""Fetching: every form of results, previews, streams, relatives."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from lab import ROWS, filled_lab

import djcli as dj
from djcli.errors import DataJointError


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_fetch") as made:
        yield made


def test_dicts_and_keys(lab: SimpleNamespace) -> None:
    """All rows as dicts, ordered, limited, passed over."""
    first = {"subject_id": "M1", "species": "Mus", "weight": 21.5, "born": datetime.date(2025, 11, 1)}
    assert lab.Subject.to_dicts(order_by="KEY")[0] == first
    assert lab.Subject.keys(order_by="KEY DESC", limit=1) == [{"subject_id": "R1"}]
    assert lab.Subject.keys(order_by=["species DESC", "subject_id"], offset=1) == [
        {"subject_id": "M1"},
        {"subject_id": "M2"},
    ]
    assert lab.Subject.keys(order_by="species desc, KEY", limit=2) == [
        {"subject_id": "R1"},
        {"subject_id": "M1"},
    ]
    assert lab.Subject.head(1) == [first]
    assert [row["subject_id"] for row in lab.Subject.tail(2)] == ["M2", "R1"]
    assert lab.Subject.to_dicts(limit=0) == []
    note = (lab.Note & {"note_id": UUID(int=1)}).fetch1()
    assert note == {
        "note_id": UUID(int=1), "note": "one", "stamp": datetime.datetime(2026, 1, 6, 10, 0, 0, 250000),
        "code": "ab", "raw": b"\\0x", "blob": None,
    }  # fmt: skip
    assert (lab.Note & {"note_id": UUID(int=2)}).fetch1("blob") == {"a": [1, 2]}


def test_fetched_values_find_their_row_again(lab: SimpleNamespace) -> None:
    """Any row restricts its table to itself; what a codec holds cannot be compared."""
    for label in ROWS:
        table = getattr(lab, label)()
        names = [a.name for a in table.heading if a.type.codec is None]
        for row in table.to_dicts():
            assert len(table & {name: row[name] for name in names}) == 1, row


def test_fetch1(lab: SimpleNamespace) -> None:
    """One row as a dict or values; none and many are told apart, with the restriction."""
    one = lab.Session & {"subject_id": "M1", "session_idx": 2}
    assert one.fetch1("note") == "it's"
    assert one.fetch1("note", "rig") == ("it's", None)
    assert one.fetch1("KEY") == {"subject_id": "M1", "session_idx": 2}
    assert one.fetch1("note", "KEY") == ("it's", {"subject_id": "M1", "session_idx": 2})
    with pytest.raises(DataJointError, match=r"no row in Session restricted by \{'subject_id': 'nobody'\}"):
        (lab.Session & {"subject_id": "nobody"}).fetch1()
    with pytest.raises(DataJointError, match=r"more than one in Session restricted by 'session_idx < 9'"):
        (lab.Session & "session_idx < 9").fetch1("note")
    with pytest.raises(DataJointError, match=r"more than one in a query of lab\.Session, lab\.Subject"):
        (lab.Session * lab.Subject).fetch1()
    with pytest.raises(DataJointError, match="no attribute 'nothing'"):
        one.fetch1("nothing")


def test_arrays(lab: SimpleNamespace) -> None:
    """Numbers, booleans and text have their dtypes; nulls and other objects are objects."""
    trials = lab.Trial & {"subject_id": "M1", "session_idx": 1}
    correct, times, stimulus, number = trials.to_arrays(
        "correct", "reaction_time", "stimulus", "trial_idx", order_by="KEY"
    )
    assert (correct.dtype, times.dtype, number.dtype) == (np.dtype(bool), np.dtype(object), np.dtype("int64"))
    assert stimulus.dtype.kind == "U"
    assert times.tolist() == [Decimal(f"0.{n}0") for n in (2, 3, 4, 5)]
    assert times.astype(float).sum() == pytest.approx(1.4)
    assert correct.tolist() == [False, False, True, False]
    rigs = lab.Session.to_arrays("rig", order_by="KEY")
    assert rigs.dtype == object
    assert rigs.tolist() == [1, None, 2]
    keys, dates = lab.Session.to_arrays("session_date", include_key=True, order_by="KEY")
    assert keys == lab.Session.keys(order_by="KEY")
    assert dates[0] == datetime.date(2026, 1, 6)
    empty = (lab.Trial & False).to_arrays("trial_idx", "stimulus")
    assert [len(part) for part in empty] == [0, 0]
    assert empty[0].dtype == np.dtype("int64")
    with pytest.raises(DataJointError, match="no attribute 'nothing'"):
        lab.Trial.to_arrays("nothing")


def test_structured_arrays(lab: SimpleNamespace) -> None:
    """All attributes as one array of records; a float that is missing is NaN, a whole number None."""
    subjects = lab.Subject.to_arrays(order_by="KEY")
    assert subjects.dtype.names == ("subject_id", "species", "weight", "born")
    assert subjects["subject_id"].tolist() == ["M1", "M2", "R1"]
    assert np.isnan(subjects["weight"][1])
    assert len(lab.Subject & subjects[:2][["subject_id"]]) == 2
    sessions = lab.Session.to_arrays(order_by="KEY")
    assert sessions.dtype["rig"] == np.dtype(object)
    assert sessions["rig"].tolist() == [1, None, 2]
    assert len(lab.Session & sessions) == 3
    assert (lab.Trial & False).to_arrays().dtype["trial_idx"] == np.dtype("int64")


def test_methods_are_described(lab: SimpleNamespace) -> None:
    """Of a class and of an instance: their own name, parameters and description, as a notebook shows them."""
    for owner in (lab.Subject, lab.Subject()):
        for name in ("to_dicts", "to_pandas", "to_polars", "to_arrow", "proj"):
            method = getattr(owner, name)
            assert method.__name__ == name
            assert "----" in method.__doc__ or "parameters are those of `to_dicts`" in method.__doc__
        assert list(inspect.signature(owner.to_arrow).parameters) == [
            "order_by",
            "limit",
            "offset",
            "squeeze",
        ]


def test_iteration_is_lazy(lab: SimpleNamespace) -> None:
    """Rows come through a cursor; other statements may run in between, and nothing runs before."""
    seen: list[str] = []
    connection = lab.Trial.connection
    connection.observers.append(seen.append)
    try:
        rows = iter(lab.Trial())
        count = 0
        for row in rows:
            count += len(lab.Session & row)
    finally:
        connection.observers.clear()
    assert count == len(lab.Trial()) == 9
    assert next(iter(lab.Subject.cursor()))[1] == "Mus"
    assert {row["subject_id"] for row in lab.Subject.cursor(as_dict=True)} == {"M1", "M2", "R1"}
    assert sum("SELECT count" in text for text in seen) == 9


def test_building_asks_nothing(lab: SimpleNamespace) -> None:
    """Expressions are built, described and compiled without a statement."""
    seen: list[str] = []
    connection = lab.Trial.connection
    connection.observers.append(seen.append)
    try:
        query = (lab.Subject * lab.Session & {"species": "Mus"}).aggr(lab.Trial, n="count(*)") & dj.Top(2)
        query = query.proj(m="n").make_sql(), query.heading, query.primary_key
    finally:
        connection.observers.clear()
    assert seen == []


def test_deprecated_fetch(lab: SimpleNamespace) -> None:
    """Old code gets what it always got, and a warning."""

    def fetch(*attrs: str, **options: Any) -> Any:
        with pytest.warns(DeprecationWarning, match="deprecated"):
            return lab.Session.fetch(*attrs, order_by="KEY", **options)

    assert fetch("KEY") == lab.Session.keys(order_by="KEY")
    assert fetch(as_dict=True) == lab.Session.to_dicts(order_by="KEY")
    assert fetch("note", as_dict=True, limit=1) == [
        {"subject_id": "M1", "session_idx": 1, "note": "100% sure"}
    ]
    assert fetch("note").tolist() == ["100% sure", "it's", "a\\b"]
    keys, notes = fetch("KEY", "note")
    assert (keys[1]["session_idx"], notes[1]) == (2, "it's")
    assert fetch().dtype.names == lab.Session.heading.names
    with pytest.raises(DataJointError, match="format='frame'"):
        fetch("note", format="frame")
    with pytest.raises(DataJointError, match="format='other'"):
        fetch(format="other")


def test_previews(lab: SimpleNamespace) -> None:
    """By primary key, cut, with the number of rows; a Top's order stays."""
    text = lab.Session.preview(limit=2)
    assert text.index("100% sure") < text.index("it's")
    assert "   ...\n (Total: 3)" in text
    assert text.splitlines()[0].startswith("*subject_id")
    top = repr(lab.Trial & {"subject_id": "M1", "session_idx": 1} & dj.Top(2, "trial_idx DESC"))
    assert [line.split()[2] for line in top.splitlines()[2:4]] == ["4", "3"]
    assert "<blob>" in repr(lab.Note())
    html = lab.Session()._repr_html_()
    assert "it&#x27;s" in html
    assert "Total: 3" in html


def test_relatives(lab: SimpleNamespace) -> None:
    """Parents, children, ancestors and descendants, by name and as objects."""
    assert lab.Session.parents() == ['"lab"."subject"', '"lab"."rig"']
    assert lab.Session.parents(primary=True) == ['"lab"."subject"']
    assert lab.Session.parents(primary=False) == ['"lab"."rig"']
    assert lab.Session.children() == ['"lab"."trial"', '"lab"."pair"', '"lab"."pair"']
    assert lab.Trial.ancestors()[0] == '"lab"."trial"'
    assert set(lab.Trial.ancestors()) == {
        '"lab"."trial"',
        '"lab"."session"',
        '"lab"."subject"',
        '"lab"."rig"',
    }
    assert lab.Rig.descendants()[0] == '"lab"."rig"'
    assert lab.Subject.parts() == []
    (_, first), (_, second) = lab.Pair.parents(foreign_key_info=True)
    assert first["attr_map"] == {"subject_id": "subject_id", "first_idx": "session_idx"}
    assert second == {
        "attr_map": {"subject_id": "subject_id", "second_idx": "session_idx"},
        "primary": True,
        "aliased": True,
        "multi": True,
    }
    (subject, rig) = lab.Session.parents(as_objects=True)
    assert isinstance(subject, lab.Subject)
    assert len(rig) == 3
    free = dj.FreeTable(lab.Rig.connection, '"lab"."rig"')
    assert len(lab.Session * free) == 2
    assert [len(child) for child in free.children(as_objects=True)] == [3, 1]
