"""`self.upstream`: the rows that a key depends on, along the foreign keys, fetched ahead like any other."""

from typing import Any

import pytest

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance


class Lab:
    def __init__(self) -> None:
        schema = dj.Schema("lab")

        @schema
        class Rig(dj.Lookup):
            definition = "rig : int32\n---\nroom : varchar(8)"
            contents = ((1, "A"), (2, "B"))

        @schema
        class Subject(dj.Manual):
            definition = "subject : int32\n---\nspecies : varchar(8)"

        @schema
        class Session(dj.Manual):
            definition = "-> Subject\nsession : int32\n---\n-> Rig\nnote : varchar(8)"

            class Trial(dj.Part):
                definition = "-> master\ntrial : int32"

        @schema
        class Mean(dj.Computed):
            definition = "-> Session\n---\nseen : varchar(200)"

            def make(self, key: Key) -> None:
                up = self.upstream
                seen = (
                    up[Session].fetch1("note"),
                    up["Subject"].fetch1("species"),
                    (up[Rig()] & "rig > 0").fetch1("room"),
                    len(up["lab.Session"]),
                )
                key.clear()
                self.insert1({**up[Session].fetch1("KEY"), "seen": repr(seen)})

        self.Rig: Any = Rig
        self.Subject: Any = Subject
        self.Session: Any = Session
        self.Mean: Any = Mean
        self.schema = schema
        Subject.insert((i, f"s{i}") for i in range(5))
        Session.insert((i % 5, i, 1 + i % 2, f"n{i}") for i in range(100))
        len(Mean())


@pytest.fixture
def lab(instance: Instance) -> Lab:  # noqa: ARG001 - the default instance is this test's
    return Lab()


@pytest.mark.parametrize("batch", [1, 1000])
def test_the_rows_are_those_of_the_key(lab: Lab, batch: int, statements: list[str]) -> None:
    assert lab.Mean.populate(batch=batch)["success_count"] == 100
    assert (lab.Mean & {"session": 7}).fetch1("seen") == "('n7', 's2', 'B', 1)"
    as_written = [
        text for text in statements if text.startswith(('SELECT "t1"."note"', 'SELECT "t1"."room"'))
    ]
    assert len(as_written) == (200 if batch == 1 else 2)


def test_a_table_that_is_no_ancestor_is_told_with_those_that_are(lab: Lab) -> None:
    found: list[Any] = []

    def make(self: Any, key: Key) -> None:
        for other in (lab.Session.Trial, "Sesion", 5):
            with pytest.raises(dj.DataJointError) as caught:
                found.append(self.upstream[other])
            found.append(str(caught.value))
        self.insert1({**key, "seen": ""})

    lab.Mean.make = make
    assert lab.Mean.populate(max_calls=1)["success_count"] == 1
    above = "(its ancestors are lab.Session, lab.Rig, lab.Subject)"
    assert found == [
        f"lab.Session.Trial is no ancestor of lab.Mean {above}",
        f"Sesion is no ancestor of lab.Mean - did you mean Session? {above}",
        "upstream takes a table's class, an object of it or its name, not 5",
    ]


def test_outside_make_there_is_none(lab: Lab) -> None:
    with pytest.raises(dj.DataJointError, match="upstream of Mean is there only while its make runs"):
        _ = lab.Mean().upstream
    lab.Mean.populate(max_calls=1)
    with pytest.raises(dj.DataJointError, match="upstream of Mean is there only while its make runs"):
        _ = lab.Mean().upstream


def test_it_is_there_in_every_step_of_a_long_make(lab: Lab) -> None:
    @lab.schema
    class Slow(dj.Computed):
        definition = "-> Session\n---\nnote : varchar(20)"

        def make_fetch(self, key: Key, suffix: str = "") -> Any:
            assert key
            return (self.upstream[lab.Session].fetch1("note") + suffix,)

        def make_compute(self, key: Key, note: str) -> Any:
            return (note, len(self.upstream[lab.Session] & key))

        def make_insert(self, key: Key, note: str, count: int) -> None:
            self.insert1({**key, "note": f"{note} {count} {len(self.upstream[lab.Subject])}"})

    assert Slow.populate(max_calls=2, make_kwargs={"suffix": "!"})["success_count"] == 2
    assert Slow.to_arrays("note").tolist() == ["n0! 1 1", "n5! 1 1"]
