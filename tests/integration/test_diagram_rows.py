"""Diagrams that choose rows: traces, cascades and restrictions; what they cost, and their messages."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from lab import filled_lab

import djcli as dj
from djcli.errors import DataJointError


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_diagrams") as made:
        yield made


@pytest.fixture
def issued(lab: SimpleNamespace) -> Iterator[list[str]]:
    """Record the statements issued."""
    seen: list[str] = []
    connection = lab.schema.connection
    connection.observers.append(seen.append)
    yield seen
    connection.observers.remove(seen.append)


def names(diagram: dj.Diagram) -> list[str]:
    """Return the names of the tables."""
    return [table.class_label for table in diagram]


def test_a_trace_asks_nothing_until_rows_are_wanted(lab: SimpleNamespace, issued: list[str]) -> None:
    trace = dj.Diagram.trace(lab.Trial & {"subject_id": "M1"})
    rooms = trace[lab.Rig]
    assert names(trace) == ["Subject", "Rig", "Session", "Trial"]
    assert not issued
    assert rooms.fetch1("room") == "A"
    assert isinstance(trace["Session"], lab.Session)
    assert [len(table) for table in reversed(trace)] == [6, 2, 1, 1]


def test_counts_are_one_statement(lab: SimpleNamespace, issued: list[str]) -> None:
    trace = dj.Diagram.trace(lab.Trial & {"subject_id": "M1"})
    len(lab.Trial())  # so that the tables are known to be there
    issued.clear()
    assert trace.counts() == {
        '"lab"."subject"': 1,
        '"lab"."rig"': 1,
        '"lab"."session"': 2,
        '"lab"."trial"': 6,
    }
    assert list(trace.counts()) == [table.full_table_name for table in trace]
    assert len([text for text in issued if "count(" in text]) == 2
    assert sum(dj.Diagram(lab).counts().values()) == 22


def test_a_cascade_counts_what_delete_takes_and_deletes_nothing(lab: SimpleNamespace) -> None:
    doomed = lab.Subject & {"subject_id": "M1"}
    counts = dj.Diagram.cascade(doomed).counts()
    assert counts == {
        '"lab"."subject"': 1,
        '"lab"."session"': 2,
        '"lab"."trial"': 6,
        '"lab"."pair"': 1,
        '"lab"."surgery"': 1,
    }
    assert len(doomed) == 1
    with lab.schema.connection.transaction:
        deleted = doomed.delete(prompt=False)
        assert deleted == counts['"lab"."subject"']
        assert len(lab.Trial()) == 9 - counts['"lab"."trial"']
        raise psycopg.Rollback
    assert len(lab.Trial()) == 9


def test_cascades_rows_and_growth(lab: SimpleNamespace) -> None:
    cascade = dj.Diagram.cascade(lab.Rig & {"rig": 2})
    assert [len(table) for table in cascade] == [1, 1, 3, 0, 0]
    assert cascade[lab.Session].fetch1("subject_id") == "M2"
    assert names(cascade - 1) == names(cascade + 1) == names(cascade)  # what it does not reach stays out
    assert names(cascade - dj.Diagram(lab.Session)) == ["Rig", "Trial", "Pair", "Surgery"]


def test_restrict_and_prune(lab: SimpleNamespace) -> None:
    restricted = dj.Diagram(lab).restrict(lab.Subject & {"species": "Mus"}).restrict(lab.Rig & "room <> 'A'")
    assert restricted.counts() == {
        '"lab"."subject"': 2,
        '"lab"."rig"': 2,
        '"lab"."session"': 1,
        '"lab"."trial"': 3,
        '"lab"."pair"': 0,
        '"lab"."surgery"': 1,
    }
    assert names(restricted.prune()) == ["Subject", "Rig", "Session", "Trial", "Surgery", "Note"]
    assert names(dj.Diagram(lab).prune()) == names(dj.Diagram(lab))
    # What restricts need not be shown.
    assert dj.Diagram(lab.Trial).restrict(lab.Rig & {"rig": 2}).counts() == {'"lab"."trial"': 3}
    assert len(restricted[lab.Note]) == 2  # nothing above it is restricted


def test_diagrams_of_rows_unite_with_others(lab: SimpleNamespace) -> None:
    trace = dj.Diagram.trace(lab.Session & {"session_idx": 2})
    wide = trace + dj.Diagram(lab.Note)
    assert names(wide)[-1] == "Note"
    assert wide.counts() == trace.counts()  # only what was traced
    assert (dj.Diagram(lab.Note) + trace).counts() == trace.counts()
    assert (trace * dj.Diagram(lab.Subject)).counts() == {'"lab"."subject"': 1}
    with pytest.raises(DataJointError, match="both diagrams choose rows"):
        _ = trace + dj.Diagram.trace(lab.Session)


def test_a_diagram_of_the_database_alone(lab: SimpleNamespace) -> None:
    connection = lab.schema.connection
    for source in (
        dj.Schema("lab", connection=connection),
        dj.VirtualModule("l", "lab", connection=connection),
    ):
        diagram = dj.Diagram(source)
        assert len(diagram) == 7
        assert diagram["Trial"].full_table_name == '"lab"."trial"'
        assert sum(diagram.counts().values()) == 22


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda lab: dj.Diagram.trace(lab.Trial)[lab.Pair],
            "lab.Pair is no ancestor of lab.Trial (its ancestors are lab.Session, lab.Rig, lab.Subject)",
        ),
        (
            lambda lab: dj.Diagram(lab.Trial)["Trail"],
            "Trail is not in the diagram - did you mean Trial? (it has lab.Trial)",
        ),
        (
            lambda lab: dj.Diagram.trace(lab.Trial * lab.Session),
            (
                "only rows of one table can be traced, and this is a query of lab.Session, lab.Trial: "
                "restrict the table by it, as in Table & query"
            ),
        ),
        (
            lambda lab: dj.Diagram.cascade(lab.Trial & {"trail_idx": 1}),
            (
                "nothing was deleted: the restriction by trail_idx matches no attribute of Trial (they are "
                "subject_id, session_idx, trial_idx, stimulus, correct, reaction_time)"
            ),
        ),
        (
            lambda lab: dj.Diagram.cascade(lab.Trial, "casade"),
            "part_integrity='casade': it must be one of 'enforce', 'ignore', 'cascade'",
        ),
        (
            lambda lab: dj.Diagram.cascade(lab.Trial).prune(),
            "a cascade keeps all tables that a deletion may reach: rows may be added to them meanwhile",
        ),
        (
            lambda lab: dj.Diagram.trace(lab.Trial).restrict(lab.Trial),
            "the rows are chosen by Diagram.trace() already: restrict its argument instead",
        ),
    ],
)
def test_mistakes(lab: SimpleNamespace, attempt: Any, message: str) -> None:
    with pytest.raises(DataJointError) as caught:
        attempt(lab)
    assert str(caught.value) == message
