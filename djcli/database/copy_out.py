"""Binary COPY out of the database, at the speed of the wire."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import NamedTuple

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_HEADER = 19
"""Bytes before the first row: a signature, flags, and the length of an extension, of which there is none."""

_TRAILER = 2
"""Bytes after the last row. A row has more: the number of its values, and at least the length of one."""

_CHUNK = 8 * 2**20
_CANCEL_SECONDS = 10.0
_FLUSH_MILLISECONDS = 1


class Rows(NamedTuple):
    """Some rows as binary COPY has them.

    Attributes
    ----------
    data
        The rows, one after the other: for each the number of its values (two bytes), and for each value its
        length (four bytes, -1 for null) and its bytes.
    ends
        Where each row ends.
    """

    data: bytearray
    ends: list[int]


def copy_out(raw: psycopg.Connection, statement: bytes, take: Callable[[Rows], None]) -> None:
    """Run a binary COPY to here, and hand its rows on, some megabytes at a time.

    The driver's own `Copy` spends more time on a row than PostgreSQL does; this asks libpq for the rows.

    Parameters
    ----------
    raw
        The session.
    statement
        The COPY, as the server reads it.
    take
        Called with the rows; it must not use the session.

    Raises
    ------
    psycopg.Error
        What the server refused.
    """
    pgconn = raw.pgconn
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    with raw.lock:
        try:
            pgconn.send_query(statement)
            while pgconn.flush():
                poll.poll(_FLUSH_MILLISECONDS)
            _expect(pgconn, _result(pgconn, poll), ExecStatus.COPY_OUT)
            _hand_on(pgconn, poll, take)
            _expect(pgconn, _result(pgconn, poll), ExecStatus.COMMAND_OK)
        except BaseException:
            _abandon(raw, poll)
            raise
        while _result(pgconn, poll) is not None:
            pass


def _result(pgconn: PGconn, poll: select.poll) -> PGresult | None:
    while pgconn.is_busy():
        poll.poll()
        pgconn.consume_input()
    return pgconn.get_result()


def _expect(pgconn: PGconn, result: PGresult | None, status: ExecStatus) -> None:
    if result is None or result.status != status:
        if result is not None:
            raise errors.error_from_result(result)
        raise psycopg.OperationalError(pgconn.get_error_message())


def _hand_on(pgconn: PGconn, poll: select.poll, take: Callable[[Rows], None]) -> None:
    get, consume = pgconn.get_copy_data, pgconn.consume_input
    data, ends = bytearray(), list[int]()
    is_first, end = True, 0
    while True:
        size, row = get(1)
        if size > _TRAILER:
            if is_first:  # it comes with the header
                row, size, is_first = row[_HEADER:], size - _HEADER, False
                if size <= _TRAILER:
                    continue
            data += row
            end += size
            ends.append(end)
            if end > _CHUNK:
                take(Rows(data, ends))
                data, ends, end = bytearray(), list[int](), 0
        elif size == 0:
            poll.poll()
            consume()
        elif size < 0:
            break
    if ends:
        take(Rows(data, ends))


def _abandon(raw: psycopg.Connection, poll: select.poll) -> None:
    """Leave the session as it was before a COPY that is not wanted any more; close it if that fails."""
    pgconn = raw.pgconn
    try:
        raw.cancel_safe(timeout=_CANCEL_SECONDS)
        while (result := _result(pgconn, poll)) is not None:
            while result.status == ExecStatus.COPY_OUT and pgconn.get_copy_data(0)[0] > 0:
                pass
    except psycopg.Error:
        raw.close()
