"""The engine against one transaction a key: random makes give the same tables, errors and return values."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

import djcli as dj
from djcli.populate import outbox
from djcli.populate.result import Key
from djcli.tables.instance import Instance

Step = tuple[str, int]


def make_schema(name: str) -> Any:
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
            Making(self, key, (Subject, Session, Side, Later)).run()

    @schema
    class Later(dj.Manual):
        definition = """
        -> Result
        ---
        note : int32
        """

    return schema


class Making:
    """One make that runs a program, noting what it sees."""

    program: ClassVar[list[Step]] = []

    def __init__(self, table: Any, key: Key, others: tuple[Any, ...]) -> None:
        self.table, self.key = table, key
        self.subject, self.session, self.side, self.later = others
        self.own = dict(key)
        self.number = key["session"]
        self.seen: list[object] = []
        self.inserted = False
        self.details = 0

    def run(self) -> None:
        for action, n in self.program:
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

    def do_average(self, n: int) -> None:
        sums = dj.U().aggr(self.session.Trial & self.key & f"trial >= {n % 2}", n="count(*)", top="max(time)")
        self.seen.append(sums.to_dicts())

    def do_several(self, _: int) -> None:
        weight, note = (self.subject * self.session & self.key).fetch1("weight", "note")
        key, extra = (self.session & self.own).fetch1("KEY", "extra")
        self.seen.append((weight, note, key, extra))

    def do_ordered(self, n: int) -> None:
        trials = self.session.Trial & self.key
        self.seen.append(trials.to_arrays("trial", order_by="time DESC", limit=n).tolist())
        self.seen.append((trials.head(1), trials.tail(1), (trials & dj.Top(n, "time DESC")).keys()))

    def do_other_restrictions(self, n: int) -> None:
        self.seen.append(len(self.session - self.key))
        self.seen.append(len(self.session & (self.session.Trial & self.key)))
        self.seen.append(len(self.session & [self.key, {"session": n}]))
        self.seen.append(len(self.session & {"session": [self.number, n]} & dj.Not({"note": f"n{n}"})))
        self.seen.append(bool(self.session & {"session": float(self.number), "note": f"n{self.number}"}))

    def do_volatile(self, _: int) -> None:
        drawn = [(self.session & self.key).proj(r="random()").fetch1("r") for _ in range(2)]
        self.seen.append(drawn[0] == drawn[1])

    def do_hidden_own(self, _: int) -> None:
        self.seen.append(len(self.session & "session IN (SELECT session FROM engine.__result__detail)"))

    def do_sibling_rows(self, _: int) -> None:
        self.seen.append(len(self.side & f"count > {self.number}"))
        self.seen.append(len(self.table & f"session < {self.number}"))

    def do_insert_expression(self, n: int) -> None:
        self.do_master(0)
        rows = (self.session * self.side & self.own & f"side < {n}").proj(
            detail=f"side + {500 + self.details}"
        )
        self.table.Detail.insert(
            (dj.U("subject", "session", "detail") & rows).proj(value="0.5"), skip_duplicates=True
        )

    def do_update(self, n: int) -> None:
        self.side.update1({"side": n % 4, "count": self.number}) if len(self.side & {"side": n % 4}) else None

    def do_update_own(self, n: int) -> None:
        self.do_master(0)
        self.table.update1({**self.own, "seen": f"updated {n}"})

    def do_replace(self, n: int) -> None:
        self.do_master(0)
        self.table.insert1({**self.own, "seen": f"replaced {n}"}, replace=True)
        self.side.insert1({"side": n, "count": 10 * self.number}, replace=True)

    def do_delete(self, n: int) -> None:
        (self.side & {"side": n}).delete(prompt=False)

    def do_delete_own(self, n: int) -> None:
        if self.inserted and self.number % 3 == n % 3:
            (self.table & self.own).delete(prompt=False)
            self.inserted, self.details = False, 0

    def do_dependent(self, n: int) -> None:
        self.do_master(0)
        self.later.insert1({**self.own, "note": n}, skip_duplicates=True)

    def do_unfit(self, n: int) -> None:
        self.do_master(0)
        try:
            self.table.Detail.insert1({**self.own, "detail": ["x", 1.5, 2**40, None, 7][n], "value": "no"})
        except dj.DataJointError as error:
            self.seen.append(str(error))

    def do_no_parent(self, n: int) -> None:
        try:
            self.later.insert1({**self.own, "session": 999, "note": n})
        except dj.errors.IntegrityError as error:
            self.seen.append(type(error).__name__)

    def do_half_iterated(self, _: int) -> None:
        self.seen.append(next(iter(self.session & self.own)))

    def do_kept_key(self, n: int) -> None:
        self.key["session"] = n
        self.seen.append((self.session & self.key).to_arrays("note").tolist())
        self.key.update(self.own)

    def do_setting(self, n: int) -> None:
        self.seen.append(dj.conn().query("SELECT nullif(current_setting('my.n', true), '')"))
        dj.conn().query("SELECT set_config('my.n', %s, true)", (str(n),))

    def do_temporary(self, n: int) -> None:
        dj.conn().query(f"CREATE TEMP TABLE t{len(self.seen)}_{n} ON COMMIT DROP AS SELECT 1 AS one")
        self.seen.append("temporary")

    def do_exit(self, n: int) -> None:
        if self.number % 9 == 3 + n:
            raise StopIteration(n)

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


def outcome(
    instance: Instance, program: list[Step], batch: int, sessions: int = 14, portion: int = 2_000
) -> Any:
    schema = instance.__dict__.get("engine_schema")
    if schema is None:
        schema = instance.__dict__["engine_schema"] = make_schema("engine")
        for table in schema.tables:
            len(table())  # declares it
    Making.program = program
    instance.connection.execute(
        sql.SQL("TRUNCATE {} CASCADE").format(
            sql.SQL(", ").join(sql.Identifier(*t().id) for t in schema.tables)
        )
    )
    fill(schema, sessions)
    result: Any = schema.tables[4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "PORTION", portion)
        found = result.populate(suppress_errors=True, batch=batch)
    errors = [(key, text.partition(" (")[0]) for key, text in found["error_list"]]
    return found["success_count"], sorted(errors, key=str), contents(schema)


WAYS = st.fixed_dictionaries(
    {
        "batch": st.one_of(st.just(1_000), st.integers(2, 9)),
        "portion": st.one_of(st.just(2_000), st.integers(1, 10)),
    }
)


def test_random_makes_give_what_one_transaction_a_key_gives(
    instance: Instance, soak: Callable[[int, int], int]
) -> None:
    @given(program=st.lists(STEPS, max_size=soak(6, 9)), way=WAYS, sessions=st.integers(2, soak(14, 80)))
    @settings(max_examples=soak(12, 400), deadline=None, suppress_health_check=list(HealthCheck))
    def check(program: list[Step], way: dict[str, int], sessions: int) -> None:
        assert outcome(instance, program, sessions=sessions, **way) == outcome(instance, program, 1, sessions)

    check()


def test_each_step_by_itself(instance: Instance) -> None:
    for step in ACTIONS:
        program = [("trials", 0), (step, 2), ("master", 0), (step, 1)]
        alone = outcome(instance, program, 1)
        assert outcome(instance, program, 1_000) == alone, step
        assert outcome(instance, program, 1_000, portion=3) == alone, step


def test_a_batch_takes_few_statements(instance: Instance, statements: list[str]) -> None:
    outcome(instance, [("parent", 0), ("trials", 0), ("detail", 2)], batch=1_000, sessions=200)
    schema = instance.__dict__["engine_schema"]
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
