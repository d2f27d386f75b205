"""The contract of make, watched: reads of what the key depends on, writes of the table's own rows."""

import logging
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance

Body = Callable[["Lab", Any, Key], object]


class Lab:
    def __init__(self) -> None:
        schema = dj.Schema("lab")

        @schema
        class Rig(dj.Lookup):
            definition = "rig : int32\n---\nroom : varchar(8)"
            contents = ((1, "A"), (2, "B"))

        @schema
        class Setting(dj.Lookup):
            definition = "setting : varchar(8)\n---\nvalue : int32"
            contents = (("gain", 3),)

        @schema
        class Method(dj.Lookup):
            definition = "method : varchar(8)"
            contents = (("a",), ("b",))

        @schema
        class Subject(dj.Manual):
            definition = "subject : int32\n---\nspecies : varchar(8)"

        @schema
        class Session(dj.Manual):
            definition = "-> Subject\nsession : int32\n---\n-> Rig\nnote : varchar(8)"

            class Trial(dj.Part):
                definition = "-> master\ntrial : int32\n---\ntime : float64"

        @schema
        class Log(dj.Manual):
            definition = "line : int32"

        @schema
        class Mean(dj.Computed):
            definition = "-> Session\n---\n-> Method\nvalue : float64"
            body: ClassVar[Callable[[Any, Key], object]]

            class Row(dj.Part):
                definition = "-> master\nrow : int32"

            def make(self, key: Key) -> None:
                type(self).body(self, key)
                self.insert1({**key, "method": "a", "value": 1})
                self.Row.insert({**key, "row": i} for i in range(2))

        self.schema = schema
        self.Rig: Any = Rig
        self.Setting: Any = Setting
        self.Method: Any = Method
        self.Subject: Any = Subject
        self.Session: Any = Session
        self.Log: Any = Log
        self.Mean: Any = Mean
        Subject.insert((i, f"s{i}") for i in range(2))
        Session.insert((i % 2, i, 1 + i % 2, f"n{i}") for i in range(4))
        Session.Trial.insert((i % 2, i, j, j / 2) for i in range(4) for j in range(3))
        for table in schema.tables:
            len(table())

    def found(self, body: Body, guard: str = "warn", batch: int = 100) -> list[str]:
        """Populate with this body of make; returns what the guard finds, without the lines."""
        self.Mean.delete(prompt=False)
        self.Mean.body = lambda table, key: body(self, table, key)
        result = self.Mean.populate(guard=guard, batch=batch)
        assert result["success_count"] == 4
        for violation in result.violations:
            assert re.fullmatch(r"/.*/test_populate_guard.py:\d+", violation.where)
        return [violation.message for violation in result.violations]


@pytest.fixture
def lab(instance: Instance) -> Lab:  # noqa: ARG001 - the default instance is this test's
    return Lab()


FAIR: dict[str, Body] = {
    "key": lambda lab, _, key: (lab.Session & key).fetch1(),
    "copied key": lambda lab, _, key: (lab.Session & {**key}).fetch1("note"),
    "grandparent": lambda lab, _, key: (lab.Subject & key).fetch1(),
    "part": lambda lab, _, key: (lab.Session.Trial & key & "time > 0").to_arrays("time"),
    "iterated": lambda lab, _, key: list(lab.Session.Trial & key),
    "join": lambda lab, _, key: (lab.Session * lab.Subject * lab.Session.Trial & key).to_dicts(),
    "join below": lambda lab, _, key: (lab.Session.Trial * (lab.Session & key)).to_dicts(),
    "match": lambda lab, _, key: (lab.Session.Trial & (lab.Session & key)).to_dicts(),
    "match turned": lambda lab, _, key: (lab.Session & key & lab.Session.Trial).to_dicts(),
    "anti-match": lambda lab, _, key: ((lab.Session & key) - (lab.Session.Trial & "time > 9")).to_dicts(),
    "aggregation": lambda lab, _, key: (lab.Session & key).aggr(lab.Session.Trial, n="count(*)").to_dicts(),
    "secondary": lambda lab, _, key: (lab.Rig & (lab.Session & key)).fetch1("room"),
    "secondary join": lambda lab, _, key: (lab.Rig * lab.Session & key).fetch1("room"),
    "upstream": lambda lab, table, _: (
        table.upstream[lab.Session].fetch1("note"),
        table.upstream[lab.Rig].fetch1("room"),
        table.upstream["Subject"].to_dicts(),
    ),
    "renamed": lambda lab, _, key: (
        lab.Session.proj(other="session") & {**key, "other": key["session"]}
    ).keys(),
    "list": lambda lab, _, key: (lab.Session & [key]).to_dicts(),
    "any": lambda lab, _, key: (lab.Session & [{**key, "rig": 1}, {**key, "rig": 2}]).to_dicts(),
    "text": lambda lab, _, key: (
        lab.Session & f"subject={key['subject']} AND session = '{key['session']}'"
    ).keys(),
    "distinct": lambda lab, _, key: (dj.U("note") & (lab.Session & key)).to_dicts(),
    "own lookup": lambda lab, _, __: lab.Method.to_dicts(),
    "own rows": lambda _, table, key: (len(table & key), len(table.Row & key)),
    "free": lambda _, __, key: (dj.FreeTable(dj.conn(), "lab.session") & key).fetch1("note"),
}

