"""`Streams`: the server-side cursors that a session has open."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

Cursor = psycopg.ServerCursor[Any]


class Streams:
    """Keeps an eye on cursors, so that each is closed once, and harms nothing where it is gone already."""

    def __init__(self) -> None:
        # Referred to from here too, so that no cursor is collected as garbage while it is open.
        self._open: set[Cursor] = set()
        self._left_over: list[Cursor] = []

    def add(self, cursor: Cursor) -> None:
        """Note a cursor that is about to be opened."""
        self._open.add(cursor)

    def leave(self, cursor: Cursor) -> None:
        """Note that nobody reads from a cursor any longer.

        Garbage collection may say so inside another statement, so that it has to wait to be closed.
        """
        self._left_over.append(cursor)

    def drop(self, cursor: Cursor) -> None:
        """Close a cursor; that of a session or a transaction that is gone is gone too."""
        self._open.discard(cursor)
        raw = cursor.connection
        is_inside = raw.info.transaction_status is TransactionStatus.INTRANS
        with suppress(psycopg.Error), raw.transaction() if is_inside else nullcontext():
            cursor.close()
        psycopg.Cursor.close(cursor)  # which says no more than that it is not used any longer

    def drop_left_over(self, raw: psycopg.Connection) -> None:
        """Close what nobody reads from, if the session is free."""
        while self._left_over and raw.info.transaction_status is not TransactionStatus.ACTIVE:
            self.drop(self._left_over.pop())

    def drop_all(self) -> None:
        """Close what is open, whether anybody reads from it or not."""
        self._left_over.clear()
        for cursor in tuple(self._open):
            self.drop(cursor)
