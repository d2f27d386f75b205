"""Statements that run while this process does something else, and what becomes of them when it is interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import djcli as dj
from djcli.database.background import Background, BackgroundCopy
from djcli.database.connection import Connection
from djcli.tables.instance import Instance

COPY = "COPY numbers (number) FROM STDIN"


@pytest.fixture
def connection(instance: Instance) -> Connection:
    instance.connection.query("CREATE TABLE numbers (number int CHECK (number >= 0))")
    return instance.connection


def sent(connection: Connection, rows: range) -> int:
    """Send rows in a transaction; returns how many."""
    with connection.transaction:
        data = connection.copy_data((number,) for number in rows)
        return connection.finish(connection.begin_copy(COPY, data))


class Interrupting:
    """Raises an interrupt before or after one of the steps that a statement takes, and again some steps later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, again: int) -> None:
        self.left = at
        self.again = again
        for kind, name in (
            (Background, "_flush"),
            (Background, "_result"),
            (Background, "_wait"),
            (BackgroundCopy, "_put"),
        ):
            monkeypatch.setattr(kind, name, self.counted(getattr(kind, name)))

    def counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            self.count()
            result = step(*args, **kwargs)
            self.count()
            return result

        return counting

    def count(self) -> None:
        self.left -= 1
        if self.left in (-1, -1 - self.again):
            raise KeyboardInterrupt


@pytest.mark.parametrize("again", [0, 1, 2, 3])
def test_an_interrupt_at_any_step_of_a_copy_leaves_a_session_that_goes_on(
    connection: Connection, again: int
) -> None:
    rows = range(60_000)  # more than fits in a portion, or in a socket
    struck = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            interrupting = Interrupting(patch, struck, again)
            try:
                assert sent(connection, rows) == len(rows)
            except KeyboardInterrupt:
                assert not connection.in_transaction
            if interrupting.left >= 0:
                break
        struck += 1
        assert connection.is_connected or again
        assert connection.query("SELECT count(*) FROM numbers") == [(0,)]
    assert struck > 10
    assert connection.query("SELECT count(*) FROM numbers") == [(len(rows),)]


def test_an_interrupt_at_any_step_of_a_command_leaves_the_users_transaction(connection: Connection) -> None:
    struck = 0
    while True:
        with pytest.MonkeyPatch.context() as patch:
            interrupting = Interrupting(patch, struck, 0)
            with connection.transaction:
                connection.query("INSERT INTO numbers VALUES (1)")
                with contextlib.suppress(KeyboardInterrupt), connection.transaction:
                    connection.finish(connection.begin("INSERT INTO numbers SELECT 2 FROM pg_sleep(0.01)"))
                connection.query("INSERT INTO numbers VALUES (3)")
            if interrupting.left >= 0:
                break
        struck += 1
        assert connection.query("SELECT number FROM numbers ORDER BY number") == struck * [(1,)] + struck * [
            (3,)
        ]
    assert struck > 4


def test_what_the_server_refuses_leaves_the_transaction_usable(connection: Connection) -> None:
    with connection.transaction:
        with pytest.raises(dj.errors.IntegrityError, match="check constraint"):
            sent(connection, range(-1, 5_000))
        with pytest.raises(dj.errors.MissingTableError), connection.transaction:
            connection.begin_copy("COPY digits FROM STDIN", connection.copy_data([(1,)]))
        assert sent(connection, range(3)) == 3
    assert connection.query("SELECT count(*) FROM numbers") == [(3,)]


def test_something_of_use_is_done_meanwhile(connection: Connection) -> None:
    done: list[int] = []

    def work() -> bool:
        done.append(len(done))
        return len(done) < 5

    with connection.transaction:
        flight = connection.begin("INSERT INTO numbers SELECT 1 FROM pg_sleep(0.2)")
        assert connection.finish(flight, work) == 1
    assert len(done) == 5
