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
            Making(self, key, (Subject, Session, Side)).run(program)

    return schema


class Making:
    """One make that runs a program, noting what it sees."""

    def __init__(self, table: Any, key: Key, others: tuple[Any, ...]) -> None:
        self.table, self.key = table, key
        self.subject, self.session, self.side = others
        self.own = dict(key)
        self.number = key["session"]
        self.seen: list[object] = []
        self.inserted = False
        self.details = 0

    def run(self, program: list[Step]) -> None:
        for action, n in program:
            getattr(self, "do_" + action)(n)
        self.do_master(0)

    def do_parent(self, _: int) -> None:
        self.seen.append((self.session & self.key).fetch1("note"))

    def do_json(self, _: int) -> None:
        found = (self.session & self.key).fetch1("extra")
        self.seen.append(found["a"])
        found["a"] = "changed"

    def do_grandparent(self, _: int) -> None:
        self.seen.append((self.subject & self.own).to_dicts())

    def do_trials(self, _: int) -> None:
        self.seen.append((self.session.Trial & self.key).to_arrays("time", order_by="KEY").tolist())

    def do_length(self, n: int) -> None:
        self.seen.append(len(self.session.Trial & {**self.key} & f"trial > {n}"))

    def do_join(self, _: int) -> None:
        self.seen.append((self.session * self.session.Trial & self.key).to_dicts(order_by="KEY"))

    def do_aggregate(self, _: int) -> None:
        sums = self.session.aggr(self.session.Trial & self.key, total="sum(time)")
        self.seen.append(sums.to_dicts(order_by="KEY")[:3])

    def do_sibling(self, n: int) -> None:
        self.seen.append(len(self.session & dict(self.key, session=n)))

    def do_whole(self, _: int) -> None:
        self.seen.append(len(self.side()))

    def do_iterate(self, _: int) -> None:
        self.seen.append(sorted(row["trial"] for row in self.session.Trial & self.key))

    def do_raw(self, n: int) -> None:
        self.seen.append(dj.conn().query("SELECT count(*) FROM engine.side WHERE side <= %s", (n,)))

    def do_raise(self, n: int) -> None:
        if self.number % 5 == n % 5:
            raise ValueError(f"step at {self.number}")

    def do_side(self, n: int) -> None:
        self.side.insert1({"side": 100 * (n + 1) + self.number}, skip_duplicates=bool(n % 2))

    def do_less_side(self, n: int) -> None:
        (self.side & {"side": n}).delete_quick()

    def do_duplicate(self, _: int) -> None:
        try:
            self.side.insert1({"side": 1})
        except dj.errors.DuplicateError:
            self.seen.append("duplicate")

    def do_bad_sql(self, _: int) -> None:
        try:
            len(self.session & self.key & "nonsense > 1")
        except dj.DataJointError as error:
            self.seen.append(type(error).__name__)

    def do_master(self, _: int) -> None:
        if not self.inserted:
            self.inserted = True
            self.table.insert1({**self.own, "seen": repr(self.seen)[:4000]})

    def do_detail(self, n: int) -> None:
        self.do_master(0)
        for _ in range(n):
            self.table.Detail.insert1({**self.own, "detail": self.details, "value": self.details / 3})
            self.details += 1

    def do_details(self, n: int) -> None:
        self.do_master(0)
        self.table.Detail.insert({**self.own, "detail": self.details + i, "value": 1.5} for i in range(n))
        self.details += n

    def do_own_parts(self, _: int) -> None:
        self.seen.append(len(self.table.Detail & self.key))

    def do_own_row(self, _: int) -> None:
        self.seen.append(len(self.table & self.key))

    def do_all_rows(self, _: int) -> None:
        self.seen.append(len(self.table.Detail()) >= self.details)

    def do_twice(self, n: int) -> None:
        if self.number % 4 == n % 4 and self.inserted:
            self.table.insert1({**self.own, "seen": "again"})

    def do_caught_twice(self, n: int) -> None:
        self.do_master(0)
        try:
            self.table.insert1({**self.own, "seen": "again"})
        except dj.errors.DuplicateError:
            self.table.Detail.insert1({**self.own, "detail": 900 + n, "value": 0.0}, skip_duplicates=True)

    def do_orphan(self, n: int) -> None:
        if self.number % 6 == n % 6:
            self.table.Detail.insert1({**self.own, "session": 999, "detail": 1, "value": 0.0})

    def do_rolled_back(self, _: int) -> None:
        try:
            with dj.conn().transaction:
                self.side.insert1({"side": 5000 + self.number})
                raise KeyError(self.number)
        except KeyError:
            self.seen.append(len(self.side & {"side": 5000 + self.number}))

    def do_mutate(self, _: int) -> None:
        self.key["session"] = self.own["session"]
        self.key.setdefault("unknown", 1)
        del self.key["unknown"]


ACTIONS = [name.removeprefix("do_") for name in vars(Making) if name.startswith("do_")]
STEPS = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 4))


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


@pytest.mark.parametrize("step", ACTIONS)
def test_each_step_by_itself(instance: Instance, step: str) -> None:
    program = [("trials", 0), (step, 2), ("master", 0), (step, 1)]
    assert outcome(instance, program, batch=1_000) == outcome(instance, program, batch=1)


def test_a_batch_takes_few_statements(instance: Instance, statements: list[str]) -> None:
    outcome(instance, [("parent", 0), ("trials", 0), ("detail", 2)], batch=1_000, sessions=200)
    schema = make_schema("engine", [("parent", 0), ("trials", 0), ("detail", 2)])
    (schema.tables[4] & True).delete(prompt=False)
    statements.clear()
    assert schema.tables[4].populate(batch=1_000)["success_count"] == 200
    assert len(statements) < 0.5 * 200


def test_a_make_that_reads_the_row_before_its_own(instance: Instance) -> None:  # noqa: ARG001
    def outcome_of(batch: int) -> list[dict[str, Any]]:
        schema = dj.Schema(f"running{batch}")

        @schema
        class Step(dj.Manual):
            definition = "a : int32\nb : int32"

        @schema
        class Running(dj.Computed):
            definition = "-> Step\n---\ntotal : int32"

            def make(self, key: Key) -> None:
                before = self & {**key, "b": key["b"] - 1}
                self.insert1({**key, "total": key["b"] + sum(before.to_arrays("total").tolist())})

        Step.insert((a, b) for a in range(4) for b in range(6))
        Running.populate(batch=batch)
        return Running.to_dicts(order_by="KEY")

    assert outcome_of(1_000) == outcome_of(1)


def test_what_a_failed_make_saw_is_not_remembered(instance: Instance) -> None:  # noqa: ARG001
    def outcome_of(batch: int) -> list[dict[str, Any]]:
        schema = dj.Schema(f"phantom{batch}")

        @schema
        class Step(dj.Manual):
            definition = "a : int32"

        @schema
        class Log(dj.Manual):
            definition = "line : int32"

        @schema
        class Seen(dj.Computed):
            definition = "-> Step\n---\nlines : int32"

            def make(self, key: Key) -> None:
                Log.insert1({"line": key["a"]})
                lines = len(Log())
                if key["a"] % 2 == 0:
                    raise ValueError(key)
                self.insert1({**key, "lines": lines})

        Step.insert((a,) for a in range(9))
        len(Log())
        Seen.populate(batch=batch, suppress_errors=True)
        return Seen.to_dicts(order_by="KEY")

    assert outcome_of(1_000) == outcome_of(1)
