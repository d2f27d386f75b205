"""Changes that go beyond one table: keys that others inherit, enums across schemas, renames, tiers, recompute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from migrating import (
    assert_settled,
    edition,
    emptied,
    fresh_database,
    labels,
    migrate,
    query,
    rows,
)

from djcli.catalog.introspect import load
from djcli.definition.attribute import Attribute, Default
from djcli.definition.model import TableId
from djcli.definition.types import parse_type
from djcli.errors import DataJointError, RefusedError, SelectionError
from djcli.migration.alter import alter_tables
from djcli.migration.apply import apply
from djcli.migration.plan import Options
from djcli.migration.planner import make_plan
from djcli.tables.instance import Instance


@pytest.fixture(scope="module")
def server(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make one database for all tests of this module."""
    with fresh_database(admin, server_url, template_database) as url:
        yield url


@pytest.fixture
def instance(server: str) -> Iterator[Instance]:
    """Make the default instance one without schemas."""
    with emptied(server) as made:
        yield made


LAB: dict[str, Any] = {
    "Subject": "subject : varchar(8)\n---\nsex = 'U' : enum('M','F','U')",
    "Method:lookup": ("method : varchar(8)", [("a",), ("b",)]),
    "Session": "-> Subject\nsession : int16\n---\nday : date",
    "Session.Trial": "-> master\ntrial : int32",
    "Sum:computed": "-> Session\n-> Method\n---\nn : int32",
    "Sum.Item": "-> master\nitem : int32",
    "Total:computed": "-> Sum\n---\ntotal : int32",
}


@pytest.fixture
def filled(instance: Instance) -> Instance:
    """Declare a pipeline and fill it."""
    migrate(instance, LAB)
    query(instance, "INSERT INTO lab.subject VALUES ('s1', 'M'), ('s2', 'F')")
    query(instance, "INSERT INTO lab.session VALUES ('s1', 1, '2020-01-01'), ('s2', 7, '2020-01-02')")
    query(instance, "INSERT INTO lab.session__trial VALUES ('s1', 1, 10), ('s2', 7, 20)")
    query(instance, "INSERT INTO lab.__sum VALUES ('s1', 1, 'a', 100), ('s2', 7, 'b', 200)")
    query(instance, "INSERT INTO lab.__sum__item VALUES ('s1', 1, 'a', 5)")
    query(instance, "INSERT INTO lab.__total VALUES ('s1', 1, 'a', 1000)")
    return instance


def test_a_key_that_changes_its_type_goes_down_to_all_that_inherit_it(filled: Instance) -> None:
    """In one transaction, with all rows kept."""
    query(filled, "UPDATE lab.subject SET subject = right(subject, 1)")
    done = migrate(filled, {**LAB, "Subject": LAB["Subject"].replace("varchar(8)", "int32")})
    assert {str(each.change.table) for each in done.changes} == {
        "lab.Subject",
        "lab.Session",
        "lab.Session.Trial",
        "lab.Sum",
        "lab.Sum.Item",
        "lab.Total",
    }
    assert rows(filled, "__total") == [(1, 1, "a", 1000)]


def test_a_new_key_attribute_is_copied_to_the_tables_below(filled: Instance) -> None:
    """Each row knows its parent's row already."""
    migrate(filled, {**LAB, "Subject": LAB["Subject"].replace("---", "lab = 'x' : varchar(4)\n---")})
    assert rows(filled, "__total") == [("s1", 1, "a", 1000, "x")]
    assert rows(filled, "session__trial") == [("s1", 1, 10, "x"), ("s2", 7, 20, "x")]


def test_a_key_attribute_taken_away_goes_from_the_tables_below(filled: Instance) -> None:
    """That loses data, so it needs leave; rows that would be equal block it."""
    smaller = {**LAB, "Session": "session : int16\n---\nday : date"}
    with pytest.raises(RefusedError):
        migrate(filled, smaller)
    migrate(filled, smaller, allow_destructive=True)
    assert rows(filled, "__total") == [(1, "a", 1000)]


