"""Transactions: all or nothing, nested, and usable after what went wrong in them."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

import djcli as dj
from djcli.tables.instance import Instance


@pytest.fixture
def table(instance: Instance) -> Any:
    assert instance.create_tables
    schema = dj.Schema("lab")

    @schema
    class Item(dj.Manual):
        definition = """
        item : int32
        ---
        name = '' : varchar(8)
        """

    @schema
    class Child(dj.Manual):
        definition = """
        -> Item
        """

    Child.declare()
    Item.Child = Child
    return Item


def items(table: Any) -> list[int]:
    return table.to_arrays("item", order_by="KEY").tolist()


def test_a_transaction_is_all_or_nothing(table: Any, instance: Instance) -> None:
    connection = instance.connection
    with connection.transaction as entered:
        assert entered is connection
        assert connection.in_transaction
        table.insert1({"item": 1})
    assert not connection.in_transaction
    assert items(table) == [1]
    with pytest.raises(KeyError):
        _insert_and_fail(connection, table)
    assert items(table) == [1]
    assert not connection.in_transaction


def _insert_and_fail(connection: Any, table: Any) -> None:
    with connection.transaction:
        table.insert1({"item": 2})
        raise KeyError


def test_transactions_nest(table: Any, instance: Instance) -> None:
    connection = instance.connection
    with connection.transaction:
        table.insert1({"item": 1})
        with pytest.raises(KeyError):
            _insert_and_fail(connection, table)
        assert items(table) == [1]
        with connection.transaction:
            table.insert1({"item": 3})
    assert items(table) == [1, 3]


@pytest.mark.parametrize("size", [1, 3, 2_000])
@pytest.mark.parametrize("options", [{}, {"replace": True}])
def test_a_refusal_caught_inside_leaves_the_transaction_usable(
    table: Any, instance: Instance, size: int, options: Any
) -> None:
    with instance.connection.transaction:
        table.insert1({"item": 0})
        if not options:
            with pytest.raises(dj.errors.DuplicateError, match="a row with item=0 already exists"):
                table.insert({"item": i} for i in range(size))
        with pytest.raises(dj.errors.IntegrityError, match="there is no Item with item=7"):
            table.Child.insert([{"item": i + 7} for i in range(size)], **options)
        assert items(table) == [0]
        table.insert1({"item": 5})
    assert items(table) == [0, 5]


def test_many_refusals_leave_it_usable(table: Any, instance: Instance) -> None:
    with instance.connection.transaction:
        table.insert1({"item": 0})
        for _ in range(12):  # by then the driver has prepared whatever it prepares
            with pytest.raises(dj.errors.DuplicateError):
                table.insert1({"item": 0})
        table.insert1({"item": 1})
    assert items(table) == [0, 1]


def test_by_hand(table: Any, instance: Instance) -> None:
    connection = instance.connection
    connection.start_transaction()
    table.insert1({"item": 1})
    with pytest.raises(dj.DataJointError, match="open already"):
        connection.start_transaction()
    connection.cancel_transaction()
    connection.start_transaction()
    table.insert1({"item": 2})
    connection.commit_transaction()
    assert items(table) == [2]


def _end(instance: Instance) -> None:
    pid = instance.connection.raw.info.backend_pid
    with Instance(instance.connection.target).connection as other:
        other.rows("SELECT pg_terminate_backend(%(pid)s, 10000)", {"pid": pid})  # and wait until it has ended


def test_a_session_that_ended_between_statements_is_made_anew(table: Any, instance: Instance) -> None:
    table.insert1({"item": 1})
    for item in (2, 3):
        _end(instance)
        table.insert1({"item": item})
    _end(instance)
    assert items(table) == [1, 2, 3]
    _end(instance)
    with instance.connection.transaction:
        table.insert1({"item": 4})
    _end(instance)
    table.insert({"item": item} for item in range(10, 2_000))
    _end(instance)
    (table & "item > 3").delete(prompt=False)
    assert items(table) == [1, 2, 3]


def test_a_session_that_ends_during_a_statement_is_told_and_made_anew(table: Any, instance: Instance) -> None:
    with pytest.raises(dj.errors.LostConnectionError):
        instance.connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
    table.insert1({"item": 1})
    assert items(table) == [1]


def test_a_notice_between_statements_ends_nothing(table: Any, instance: Instance) -> None:
    table.insert1({"item": 1})
    pid = instance.connection.raw.info.backend_pid
    instance.connection.query("LISTEN news")
    with Instance(instance.connection.target).connection as other:
        other.query("NOTIFY news")
    assert items(table) == [1]
    assert instance.connection.raw.info.backend_pid == pid


def test_inside_a_transaction_nothing_goes_on_after_a_loss(table: Any, instance: Instance) -> None:
    with pytest.raises(dj.errors.LostConnectionError):
        _insert_on_and_on(table, instance)
    assert items(table) == []
    table.insert1({"item": 4})
    assert items(table) == [4]


def _insert_on_and_on(table: Any, instance: Instance) -> None:
    with instance.connection.transaction:
        table.insert1({"item": 1})
        _end(instance)
        try:
            table.insert1({"item": 2})
        except dj.errors.LostConnectionError:
            table.insert1({"item": 3})


def test_query_answers_as_a_list_and_as_a_cursor(instance: Instance) -> None:
    """Old code reads row by row; new code has a list."""
    answer = instance.connection.query("SELECT n, n %% 2 AS odd FROM generate_series(1, %s) AS n", (5,))
    assert answer == [(1, 1), (2, 0), (3, 1), (4, 0), (5, 1)]
    assert answer.fetchone() == (1, 1)
    assert answer.fetchmany(2) == [(2, 0), (3, 1)]
    assert answer.fetchall() == [(4, 0), (5, 1)]
    assert (answer.fetchone(), answer.fetchall(), len(answer), answer.rowcount) == (None, [], 5, 5)
    assert [column.name for column in answer.description] == ["n", "odd"]
    assert instance.connection.query("SELECT 1 AS a", as_dict=True).fetchone() == {"a": 1}
    done = instance.connection.query("CREATE TABLE plain AS SELECT generate_series(1, 3)")
    assert (done, done.rowcount, done.description) == ([], 3, None)


class _Collecting(list[int]):
    """A parameter during whose conversion garbage is collected, as may happen at any time."""

    def __iter__(self) -> Iterator[int]:
        gc.collect()
        return super().__iter__()


def test_a_stream_left_over_does_not_make_a_statement_wait_for_itself(instance: Instance) -> None:
    connection = instance.connection
    count = sql.SQL("SELECT count(*) FROM pg_cursors WHERE name LIKE 'djcli%%'")
    for _ in range(2):
        rows = connection.stream(sql.SQL("SELECT generate_series(1, 20000)"))
        assert next(rows) == (1,)
        circle: list[object] = [rows]
        circle.append(circle)
        del rows, circle
        asked = sql.SQL("SELECT cardinality(%(numbers)s::int[])")
        assert connection.rows(asked, {"numbers": _Collecting([1, 2])}) == [(2,)]
        assert connection.rows(count) == [(0,)]


@pytest.mark.parametrize("is_held", [True, False])
def test_a_stream_left_over_by_a_transaction_that_is_gone_harms_no_other(
    instance: Instance, is_held: bool
) -> None:
    connection = instance.connection
    held: list[object] = []

    def begin() -> None:
        with connection.transaction:
            rows = connection.stream(sql.SQL("SELECT generate_series(1, 20000)"))
            held.extend([rows] * is_held)
            raise KeyError(*next(rows))

    with pytest.raises(KeyError):
        begin()
    with connection.transaction:
        held.clear()
        assert connection.rows(sql.SQL("SELECT 1")) == [(1,)]
        assert connection.rows(sql.SQL("SELECT 2")) == [(2,)]


def test_a_stream_that_fails_half_way_leaves_the_transaction_usable(instance: Instance) -> None:
    connection = instance.connection
    for first_bad in (1, 6_000):
        with connection.transaction:
            rows = connection.stream(sql.SQL(f"SELECT 1 / (n - {first_bad}) FROM generate_series(1, 9000) n"))
            with pytest.raises(dj.errors.QueryError, match="division by zero"):
                list(rows)
            assert connection.rows(sql.SQL("SELECT 2")) == [(2,)]
        count = sql.SQL("SELECT count(*) FROM pg_cursors WHERE name LIKE 'djcli%%'")
        assert connection.rows(count) == [(0,)]


def test_a_stream_whose_transaction_is_gone_is_read_to_its_end(instance: Instance) -> None:
    connection = instance.connection
    rows: list[Iterator[object]] = []

    def begin() -> None:
        with connection.transaction:
            rows.append(connection.stream(sql.SQL("SELECT generate_series(1, 10)")))
            raise KeyError(*next(rows[0]))

    with pytest.raises(KeyError):
        begin()
    with connection.transaction:
        assert len(list(rows[0])) == 9
        assert connection.rows(sql.SQL("SELECT 2")) == [(2,)]


def test_a_declaration_that_is_rolled_back_is_made_again(instance: Instance) -> None:
    schema = dj.Schema("undone")

    @schema
    class One(dj.Manual):
        definition = "one : int32"

    @schema
    class Two(dj.Manual):
        definition = "two : int32"

    def begin() -> None:
        with instance.connection.transaction:
            One.insert1((1,))
            One.insert1((2,))
            raise KeyError

    with pytest.raises(KeyError):
        begin()
    Two.insert1((1,))
    One.insert1((3,))
    assert One.to_arrays("one").tolist() == [3]
