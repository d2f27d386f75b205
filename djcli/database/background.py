"""Statements that the server works on while this process goes on with other things."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from select import select

import psycopg
from psycopg import pq
from psycopg.copy import Copy, FileWriter

from djcli.database.failures import translated

_PORTION = 65_536


class Background:
    """A statement on its way; until `finish` nothing else may happen on the connection.

    Parameters
    ----------
    raw
        The driver's connection, inside a transaction.
    """

    def __init__(self, raw: psycopg.Connection) -> None:
        self.raw = raw
        self._conn = raw.pgconn
        self._encoding = raw.info.encoding

    @property
    def is_done(self) -> bool:
        """Whether the server has come to its end, so that to finish will not wait."""
        with translated():
            self._conn.consume_input()
            return not self._conn.is_busy()

    def finish(self) -> int:
        """Wait for the server's answer, and return how many rows it touched.

        Raises
        ------
        DataJointError
            If it was refused, which fails the transaction down to a savepoint, or the server is gone.
        """
        with translated():
            result = self._result()
            self._drain()
            if result is None or result.status != pq.ExecStatus.COMMAND_OK:
                raise self._error(result)
            return result.command_tuples or 0

    def abandon(self) -> None:
        """End it before its time: the server drops what it did, and the connection is free again."""
        with suppress(psycopg.Error):
            if self._conn.transaction_status == pq.TransactionStatus.ACTIVE:
                self.raw.cancel()
        with suppress(psycopg.Error):
            self._drain()

    @contextmanager
    def _starting(self) -> Generator[None]:
        """Abandon a statement that does not get under way."""
        try:
            with translated():
                yield
        except BaseException:
            self.abandon()
            raise

    def _flush(self) -> None:
        while self._conn.flush():
            self._wait(writing=True)

    def _result(self) -> pq.abc.PGresult | None:
        while self._conn.is_busy():
            self._wait()
        return self._conn.get_result()

    def _drain(self) -> None:
        """Read what follows the first answer, so that the connection is free again."""
        while self._conn.status == pq.ConnStatus.OK and (result := self._result()) is not None:
            if result.status == pq.ExecStatus.COPY_IN:  # and again, until it is told that nothing comes
                while not self._conn.put_copy_end(b"abandoned"):
                    self._wait(writing=True)

    def _wait(self, *, writing: bool = False) -> None:
        # Reading too: a server that is about to fail says so, and reads no more.
        socket = self._conn.socket
        select([socket], [socket] if writing else [], [])
        self._conn.consume_input()

    def _error(self, result: pq.abc.PGresult | None) -> psycopg.Error:
        if result is None or self._conn.status != pq.ConnStatus.OK:
            return psycopg.OperationalError(self._conn.get_error_message())
        return psycopg.errors.error_from_result(result, self._encoding)


class BackgroundCommand(Background):
    """A statement without parameters that returns no rows.

    Parameters
    ----------
    raw
        The driver's connection, inside a transaction.
    statement
        The statement.

    Raises
    ------
    DataJointError
        If the server is gone.
    """

    def __init__(self, raw: psycopg.Connection, statement: bytes) -> None:
        super().__init__(raw)
        with self._starting():
            self._conn.send_query(statement)
            self._flush()


class BackgroundCopy(Background):
    """Rows on their way into a table.

    Sending takes no longer than the server needs to read; its checks of foreign keys, most of the work,
    come after that.

    Parameters
    ----------
    raw
        The driver's connection, inside a transaction.
    statement
        ``COPY … FROM STDIN``.
    data
        The rows, as `copy_data` makes them.

    Raises
    ------
    DataJointError
        If the server refuses the statement, or is gone.
    """

    def __init__(self, raw: psycopg.Connection, statement: bytes, data: memoryview) -> None:
        super().__init__(raw)
        with self._starting():
            self._send(statement, data)

    def _send(self, statement: bytes, data: memoryview) -> None:
        self._conn.send_query(statement)
        self._flush()
        result = self._result()
        if result is None or result.status != pq.ExecStatus.COPY_IN:
            self._drain()
            raise self._error(result)
        for start in range(0, len(data), _PORTION):
            self._put(data[start : start + _PORTION])
        while not self._conn.put_copy_end():
            self._wait(writing=True)
        self._flush()

    def _put(self, portion: memoryview) -> None:
        while not self._conn.put_copy_data(portion):
            self._wait(writing=True)


def copy_data(raw: psycopg.Connection, rows: Iterable[Sequence[object]], types: Sequence[str]) -> memoryview:
    """Return rows as a COPY sends them; the connection may be busy meanwhile.

    Parameters
    ----------
    raw
        The driver's connection.
    rows
        The rows, of encoded values.
    types
        The names of the columns' types, for the binary format; none for text.

    Raises
    ------
    DataJointError
        If a value cannot be sent.
    """
    buffer = BytesIO()
    with (
        translated(),
        raw.cursor() as cursor,
        Copy(cursor, binary=bool(types), writer=FileWriter(buffer)) as copy,
    ):
        if types:
            copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    return buffer.getbuffer()
