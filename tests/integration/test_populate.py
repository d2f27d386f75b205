"""Populate: what is computed, what happens when a make fails, and how it is told."""

import multiprocessing
from threading import Thread
from typing import Any, ClassVar

import pytest

import djcli as dj
from djcli.populate.result import Key
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance


def make_schema() -> Any:
    schema = dj.Schema("lab")

    @schema
    class Subject(dj.Manual):
        definition = """
        subject_id : int32
        ---
        weight : float64
        """

    @schema
    class Method(dj.Lookup):
        definition = """
        method : varchar(8)
        """
        contents = (("a",), ("b",))

    @schema
    class Double(dj.Computed):
        definition = """
        -> Subject
        ---
        twice : float64
        """
        calls: ClassVar[list[Key]] = []
        fails_at: ClassVar[set[int]] = set()
        inserts_nothing_at: ClassVar[set[int]] = set()

        def make(self, key: Key) -> None:
            self.calls.append(dict(key))
            weight = (Subject & key).fetch1("weight")
            if key["subject_id"] in self.inserts_nothing_at:
                return
            self.insert1({**key, "twice": 2 * weight})
            if key["subject_id"] in self.fails_at:
                raise ValueError(f"no luck with {key['subject_id']}")

    @schema
    class Pair(dj.Computed):
        definition = """
        -> Subject
        -> Method
        """

        def make(self, key: Key) -> None:
            self.insert1(key)

    Double.calls, Double.fails_at, Double.inserts_nothing_at = [], set(), set()
    return schema


class Lab:
    def __init__(self, rows: int = 5) -> None:
        self.schema = make_schema()
        self.Subject, self.Method, self.Double, self.Pair = self.schema.tables
        self.Subject.insert({"subject_id": i, "weight": i / 2} for i in range(rows))


@pytest.fixture
def lab(instance: Instance) -> Lab:  # noqa: ARG001 - the default instance is this test's
    return Lab()


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def begin(self, table: str, pending: int) -> None:
        self.told.append(("begin", table, pending))

    def done(self, table: str, key: Key) -> None:
        self.told.append(("done", table, key["subject_id"]))

    def skipped(self, table: str, key: Key) -> None:
        self.told.append(("skipped", table, key["subject_id"]))

    def failed(self, table: str, key: Key, error: BaseException) -> None:
        self.told.append(("failed", table, key["subject_id"], str(error)))

    def end(self, table: str) -> None:
        self.told.append(("end", table))


def test_all_keys_are_made_once_in_order(lab: Lab) -> None:
    assert lab.Double.populate() == {"success_count": 5, "error_list": []}
    assert [key["subject_id"] for key in lab.Double.calls] == [0, 1, 2, 3, 4]
    assert lab.Double.to_dicts(order_by="KEY")[3] == {"subject_id": 3, "twice": 3.0}
    assert lab.Double.populate() == {"success_count": 0, "error_list": []}
    assert len(lab.Double.calls) == 5


def test_the_key_source_is_the_join_of_the_primary_parents(lab: Lab) -> None:
    assert lab.Pair.key_source.heading.names == ("subject_id", "method")
    assert len(lab.Pair.key_source) == 10
    assert lab.Pair.progress() == (10, 10)
    lab.Pair.populate(max_calls=3)
    assert lab.Pair.progress() == (7, 10)
    assert lab.Pair.progress({"method": "a"}, "subject_id > 2") == (2, 2)


def test_restrictions_must_all_hold(lab: Lab) -> None:
    lab.Double.populate("subject_id > 1", {"subject_id": [2, 4, 0]})
    assert lab.Double.to_arrays("subject_id").tolist() == [2, 4]
    lab.Double.populate(lab.Subject & "weight < 0.5")
    assert sorted(lab.Double.to_arrays("subject_id").tolist()) == [0, 2, 4]