def test_a_selection_takes_along_what_its_changes_need(filled: Instance) -> None:
    """Parents that are missing or have another key, and the tables below a key that changes."""
    wider = {**LAB, "Subject": LAB["Subject"].replace("varchar(8)", "varchar(9)"), "New": "-> Session"}
    classes = {cls.class_label: cls for cls in edition(filled, wider)}
    options = Options(whole_schemas=False)
    trial = make_plan(filled, [classes["Session.Trial"]], options)
    assert {str(each.change.table) for each in trial.changes} >= {"lab.Subject", "lab.Session", "lab.Total"}
    method = make_plan(filled, [classes["Method"]], options)
    assert method.changes == ()
    apply(filled, [classes["New"]], options)
    assert_settled(filled, list(classes.values()))


def test_tables_that_no_class_declares_follow_their_parents(filled: Instance) -> None:
    """Those of other schemas too: their columns get the enum's new type."""
    query(filled, "CREATE SCHEMA other; CREATE TABLE other.kind (sex lab.enum_959fbee7 PRIMARY KEY)")
    [(types_before,)] = query(filled, "SELECT count(*) FROM pg_type WHERE typname ~ '^enum_'")
    keyed = {"Sex": "sex : enum('M','F','U')", "Person": "-> Sex\nperson : int32"}
    apply(filled, edition(filled, keyed, "people"))
    query(filled, "INSERT INTO people.sex VALUES ('M'), ('F'); INSERT INTO people.person VALUES ('F', 1)")
    query(
        filled,
        "CREATE TABLE other.x (sex people.enum_959fbee7 REFERENCES people.sex, PRIMARY KEY (sex));"
        "INSERT INTO other.x VALUES ('M')",
    )
    classes = edition(filled, {**keyed, "Sex": "sex : enum('F','X','M')"}, "people")
    apply(filled, classes)
    assert_settled(filled, classes)
    query(filled, "INSERT INTO people.sex VALUES ('X'); INSERT INTO other.x VALUES ('X')")
    with pytest.raises(DataJointError):
        query(filled, "INSERT INTO other.x VALUES ('F'), ('F')")
    assert query(filled, "SELECT sex::text FROM other.x ORDER BY 1") == [("M",), ("X",)]
    assert query(filled, "SELECT count(*) FROM pg_type WHERE typname ~ '^enum_'") == [(types_before + 1,)]
    assert query(filled, "SELECT count(*) FROM other.kind") == [(0,)], "its type is still there"


def test_an_enum_type_that_another_still_uses_stays(instance: Instance) -> None:
    """Two columns share a type; one of them gets another."""
    both = {"A": "a : enum('x','y')", "B": "b : enum('x','y')"}
    migrate(instance, both)
    migrate(instance, {**both, "A": "a : enum('x','y','z')"})
    found = load(instance.connection, ["lab"]).enums
    assert set(found.values()) == {("x", "y"), ("x", "y", "z")}
    migrate(instance, {"A": "a : enum('x','y','z')", "B": "b : enum('x','y','z')"})
    found = load(instance.connection, ["lab"]).enums
    assert set(found.values()) == {("x", "y", "z")}


# ---- renames and tiers ------------------------------------------------------------------------------


def test_a_rename_is_offered_and_never_guessed(filled: Instance) -> None:
    """Told so, it keeps the data, in the tables that inherit the attribute too."""
    renamed = {**LAB, "Session": LAB["Session"].replace("session :", "number :").replace("day", "date")}
    plan = make_plan(filled, edition(filled, renamed))
    hints = {each.hint for each in plan.changes if str(each.change.table) == "lab.Session"}
    assert "if it was renamed, keep the data with --rename Session.session=number" in hints
    assert "if it was renamed, keep the data with --rename Session.day=date" in hints
    assert plan.blocked
    # what is inherited follows, so nothing is said of it
    assert not any(each.hint for each in plan.changes if str(each.change.table) != "lab.Session")
    wanted = ("Session.session=number", "lab.Session.day=date")
    done = migrate(filled, renamed, renames=wanted)
    assert labels(done)[:2] == [
        "~ lab.Session: attribute session is renamed to number",
        "~ lab.Session: attribute day is renamed to date",
    ]
    assert rows(filled, "__total") == [("s1", 1, "a", 1000)]
    assert not [each for each in done.changes if each.change.mark != "~"]


