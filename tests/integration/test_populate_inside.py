"""What a make may do inside the transaction of a batch: the same as inside one of its own."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

import djcli as dj
from djcli.populate import outbox
from djcli.populate.result import Key
from djcli.tables.instance import Instance


class Lab:
    """Twelve items, and a computed table with parts whose make is told what to do first."""

    def __init__(self, act: Callable[[Any, Key], object]) -> None:
        schema = dj.Schema("inside")

        @schema
        class Item(dj.Manual):
            definition = "item : int32\n---\nweight = 0.5 : float64"

        @schema
        class Log(dj.Manual):
            definition = "item : int32"

        @schema
        class Made(dj.Computed):
            definition = "-> Item\n---\nseen : int32"

            class Bit(dj.Part):
                definition = "-> master\nbit : int32"

            def make(self, key: Key) -> None:
                act(self, key)
                self.insert1({**key, "seen": key["item"]})
                self.Bit.insert({**key, "bit": bit} for bit in range(3))

        self.Item, self.Log, self.Made = Item, Log, Made
        Item.insert({"item": i} for i in range(12))
        len(Log())


BATCHES = pytest.mark.parametrize("batch", [1, 1_000])


@BATCHES
@pytest.mark.parametrize("statement", ["COMMIT", "-- now\n rollback", "BEGIN", "abort", "END"])
def test_make_may_not_end_the_transaction(instance: Instance, batch: int, statement: str) -> None:
    lab = Lab(lambda table, key: key["item"] == 5 and table.connection.query(statement))
    found = lab.Made.populate(suppress_errors=True, batch=batch)
    ((key, text),) = found["error_list"]
    assert key == {"item": 5}
    assert "make() of Made runs inside a transaction, which it may neither begin nor end" in text
    assert len(lab.Made()) == 11
    assert len(lab.Made.Bit()) == 33
    assert not instance.connection.in_transaction


@BATCHES
def test_make_may_not_close_the_session(instance: Instance, batch: int) -> None:  # noqa: ARG001
    lab = Lab(lambda table, key: key["item"] == 5 and table.connection.close())
    assert len(lab.Made.populate(suppress_errors=True, batch=batch)["error_list"]) == 1
    assert len(lab.Made()) == 11


@BATCHES
def test_make_may_set_savepoints(instance: Instance, batch: int) -> None:  # noqa: ARG001
    def act(table: Any, key: Key) -> None:
        table.connection.query("SAVEPOINT mine")
        lab.Log.insert1({"item": key["item"]})
        if key["item"] % 2:
            table.connection.query("ROLLBACK TO SAVEPOINT mine")

    lab = Lab(act)
    assert lab.Made.populate(batch=batch)["success_count"] == 12
    assert lab.Log.to_arrays("item").tolist() == [0, 2, 4, 6, 8, 10]


@BATCHES
def test_a_thread_of_make_has_no_share_in_its_connection(instance: Instance, batch: int) -> None:  # noqa: ARG001
    seen: list[str] = []

    def ask(key: Key) -> None:
        try:
            lab.Log.insert1({"item": key["item"]})
            seen.append("inserted")
        except dj.ThreadSafetyError:
            seen.append("refused")

    def act(_: Any, key: Key) -> None:
        thread = Thread(target=ask, args=(key,))
        thread.start()
        thread.join()

    lab = Lab(act)
    assert lab.Made.populate(batch=batch)["success_count"] == 12
    assert seen == ["refused"] * 12


@BATCHES
def test_a_forked_process_of_make_speaks_for_itself(instance: Instance, batch: int) -> None:  # noqa: ARG001
    def act(_: Any, key: Key) -> None:
        if key["item"] in (3, 7):
            child = multiprocessing.get_context("fork").Process(
                target=lab.Log.insert1, args=({"item": key["item"]},)
            )
            child.start()
            child.join(30)
            assert child.exitcode == 0

    lab = Lab(act)
    assert lab.Made.populate(batch=batch)["success_count"] == 12
    assert lab.Log.to_arrays("item").tolist() == [3, 7]


@BATCHES
def test_ctrl_c_keeps_what_is_finished(instance: Instance, batch: int) -> None:
    def act(_: Any, key: Key) -> None:
        if key["item"] == 8:
            signal.raise_signal(signal.SIGINT)

    lab = Lab(act)
    with pytest.raises(KeyboardInterrupt):
        lab.Made.populate(batch=batch, suppress_errors=True)
    assert lab.Made.to_arrays("item").tolist() == list(range(8))
    assert len(lab.Made.Bit()) == 24
    assert not instance.connection.in_transaction


def test_ctrl_c_while_rows_are_sent_keeps_them(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PORTION", 4)
    lab = Lab(lambda *_: None)

    def interrupt(statement: str) -> None:
        if statement.startswith("COPY") and "bit" in statement:
            instance.connection.observers.remove(interrupt)
            signal.raise_signal(signal.SIGINT)

    instance.connection.observers.append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.Made.populate()
    made = lab.Made.to_arrays("item").tolist()
    assert made == list(range(len(made)))
    assert 0 < len(made) < 12
    assert len(lab.Made.Bit()) == 3 * len(made)
    assert lab.Made.populate()["success_count"] == 12 - len(made)


def test_quick_keys_are_not_held_back_by_slow_ones(instance: Instance) -> None:
    """The first key runs alone, so that other workers find the next ones free."""
    claims: list[int] = []

    def act(table: Any, key: Key) -> None:
        if key["item"] == 0:
            held = table.connection.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            claims.append(held[0][0])
            time.sleep(0.3)

    Lab(act).Made.populate()
    assert claims == [1]
    assert instance.connection.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
