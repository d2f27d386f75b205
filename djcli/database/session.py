"""`Session`: the driver's connection, opened when it is first used and again when it was lost."""

from __future__ import annotations

import logging
import os
import weakref
from typing import Self

import psycopg
from psycopg.pq import TransactionStatus

from djcli.database.embedded import EmbeddedServer
from djcli.database.gate import Gate
from djcli.database.liveness import has_ended
from djcli.database.loaders import register_loaders
from djcli.errors import LostConnectionError, ServerError
from djcli.settings import DatabaseTarget, without_password

logger = logging.getLogger("djcli")


class Session:
    """A session with a database server, as far as it is about being there at all.

    Parameters
    ----------
    target
        Which database, and which setting named it.

    Notes
    -----
    Nothing is opened until it is needed. A session that the server has ended between two statements is made
    anew; inside a transaction what was done is gone, and `LostConnectionError` says so, as it does when a
    statement was under way, of which nobody knows whether it took place.
    """

    def __init__(self, target: DatabaseTarget) -> None:
        self.target = target
        self.gate: Gate | None = None
        self.guards = True
        self.keeper: str | None = None
        self._raw: psycopg.Connection | None = None
        self._pid = 0
        self._depth = 0
        self._thread = 0

    def __repr__(self) -> str:
        state = "open" if self.is_connected else "not connected"
        return f"<Connection to {without_password(self.target.url or self.target.origin)}, {state}>"

    @property
    def raw(self) -> psycopg.Connection:
        """The driver's connection, opened if need be; whoever takes it may do anything with it.

        Raises
        ------
        ServerError, LostConnectionError
            As any statement.
        """
        if self.gate is not None:
            self.gate.before_users_sql(None)
        return self.reached()

    def reached(self) -> psycopg.Connection:
        """Return the driver's connection for a statement, opened if need be.

        Raises
        ------
        ServerError
            If the server cannot be reached: which address, from which setting, and what to try.
        LostConnectionError
            If it was lost inside a transaction.
        """
        if self.gate is not None:
            self.gate.before_statement()
        if self._raw is not None and self._pid != os.getpid():
            # A forked child must not talk on, nor close, its parent's connection.
            self._raw, self._depth = None, 0
        if self._raw is not None and has_ended(self._raw, is_idle=not self._depth):
            self._raw = None
            if self._depth:
                raise LostConnectionError("the connection to the database was lost inside a transaction")
            logger.info("the connection to the database was lost; connecting again")
        if self._raw is None:
            self._raw = self._open()
            self._pid = os.getpid()
        return self._raw

    def _open(self) -> psycopg.Connection:
        if self.target.folder is not None:
            raw = EmbeddedServer(self.target.folder).connect(autocommit=True)
        else:
            raw = self._open_url(self.target.url or "")
        raw.prepare_threshold = 3
        register_loaders(raw)
        weakref.finalize(self, _close, raw, os.getpid())
        if raw.info.parameter_status("TimeZone") != "UTC":
            raw.execute("SET TIME ZONE 'UTC'")
        return raw

    def _open_url(self, url: str) -> psycopg.Connection:
        try:
            return psycopg.connect(url, autocommit=True, application_name="djcli", connect_timeout=10)
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise ServerError(
                f"cannot reach the database at {without_password(url)} (from {self.target.origin}): {reason}; "
                "check the address and that the server runs, or leave it out to use the embedded server"
            ) from error

    @property
    def is_connected(self) -> bool:
        """Whether the session is open, as far as can be told without asking the server."""
        return (
            self._raw is not None
            and self._pid == os.getpid()
            and not self._raw.closed
            and not self._raw.broken
        )

    def close(self) -> None:
        """Close the session; the next statement opens a new one."""
        if self._raw is not None and self._pid == os.getpid():
            self._raw.close()
        self._raw, self._depth = None, 0

    def restore(self, *, is_interrupted: bool) -> None:
        """Leave nothing of a transaction; the session is closed if an interrupt has cut its end short."""
        self.gate, self.keeper, self.guards = None, None, True
        raw = self._raw
        if raw is None or self._pid != os.getpid():
            return
        is_left = not self._depth and raw.info.transaction_status is TransactionStatus.IDLE
        if is_left and is_interrupted:
            try:
                raw.isolation_level = None
                with raw.transaction():  # the driver may believe that it is inside one
                    pass
            except psycopg.Error:
                is_left = False
        if not is_left:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_user(self) -> str:
        """Return the role the session runs as."""
        return self.reached().info.user


def _close(raw: psycopg.Connection, pid: int) -> None:
    if pid == os.getpid():  # a forked child must leave its parent's connection alone
        raw.close()