def test_a_renamed_table_keeps_rows_and_parts(filled: Instance) -> None:
    """Its foreign keys go on pointing at it."""
    renamed = {
        name.replace("Session", "Recording"): text.replace("-> Session", "-> Recording")
        if isinstance(text, str)
        else text
        for name, text in LAB.items()
    }
    plan = make_plan(filled, edition(filled, renamed))
    assert "if it was renamed, keep the data with --rename Session=Recording" in {
        e.hint for e in plan.changes
    }
    done = migrate(filled, renamed, renames=("Session=Recording",))
    assert labels(done) == [
        "~ lab.Recording: Session is renamed to Recording",
        "~ lab.Recording.Trial: Session.Trial is renamed to Recording.Trial",
    ]
    assert len(rows(filled, "recording__trial")) == 2


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("Session", "write Table.old=new"),
        ("session=number", "write Table.old=new"),
        ("Session.day=Day", "one side is a table"),
        ("Sesion.day=date", "did you mean Session"),
        ("Session.dya=date", "did you mean day"),
        ("Session.day=dat", "dat is no declared attribute"),
        ("Session=Recording", "no class declares a missing table"),
    ],
)
def test_a_rename_that_cannot_be_meant_is_refused(filled: Instance, wanted: str, reason: str) -> None:
    """With what is wrong about it."""
    classes = edition(filled, {**LAB, "Session": LAB["Session"].replace("day", "date")})
    with pytest.raises(SelectionError, match=reason):
        make_plan(filled, classes, Options(renames=(wanted,)))


def test_a_table_that_moves_to_another_tier_keeps_its_rows(filled: Instance) -> None:
    """Class and schema are the same, so nothing is guessed; parts come along."""
    moved = {"Subject:lookup": LAB["Subject"], **{k: v for k, v in LAB.items() if k != "Subject"}}
    done = migrate(filled, moved)
    assert labels(done) == ["~ lab.Subject: tier manual becomes lookup"]
    assert rows(filled, "#subject") == [("s1", "M"), ("s2", "F")]


# ---- computed tables --------------------------------------------------------------------------------


def test_computed_tables_can_be_declared_anew(filled: Instance) -> None:
    """With what hangs on them; the rows to compute again are counted, and raw data stays."""
    changed = {**LAB, "Sum:computed": "-> Session\n-> Method\n---\nn : int32\nmean : float64"}
    classes = edition(filled, changed)
    plan = make_plan(filled, classes)
    [blocked] = plan.blocked
    assert blocked.recomputable
    offered = {str(table): rows.number for table, rows in plan.offer.items()}
    assert offered == {"lab.Sum": 2, "lab.Sum.Item": 1, "lab.Total": 1}
    with pytest.raises(DataJointError, match="nothing tells its value"):
        apply(filled, classes)
    done = migrate(filled, changed, recompute=True)
    assert labels(done) == [
        "~ lab.Sum: dropped and declared anew: 2 rows to compute again",
        "~ lab.Sum.Item: dropped and declared anew: 1 row to compute again",
        "~ lab.Total: dropped and declared anew: 1 row to compute again",
    ]
    assert rows(filled, "__total") == []
    assert len(rows(filled, "session__trial")) == 2


def test_recompute_goes_for_a_part_and_for_a_selection(filled: Instance) -> None:
    """A part goes with its master, and tables below that were not asked for come along."""
    changed = {**LAB, "Sum.Item": "-> master\nitem : int32\n---\nvalue : int32"}
    classes = {cls.class_label: cls for cls in edition(filled, changed)}
    apply(filled, [classes["Sum.Item"]], Options(whole_schemas=False, recompute=True))
    assert_settled(filled, list(classes.values()))
    assert rows(filled, "__sum") == []


def test_a_table_that_goes_anyway_is_no_obstacle_to_computing_anew(filled: Instance) -> None:
    """One that no class declares any more hangs on the table; kept, it would stand in the way."""
    changed = {**LAB, "Sum:computed": LAB["Sum:computed"] + "\nm : int32"}
    del changed["Total:computed"]
    classes = edition(filled, changed)
    assert not make_plan(filled, classes, Options(keep_extra=True)).offer
    assert {str(table) for table in make_plan(filled, classes).offer} == {"lab.Sum", "lab.Sum.Item"}
    done = migrate(filled, changed, recompute=True, allow_destructive=True)
    assert "- lab.Total: the table is only in the database [destructive]" in labels(done)
    assert len(rows(filled, "session__trial")) == 2


