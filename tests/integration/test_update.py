"""update1: one row, by its whole key."""

from typing import Any

import pytest

import djcli as dj
from djcli.tables.instance import Instance


@pytest.fixture
def lab(instance: Instance) -> Any:
    assert instance.create_tables
    schema = dj.Schema("lab")

    @schema
    class Kind(dj.Lookup):
        definition = """
        kind : varchar(8)
        """
        contents = (("a",), ("b",))

    @schema
    class Thing(dj.Manual):
        definition = """
        thing : int32
        place : varchar(8)
        ---
        -> [nullable] Kind
        size = 1.5 : float64
        day : date
        hand = null : enum('left','right')
        data = null : <blob>
        """

    Thing.insert({"thing": i, "place": "here", "kind": "a", "size": i, "day": "2026-01-01"} for i in range(3))
    return Thing


def test_given_attributes_change_and_others_stay(lab: Any) -> None:
    lab.update1({"thing": 1, "place": "here", "size": "9", "hand": "left", "data": [1, 2]})
    row = lab & {"thing": 1}
    assert row.fetch1("size", "hand", "data", "kind") == (9.0, "left", [1, 2], "a")
    assert sorted(lab.to_arrays("size").tolist()) == [0.0, 2.0, 9.0]


def test_none_resets_to_the_default(lab: Any) -> None:
    lab.update1({"thing": 1, "place": "here", "size": None, "kind": None})
    assert (lab & {"thing": 1}).fetch1("size", "kind") == (1.5, None)
    with pytest.raises(dj.errors.MissingAttributeError, match="'day' may not be null"):
        lab.update1({"thing": 1, "place": "here", "day": None})


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        ({"thing": 1, "size": 2}, dj.errors.MissingAttributeError, "needs the whole key: 'place' is missing"),
        ({"thing": None, "place": "here"}, dj.errors.MissingAttributeError, "'thing' is missing"),
        (
            {"thing": 1, "place": "here", "sizes": 2},
            dj.errors.UnknownAttributeError,
            r"'sizes' - did you mean size\?",
        ),
        (
            {"thing": 1, "place": "here", "size": "big"},
            dj.DataJointError,
            r"'size' \(float64\): 'big' is not a number",
        ),
        (
            {"thing": 8, "place": "here", "size": 2},
            dj.DataJointError,
            "no row with thing=8, place='here' to update",
        ),
        ({"thing": 8, "place": "here"}, dj.DataJointError, "no row with thing=8, place='here' to update"),
        (
            {"thing": 1, "place": "here", "kind": "z"},
            dj.errors.IntegrityError,
            "there is no Kind with kind=z",
        ),
        ([1, "here"], dj.DataJointError, "update1 takes a dict, not list"),
    ],
)
def test_what_is_no_update_is_refused(lab: Any, instance: Instance, row: Any, error: Any, text: str) -> None:
    before = lab.to_dicts(order_by="KEY")
    with instance.connection.transaction:
        with pytest.raises(error, match=text):
            lab.update1(row)
        assert lab.to_dicts(order_by="KEY") == before


def test_a_restricted_table_is_refused(lab: Any) -> None:
    with pytest.raises(dj.DataJointError, match="call it on Thing unrestricted"):
        (lab & {"thing": 1}).update1({"thing": 1, "place": "here", "size": 2})


def test_a_key_alone_changes_nothing(lab: Any) -> None:
    before = lab.to_dicts()
    lab.update1({"thing": 1, "place": "here"})
    assert lab.to_dicts() == before
