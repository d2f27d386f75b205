"""Resolving: what foreign keys bring, lineage, and the errors of what does not fit together."""

from __future__ import annotations

import pytest

from djcli.definition.grammar import parse_definition
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.definition.resolve import resolve
from djcli.errors import DefinitionError, MissingTableError

LAB = {
    "Subject": "subject_id : varchar(8)  # the animal\n---\nsex = 'F' : enum('F','M')",
    "Session": "-> Subject\nsession : int16  # of the day\n---\n-> [nullable] Rig",
    "Rig": "rig : enum('a','b')",
    "Line": "line_id : int auto_increment",
    "Setting": "---\nvalue : int32",
}


def lab(name: str, schema: str = "lab") -> TableModel:
    """Return the model of a table of the laboratory."""
    if name not in LAB:
        raise MissingTableError(f"unknown table {name}")
    return resolve(parse_definition(LAB[name]), TableId(schema, name.lower()), lab)


def child(text: str, name: str = "trial") -> TableModel:
    """Return the model of a child of the laboratory's tables, in a schema of its own."""
    return resolve(parse_definition(text), TableId("own", name), lab)


def failure(text: str, name: str = "trial") -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        child(text, name)
    return caught.value


def test_a_foreign_key_brings_the_parents_key_at_its_place() -> None:
    model = child("# Trials\na : int32  # first\n-> Session\nb : int32\n---\nc = null : float32")
    assert model.comment == "Trials"
    assert model.names == ("a", "subject_id", "session", "b", "c")
    assert model.primary_key == ("a", "subject_id", "session", "b")
    assert [attribute.inherited for attribute in model] == [False, True, True, False, False]
    assert [attribute.lineage for attribute in model] == [
        "own.trial.a",
        "lab.subject.subject_id",
        "lab.session.session",
        "own.trial.b",
        None,
    ]
    assert (model["session"].type.text, model["session"].comment) == ("int16", "of the day")
    assert (model["c"].nullable, model["c"].has_default, model["a"].has_default) == (True, True, False)
    assert model.foreign_keys == (
        ForeignKey(
            TableId("lab", "session"), (("subject_id", "subject_id"), ("session", "session")), in_key=True
        ),
    )


def test_renaming_keeps_the_lineage() -> None:
    model = child("-> Session\n-> Session.proj(other='session')\n---\n-> [nullable,unique] Rig.proj(r='rig')")
    assert model.names == ("subject_id", "session", "other", "r")
    assert model["other"].lineage == "lab.session.session"
    assert [key.columns for key in model.foreign_keys] == [
        (("subject_id", "subject_id"), ("session", "session")),
        (("subject_id", "subject_id"), ("other", "session")),
        (("r", "rig"),),
    ]
    assert [key.renamed for key in model.foreign_keys] == [{}, {"other": "session"}, {"r": "rig"}]
    rig = model.foreign_keys[2]
    assert (rig.in_key, rig.nullable, rig.unique) == (False, True, True)
    assert model["r"].nullable
    assert not model["r"].in_key


def test_exchanged_names_are_a_renaming() -> None:
    model = child("-> Session.proj(session='subject_id', subject_id='session')")
    assert model.foreign_keys[0].columns == (("session", "subject_id"), ("subject_id", "session"))
    assert model["session"].lineage == "lab.subject.subject_id"


def test_several_foreign_keys_may_share_an_attribute() -> None:
    model = child("-> Session\n-> Subject")
    assert model.names == ("subject_id", "session")
    assert [key.parent.name for key in model.foreign_keys] == ["session", "subject"]


def test_a_foreign_key_is_nullable_when_any_attribute_is() -> None:
    model = child("-> Subject\n---\n-> [nullable] Session")
    assert [attribute.nullable for attribute in model] == [False, True]
    assert [key.nullable for key in model.foreign_keys] == [False, True]
    model = child("-> Session\n---\n-> [nullable] Subject")
    assert [key.nullable for key in model.foreign_keys] == [False, False]


def test_keys_within_the_primary_key_come_first() -> None:
    model = child("-> Session\n---\n-> Rig\n-> Subject")
    assert [(key.parent.name, key.in_key) for key in model.foreign_keys] == [
        ("session", True),
        ("subject", True),
        ("rig", False),
    ]


def test_an_enum_keeps_the_schema_that_declared_it() -> None:
    model = child("-> Rig\n---\nown : enum('a','b')\n-> [nullable] Rig.proj(other='rig')")
    assert [attribute.type.enum_schema for attribute in model] == ["lab", "own", "lab"]


