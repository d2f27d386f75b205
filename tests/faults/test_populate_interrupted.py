"""A populate that is interrupted at any moment, once or twice: no half key, and a session that goes on."""

import os
import random
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

import djcli as dj
from djcli.populate import outbox
from djcli.populate.result import Key
from djcli.tables.instance import Instance

KEYS = 300


def make_schema() -> Any:
    schema = dj.Schema("interrupted")

    @schema
    class Item(dj.Manual):
        definition = "item : int32\n---\nweight : float64"

    @schema
    class Log(dj.Manual):
        definition = "item : int32"

    @schema
    class Made(dj.Computed):
        definition = "-> Item\n---\ntwice : float64"

        class Bit(dj.Part):
            definition = "-> master\nbit : int32"

        def make(self, key: Key) -> None:
            weight = (Item & key).fetch1("weight")
            self.insert1({**key, "twice": 2 * weight})
            self.Bit.insert({**key, "bit": bit} for bit in range(4))
            if key["item"] % 50 == 7:
                Log.insert1(key)
                len(self.Bit & key)

    Item.insert({"item": i, "weight": i / 3} for i in range(KEYS))
    len(Log()), len(Made()), len(Made.Bit())  # declares them
    return schema


@contextmanager
def interrupted_after(seconds: float, *, again: float) -> Generator[None]:
    """Interrupt this process after so many seconds, and once more soon after that, if asked to."""
    left = 2 if again else 1

    def strike(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            signal.setitimer(signal.ITIMER_REAL, 0)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, again)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("again", [0, 0.0007], ids=["once", "twice"])
def test_an_interrupted_populate_leaves_whole_keys_and_a_session_that_goes_on(
    instance: Instance, soak: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch, again: float
) -> None:
    dice = random.Random(len(str(again)))
    schema = make_schema()
    item, log, made, bit = (table() for table in schema.tables)
    struck = 0
    for _ in range(soak(12, 100)):
        monkeypatch.setattr(outbox, "PORTION", dice.choice((2_000, 20)))
        instance.connection.query("TRUNCATE interrupted.__made CASCADE")
        instance.connection.query("TRUNCATE interrupted.log")
        try:
            with interrupted_after(dice.uniform(0.001, 0.12), again=again):
                made.populate()
        except KeyboardInterrupt:
            struck += 1
        assert not instance.connection.in_transaction
        keys = made.to_arrays("item", order_by="item").tolist()
        assert keys == list(range(len(keys)))
        assert len(bit) == 4 * len(keys)
        assert log.to_arrays("item").tolist() == [key for key in keys if key % 50 == 7]
        locks = instance.connection.query(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        assert locks == [(0,)]
        assert made.populate()["success_count"] == KEYS - len(keys)
        assert len(item) == len(made)
    assert struck
