"""Long makes: nothing is held while they compute, and what they fetched is verified before they insert."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djcli as dj
from djcli.database.connection import Connection
from djcli.populate.result import Key
from djcli.tables.instance import Instance

Act = Callable[[], object]


class Lab:
    """Sessions with trials, and a table of steps whose reads and interruptions a test chooses."""

    def __init__(self, sessions: int = 2) -> None:
        schema = dj.Schema("lab")

        @schema
        class Session(dj.Manual):
            definition = """
            session : int32
            ---
            note : varchar(20)
            """

            class Trial(dj.Part):
                definition = """
                -> master
                trial : int32
                ---
                time = null : float64
                """

        @schema
        class Log(dj.Manual):
            definition = "line : int32"

        @schema
        class Slow(dj.Computed):
            definition = """
            -> Session
            ---
            seen : varchar(2000)
            """
            reads: ClassVar[list[Callable[[Key], object]]] = []
            during: ClassVar[Act] = lambda: None
            inserting: ClassVar[Act] = lambda: None
            calls: ClassVar[list[str]] = []

            def make_fetch(self, key: Key) -> tuple[Any, ...]:
                self.calls.append("fetch")
                return (repr([read(key) for read in self.reads]),)

            def make_compute(self, key: Key, seen: str) -> tuple[Any, ...]:
                self.calls.append("compute")
                assert key
                type(self).during()
                return (seen,)

            def make_insert(self, key: Key, seen: str) -> None:
                self.calls.append("insert")
                self.insert1({**key, "seen": seen})
                type(self).inserting()

        Slow.reads, Slow.calls = [], []
        self.Session: Any = Session
        self.Log: Any = Log
        self.Slow: Any = Slow
        self.schema = schema
        Session.insert((i, f"n{i}") for i in range(sessions))
        Session.Trial.insert((i, j, j / 4) for i in range(sessions) for j in range(3))
        len(Log())
        len(Slow())
        Slow.reads = [self.note, self.trials]

    def note(self, key: Key) -> object:
        return (self.Session & key).fetch1("note")

    def trials(self, key: Key) -> object:
        return (self.Session.Trial & key).to_arrays("time", order_by="KEY").tolist()


@pytest.fixture
def lab(instance: Instance) -> Lab:  # noqa: ARG001 - the default instance is this test's
    return Lab()


@pytest.fixture
def other(instance: Instance) -> Iterator[Connection]:
    with Connection(instance.connection.target) as connection:
        connection.query("SET lock_timeout = '5s'")
        yield connection


def end_session(instance: Instance, other: Connection) -> None:
    other.query("SELECT pg_terminate_backend(%s)", (instance.connection.raw.info.backend_pid,))


def once(act: Act) -> Act:
    left = [act]
    return lambda: left.pop()() if left else None


def test_nothing_but_the_claim_is_held_while_it_computes(
    lab: Lab, instance: Instance, other: Connection
) -> None:
    seen: list[object] = []

    def look() -> None:
        pid = instance.connection.raw.info.backend_pid
        seen.append(other.query("SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = %s", (pid,)))
        seen.append(other.query("SELECT locktype FROM pg_locks WHERE pid = %s", (pid,)))

    lab.Slow.during = look
    assert lab.Slow.populate() == {"success_count": 2, "error_list": []}
    assert seen == 2 * [[("idle", None)], [("advisory",)]]
    assert lab.Slow.calls == 2 * ["fetch", "compute", "insert"]
    assert other.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_changed_inputs_are_computed_again(lab: Lab, other: Connection) -> None:
    lab.Slow.during = once(
        lambda: other.query("UPDATE lab.session__trial SET time = 9 WHERE session = 0 AND trial = 1")
    )
    assert lab.Slow.populate()["success_count"] == 2
    assert (lab.Slow & {"session": 0}).fetch1("seen") == "['n0', [0.0, 9.0, 0.5]]"
    assert lab.Slow.calls == ["fetch", "compute"] + 2 * ["fetch", "compute", "insert"]


def test_inputs_that_go_on_changing_are_an_error_that_names_them(lab: Lab, other: Connection) -> None:
    lab.Slow.during = lambda: other.query(
        "INSERT INTO lab.session__trial SELECT 0, count(*) FROM lab.session__trial WHERE session = 0"
    )
    result = lab.Slow.populate(suppress_errors=True)
    assert result["success_count"] == 1
    [(key, error)] = result["error_list"]
    assert key == {"session": 0}
    assert error.startswith(
        "InputsChangedError: nothing of Slow was inserted, because its inputs changed while it computed: "
        "the rows of Session.Trial that were fetched were 5 and are 6 now ("
    )
    assert "test_populate_steps.py:" in error
    assert lab.Slow.calls.count("compute") == 4
    assert len(lab.Slow & key) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM FULL lab.session, lab.session__trial",
        "UPDATE lab.session SET note = note",
        (
            "DELETE FROM lab.session__trial; INSERT INTO lab.session__trial "
            "SELECT s, t, t / 4.0 FROM generate_series(2, 0, -1) t, generate_series(0, 1) s"
        ),
    ],
)
def test_what_leaves_the_values_alone_changes_nothing(lab: Lab, other: Connection, statement: str) -> None:
    lab.Slow.during = lambda: other.query(statement)
    lab.Slow.reads.append(lambda key: list(lab.Session.Trial & key))
    assert lab.Slow.populate()["success_count"] == 2
    assert lab.Slow.calls.count("compute") == 2


READS: dict[str, Callable[[Lab, Key], object]] = {
    "note": Lab.note,
    "trials": Lab.trials,
    "iterated": lambda lab, key: sorted(map(str, lab.Session.Trial & key)),
    "count": lambda lab, key: len(lab.Session.Trial & key),
    "join": lambda lab, key: (lab.Session * lab.Session.Trial & key).to_dicts(order_by="KEY"),
    "sum": lambda lab, key: lab.Session.aggr(lab.Session.Trial & key, total="sum(time)").to_dicts(
        order_by="KEY"
    ),
    "free": lambda _, key: (dj.FreeTable(dj.conn(), "lab.session") & key).fetch1("note"),
    "raw": lambda _, key: dj.conn().query(
        "SELECT max(time) FROM lab.session__trial WHERE session = %s;", (key["session"],)
    ),
    "raw json": lambda _, key: dj.conn().query(
        "SELECT to_json(note) FROM lab.session WHERE session = %(s)s", {"s": key["session"]}, as_dict=True
    ),
    "setting": lambda _, __: dj.conn().query("SHOW work_mem"),
}
CHANGES = [
    "UPDATE lab.session SET note = note || 'x' WHERE session = 0",
    "UPDATE lab.session SET note = note",
    "UPDATE lab.session__trial SET time = -1 WHERE session = 0 AND trial = 2",
    "UPDATE lab.session__trial SET time = -2 WHERE session = 0 AND trial = 2",
    "UPDATE lab.session__trial SET time = trial / 4.0",
    "INSERT INTO lab.session__trial VALUES (0, 7, 1) ON CONFLICT DO NOTHING",
    "DELETE FROM lab.session__trial WHERE session = 0 AND trial > 1",
    "DELETE FROM lab.session__trial WHERE session = 1",
    "SELECT 1",
]


@given(
    reads=st.lists(st.sampled_from(sorted(READS)), min_size=1, max_size=4),
    changes=st.lists(st.sampled_from(CHANGES)),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_inserted_is_what_a_fetch_would_return_then(
    lab: Lab, other: Connection, reads: list[str], changes: list[str]
) -> None:
    other.query("TRUNCATE lab.session__trial, lab.__slow")
    other.query(
        "INSERT INTO lab.session__trial SELECT s, t, t / 4.0 FROM generate_series(0, 1) s, generate_series(0, 2) t"
    )
    other.query("UPDATE lab.session SET note = 'n'")
    chosen = [READS[name] for name in reads]
    lab.Slow.reads = [lambda key, read=read: read(lab, key) for read in chosen]
    lab.Slow.calls.clear()
    before = repr([read(lab, {"session": 0}) for read in chosen])
    lab.Slow.during = once(lambda: [other.query(change) for change in changes])
    assert lab.Slow.populate({"session": 0})["success_count"] == 1
    now = repr([read(lab, {"session": 0}) for read in chosen])
    assert (lab.Slow & {"session": 0}).fetch1("seen") == now
    assert lab.Slow.calls.count("compute") == (1 if now == before else 2)


def test_a_session_lost_while_it_computes_is_made_anew(
    lab: Lab, instance: Instance, other: Connection
) -> None:
    lab.Slow.during = lambda: end_session(instance, other)
    assert lab.Slow.populate() == {"success_count": 2, "error_list": []}
    assert lab.Slow.calls == 2 * ["fetch", "compute", "insert"]
    assert other.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_a_session_lost_while_it_inserts_costs_no_computation(
    lab: Lab, instance: Instance, other: Connection
) -> None:
    lab.Slow.inserting = once(lambda: end_session(instance, other))
    assert lab.Slow.populate() == {"success_count": 2, "error_list": []}
    assert lab.Slow.calls.count("compute") == 2
    assert len(lab.Slow()) == 2


def test_whoever_took_the_key_while_we_had_no_session_wins(
    lab: Lab, instance: Instance, other: Connection
) -> None:
    def overtake() -> None:
        end_session(instance, other)
        other.query("INSERT INTO lab.__slow VALUES (0, 'theirs')")

    lab.Slow.during = once(overtake)
    assert lab.Slow.populate() == {"success_count": 1, "error_list": []}
    assert (lab.Slow & {"session": 0}).fetch1("seen") == "theirs"


@pytest.mark.parametrize("step", ["during", "inserting"])
def test_an_interrupt_keeps_nothing_of_its_key(lab: Lab, other: Connection, step: str) -> None:
    def stop() -> None:
        if len(lab.Slow.calls) > 3:
            raise KeyboardInterrupt

    setattr(lab.Slow, step, stop)
    with pytest.raises(KeyboardInterrupt):
        lab.Slow.populate(suppress_errors=True)
    assert lab.Slow.to_arrays("session").tolist() == [0]
    assert other.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    setattr(lab.Slow, step, lambda: None)
    assert lab.Slow.populate()["success_count"] == 1


def test_errors_of_a_step_are_the_keys(lab: Lab) -> None:
    def fail() -> None:
        raise ValueError("no convergence")

    lab.Slow.during = once(fail)
    result = lab.Slow.populate(suppress_errors=True)
    assert result == {"success_count": 1, "error_list": [({"session": 0}, "ValueError: no convergence")]}


def test_a_key_that_goes_while_it_computes_is_passed_over(lab: Lab, other: Connection) -> None:
    lab.Slow.during = once(
        lambda: other.query("DELETE FROM lab.session__trial; DELETE FROM lab.session WHERE session = 0")
    )
    assert lab.Slow.populate() == {"success_count": 1, "error_list": []}


def test_writing_before_the_last_step_is_refused(lab: Lab) -> None:
    lab.Slow.during = lambda: lab.Log.insert1((1,))
    with pytest.raises(
        dj.DataJointError, match=r"test_populate_steps.py:\d+: make of Slow inserts into lab.Log before"
    ):
        lab.Slow.populate()
    lab.Slow.during = lambda: None
    lab.Slow.reads = [lambda _: (lab.Session & "session = 5").delete_quick()]
    with pytest.raises(dj.DataJointError, match=r"deletes from lab.Session before its last step"):
        lab.Slow.populate()
    lab.Slow.reads = [lambda _: dj.conn().query("INSERT INTO lab.log VALUES (1)")]
    with pytest.raises(dj.DataJointError, match=r"make_fetch of Slow has written to the database"):
        lab.Slow.populate()
    assert len(lab.Log()) == 0
    assert len(lab.Slow()) == 0


def test_a_transaction_left_open_by_the_computation_is_an_error(lab: Lab, instance: Instance) -> None:
    lab.Slow.during = instance.connection.start_transaction
    with pytest.raises(dj.DataJointError, match="left a transaction open"):
        lab.Slow.populate()
    assert not instance.connection.in_transaction


def test_generators_of_both_kinds_and_arguments(lab: Lab, instance: Instance) -> None:
    open_during: list[bool] = []

    @lab.schema
    class Restarted(dj.Computed):
        definition = "-> Session\n---\nlength : int32"

        def make(self, key: Key, more: int = 0) -> Any:
            note = lab.note(key)
            computed = yield (note,)
            if computed is None:
                open_during.append(instance.connection.in_transaction)
                computed = (len(str(note)) + more,)
                yield computed
            self.insert1({**key, "length": computed[0]})
            yield

    @lab.schema
    class Straight(dj.Computed):
        definition = "-> Session\n---\nlength : int32"

        def make(self, key: Key, more: int = 0) -> Any:
            note = lab.note(key)
            yield note
            computed = yield len(str(note)) + more
            self.insert1({**key, "length": computed})

    for table in (Restarted, Straight):
        assert table.populate(make_kwargs={"more": 10})["success_count"] == 2
        assert table.to_arrays("length").tolist() == [12, 12]
    assert open_during == [False, False]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (1, "ended before it yielded what it has computed"),
        (0, "ended before it yielded what it has fetched"),
        (2, r"make\(\) of Short inserted no row for its key"),
    ],
)
def test_a_generator_that_ends_early_says_so(lab: Lab, steps: int, message: str) -> None:
    @lab.schema
    class Short(dj.Computed):
        definition = "-> Session"

        def make(self, key: Key) -> Any:
            for step in range(steps):
                yield key, step

    with pytest.raises(dj.DataJointError, match=message):
        Short.populate()


def test_missing_steps_and_odd_returns_are_told(lab: Lab) -> None:
    @lab.schema
    class Half(dj.Computed):
        definition = "-> Session"

        def make_fetch(self, key: Key) -> Any:
            return (lab.Session & key).fetch1("note")

    @lab.schema
    class Nothing(dj.Computed):
        definition = "-> Session"

    with pytest.raises(dj.DataJointError, match=r"Half has no make.*nor has it make_compute and make_insert"):
        Half.populate()
    with pytest.raises(dj.DataJointError, match=r"Nothing has no make.*: write one"):
        Nothing.populate()
    Half.make_compute = lambda _, key, *__: (key,)
    Half.make_insert = lambda self, key, *_: self.insert1(key)
    with pytest.raises(
        dj.DataJointError, match=r"make_fetch of Half must return a tuple.*not str; write: return"
    ):
        Half.populate()


def test_large_inputs_are_verified_in_the_server(lab: Lab, statements: list[str]) -> None:
    @lab.schema
    class Scan(dj.Manual):
        definition = "-> Session\n---\nframes : <blob>"

    @lab.schema
    class Mean(dj.Computed):
        definition = "-> Scan\n---\nmean : float64"

        def make_fetch(self, key: Key) -> Any:
            return ((Scan & key).fetch1("frames"),)

        def make_compute(self, key: Key, frames: Any) -> Any:
            assert key
            return (float(frames.mean()),)

        def make_insert(self, key: Key, mean: float) -> None:
            self.insert1({**key, "mean": mean})

    Scan.insert1({"session": 0, "frames": np.random.default_rng(1).random(500_000)})
    statements.clear()
    assert Mean.populate()["success_count"] == 1
    assert sum("hash_record_extended" in text for text in statements) == 2
    assert sum('"frames"' in text and "hash" not in text for text in statements) == 1
