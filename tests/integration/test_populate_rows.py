"""What a make may insert: rows of its own key, once, the master's before those of its parts."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance


class Lab:
    def __init__(self) -> None:
        schema = dj.Schema("lab")

        @schema
        class Session(dj.Manual):
            definition = "subject : char(4)\nsession : int32"

        @schema
        class Result(dj.Computed):
            definition = "-> Session\n---\nvalue = 0 : float64"
            body: ClassVar[Callable[[Any, Key], None]]

            class Detail(dj.Part):
                definition = "-> master\ndetail : int32"

            def make(self, key: Key) -> None:
                type(self).body(self, key)

        self.Session: Any = Session
        self.Result: Any = Result
        Session.insert(("ab", i) for i in range(4))
        len(Result())

    def errors(self, body: Callable[[Any, Key], None], batch: int) -> list[str]:
        """Populate with this body of make for odd sessions; returns the errors, of which even ones have none."""

        def make(table: Any, key: Key) -> None:
            if key["session"] % 2:
                body(table, key)
            else:
                table.insert1(key)
                table.Detail.insert1({**key, "detail": 1})

        self.Result.delete(prompt=False)
        self.Result.body = make
        result = self.Result.populate(suppress_errors=True, batch=batch)
        assert self.Result.to_arrays("session").tolist() == [0, 2]
        assert len(self.Result.Detail()) == 2
        assert [key["session"] for key, _ in result["error_list"]] == [1, 3]
        return [error for _, error in result["error_list"]]


@pytest.fixture
def lab(instance: Instance) -> Lab:  # noqa: ARG001 - the default instance is this test's
    return Lab()


def nothing(_: Any, key: Key) -> None:
    assert key


def another_key(table: Any, key: Key) -> None:
    table.insert1({**key, "session": 9})


def another_key_too(table: Any, key: Key) -> None:
    table.insert([key, {**key, "session": 9}])


def another_key_of_many(table: Any, key: Key) -> None:
    table.insert({**key, "session": i} for i in range(key["session"], 4 + key["session"]))


def another_key_where_it_is_new(table: Any, key: Key) -> None:
    table.insert([{**key, "session": 9}, key], skip_duplicates=True)


def a_part_of_another_key(table: Any, key: Key) -> None:
    table.insert1(key)
    table.Detail.insert1({**key, "session": 0, "detail": 5})


def copied(table: Any, _: Key) -> None:
    table.insert(table.key_source)


def twice(table: Any, key: Key) -> None:
    table.insert1(key)
    table.insert1({**key, "value": 2})


def twice_at_once(table: Any, key: Key) -> None:
    table.insert([key, key])


def parts_alone(table: Any, key: Key) -> None:
    table.Detail.insert1({**key, "detail": 1})


def parts_first(table: Any, key: Key) -> None:
    table.Detail.insert([{**key, "detail": i} for i in range(3)])
    table.insert1(key)


FAULTS = {
    nothing: r"DataJointError: make\(\) of Result inserted no row for its key; insert one",
    another_key: r"make\(\) of Result was called for session=1 and inserts a row with session=9: a make inserts",
    another_key_too: "session=1 and inserts a row with session=9",
    another_key_of_many: "session=1 and inserts a row with session=2",
    another_key_where_it_is_new: "session=1 and inserts a row with session=9",
    a_part_of_another_key: "session=1 and inserts a row with session=0 into its part lab.Result.Detail",
    copied: "session=1 and inserts a row with session=",
    twice: r"DuplicateError: lab.Result: row 1: .*session=1 .*: make\(\) of Result has inserted it before",
    twice_at_once: r"DuplicateError: lab.Result: rows 1 and 2 have the same key: .*session=1.*",
    parts_alone: "IntegrityError: lab.Result.Detail: row 1: there is no Result with subject='ab', session=1: insert it",
    parts_first: "IntegrityError: lab.Result.Detail: row 1: there is no Result with subject='ab', session=1: insert it",
}


def test_a_make_that_inserts_the_wrong_rows_is_told_so_both_ways(lab: Lab) -> None:
    for body, message in FAULTS.items():
        alone, together = lab.errors(body, 1), lab.errors(body, 100)
        assert alone == together
        assert re.search(message, alone[0]), alone[0]


@pytest.mark.parametrize("batch", [1, 100])
def test_a_make_may_catch_the_refusal(lab: Lab, batch: int) -> None:
    def make(table: Any, key: Key) -> None:
        try:
            table.Detail.insert1({**key, "detail": 1})
        except dj.errors.IntegrityError:
            table.insert1({**key, "subject": key["subject"] + "  ", "value": 1})
        table.Detail.insert1({**key, "detail": 2})

    lab.Result.body = make
    assert lab.Result.populate(batch=batch)["success_count"] == 4
    assert lab.Result.Detail.to_arrays("detail").tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize("batch", [1, 100])
def test_rows_of_the_key_may_be_copied_and_more_than_one(instance: Instance, batch: int) -> None:
    with dj.config.override(jobs__allow_new_pk_fields_in_computed_tables=True):
        schema = dj.Schema("lab")

        @schema
        class Session(dj.Manual):
            definition = "session : int32"

        @schema
        class Step(dj.Manual):
            definition = "-> Session\nstep : int32"

        @schema
        class Many(dj.Computed):
            definition = "-> Step"
            key_source = Session

            def make(self, key: Key) -> None:
                self.insert(Step & key)

        Session.insert((i,) for i in range(3))
        Step.insert((i, j) for i in range(3) for j in range(2))
        assert Many.populate(batch=batch)["success_count"] == 3
        assert len(Many()) == 6
        assert instance.connection.in_transaction is False
