"""`Table.alter` and `Schema.alter`: the planner from Python."""

import pytest

import djcli as dj
from djcli.errors import DataJointError
from djcli.tables.instance import Instance


def declare(definition: str) -> type[dj.Manual]:
    schema = dj.Schema("lab")
    table: type[dj.Manual] = type("Subject", (dj.Manual,), {"definition": definition, "__module__": __name__})
    return schema(table)


def test_a_table_is_altered_and_keeps_its_rows(instance: Instance) -> None:
    declare("subject : int32\n---\nweight : float32").insert1((1, 2.5))
    table = declare("subject : int64\n---\nweight : float64\nname = 'x' : varchar(8)")
    table.alter(prompt=False)
    assert table.fetch1() == {"subject": 1, "weight": 2.5, "name": "x"}
    assert instance.fresh_catalog("lab").tables[table.class_id()].attributes[0].type.name == "int64"
    table.alter()


def test_a_schema_is_altered_whole_and_blocked_changes_say_why(instance: Instance) -> None:  # noqa: ARG001
    declare("subject : int32\n---\nname : varchar(8)").insert1((1, "abc"))
    table = declare("subject : int32\n---\nname : int32")
    with pytest.raises(DataJointError, match="name"):
        table.schema.alter(prompt=False)
    assert dj.FreeTable(dj.conn(), "lab.subject").fetch1("name") == "abc"