SIBLINGS = (
    "make of Mean reads rows that its key does not depend on: "
    "{} is not {}restricted by the key's {}; write {} & key"
)
LOOKUP = (
    "make of Mean reads the lookup table Setting, which Mean does not depend on: when its rows change, nothing tells "
    "that Mean is out of date; add '-> Setting' to the definition of Mean, or of a table that it depends on"
)
FOUL: dict[str, tuple[Body, str]] = {
    "whole": (
        lambda lab, _, __: lab.Session.to_dicts(),
        SIBLINGS.format("Session", "", "subject and session", "Session") + r", or self.upstream\[Session\]",
    ),
    "siblings": (
        lambda lab, _, key: len(lab.Session & {"subject": key["subject"]}),
        SIBLINGS.format("Session", "fully ", "session", "Session") + ".*",
    ),
    "part": (
        lambda lab, _, __: list(lab.Session.Trial & "trial = 1"),
        SIBLINGS.format("Session.Trial", "", "subject and session", "Session.Trial"),
    ),
    "another value": (
        lambda lab, _, key: len(lab.Session & {**key, "session": key["session"] + 1}),
        SIBLINGS.format("Session", "fully ", "session", "Session") + ".*",
    ),
    "not equal": (
        lambda lab, _, key: len(lab.Session & f"session <= {key['session']}"),
        SIBLINGS.format("Session", "", "subject and session", "Session") + ".*",
    ),
    "text of another": (
        lambda lab, _, key: len(
            lab.Session & {"subject": key["subject"]} & f"session = {key['session'] + 1}"
        ),
        SIBLINGS.format("Session", "fully ", "session", "Session") + ".*",
    ),
    "any of": (
        lambda lab, _, key: len(lab.Session & [key, {"session": 0}]),
        SIBLINGS.format("Session", "(fully )?", "[a-z ]*", "Session") + ".*",
    ),
    "aggregation": (
        lambda lab, _, key: lab.Session.aggr(lab.Session.Trial & key, n="count(trial)").to_dicts(),
        SIBLINGS.format("Session", "", "subject and session", "Session") + ".*",
    ),
    "below a limit": (
        lambda lab, _, key: (lab.Session & dj.Top(1) & key).to_dicts(),
        SIBLINGS.format("Session", "", "subject and session", "Session") + ".*",
    ),
    "anti-match": (
        lambda lab, _, key: (lab.Session - (lab.Subject & key)).to_dicts(),
        SIBLINGS.format("Session", "", "subject and session", "Session") + ".*",
    ),
    "untied": (
        lambda lab, _, __: lab.Rig.to_dicts(),
        r"make of Mean reads Rig without regard to its key: .* that the key depends on, as self.upstream\[Rig\] is",
    ),
    "own rows of others": (
        lambda _, table, __: len(table.Row()),
        "make of Mean reads rows of other keys: Mean.Row is not restricted by the key's .*; write Mean.Row & key",
    ),
    "lookup": (
        lambda lab, _, __: lab.Setting.fetch1("value"),
        LOOKUP,
    ),
    "free": (
        lambda _, __, ___: dj.FreeTable(dj.conn(), "lab.log").to_dicts(),
        "make of Mean reads the table Log, which Mean does not depend on: .*",
    ),
    "write": (
        lambda lab, _, key: lab.Log.insert1({"line": key["session"]}, skip_duplicates=True),
        "make of Mean inserts into Log, which is neither its table nor a part of it: .*",
    ),
    "update": (
        lambda lab, _, key: lab.Session.update1({**key, "note": "x"}),
        "make of Mean updates Session, which is .*",
    ),
    "delete": (lambda lab, _, __: (lab.Log & "line = 9").delete_quick(), "make of Mean deletes from Log, .*"),
    "raw": (
        lambda _, __, key: dj.conn().query(
            "SELECT note FROM lab.session WHERE session = %s", (key["session"],)
        ),
        r"make of Mean runs SQL of its own, which cannot be verified \(SELECT note FROM lab.* write it .*",
    ),
}


