"""Classes made out of the database, and schemas that are activated later."""

import pytest

import djcli as dj
from djcli.errors import DataJointError, MissingTableError
from djcli.tables.instance import Instance


@pytest.fixture
def lab(instance: Instance) -> dj.Schema:  # noqa: ARG001 - the default instance is this test's
    schema = dj.Schema("lab")

    @schema
    class Subject(dj.Manual):
        definition = """
        # who
        subject : int32
        """

    @schema
    class Session(dj.Imported):
        definition = """
        -> Subject
        -> Subject.proj(trainer='subject')
        ---
        day = null : date
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            """

    Session.Trial.declare()
    Subject.insert([(1,), (2,)])
    Session.insert1((1, 2, "2026-01-05"), allow_direct_insert=True)
    return schema


def test_a_virtual_module_has_the_tables_of_a_schema(
    lab: dj.Schema, instance: Instance, statements: list[str]
) -> None:
    instance.classes.clear()
    module = dj.virtual_schema("lab")
    assert statements == []
    assert issubclass(module.Subject, dj.Manual)
    assert issubclass(module.Session, dj.Imported)
    assert module.Session.Trial.master is module.Session
    assert len(module.Subject & {"subject": 1}) == 1
    assert (module.Session * module.Subject).fetch1("day").isoformat() == "2026-01-05"
    assert module.Session.describe() == lab.tables[1].describe()
    with pytest.raises(AttributeError, match="has no table 'Sesion'"):
        _ = module.Sesion
    with pytest.raises(DataJointError, match="'nowhere' does not exist"):
        _ = dj.VirtualModule("n", "nowhere").Anything


def test_classes_are_made_into_a_namespace(lab: dj.Schema) -> None:
    space: dict[str, object] = {"Subject": "mine"}
    dj.Schema("lab").make_classes(space)
    assert space["Subject"] == "mine"
    assert set(space) == {"Subject", "Session"}
    assert lab.list_tables() == ["subject", "_session", "_session__trial"]


def test_a_schema_knows_its_tables(lab: dj.Schema) -> None:
    assert [table.full_table_name for table in lab] == [
        '"lab"."subject"',
        '"lab"."_session"',
        '"lab"."_session__trial"',
    ]
    assert "Session.Trial" in lab
    assert "session" in lab
    assert "nothing" not in lab
    assert len(lab.get_table("session")) == 1
    with pytest.raises(DataJointError, match="no table 'Sesion' - did you mean Session"):
        lab.get_table("Sesion")
    assert lab.lineage["lab._session.trainer"] == "lab.subject.subject"
    lab.rebuild_lineage()


def test_a_free_table_is_a_table(lab: dj.Schema, instance: Instance) -> None:
    table = dj.FreeTable(instance.connection, "lab.subject")
    table.insert1({"subject": 7})
    assert (table & "subject > 2").to_dicts() == [{"subject": 7}]
    assert (table & {"subject": 7}).delete(prompt=False) == 1
    assert len(lab.tables[0]()) == 2
    with pytest.raises(MissingTableError, match=r"no table 'subjekt'.*did you mean subject"):
        _ = dj.FreeTable(instance.connection, "lab.subjekt").heading
    with pytest.raises(DataJointError, match="is no table name"):
        dj.FreeTable(instance.connection, "subject")


def test_a_schema_can_be_activated_later(instance: Instance) -> None:
    schema = dj.Schema()

    @schema
    class Later(dj.Manual):
        definition = "-> Other\n---\nx : int32"

    assert not schema.is_activated()
    with pytest.raises(DataJointError, match=r"schema\.activate"):
        _ = Later.heading

    other = dj.Schema("other")

    @other
    class Foreign(dj.Manual):
        definition = "y : int32"

    schema.activate("later", add_objects={"Other": Foreign})
    assert Later.heading.names == ("y", "x")
    assert len(Later()) == 0
    assert instance.catalog("later").tables
    with pytest.raises(DataJointError, match="cannot become 'else'"):
        schema.activate("else")


def test_a_part_of_a_part_and_other_misuses_are_refused(instance: Instance) -> None:  # noqa: ARG001
    schema = dj.Schema("wrong")

    class Deep(dj.Manual):
        definition = "a : int32"

        class Inner(dj.Part):
            definition = "-> master\nb : int32"

            class Innermost(dj.Part):
                definition = "-> master\nc : int32"

    with pytest.raises(DataJointError, match="a part cannot have parts"):
        schema(Deep)
    with pytest.raises(DataJointError, match="nest it in its master"):
        schema(Deep.Inner)
    with pytest.raises(DataJointError, match=r"derive it from dj\.Manual"):
        schema(int)
    with pytest.raises(DataJointError, match="put @schema above it"):
        type("Loose", (dj.Manual,), {"definition": "a : int32"})().heading  # noqa: B018


def test_native_types_are_declared_with_a_warning(
    instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    schema = dj.Schema("native")

    @schema
    class Old(dj.Manual):
        definition = "a : int\n---\nb : double\nc : tinyint unsigned"

    assert len(Old()) == 0
    advice = [record.getMessage() for record in caplog.records]
    assert [text.rpartition(" ")[2] for text in advice] == ["int32", "float64", "int16"]
    assert instance.catalog("native").tables[Old.class_id()].names == ("a", "b", "c")
