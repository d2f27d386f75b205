"""Dropping tables and schemas: what goes along, what is refused, what is left behind."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

import djcli as dj
from djcli.tables.instance import Instance


@pytest.fixture
def lab(instance: Instance) -> Any:
    assert instance.create_tables
    schema = dj.Schema("lab")

    @schema
    class Subject(dj.Manual):
        definition = """
        subject_id : int32
        ---
        sex = 'U' : enum('M','F','U')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            """

    @schema
    class Rig(dj.Lookup):
        definition = """
        rig : varchar(8)
        ---
        hand = null : enum('left','right')
        """

        class Camera(dj.Part):
            definition = """
            -> master
            -> Session
            """

    for table in schema.tables:
        table.declare()
    Subject.insert([{"subject_id": 1}, {"subject_id": 2}])
    return schema


def tables(instance: Instance) -> list[str]:
    return [
        name
        for (name,) in instance.connection.query(
            "SELECT tablename FROM pg_tables WHERE schemaname IN ('lab', 'more') AND tablename <> '~lineage' ORDER BY 1"
        )
    ]


def types(instance: Instance) -> int:
    return instance.connection.query("SELECT count(*) FROM pg_type WHERE typtype = 'e'")[0][0]


def test_all_that_depends_goes_along_with_types_and_lineage(lab: Any, instance: Instance) -> None:
    subject, session, _, rig, _ = lab.tables
    assert types(instance) == 2
    rig.drop(prompt=False)
    assert tables(instance) == ["session", "session__trial", "subject"]
    assert types(instance) == 1
    subject.drop(prompt=False)
    assert tables(instance) == []
    assert types(instance) == 0
    assert instance.connection.query('SELECT count(*) FROM lab."~lineage"') == [(0,)]
    assert not session.is_declared
    subject.insert1({"subject_id": 1})
    assert tables(instance) == ["subject"]


def test_a_part_goes_only_with_its_master(lab: Any, instance: Instance) -> None:
    _, session, trial, rig, camera = lab.tables
    with pytest.raises(
        dj.DataJointError, match=r"lab.Session.Trial is a part and would go while the master stays"
    ):
        trial.drop(prompt=False)
    with pytest.raises(dj.DataJointError, match=r"nothing was dropped: lab.Rig.Camera is a part"):
        session.drop(prompt=False)
    assert len(tables(instance)) == 5
    with pytest.raises(dj.DataJointError, match="'enforce', 'ignore'"):
        session.drop(prompt=False, part_integrity="cascade")
    trial.drop(prompt=False, part_integrity="ignore")
    session.drop(prompt=False, part_integrity="ignore")
    assert tables(instance) == ["#rig", "subject"]
    assert not rig()
    assert not camera.is_declared


def test_drop_quick_takes_nothing_along(lab: Any, instance: Instance) -> None:
    subject, _, trial, _, _ = lab.tables
    with pytest.raises(dj.DataJointError, match=r"lab.Subject was not dropped: lab.Session depend on it"):
        subject.drop_quick()
    trial.drop_quick()
    assert "session__trial" not in tables(instance)
    with pytest.raises(dj.errors.MissingTableError):
        trial.drop_quick()


def test_tables_of_other_schemas_go_along(lab: Any, instance: Instance) -> None:
    instance.connection.query("CREATE SCHEMA more; CREATE TABLE more.note (id int REFERENCES lab.subject)")
    with pytest.raises(dj.DataJointError, match=r"schema 'lab' cannot be dropped: more.Note depend on it"):
        lab.drop(prompt=False)
    lab.tables[0].drop(prompt=False, part_integrity="ignore")
    assert tables(instance) == ["#rig"]
    lab.drop(prompt=False)
    assert not lab.exists
    lab.drop(prompt=False)


def test_a_job_queue_goes_with_its_table(lab: Any, instance: Instance) -> None:
    class Result(dj.Computed):
        definition = """
        -> Subject
        """

    lab(Result)
    Result.declare()
    instance.connection.query('CREATE TABLE lab."~~result" (subject_id int PRIMARY KEY)')
    Result.drop(prompt=False)
    assert [name for name in tables(instance) if "result" in name] == []


def test_the_question_shows_what_goes(
    lab: Any, instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = lab.tables[0]
    monkeypatch.setattr(builtins, "input", lambda: "no")
    subject.drop(prompt=True, part_integrity="ignore")
    assert len(tables(instance)) == 5
    told = capsys.readouterr()
    assert "       2 rows of lab.Subject\n" in told.err
    assert told.out == ""
    monkeypatch.setattr(builtins, "input", lambda: "yes")
    subject.drop(prompt=True, part_integrity="ignore")
    assert tables(instance) == ["#rig"]
    subject.drop(prompt=True)
