"""The engine against one transaction a key: random makes give the same tables, errors and return values."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.populate.result import Key
from djcli.tables.instance import Instance

Step = tuple[str, int]


def make_schema(name: str, program: list[Step]) -> Any:
    """Declare a pipeline whose computed table runs a program of steps in its make."""
    schema = dj.Schema(name)

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : varchar(8)
        ---
        weight : float32
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        note : varchar(20)
        extra : json
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            ---
            time : decimal(5,2)
            """

    @schema
    class Side(dj.Manual):
        definition = """
        side : int32
        ---
        count = 0 : int32
        """

    @schema
    class Result(dj.Computed):
        definition = """
        -> Session
        ---
        seen : varchar(4000)
        """

        class Detail(dj.Part):
            definition = """
            -> master
            detail : int32
            ---
            value : float64
            """

        def make(self, key: Key) -> None:
            run_program(self, key, program, (Subject, Session, Side))

    return schema


def run_program(table: Any, key: Key, program: list[Step], others: tuple[Any, ...]) -> None:
    subject, session, side = others
    seen: list[object] = []
    inserted = False
    details = 0

    def insert_master() -> None:
        nonlocal inserted
        if not inserted:
            inserted = True
            table.insert1({**own, "seen": repr(seen)[:4000]})

    own = dict(key)
    number = key["session"]
    for action, n in program:
        match action:
            case "parent":
                seen.append((session & key).fetch1("note"))
            case "json":
                found = (session & key).fetch1("extra")
                seen.append(found["a"])
                found["a"] = "changed"
            case "grandparent":
                seen.append((subject & own).to_dicts())
            case "trials":
                seen.append((session.Trial & key).to_arrays("time", order_by="KEY").tolist())
            case "length":
                seen.append(len(session.Trial & {**key} & f"trial > {n}"))
            case "join":
                seen.append((session * session.Trial & key).to_dicts(order_by="KEY"))
            case "aggregate":
                seen.append(session.aggr(session.Trial & key, total="sum(time)").to_dicts(order_by="KEY")[:3])
            case "sibling":
                seen.append(len(session & dict(key, session=n)))
            case "whole":
                seen.append(len(side()))
            case "iterate":
                seen.append(sorted(row["trial"] for row in session.Trial & key))
            case "raw":
                seen.append(dj.conn().query("SELECT count(*) FROM engine.side WHERE side <= %s", (n,)))
            case "raise":
                if number % 5 == n % 5:
                    raise ValueError(f"step at {number}")
            case "side":
                side.insert1({"side": 100 * (n + 1) + number}, skip_duplicates=bool(n % 2))
            case "update side":
                (side & {"side": n}).delete_quick()
            case "duplicate":
                try:
                    side.insert1({"side": 1})
                except dj.errors.DuplicateError:
                    seen.append("duplicate")
            case "bad sql":
                try:
                    len(session & key & "nonsense > 1")
                except dj.DataJointError as error:
                    seen.append(type(error).__name__)
            case "master":
                insert_master()
            case "detail":
                insert_master()
                for _ in range(n):
                    table.Detail.insert1({**own, "detail": details, "value": details / 3})
                    details += 1
            case "details":
                insert_master()
                table.Detail.insert({**own, "detail": details + i, "value": 1.5} for i in range(n))
                details += n
            case "own parts":
                seen.append(len(table.Detail & key))
            case "own row":
                seen.append(len(table & key))
            case "all rows":
                seen.append(len(table.Detail()) >= details)
            case "twice":
                if number % 4 == n % 4 and inserted:
                    table.insert1({**own, "seen": "again"})
            case "caught twice":
                insert_master()
                try:
                    table.insert1({**own, "seen": "again"})
                except dj.errors.DuplicateError:
                    table.Detail.insert1({**own, "detail": 900 + n, "value": 0.0}, skip_duplicates=True)
            case "orphan":
                if number % 6 == n % 6:
                    table.Detail.insert1({**own, "session": 999, "detail": 1, "value": 0.0})
            case "rolled back":
                try:
                    with dj.conn().transaction:
                        side.insert1({"side": 5000 + number})
                        raise KeyError(number)
                except KeyError:
                    seen.append(len(side & {"side": 5000 + number}))
            case "mutate":
                key["session"] = own["session"]
                key.setdefault("unknown", 1)
                del key["unknown"]
            case _:
                raise AssertionError(action)
    if not (program and program[-1] == ("nothing", 0)):
        insert_master()


ACTIONS = (
    "parent json grandparent trials length join aggregate sibling whole iterate raw raise side duplicate "
    "master detail details mutate"
).split()
RARE = [
    "bad sql",
    "own parts",
    "own row",
    "all rows",
    "twice",
    "caught twice",
    "orphan",
    "rolled back",
    "update side",
]
STEPS = st.tuples(st.sampled_from(ACTIONS + RARE), st.integers(0, 4))


def fill(schema: Any, sessions: int) -> None:
    subject, session, trial, side = schema.tables[:4]
    subject.insert({"subject": f"S{i}", "weight": 0.1 * i} for i in range(3))
    session.insert(
        {"subject": f"S{i % 3}", "session": i, "note": f"n{i}", "extra": {"a": [i]}} for i in range(sessions)
    )
    trial.insert(
        {"subject": f"S{i % 3}", "session": i, "trial": t, "time": t / 4}
        for i in range(sessions)
        for t in range(i % 4)
    )
    side.insert({"side": i} for i in range(4))


def contents(schema: Any) -> dict[str, Any]:
    return {table.class_label: table().to_dicts(order_by="KEY") for table in schema.tables}


def outcome(instance: Instance, program: list[Step], batch: int, sessions: int = 14) -> Any:
    instance.connection.execute(sql.SQL("DROP SCHEMA IF EXISTS engine CASCADE"))
    instance.forget()
    instance.classes.clear()
    schema = make_schema("engine", program)
    for table in schema.tables:
        len(table())  # declares it
    fill(schema, sessions)
    result: Any = schema.tables[4]
    found = result.populate(suppress_errors=True, batch=batch)
    errors = [(key, text.partition(" (")[0]) for key, text in found["error_list"]]
    return found["success_count"], sorted(errors, key=str), contents(schema)


@given(program=st.lists(STEPS, max_size=6))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_random_makes_give_what_one_transaction_a_key_gives(instance: Instance, program: list[Step]) -> None:
    assert outcome(instance, program, batch=1_000) == outcome(instance, program, batch=1)


def test_random_makes_many(instance: Instance, soak: Callable[[int, int], int]) -> None:
    @given(program=st.lists(STEPS, max_size=8))
    @settings(max_examples=soak(3, 400), deadline=None, suppress_health_check=list(HealthCheck))
    def check(program: list[Step]) -> None:
        assert outcome(instance, program, batch=1_000) == outcome(instance, program, batch=1)

    check()


@pytest.mark.parametrize("step", sorted({*ACTIONS, *RARE}))
def test_each_step_by_itself(instance: Instance, step: str) -> None:
    program = [("trials", 0), (step, 2), ("master", 0), (step, 1)]
    assert outcome(instance, program, batch=1_000) == outcome(instance, program, batch=1)


def test_a_batch_takes_few_statements(instance: Instance, statements: list[str]) -> None:
    outcome(instance, [("parent", 0), ("trials", 0), ("detail", 2)], batch=1_000, sessions=200)
    schema = make_schema("engine", [("parent", 0), ("trials", 0), ("detail", 2)])
    (schema.tables[4] & True).delete(prompt=False)
    statements.clear()
    assert schema.tables[4].populate()["success_count"] == 200
    assert len(statements) < 0.5 * 200