def test_a_numbered_attribute_is_not_numbered_in_the_child() -> None:
    model = child("-> Line")
    assert lab("Line")["line_id"].type.is_identity
    assert (model["line_id"].type.is_identity, model["line_id"].type.text) == (False, "integer")
    assert lab("Line")["line_id"].has_default


def test_a_parents_default_is_not_inherited() -> None:
    parent = resolve(parse_definition("a = 5 : int32"), TableId("lab", "p"), lab)
    model = resolve(parse_definition("-> P"), TableId("own", "c"), lambda _: parent)
    assert model["a"].default is None


def test_self_reference_through_a_renaming() -> None:
    model = child("trial : int32\n---\n-> [nullable] Trial.proj(previous='trial')")
    assert model["previous"].lineage == "own.trial.trial"
    assert model.foreign_keys == (
        ForeignKey(TableId("own", "trial"), (("previous", "trial"),), nullable=True),
    )


@pytest.mark.parametrize("text", ["Part", "Trial.Part"])
def test_self_reference_of_a_part(text: str) -> None:
    model = child(f"a : int32\n---\n-> {text}.proj(b='a')", "__trial__part")
    assert model["b"].lineage == "own.__trial__part.a"


def test_self_reference_needs_its_own_key() -> None:
    assert "cannot refer to itself in its primary key" in failure("-> Trial\na : int32").message


def test_part_refers_to_its_master() -> None:
    asked: list[str] = []

    def find(name: str) -> TableModel:
        asked.append(name)
        return lab("Session")

    model = resolve(parse_definition("-> master\ntrial : int16"), TableId("lab", "session__trial"), find)
    assert asked == ["master"]
    assert model.primary_key == ("subject_id", "session", "trial")


def test_singleton_has_a_hidden_key() -> None:
    model = lab("Setting")
    assert model.is_singleton
    (hidden,) = model.hidden
    assert (hidden.name, hidden.type.text, hidden.in_key, hidden.comment) == (
        "_singleton",
        "bool",
        True,
        "singleton primary key",
    )
    assert hidden.default is not None
    assert hidden.default.value == "true"
    assert not lab("Subject").hidden


def test_indexes() -> None:
    model = child("-> Subject\nindex(b)\n---\nb : int32\nunique index(b, subject_id)")
    assert model.indexes == (Index(("b",)), Index(("b", "subject_id"), unique=True))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a : int32\n---\n-> Nope", 3, 4, "unknown table Nope"),
        ("-> Setting", 1, 4, "lab.Setting holds one row at most"),
        ("-> Session\n-> Session", 2, 4, "the foreign key to lab.Session is declared twice"),
        ("session : int8\n-> Session", 2, 4, "session is declared here, but the foreign key brings it from"),
        (
            "-> Session\nsession : int8",
            2,
            1,
            "session is there already, from the foreign key to lab.session.session",
        ),
        (
            "-> Subject\n-> Rig.proj(subject_id='rig')",
            2,
            4,
            "subject_id comes from lab.subject.subject_id here and",
        ),
        ("-> Session.proj(a='sesion')", 1, 4, "did you mean session?"),
        ("-> Session.proj(a='xyz')", 1, 4, "which has subject_id, session"),
        ("-> Session.proj(a='rig')", 1, 4, "rig is no primary-key attribute of lab.Session"),
        ("-> Session.proj('nope')", 1, 4, "nope is no primary-key attribute"),
        (
            "-> Session.proj(session='subject_id')",
            1,
            4,
            "two attributes of lab.Session would be called session",
        ),
        (
            "a : int32\n---\nabc : int32\nindex(acb)",
            4,
            1,
            "the index names acb, which is no attribute - did you mean abc?",
        ),
        ("a : int32\nindex(a)\nindex(a)", 3, 1, "the index (a) is declared twice"),
    ],
)
def test_errors_point_at_the_place(text: str, line: int, column: int, message: str) -> None:
    error = failure(text)
    assert message in error.message
    assert (error.line, error.column) == (line, column)
    assert error.source == text.split("\n")[line - 1]


def test_a_secondary_name_alone_in_proj_changes_nothing() -> None:
    assert child("-> Session.proj('rig')") == child("-> Session")


def test_the_cause_of_an_unknown_parent_is_kept() -> None:
    assert isinstance(failure("-> Nope").__cause__, MissingTableError)
