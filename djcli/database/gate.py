"""`Gate`: whoever stands before a connection's statements; and which of them control transactions."""

from __future__ import annotations

import re
from typing import Protocol

from psycopg import sql

_COMMENTS = re.compile(r"--[^\n]*\n|/\*.*?\*/", re.DOTALL)
_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END", "ABORT", "BEGIN", "START", "SET TRANSACTION")


_PLAIN = re.compile(
    r"(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|SHOW|EXPLAIN|SAVEPOINT|RELEASE|ROLLBACK)\b", re.I
)
_LASTS = re.compile(
    r"set_config|advisory|pg_notify|pg_export_snapshot|txid|xact|\binto\s+(?:temp|unlogged|table)", re.I
)

_ENDS = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION"
    r"|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b",
    re.IGNORECASE,
)


class Gate(Protocol):
    """Whoever holds statements back, and must send them before anything else happens on the connection."""

    def before_statement(self) -> None:
        """Hear that a statement is about to run."""
        ...

    def before_users_sql(self, statement: str | None) -> None:
        """Hear that the user's own SQL is about to run; None for whatever the driver is asked to do."""
        ...

    def after_conflict(self, error: BaseException) -> None:
        """Hear that a statement failed because another transaction ran at the same time."""
        ...

    def before_transaction(self) -> None:
        """Hear that a nested transaction is about to begin."""
        ...


def controls_transactions(statement: sql.Composable | str) -> bool:
    """Whether a statement is about transactions itself, so that a savepoint around it would undo it."""
    text = statement if isinstance(statement, str) else statement.as_string()
    return _COMMENTS.sub("", text[:2_000]).lstrip()[:20].upper().startswith(_CONTROL)


def ends_transaction(statement: str) -> bool:
    """Whether a statement of the user's begins or ends a transaction; savepoints do neither."""
    return _ENDS.match(_COMMENTS.sub("", statement[:2_000]).lstrip()) is not None


def outlasts_itself(statement: str) -> bool:
    """Whether a statement of the user's may leave something that lasts until the transaction ends.

    Settings, locks that are tried, temporary tables: whatever is more than rows read and written.
    """
    text = _COMMENTS.sub("", statement).lstrip(" \t\r\n(")
    return _PLAIN.match(text) is None or ";" in text.rstrip("; \n") or _LASTS.search(text) is not None