def test_max_calls_counts_calls_of_make(lab: Lab) -> None:
    lab.Double.fails_at = {0, 1}
    result = lab.Double.populate(max_calls=3, suppress_errors=True)
    assert result.get("success", 0) == 1
    assert result.get("error", 0) == 2
    assert len(lab.Double.calls) == 3
    assert lab.Double.populate(max_calls=0)["success_count"] == 0
    with pytest.raises(dj.DataJointError, match="max_calls=-1"):
        lab.Double.populate(max_calls=-1)


def test_a_failed_make_leaves_nothing_and_stops(lab: Lab) -> None:
    lab.Double.fails_at = {2}
    with pytest.raises(ValueError, match="no luck with 2") as caught:
        lab.Double.populate()
    assert "in make() of Double for subject_id=2" in caught.value.__notes__
    assert lab.Double.to_arrays("subject_id").tolist() == [0, 1]


def test_suppressed_errors_are_returned_and_the_rest_is_made(lab: Lab) -> None:
    lab.Double.fails_at = {1, 3}
    result = lab.Double.populate(suppress_errors=True)
    assert result == {
        "success_count": 3,
        "error_list": [
            ({"subject_id": 1}, "ValueError: no luck with 1"),
            ({"subject_id": 3}, "ValueError: no luck with 3"),
        ],
    }
    assert lab.Double.progress() == (2, 5)
    errors = lab.Double.populate(suppress_errors=True, return_exception_objects=True)["error_list"]
    assert [type(error) for _, error in errors] == [ValueError, ValueError]


def test_a_make_that_inserts_nothing_is_an_error(lab: Lab) -> None:
    lab.Double.inserts_nothing_at = {0}
    with pytest.raises(dj.DataJointError, match=r"make\(\) of Double inserted no row for its key"):
        lab.Double.populate()
    assert len(lab.Double.calls) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_never_suppressed_and_keeps_what_is_done(lab: Lab, stop: type[BaseException]) -> None:
    original = lab.Double.make

    def make(self: Any, key: Key) -> None:
        original(self, key)
        if key["subject_id"] == 2:
            raise stop

    lab.Double.make = make
    recorder = Recorder()
    with pytest.raises(stop):
        lab.Double.populate(suppress_errors=True, observer=recorder)
    assert lab.Double.to_arrays("subject_id").tolist() == [0, 1]
    assert recorder.told[-1] == ("end", "Double")


def test_an_observer_hears_everything(lab: Lab) -> None:
    lab.Double.fails_at = {1}
    recorder = Recorder()
    lab.Double.populate("subject_id < 3", suppress_errors=True, observer=recorder)
    assert recorder.told == [
        ("begin", "Double", 3),
        ("done", "Double", 0),
        ("failed", "Double", 1, "no luck with 1"),
        ("done", "Double", 2),
        ("end", "Double"),
    ]


def test_make_may_change_the_key_it_is_given(lab: Lab) -> None:
    def make(self: Any, key: Key) -> None:
        row = dict(key, twice=0.0)
        key.clear()
        self.insert1(row)

    lab.Double.make = make
    assert lab.Double.populate()["success_count"] == 5


def test_a_computed_table_is_not_inserted_into_from_outside(lab: Lab) -> None:
    with pytest.raises(dj.DataJointError, match=r"rows come from its make\(\)"):
        lab.Double.insert1({"subject_id": 1, "twice": 1.0})
    lab.Double.insert1({"subject_id": 1, "twice": 1.0}, allow_direct_insert=True)
    assert len(lab.Double()) == 1


def test_populate_refuses_to_run_inside_a_transaction(lab: Lab, instance: Instance) -> None:
    with pytest.raises(dj.DataJointError, match="cannot run inside another"), instance.connection.transaction:
        lab.Double.populate()