def test_raw_data_is_never_dropped_to_be_computed_again(filled: Instance) -> None:
    """Where raw data hangs on a computed table there is no offer; nor for a raw table."""
    noted = {**LAB, "Note": "-> Sum\n---\nnote : varchar(9)"}
    migrate(filled, noted)
    query(filled, "INSERT INTO lab.note VALUES ('s1', 1, 'a', 'mine')")
    changed = {**noted, "Sum:computed": LAB["Sum:computed"] + "\nm : int32"}
    plan = make_plan(filled, edition(filled, changed))
    assert len(plan.blocked) == 1
    assert not plan.offer
    with pytest.raises(DataJointError, match="blocked"):
        migrate(filled, changed, recompute=True)
    raw = {**LAB, "Session": LAB["Session"] + "\nm : int32"}
    assert not make_plan(filled, edition(filled, raw)).offer


def test_a_job_queue_of_another_key_goes(filled: Instance) -> None:
    """It follows a rename; its rows mean nothing once the key has changed."""
    query(filled, 'CREATE TABLE lab."~~sum" (subject varchar(8) PRIMARY KEY)')
    renamed = {
        name.replace("Sum", "Mean"): t.replace("-> Sum", "-> Mean") if isinstance(t, str) else t
        for name, t in LAB.items()
    }
    migrate(filled, renamed, renames=("Sum=Mean",))
    assert query(filled, """SELECT to_regclass('lab."~~mean"') IS NOT NULL""") == [(True,)]
    migrate(filled, {**renamed, "Subject": LAB["Subject"].replace("varchar(8)", "varchar(9)")})
    assert query(filled, """SELECT to_regclass('lab."~~mean"') IS NOT NULL""") == [(False,)]


def test_hidden_columns_are_added_and_never_taken_away(filled: Instance) -> None:
    """Job metadata comes with a setting; without it the columns stay, and are no difference."""
    classes = {cls.class_label: cls for cls in edition(filled, LAB)}
    model = classes["Sum"].class_model()
    started = Attribute("_job_start_time", parse_type("datetime(3)"), nullable=True, comment="began")
    version = Attribute("_job_version", parse_type("varchar(64)"), default=Default(""), comment="code")
    classes["Sum"]._cached_model = replace(model, hidden=(started, version))  # what the setting does
    done = apply(filled, list(classes.values()))
    assert labels(done) == [
        "+ lab.Sum: attribute _job_start_time = null : datetime(3)",
        "+ lab.Sum: attribute _job_version = '' : varchar(64)",
    ]
    assert_settled(filled, list(classes.values()))
    assert rows(filled, "__sum")[0][-2:] == (None, "")
    migrate(filled, {**LAB, "Subject": LAB["Subject"].replace("varchar(8)", "varchar(9)")})
    assert rows(filled, "__sum")[0][-2:] == (None, "")


# ---- Python -----------------------------------------------------------------------------------------


def test_alter_from_python(filled: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks before data is lost, and takes no table away that only the database has."""
    changed = {**LAB, "Session": "-> Subject\nsession : int16"}
    del changed["Total:computed"]
    classes = {cls.class_label: cls for cls in edition(filled, changed)}
    monkeypatch.setattr("builtins.input", lambda: "no")
    assert alter_tables(filled, [classes["Session"]], prompt=True).changes == ()
    assert rows(filled, "session")[0][2:] != ()
    monkeypatch.setattr("builtins.input", lambda: "yes")
    assert len(alter_tables(filled, [classes["Session"]], prompt=True).changes) == 1
    assert rows(filled, "session") == [("s1", 1), ("s2", 7)]
    assert alter_tables(filled, list(classes.values()), prompt=False).work == ()
    assert rows(filled, "__total") == [("s1", 1, "a", 1000)]
    catalog = load(filled.connection, ["lab"])
    assert TableId("lab", "~djcli_history") in catalog.tables
    assert TableId("lab", "~djcli_history") not in catalog.pipeline_tables
