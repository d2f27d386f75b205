"""A populate that an interrupt strikes at one of its lines, whichever: nothing of it lasts in the session."""

from __future__ import annotations

import contextlib
import linecache
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest

import djcli as dj
from djcli.database.connection import Connection
from djcli.populate.result import Key
from djcli.tables.instance import Instance
from djcli.tables.making import making

KEYS = 4
PLACES = (str(Path(dj.__file__).parent), str(Path(psycopg.__file__).parent), contextlib.__file__)


def make_schema() -> Any:
    schema = dj.Schema("struck")

    @schema
    class Item(dj.Lookup):
        definition = "item : int32"
        contents = tuple((i,) for i in range(KEYS))

    @schema
    class Log(dj.Manual):
        definition = "item : int32"

    @schema
    class Made(dj.Computed):
        definition = "-> Item"

        class Bit(dj.Part):
            definition = "-> master\nbit : int32"

        def make(self, key: Key) -> None:
            assert len(Item & key) == 1
            self.insert1(key)
            self.Bit.insert({**key, "bit": bit} for bit in range(2))
            if key["item"] == 2:
                Log.insert1(key)

    len(Log()), len(Made()), len(Made.Bit())  # declares them
    return schema


class Strike:
    """Interrupts this process at a line of ours, of the driver's, or of what context managers run; as a context.

    Attributes
    ----------
    left
        How many lines are left before; less than 0 when it has struck.
    """

    def __init__(self, after: int) -> None:
        self.left = after

    def __enter__(self) -> Strike:
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(PLACES):
            return None
        if event == "line" and not leaves_a_context(frame):
            self.left -= 1
            if self.left == -1:
                raise KeyboardInterrupt
        return self.trace


def leaves_a_context(frame: FrameType) -> bool:
    """Whether a context may be about to end: a debugger can strike there, before its end is sure, a signal cannot."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith(("with ", "with("))


def lines_of(populate: Callable[[], object]) -> int:
    """Return how many lines a populate runs."""
    with Strike(sys.maxsize) as strike:
        populate()
    return sys.maxsize - strike.left


def is_as_before(connection: Connection, instance: Instance) -> None:
    assert not connection.in_transaction
    assert instance.interceptor is None
    assert connection.gate is None
    assert connection.keeper is None
    assert connection.guards
    assert making.get() is None
    asked = (
        "SELECT current_setting('transaction_isolation'), count(*) FROM pg_locks WHERE locktype = 'advisory'"
    )
    with connection.transaction:
        assert connection.query(asked + " AND pid = pg_backend_pid()") == [("read committed", 0)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("batch", [1, 1_000])
def test_an_interrupt_at_any_line(instance: Instance, soak: Callable[[int, int], int], batch: int) -> None:
    samples = soak(0, 500)
    if not samples:
        pytest.skip(
            "with DJCLI_SOAK=1 only: now and then a strike takes a lock of the driver's with it, and waits"
        )
    item, log, made, bit = (table() for table in make_schema().tables)
    connection = instance.connection

    def empty() -> None:
        connection.query("TRUNCATE struck.__made CASCADE; TRUNCATE struck.log")

    lines_of(lambda: made.populate(batch=batch))
    empty()
    lines = lines_of(lambda: made.populate(batch=batch))
    dice = random.Random(batch)
    for after in dice.sample(range(lines), min(lines, samples)):
        empty()
        # The driver, struck where a transaction ends, may speak of its nesting instead.
        with Strike(after) as strike, contextlib.suppress(KeyboardInterrupt, dj.DataJointError):
            made.populate(batch=batch)
        try:
            is_as_before(connection, instance)
            keys = made.to_arrays("item", order_by="item").tolist()
            assert keys == list(range(len(keys)))
            assert len(bit) == 2 * len(keys)
            assert len(log) == (2 in keys)
            assert made.populate(batch=batch)["success_count"] == KEYS - len(keys)
            assert len(item) == len(made)
        except Exception as error:
            error.add_note(f"struck after {after} of {lines} lines: {strike.left}")
            raise