def test_what_a_make_may_do(lab: Lab) -> None:
    for name, body in FAIR.items():
        assert lab.found(body, "error") == [], name


def test_what_breaks_the_contract_is_told_once_a_line(lab: Lab) -> None:
    for name, (body, message) in FOUL.items():
        for batch in (100, 1):
            found = lab.found(body, batch=batch)
            assert len(found) == 1, name
            assert re.fullmatch(message, found[0]), found[0]


def test_strict_guards_make_keys_fail(lab: Lab) -> None:
    for name, (body, message) in FOUL.items():
        if name == "raw":
            assert len(lab.found(body, "error")) == 1
            lab.Mean.delete(prompt=False)
            continue
        lab.Mean.body = lambda table, key, body=body: body(lab, table, key)
        with pytest.raises(dj.errors.ContractError, match=r"test_populate_guard.py:\d+: " + message):
            lab.Mean.populate(guard="error")
        assert len(lab.Mean()) == 0


def test_what_is_found_is_logged_at_the_end(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    def body(lab: Lab, _: Any, __: Key) -> None:
        len(lab.Setting())
        len(lab.Setting())

    with caplog.at_level(logging.WARNING, "djcli"):
        lab.found(body)
    assert [record.getMessage()[:49] for record in caplog.records][:1] == [
        "make of Mean breaks its contract in 2 places:"
    ]
    assert len(caplog.records) == 3


def test_a_make_that_swallows_the_error_fails_all_the_same(lab: Lab) -> None:
    def body(table: Any, key: Key) -> None:
        assert table is not None
        if key["session"] == 2:
            try:
                lab.Setting.fetch1()
            except dj.DataJointError:
                return

    lab.Mean.body = body
    result = lab.Mean.populate(guard="error", suppress_errors=True)
    assert result["success_count"] == 3
    assert result["error_list"][0][0] == {"subject": 0, "session": 2}
    assert result["error_list"][0][1].startswith("ContractError: ")


def test_long_makes_read_while_they_fetch(lab: Lab) -> None:
    @lab.schema
    class Slow(dj.Computed):
        definition = "-> Session"

        def make_fetch(self, key: Key) -> Any:
            return (len(lab.Session & key), len(lab.Setting()))

        def make_compute(self, key: Key, *counts: int) -> Any:
            return (counts, len(lab.Session & key))

        def make_insert(self, key: Key, *_: Any) -> None:
            self.insert1(key)

    found = [violation.message for violation in Slow.populate(guard="warn").violations]
    assert len(found) == 2
    assert found[0].startswith("make of Slow reads the lookup table Setting, which Slow does not depend on")
    assert found[1].startswith("make of Slow reads Session while it computes, where nothing verifies")


def test_an_unknown_mode_is_refused(lab: Lab) -> None:
    with pytest.raises(dj.DataJointError, match="guard='strict': it must be one of 'warn', 'error', or None"):
        lab.Mean.populate(guard="strict")


def test_without_a_guard_nobody_listens(lab: Lab, instance: Instance) -> None:
    heard: list[int] = []
    lab.Mean.body = lambda _, __: heard.append(len(instance.connection.witnesses))
    assert lab.Mean.populate().violations == []
    assert heard == [0, 0, 0, 0]
