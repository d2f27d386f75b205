"""Operators against the database: which rows they give."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lab import filled_lab

import djcli as dj
from djcli.errors import DataJointError, UnknownAttributeError


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_algebra") as made:
        yield made


def ids(query: Any, name: str) -> list[Any]:
    """Return one attribute of all rows, sorted."""
    return sorted((row[name] for row in query), key=lambda value: (value is None, value))


# ---- restrictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({"subject_id": "M1"}, ["M1"]),
        ({"subject_id": "M1", "species": "Rattus"}, []),
        ({"subject_id": "M1", "extra": 1}, ["M1"]),
        ({"weight": 21.5}, ["M1"]),
        ({"weight": np.float32(21.5)}, ["M1"]),
        ({"weight": None}, ["M2"]),
        ({"weight": [None, 300]}, ["M2", "R1"]),
        ({"born": "2025-11-01"}, ["M1"]),
        ({"born": datetime.date(2025, 11, 1)}, ["M1"]),
        ({"subject_id": ("M1", "R1", "X")}, ["M1", "R1"]),
        ({"subject_id": np.array(["M1", "R1"])}, ["M1", "R1"]),
        ({"subject_id": {"M2"}}, ["M2"]),
        ({"subject_id": {"M2": 1, "R1": 1}.keys()}, ["M2", "R1"]),
        ({"weight": range(299, 302)}, ["R1"]),
        ("weight > 100", ["R1"]),
        ("weight > 100 -- heavy ones", ["R1"]),
        ("species LIKE 'Mu%'", ["M1", "M2"]),
        ("weight IS NULL OR species = 'Rattus'", ["M2", "R1"]),
        (["weight > 100", {"subject_id": "M1"}], ["M1", "R1"]),
        ([{"subject_id": "M1"}, {"subject_id": "M2"}], ["M1", "M2"]),
        ([{"subject_id": "M1", "species": "Mus"}, {"subject_id": "M2", "species": "Rattus"}], ["M1"]),
        (({"subject_id": s} for s in ("M1", "R1")), ["M1", "R1"]),
        ({"weight > 100", "species = 'Mus'"}, ["M1", "M2", "R1"]),
        (dj.AndList(["species = 'Mus'", {"subject_id": "M1"}]), ["M1"]),
        (dj.Not({"subject_id": "M1"}), ["M2", "R1"]),
        (dj.Not(dj.Not({"subject_id": "M1"})), ["M1"]),
        (dj.Not("weight > 100"), ["M1"]),
        (True, ["M1", "M2", "R1"]),
        (False, []),
        (np.bool_(0), []),
        ([], []),
        (dj.AndList(), ["M1", "M2", "R1"]),
        (dj.U("species"), ["M1", "M2", "R1"]),
        (np.array([("M1",), ("R1",)], dtype=[("subject_id", "U4")]), ["M1", "R1"]),
        (dj.Top(2), ["M1", "M2"]),
        (dj.Top(1, "subject_id DESC"), ["R1"]),
        (dj.Top(None, "KEY", offset=1), ["M2", "R1"]),
    ],
)
def test_restrictions(lab: SimpleNamespace, restriction: object, expected: list[str]) -> None:
    """Every form of a restriction gives its rows, and counts them so."""
    query = lab.Subject & restriction
    assert ids(query, "subject_id") == expected
    assert len(query) == len(expected)
    assert bool(query) == bool(expected)


def test_restrictions_by_queries(lab: SimpleNamespace) -> None:
    """Rows with a match, and rows without."""
    assert ids(lab.Subject & lab.Session, "subject_id") == ["M1", "M2"]
    assert ids(lab.Subject - lab.Session, "subject_id") == ["R1"]
    assert ids(lab.Subject & (lab.Session & {"session_idx": 2}), "subject_id") == ["M1"]
    assert ids(lab.Subject & [lab.Surgery.proj(), lab.Session & "session_idx > 5"], "subject_id") == ["M1"]
    assert ids(lab.Subject & lab.Rig, "subject_id") == ["M1", "M2", "R1"]
    assert ids(lab.Subject & (lab.Rig & False), "subject_id") == []
    assert ids(lab.Rig - lab.Session, "rig") == [3]
    # a NULL on the left matches nothing, and so stays
    assert len(lab.Session - lab.Rig) == 1
    assert len(lab.Subject & lab.Subject) == 3
    assert len(lab.Session * lab.Session) == 3
    assert {"subject_id": "M1"} in lab.Session
    assert {"subject_id": "R1"} not in lab.Session
    assert ids(lab.Session & lab.Session.keys(), "session_idx") == [1, 1, 2]
    assert ids(lab.Session & (lab.Session & {"session_idx": 2}).fetch1(), "session_idx") == [2]


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({"meta.probe.depth": 3}, [1]),
        ({"meta.probe.depth": 12.5}, [2]),
        ({"meta.probe.depth": Decimal("12.5")}, [2]),
        ({"meta.probe.depth:decimal(5,2)": "12.5"}, [2]),
        ({"meta.probe.name": "it's"}, [1]),
        ({"meta.list[1]": 2.5}, [1]),
        ({"meta.list[1]:float": 2.5}, [1]),
        ({"meta.list[2]": "x"}, [1]),
        ({"meta.list": [1, 2.5, "x"]}, [1]),
        ({"meta.probe": {"depth": 3, "name": "it's"}}, [1]),
        ({"meta.flag": True}, [2]),
        ({"meta.flag": None}, [1, 3]),
        ({"meta.gone": None, "room": "B"}, [2]),
        ({"meta.list[0]:int32": 1}, [1]),
        ([{"meta.flag": True, "room": "B"}, {"meta.flag": True, "room": "A"}], [2]),
    ],
)
def test_json_paths(lab: SimpleNamespace, restriction: object, expected: list[int]) -> None:
    """Paths reach into JSON; numbers, texts and nulls compare as what they are."""
    assert ids(lab.Rig & restriction, "rig") == expected


def test_json_projections(lab: SimpleNamespace) -> None:
    """What a path reaches is an attribute like any other."""
    query = lab.Rig.proj(depth="meta.probe.depth:decimal(5,2)", name="meta.probe.name", two="meta.list[1]")
    assert query.to_dicts(order_by="KEY") == [
        {"rig": 1, "depth": Decimal("3.00"), "name": "it's", "two": "2.5"},
        {"rig": 2, "depth": Decimal("12.50"), "name": "B", "two": None},
        {"rig": 3, "depth": None, "name": None, "two": None},
    ]
    assert ids(query & {"depth": 12.5}, "rig") == [2]
    assert ids(query & "depth > 3", "rig") == [2]
    assert ids(query & {"name": "it's"}, "rig") == [1]


# ---- projections, joins, aggregations ---------------------------------------------------------------


def test_projections(lab: SimpleNamespace) -> None:
    """Renamed, copied, computed and left out."""
    query = lab.Session.proj(
        "note", idx="session_idx", copy="(note)", twice="session_idx * 2", part="session_idx % 2"
    )
    assert query.to_dicts(order_by="KEY")[1] == {
        "subject_id": "M1", "idx": 2, "note": "it's", "copy": "it's", "twice": 4, "part": 0,
    }  # fmt: skip
    assert ids(query & {"twice": 4}, "idx") == [2]
    assert ids(query & {"twice": [2, 4]}, "idx") == [1, 1, 2]
    assert ids(query & "part = 1", "idx") == [1, 1]
    assert (lab.Session.proj(a="subject_id", b="session_idx") & {"b": 2}).fetch1("KEY") == {"a": "M1", "b": 2}


def test_joins(lab: SimpleNamespace) -> None:
    """Over renamed and several foreign keys, inner and left."""
    pairs = lab.Pair * lab.Session.proj(first_idx="session_idx", first_note="note")
    pairs *= lab.Session.proj(second_idx="session_idx", second_note="note")
    assert pairs.fetch1("first_note", "second_note") == ("100% sure", "it's")
    assert ids(lab.Session.extend(lab.Rig), "room") == ["A", "B", None]
    assert ids(lab.Session.extend(lab.Rig & {"room": "B"}), "room") == ["B", None, None]
    assert ids(lab.Session * lab.Rig, "room") == ["A", "B"]
    assert len(lab.Subject * lab.Rig) == 9
    assert len(lab.Subject.proj(s2="subject_id") * lab.Subject.proj()) == 9
    # the condition of one side names a column that both have
    heavy = (lab.Subject & "weight > 20") * lab.Surgery.proj("outcome")
    assert heavy.fetch1("weight", "outcome") == (21.5, "good")


def test_aggregations(lab: SimpleNamespace) -> None:
    """Kept and dropped rows, conditions on aggregates, attributes that may be null."""
    counts = lab.Subject.aggr(lab.Session, ..., n="count(session_idx)", last="max(session_date)")
    assert counts.to_dicts(order_by="KEY")[2] == {
        "subject_id": "R1", "species": "Rattus", "weight": 300.0, "born": datetime.date(2025, 10, 1),
        "n": 0, "last": None,
    }  # fmt: skip
    assert ids(counts & "n > 1", "subject_id") == ["M1"]
    assert ids(counts & {"n": 0}, "subject_id") == ["R1"]
    assert ids(lab.Subject.aggr(lab.Session, n="count(*)", exclude_nonmatching=True), "n") == [1, 2]
    assert ids(lab.Subject.aggr(lab.Session & "session_idx > 1", n="count(session_idx)"), "n") == [0, 0, 1]
    # M2's weight is null, and still it is M2
    assert ids(lab.Subject.aggr(lab.Subject * lab.Session, n="count(session_idx)"), "n") == [0, 1, 2]
    assert ids(lab.Subject.aggr(lab.Subject * lab.Session, w="max(weight)"), "w") == [21.5, 300.0, None]
    per_stimulus = dj.U("stimulus").aggr(lab.Trial, n="count(*)")
    assert per_stimulus.to_dicts(order_by="KEY") == [
        {"stimulus": "left", "n": 4},
        {"stimulus": "right", "n": 5},
    ]
    assert dj.U().aggr(lab.Trial, n="count(*)", m="max(reaction_time)").fetch1("n") == 9
    assert dj.U().aggr(lab.Trial & False, n="count(*)").fetch1("n") == 0
    assert ids(dj.U("species") & lab.Subject, "species") == ["Mus", "Rattus"]
    assert len(dj.U("species", "weight") & lab.Subject) == 3
    assert (dj.U() & lab.Subject).to_dicts() == [{}]
    many = dj.U("subject_id", "session_idx").aggr(lab.Trial, n="count(*)") & "n >= 3"
    assert ids(lab.Session & many, "subject_id") == ["M1", "M2"]


def test_unions(lab: SimpleNamespace) -> None:
    """Keys of both; each brings its secondary attributes, null where it has none."""
    assert ids(lab.Subject.proj() + lab.Surgery.proj(), "subject_id") == ["M1", "M2", "R1"]
    mice, rats = lab.Subject & {"species": "Mus"}, lab.Subject & {"species": "Rattus"}
    both = mice.proj("species") + rats.proj("weight")
    assert both.to_dicts(order_by="KEY") == [
        {"subject_id": "M1", "species": "Mus", "weight": None},
        {"subject_id": "M2", "species": "Mus", "weight": None},
        {"subject_id": "R1", "species": None, "weight": 300.0},
    ]
    assert ids(both & "weight > 1", "subject_id") == ["R1"]
    assert len(both * lab.Session) == 3
    assert ids(mice.proj() + rats.proj() + mice.proj(), "subject_id") == ["M1", "M2", "R1"]


def test_tops(lab: SimpleNamespace) -> None:
    """Order, limit and offset; a second Top takes from the first, whose order it keeps."""
    trials = lab.Trial & {"subject_id": "M1", "session_idx": 1}
    slow = trials & dj.Top(3, "reaction_time DESC")
    assert [row["trial_idx"] for row in slow.to_dicts()] == [4, 3, 2]
    assert [row["trial_idx"] for row in (slow & dj.Top(2, None)).to_dicts()] == [4, 3]
    assert [row["trial_idx"] for row in (slow & dj.Top(2, None, offset=2)).to_dicts()] == [2]
    assert [row["trial_idx"] for row in (slow & dj.Top(2, "KEY")).to_dicts()] == [2, 3]
    assert [row["trial_idx"] for row in slow.to_dicts(limit=1, offset=1)] == [3]
    assert [row["t"] for row in slow.proj(t="trial_idx").to_dicts()] == [4, 3, 2]
    assert len(slow) == 3
    assert ids(slow & "trial_idx < 4", "trial_idx") == [2, 3]
    assert ids(slow * lab.Session, "trial_idx") == [2, 3, 4]
    assert ids(lab.Session & slow, "session_idx") == [1]
    assert ids(lab.Trial & slow, "trial_idx") == [2, 3, 4]
    assert not trials & dj.Top(0)


def test_sql_stays_in_its_scope(lab: SimpleNamespace) -> None:
    """User SQL that names a column of another relation is an error, never an answer."""
    for query in (
        lab.Session.proj() & "note = 'x'",
        lab.Subject & (lab.Session & "weight > 1"),
        (lab.Session & "weight > 1") * lab.Subject,
        lab.Subject & (lab.Subject & (lab.Session & "weight > 1")),
        lab.Session.proj(x="note").proj(y="upper(note)"),
        lab.Subject.aggr(lab.Session.proj(), n="max(note)"),
    ):
        with pytest.raises(UnknownAttributeError):
            query.to_dicts()


def test_class_and_instance_are_alike(lab: SimpleNamespace) -> None:
    """Operators and methods work on both."""
    key = {"subject_id": "M1", "session_idx": 1}
    assert (lab.Trial & key).make_sql() == (lab.Trial() & key).make_sql()
    assert lab.Session.proj().to_dicts() == lab.Session().proj().to_dicts()
    assert len(lab.Session()) == 3
    assert (lab.Session & lab.Subject).make_sql() == (lab.Session() & lab.Subject()).make_sql()


# ---- properties -------------------------------------------------------------------------------------

conditions = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"trial_idx": st.integers(0, 5)}),
        st.fixed_dictionaries(
            {"subject_id": st.sampled_from(["M1", "M2"]), "session_idx": st.integers(1, 2)}
        ),
        st.sampled_from(["correct", "reaction_time < 0.3", "stimulus = 'left' AND trial_idx % 2 = 0"]),
        st.booleans(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(dj.AndList), inner.map(dj.Not)
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=conditions, second=conditions)
def test_laws(lab: SimpleNamespace, first: object, second: object) -> None:
    """Without nulls, `&` and `-` split a relation; both orders and AndList are the same; rows stay rows."""
    trials = lab.Trial()
    everything = trials.keys(order_by="KEY")
    kept, gone = trials & first, trials - first
    assert sorted(map(str, kept.keys() + gone.keys())) == sorted(map(str, everything))
    both = (trials & first & second).keys(order_by="KEY")
    assert both == (trials & second & first).keys(order_by="KEY")
    assert both == (trials & dj.AndList([first, second])).keys(order_by="KEY")
    either = kept.keys() + (trials & second).keys()
    assert (trials & [first, second]).keys(order_by="KEY") == [key for key in everything if key in either]
    assert (trials & kept).keys(order_by="KEY") == kept.keys(order_by="KEY")
    assert (trials - kept).keys(order_by="KEY") == gone.keys(order_by="KEY")
    assert (kept * trials).keys(order_by="KEY") == kept.keys(order_by="KEY")
    assert (kept.proj() + gone.proj()).keys(order_by="KEY") == everything


def test_long_lists_of_keys(lab: SimpleNamespace) -> None:
    """Neither a restriction nor its negation compares every row with every item; a null is in no list."""
    keys = lab.Trial.keys()
    many = keys[:4] + [{**keys[0], "trial_idx": number} for number in range(1_000, 101_000)]
    assert len(lab.Trial & many) == 4
    assert len(lab.Trial - many) == 5
    plan = lab.schema.connection.query(
        f"EXPLAIN {(lab.Trial - many).make_sql()}", (lab.Trial - many).parameters
    )
    assert any("Anti Join" in line for (line,) in plan), plan
    assert ids(lab.Session - {"rig": [2, 9]}, "rig") == [1]
    assert ids(lab.Session.proj("rig") - [{"rig": 2}, {"rig": 9}], "rig") == [1]


def test_rows_of_frames(lab: SimpleNamespace) -> None:
    """Rows of pandas, polars and Arrow, whole frames and single rows."""
    pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    keys = {"subject_id": ["M1", "R1"], "other": [1, 2]}
    frame = pandas.DataFrame(keys)
    for rows in (frame, polars.DataFrame(keys), polars.LazyFrame(keys), arrow.table(keys)):
        assert ids(lab.Subject & rows, "subject_id") == ["M1", "R1"]
        assert ids(lab.Subject - rows, "subject_id") == ["M2"]
    assert ids(lab.Subject & frame.iloc[1], "subject_id") == ["R1"]
    assert ids(lab.Subject & [row for _, row in frame.iterrows()], "subject_id") == ["M1", "R1"]
    assert ids(lab.Subject & {"subject_id": frame["subject_id"]}, "subject_id") == ["M1", "R1"]
    assert ids(lab.Subject & {"subject_id": polars.DataFrame(keys)["subject_id"]}, "subject_id") == [
        "M1",
        "R1",
    ]
    assert len(lab.Session & pandas.DataFrame({"rig": [None, 2.0]})) == 2


def test_a_class_is_negated(lab: SimpleNamespace) -> None:
    """`-Session` means what `dj.Not(Session)` does."""
    assert ids(lab.Subject & -lab.Session, "subject_id") == ["R1"]
    assert ids(lab.Subject & -lab.Session(), "subject_id") == ["R1"]
    with pytest.raises(DataJointError, match=r"Top\(limit=2.*restrict by it alone"):
        lab.Subject & [dj.Top(2)]