def test_steps_and_generators_are_makes_too(lab: Lab) -> None:
    class Steps(dj.Computed):
        definition = """
        -> Subject
        ---
        weight : float64
        """

        def make_fetch(self, key: Key) -> tuple[Any, ...]:
            return ((lab.Subject & key).fetch1("weight"),)

        def make_compute(self, key: Key, *fetched: Any) -> tuple[Any, ...]:
            assert key
            return (fetched[0] + 1,)

        def make_insert(self, key: Key, *computed: Any) -> None:
            self.insert1({**key, "weight": computed[0]})

    lab.schema(Steps)
    assert Steps.populate()["success_count"] == 5
    assert (Steps & {"subject_id": 4}).fetch1("weight") == 3.0


def test_a_key_of_its_own_in_a_computed_table_is_refused(instance: Instance) -> None:
    lab = Lab(rows=1)

    class Own(dj.Computed):
        definition = """
        -> Subject
        step : int16
        """

        def make(self, key: Key) -> None:
            raise AssertionError(key)

    with pytest.raises(
        dj.DataJointError, match=r"Own: line 3, column .*: primary-key attribute 'step' belongs"
    ):
        lab.schema(Own)
    assert Own not in lab.schema.tables
    assert lab.Double.populate()["success_count"] == 1, "the others are none the worse for it"
    assert instance.create_tables


def test_a_key_whose_parent_went_meanwhile_is_passed_over(lab: Lab, instance: Instance) -> None:
    def make(self: Any, key: Key) -> None:
        if key["subject_id"] == 2:
            with Instance(instance.connection.target).connection as other:
                other.rows("DELETE FROM lab.subject WHERE subject_id = 2")
        self.insert1({**key, "twice": 0.0})

    lab.Double.make = make
    recorder = Recorder()
    assert lab.Double.populate(observer=recorder) == {"success_count": 4, "error_list": []}
    assert ("skipped", "Double", 2) in recorder.told


def test_a_thread_keeps_out_of_anothers_transaction(lab: Lab, instance: Instance) -> None:
    told: list[str] = []

    def intrude() -> None:
        try:
            lab.Subject.insert1({"subject_id": 99, "weight": 0})
        except dj.ThreadSafetyError as error:
            told.append(str(error))

    with instance.connection.transaction:
        thread = Thread(target=intrude)
        thread.start()
        thread.join()
    assert told == [
        "another thread has a transaction open on this connection: give each thread a Connection of its own"
    ]
    assert len(lab.Subject & {"subject_id": 99}) == 0


def test_a_copy_that_nobody_reads_does_not_wedge_the_connection(instance: Instance) -> None:
    with pytest.raises(dj.DataJointError):
        instance.connection.query("COPY (SELECT 1) TO STDOUT")
    assert instance.connection.query("SELECT 1") == [(1,)]


def test_pending_keys_and_progress_take_one_statement_each(lab: Lab, statements: list[str]) -> None:
    lab.Pair.progress()  # declares what is missing
    statements.clear()
    lab.Pair.progress()
    assert len(statements) == 1
    assert "NOT EXISTS" in statements[0]


def test_a_lost_server_connection_is_made_anew(lab: Lab, instance: Instance) -> None:
    original = lab.Double.make
    ended: list[int] = []

    def make(self: Any, key: Key) -> None:
        if key["subject_id"] == 2 and not ended:
            pid = instance.connection.raw.info.backend_pid
            ended.append(pid)
            with Instance(instance.connection.target).connection as other:
                other.rows("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
        original(self, key)

    lab.Double.make = make
    assert lab.Double.populate()["success_count"] == 5
    assert ended
    assert lab.Double.progress() == (0, 5)


def _populate_elsewhere(url: str, results: Any) -> None:
    use_instance(Instance(DatabaseTarget(url, "the test")))
    schema = make_schema()
    double: Any = schema.tables[2]
    results.put(dict(double.populate(suppress_errors=True)))


def test_two_populates_of_one_table_share_its_keys(instance: Instance, database_url: str) -> None:
    lab = Lab(rows=60)
    len(lab.Double())  # declares it
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_populate_elsewhere, args=(database_url, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert [result["error_list"] for result in found] == [[], []]
    assert sum(result["success_count"] for result in found) == 60
    assert instance.connection.in_transaction is False
