"""Headings and keys of expressions, semantic matching, and what the operators refuse; no database is asked."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from lab import make_lab

import djcli as dj
from djcli.errors import DataJointError, UnknownAttributeError

lab = make_lab()
other = make_lab("other")
Subject, Session, Trial, Rig, Surgery, Pair, Note = (
    vars(lab)[name] for name in ("Subject", "Session", "Trial", "Rig", "Surgery", "Pair", "Note")
)


# ---- keys by functional dependency ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "key", "names"),
    [
        (Session * Subject, "subject_id session_idx", "rig session_date note species weight born"),
        (Subject * Session, "subject_id session_idx", "rig session_date note species weight born"),
        (Session * Rig, "subject_id session_idx", "rig session_date note room meta"),
        (Rig * Session, "subject_id session_idx", "rig session_date note room meta"),
        (Subject.proj() * Rig.proj(), "subject_id rig", ""),
        (Rig * Subject.proj("species"), "rig subject_id", "room meta species"),
        (Session.proj() * Trial.proj(), "subject_id session_idx trial_idx", ""),
        (Session.proj(s2="session_idx") * Session.proj(), "subject_id s2 session_idx", ""),
        (dj.U("species") & Subject, "species", ""),
        (dj.U("species", "weight").aggr(Subject, n="count(*)"), "species weight", "n"),
        (dj.U().aggr(Subject, n="count(*)"), "", "n"),
        (Subject.aggr(Session, n="count(*)"), "subject_id", "n"),
        (Subject.aggr(Session, ..., n="count(*)"), "subject_id", "species weight born n"),
        (Session.proj(..., "-note"), "subject_id session_idx", "rig session_date"),
        (Session.proj(s="session_idx"), "subject_id s", ""),
        (Session.proj(s="(session_idx)"), "subject_id session_idx s", ""),
        (Session.proj("note", note2="note"), "subject_id session_idx", "note note2"),
        (Session.proj(a="note", b="note"), "subject_id session_idx", "a b"),
        (Session.proj("-note"), "subject_id session_idx", ""),
        (Session.proj(n="NULL", one="1", now="current_date"), "subject_id session_idx", "n one now"),
        (Session.extend(Rig), "subject_id session_idx", "rig session_date note room meta"),
        (Subject.proj("species") + Surgery.proj("outcome"), "subject_id", "species outcome"),
        (Session & dj.Top(2), "subject_id session_idx", "rig session_date note"),
    ],
)
def test_keys_and_names(expression: dj.Table, key: str, names: str) -> None:
    """A determines B: the key is A's; B determines A: B's; neither: the union of both."""
    assert expression.primary_key == key.split()
    assert list(expression.heading.names) == key.split() + names.split()


def test_lineage_and_nullability() -> None:
    """A renamed key keeps its lineage; what a left join or a union adds may be null."""
    assert Session.proj(s="session_idx").heading["s"].lineage == "lab.session.session_idx"
    assert Pair.heading["second_idx"].lineage == "lab.session.session_idx"
    assert Session.heading["note"].lineage is None
    assert Session.extend(Rig).heading["room"].nullable
    assert not (Session * Rig).heading["room"].nullable
    assert (Subject.proj("species") + Surgery.proj("outcome")).heading["species"].nullable


def test_json_paths_have_types() -> None:
    """A path with a cast has its type, one without is text."""
    heading = Rig.proj(depth="meta.probe.depth:decimal(5,2)", name="meta.names[0]").heading
    assert heading["depth"].type.text == "decimal(5,2)"
    assert heading["name"].type.column == "text"
    with pytest.raises(DataJointError, match=r"JSON path 'meta\.a:nonsense'"):
        Rig.proj(x="meta.a:nonsense")


# ---- semantic matching ------------------------------------------------------------------------------


def test_namesakes_of_other_origin_are_refused() -> None:
    """The error names both origins and the ways out, which work."""
    with pytest.raises(DataJointError) as caught:
        Subject * Surgery
    text = str(caught.value)
    assert "lab.subject.weight" in text
    assert "lab.surgery.weight" in text
    assert ".proj('surgery_rig', 'outcome')" in text
    assert "semantic_check=False" in text
    assert "weight" in (Subject * Surgery.proj("surgery_rig", "outcome")).heading
    assert "weight2" in (Subject * Surgery.proj(..., weight2="weight")).heading
    assert len(Subject.join(Surgery, semantic_check=False).heading) == 6
    with pytest.raises(DataJointError, match=r"restrict on 'weight'"):
        Subject & Surgery
    with pytest.raises(DataJointError, match=r"join on 'rig'.*lab.subject.subject_id"):
        Rig * Subject.proj(rig="subject_id")
    with pytest.raises(DataJointError, match=r"other\.subject"):
        Subject * other.Subject


def test_an_attribute_is_homologous_with_itself() -> None:
    """`A & A` and `A * A` work, and so do parts of A; but not rows that are only alike."""
    trials = Trial & {"correct": True}
    for a, b in ((Trial, Trial), (Trial, trials), (trials, Trial), (Trial, Trial.proj("stimulus"))):
        assert (a & b).heading.names == Trial.heading.names
        assert set((a * b).heading.names) == set(Trial.heading.names)
    with pytest.raises(DataJointError, match="'stimulus'"):
        Trial * Trial.proj(..., trial2="trial_idx")
    assert (Trial & (dj.U("stimulus") & trials)).heading.names == Trial.heading.names


def test_aggregates_with_values_are_homologous_with_nothing_but_themselves() -> None:
    """One structure with different values computes different things."""

    def counts(stimulus: str) -> dj.Table:
        return Session.aggr(Trial & {"stimulus": stimulus}, n="count(trial_idx)")

    left, right = counts("left"), counts("right")
    assert left.node is right.node
    with pytest.raises(DataJointError, match="'n': it is computed"):
        left * right
    with pytest.raises(DataJointError, match="'n': it is computed"):
        left & right
    assert (left * counts("left")).heading.names == left.heading.names
    assert (left & left).node.n_slots == 2


# ---- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Session.proj("nothing"), "no attribute 'nothing'"),
        (lambda: Session.proj("noet"), "did you mean note"),
        (lambda: Session.proj("-session_idx"), "primary key"),
        (lambda: Session.proj(x="nothing"), "no attribute 'nothing'"),
        (lambda: Session.proj("note", note="note"), "two attributes named 'note'"),
        (lambda: Session.proj(session_idx="note"), "two attributes named 'session_idx'"),
        (lambda: Session.proj(Bad="note"), "lower-case"),
        (lambda: Session.proj(x=1), "as text"),
        (lambda: Session.proj(["note"]), "names of attributes"),
        (lambda: Session.proj(x=" "), "SQL"),
        (lambda: Subject.join(Session, left=True), "session_idx null in the primary key"),
        (lambda: Session.aggr(Subject, n="count(*)"), "no session_idx"),
        (lambda: Subject * dj.U("species"), "infinite"),
        (lambda: dj.U("species") - Subject, "infinite"),
        (lambda: dj.U("species") * Subject, "no meaning"),
        (lambda: dj.U("nothing") & Subject, "no attribute 'nothing'"),
        (lambda: dj.U("species").aggr(Subject, species="count(*)"), "key already"),
        (lambda: dj.U("species").aggr(Subject, exclude_nonmatching=False, n="count(*)"), "without a match"),
        (lambda: dj.U(1), "names of attributes"),
        (lambda: Subject * 1, "no table or query"),
        (lambda: Subject & None, "cannot restrict by NoneType"),
        (lambda: Subject & 1.5, "cannot restrict by float"),
        (lambda: Subject & "", "empty string"),
        (lambda: Subject & int, "cannot restrict by"),
        (lambda: Subject & b"weight > 1", "cannot restrict by bytes"),
        (lambda: Subject - dj.Top(1), "no meaning"),
        (lambda: Subject & {"weight": "heavy"}, "attribute 'weight'"),
        (lambda: Surgery & {"outcome": "ugly"}, "attribute 'outcome'"),
        (lambda: Note & {"blob": 1}, "cannot be compared"),
        (lambda: Subject & {"species.x": 1}, "a path starts at a JSON attribute"),
        (lambda: dj.Top(-1), "negative"),
        (lambda: dj.Top(1, offset=-1), "negative"),
        (lambda: dj.Top("1"), "whole number"),
        (lambda: Subject & dj.Top(1, "nothing"), "no attribute 'nothing'"),
        (lambda: Subject & dj.Top(1, "weight; DROP TABLE x"), "cannot order by"),
        (lambda: Subject & dj.Top(1, [1]), "cannot order by"),
        (lambda: Subject & dj.Top(1, 1), "cannot order by 1"),
        (lambda: Subject & Session.proj, "cannot restrict by method QueryExpression.proj: use"),
        (lambda: Subject.proj() + Session.proj(), "one primary key"),
        (lambda: Subject.proj("weight") + Surgery.proj("weight"), "secondary attribute 'weight'"),
        (lambda: Subject + 1, "no table or query"),
        (lambda: Subject().make_sql(["nothing"]), "no attribute 'nothing'"),
    ],
)
def test_refusals(make: object, message: str) -> None:
    """Whatever makes no sense is refused when it is written, on one line."""
    with pytest.raises(DataJointError) as caught:
        make()  # pyright: ignore[reportCallIssue]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_attributes_have_their_error() -> None:
    """Unknown attributes raise the error of that name."""
    with pytest.raises(UnknownAttributeError):
        Session.proj("nothing")


# ---- restrictions -----------------------------------------------------------------------------------


def test_key_that_matches_nothing_warns(caplog: pytest.LogCaptureFixture) -> None:
    """A dict none of whose keys is an attribute restricts nothing, and says so; extra keys do not matter."""
    with caplog.at_level(logging.WARNING, "djcli"):
        assert (Subject & {"subject_id": "M1", "colour": 1}).unmatched == ()
        assert not caplog.records
        lost = Subject & {"subjekt_id": "M1"}
    assert lost.unmatched == ("subjekt_id",)
    assert "subjekt_id" in caplog.text
    assert lost.node is Subject().node
    assert (Subject & {}).unmatched == ()


def test_structures_are_shared() -> None:
    """Equal structures are one object, whatever their values."""
    one = (Trial & {"subject_id": "M1", "session_idx": 1}).proj("stimulus")
    two = (Trial & {"subject_id": "M2", "session_idx": 2}).proj("stimulus")
    assert one.node is two.node
    assert one.values != two.values
    assert one.make_sql() == two.make_sql()


def test_constants_fold() -> None:
    """True and False disappear from conditions, and with them the values they make superfluous."""
    subject = Subject()
    assert (subject & True) is subject
    assert (subject & dj.AndList()) is subject
    assert (subject & [{"subject_id": "M1"}, True]) is subject
    none = subject & dj.AndList([{"subject_id": "M1"}, False])
    assert none.values == ()
    assert "WHERE FALSE" in none.make_sql()
    assert (subject - [False]) is subject
    assert (subject & np.bool_(1)) is subject


def test_values_that_no_row_has() -> None:
    """1.5 equals no whole number: the condition is false, without asking."""
    assert "WHERE FALSE" in (Session & {"session_idx": 1.5}).make_sql()
    assert (Session & [{"session_idx": 1.5}, {"session_idx": 2}]).values == ([2],)


def test_records_and_restriction_property() -> None:
    """A numpy record is a dict, an array of records a list of them."""
    rows = np.array([("M1", 1), ("M2", 2)], dtype=[("subject_id", "U8"), ("session_idx", int)])
    assert (Session & rows[0]).values == ("M1", 1)
    assert (Session & rows).values == (["M1", "M2"], [1, 2])
    assert (Session & rows[:0]).make_sql() == (Session & []).make_sql()
    assert list((Session & "note = ''" & {"session_idx": 1}).restriction) == ["note = ''", {"session_idx": 1}]


def test_restrict_in_place() -> None:
    """The object itself changes."""
    sessions = Session()
    assert sessions.restrict_in_place({"session_idx": 1}) is sessions
    assert sessions.values == (1,)


def test_user_sql_is_untouched() -> None:
    """What users write as SQL comes through as it is; only percent signs are doubled for the driver."""
    text = "species ILIKE '%\"m{u}s\"%' AND weight::int % 2 = 0 -- ''"
    assert f"({text.replace('%', '%%')}\n)" in (Subject & text).make_sql()


def test_extra_words_keep_sql_in_its_scope() -> None:
    """User SQL sees the attributes of its relation, and no column that happens to stand beside."""
    hidden = (Session.proj() & "note = 'x'").make_sql()
    assert hidden.count("SELECT") == 2
    inside = (Subject & (Session & "weight > 1")).make_sql()
    assert inside.startswith("WITH ")
    beside = (Session.proj("note") & "weight > 1") * Subject
    assert "(SELECT" in beside.make_sql()


def test_building_is_fast() -> None:
    """Building and compiling for a new key costs microseconds, because structures are shared."""
    from time import perf_counter

    def run() -> float:
        start = perf_counter()
        for number in range(1000):
            query = (Trial & {"subject_id": "M1", "session_idx": number}).proj("reaction_time")
            query.query.statement()
        return (perf_counter() - start) / 1000

    assert min(run() for _ in range(5)) < 100e-6
