"""Iterators over rows: left half way, and collected at the worst moment."""

import gc
from typing import Any

import djcli as dj
from djcli.tables.instance import Instance


def make_table() -> Any:
    schema = dj.Schema("streams")

    @schema
    class Item(dj.Manual):
        definition = "item : int32"

    Item.insert({"item": i} for i in range(20))
    return Item


def test_an_iterator_left_half_way_is_closed_by_the_next_statement(instance: Instance) -> None:
    item = make_table()
    rows = iter(item())
    assert next(rows) == {"item": 0}
    assert len(item()) == 20
    del rows
    assert instance.connection.query("SELECT count(*) FROM pg_cursors WHERE name LIKE 'djcli_%'") == [(0,)]


def test_an_iterator_collected_while_a_statement_runs_holds_up_nothing(instance: Instance) -> None:
    item = make_table()

    class Cycle:
        pass

    for _ in range(5):
        cycle = Cycle()
        cycle.rows = iter(item())  # type: ignore[attr-defined]
        next(cycle.rows)  # type: ignore[attr-defined]
        cycle.itself = cycle  # type: ignore[attr-defined]
        del cycle
    raw = instance.connection.raw
    with raw.lock:  # as the driver holds it in the middle of a statement
        gc.collect()
    assert len(item()) == 20
    assert instance.connection.query("SELECT count(*) FROM pg_cursors WHERE name LIKE 'djcli_%'") == [(0,)]


def test_an_iterator_goes_on_after_a_transaction_ends(instance: Instance) -> None:
    item = make_table()
    with instance.connection.transaction:
        rows = iter(item & "item < 5")
        first = next(rows)
        item.insert1({"item": 100})
    assert [first, *rows] == [{"item": i} for i in range(5)]
