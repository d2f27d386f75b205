"""Tracing rows along foreign keys, by example: renamed and several keys, references of a table to itself."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from lab import filled_lab, make_lab

import djcli as dj
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.tables.trace import ancestor_rows, ancestor_rows_of_key


@pytest.fixture(scope="module")
def lab(server_url: str, admin: psycopg.Connection) -> Iterator[SimpleNamespace]:
    """Make the tables with rows, once for this file."""
    with filled_lab(server_url, admin, "lab_trace") as made:
        yield made


def test_building_asks_the_database_nothing() -> None:
    # No server is there: the first statement would fail.
    lab = make_lab("nowhere")
    rows = ancestor_rows(lab.Trial & {"subject_id": "M1"}, lab.Rig)
    assert isinstance(rows, lab.Rig)
    assert rows.parameters == {"p0": "M1"}


def test_what_lies_between_is_left_out_where_the_key_tells(lab: SimpleNamespace) -> None:
    sql = ancestor_rows(lab.Trial & {"trial_idx": 3}, lab.Subject).make_sql()
    assert '"session"' not in sql
    assert sql.count("SELECT") == 2
    assert (lab.Subject & {"subject_id": "M1"}).make_sql() == ancestor_rows_of_key(
        lab.Trial, {"subject_id": "M1", "session_idx": 1, "trial_idx": 7}, lab.Subject
    ).make_sql()


def test_all_renamed_ways_count(lab: SimpleNamespace) -> None:
    sessions = ancestor_rows(lab.Pair & {"first_idx": 1}, lab.Session)
    assert sessions.keys(order_by="KEY") == [
        {"subject_id": "M1", "session_idx": 1},
        {"subject_id": "M1", "session_idx": 2},
    ]
    assert ancestor_rows(lab.Pair, lab.Rig).keys() == [{"rig": 1}]  # session 2 has no rig
    assert ancestor_rows(lab.Surgery, lab.Rig).keys() == [{"rig": 3}]


def test_a_key_without_a_row(lab: SimpleNamespace) -> None:
    key = {"subject_id": "M2", "first_idx": 1, "second_idx": 9, "other": 5}
    assert not ancestor_rows(lab.Pair & key, lab.Session)
    assert ancestor_rows_of_key(lab.Pair, key, lab.Session).keys() == [{"subject_id": "M2", "session_idx": 1}]
    assert ancestor_rows_of_key(lab.Pair(), key, "lab.Rig").keys() == [{"rig": 2}]
    surgery = ancestor_rows_of_key(lab.Surgery, {"subject_id": "M1"}, lab.Rig)
    assert not surgery  # which rig it was, only the row will say


def test_limits_and_the_users_own_sql_are_kept(lab: SimpleNamespace) -> None:
    last = lab.Trial & "reaction_time > 0 -- all" & dj.Top(1, "subject_id DESC, session_idx DESC, trial_idx")
    assert ancestor_rows(last, lab.Session).keys() == [{"subject_id": "M2", "session_idx": 1}]


def test_results_go_on_as_any_table(lab: SimpleNamespace) -> None:
    rows = ancestor_rows(lab.Trial & {"subject_id": "M1"}, lab.Session)
    assert len(rows & "session_idx = 2") == 1
    assert len(rows * lab.Subject) == 2
    assert (
        rows.described() == "Session restricted by <what Trial restricted by {'subject_id': 'M1'} depends on>"
    )
    assert len(ancestor_rows(lab.Trial, lab.Trial)) == len(lab.Trial())
    assert len(ancestor_rows(lab.Trial & {"trial_idx": 3}, lab.Trial)) == 2
    with pytest.raises(DataJointError, match="nothing was deleted"):
        ancestor_rows(lab.Trial & {"trail_idx": 3}, lab.Session).delete(prompt=False)


@pytest.mark.parametrize(
    "name", ["Subject", "lab.Subject", "lab.subject", '"lab"."subject"', TableId("lab", "subject")]
)
def test_names_of_tables(lab: SimpleNamespace, name: Any) -> None:
    assert len(ancestor_rows(lab.Trial, name)) == 2


def test_no_relative(lab: SimpleNamespace) -> None:
    def told(trace: Any, *args: Any) -> str:
        with pytest.raises(DataJointError) as caught:
            trace(*args)
        return str(caught.value)

    above = "(its ancestors are lab.Session, lab.Rig, lab.Subject)"
    assert told(ancestor_rows, lab.Trial, lab.Pair) == f"lab.Pair is no ancestor of lab.Trial {above}"
    assert told(ancestor_rows, lab.Trial, "Sesion") == (
        f"Sesion is no ancestor of lab.Trial - did you mean Session? {above}"
    )
    assert told(ancestor_rows, lab.Rig, "Trial") == "Trial is no ancestor of lab.Rig (it has no ancestors)"
    assert told(ancestor_rows, lab.Trial * lab.Session, lab.Rig) == (
        "only rows of one table can be traced, and this is a query of lab.Session, lab.Trial: "
        "restrict the table by it, as in Table & query"
    )


@pytest.mark.usefixtures("instance")
def test_references_of_a_table_to_itself() -> None:
    schema = dj.Schema("kin")
    names: dict[str, Any] = {}

    def declare(name: str, definition: str) -> Any:
        cls = type(name, (dj.Manual,), {"definition": definition, "__module__": __name__})
        names[name] = schema(cls, context=names)
        return cls

    colony = declare("Colony", "colony : int32")
    mouse = declare(
        "Mouse",
        "-> Colony\nmouse : int32\n---\n-> [nullable] Mouse.proj(mother_colony='colony', mother='mouse')",
    )
    scan = declare("Scan", "-> Mouse\nscan : int32")
    colony.insert([(1,), (2,), (3,)])
    mouse.insert([(1, 1, None, None), (2, 5, 1, 1), (2, 6, 2, 5), (3, 7, None, None)])
    scan.insert([(2, 6, 1), (3, 7, 1)])
    given = scan & {"mouse": 6}
    assert ancestor_rows(given, mouse).keys(order_by="KEY") == [
        {"colony": 1, "mouse": 1},
        {"colony": 2, "mouse": 5},
        {"colony": 2, "mouse": 6},
    ]
    # The colony of the mother's mother too, which the scan's own key does not tell.
    assert ancestor_rows(given, colony).keys(order_by="KEY") == [{"colony": 1}, {"colony": 2}]
    assert len(ancestor_rows(mouse & {"mouse": 7}, mouse)) == 1
