"""Whether a session with the server still lives, as far as can be told without asking it."""

from __future__ import annotations

import select

import psycopg
from psycopg.pq import TransactionStatus


def has_ended(raw: psycopg.Connection, *, is_idle: bool) -> bool:
    """Whether a session has ended.

    Parameters
    ----------
    raw
        The driver's connection.
    is_idle
        Whether no transaction is open, so that a new session can take over. Then what has arrived meanwhile is
        looked at too: the last words of a session that the server has ended.
    """
    if raw.closed or raw.broken:
        return True
    talk = raw.pgconn
    if not is_idle or talk.transaction_status != TransactionStatus.IDLE:
        return False
    arrived = select.poll()
    arrived.register(talk.socket, select.POLLIN)
    try:
        while arrived.poll(0):
            talk.consume_input()
            talk.notifies()  # reads notices
    except psycopg.Error:
        raw.close()
        return True
    return False
