"""Claiming keys: advisory locks, so that two populates of one table share its keys and never wait."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from psycopg import sql

from djcli.database.connection import Connection
from djcli.errors import DataJointError, QueryError
from djcli.populate.result import Key
from djcli.sql.arrays import array

MAX_CLAIMS = 2_000
"""Keys that one process holds at once; the server's lock table is shared by all of its sessions."""

SURE_CLAIMS = 1_000
"""So many are a fair share of any server's lock table; for more, the server is asked."""

_SHARE = 8

CLAIMS_TOGETHER = 4_000
"""Keys that all processes of one populate hold at once."""

_OUT_OF_MEMORY = "53200"
_SLOTS = sql.SQL(
    "SELECT current_setting('max_locks_per_transaction')::bigint "
    "* (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)"
)
_CLAIM = sql.SQL(
    "SELECT pg_try_advisory_lock(number) "
    "FROM unnest(%(numbers)s::bigint[]) WITH ORDINALITY AS keys (number, place) ORDER BY place"
)
_RELEASE = sql.SQL("SELECT pg_advisory_unlock(number) FROM unnest(%(numbers)s::bigint[]) AS keys (number)")
_CLAIM_ONE = sql.SQL("SELECT pg_try_advisory_xact_lock(%(number)s::bigint)")


class TooManyClaimsError(DataJointError):
    """The server's lock table is full; claim fewer keys at once."""


def lock_number(table: str, key: Key) -> int:
    """Return the number of a key's lock: a hash of table and key, as a signed 64-bit integer."""
    text = f"{table}\0{tuple(key.items())!r}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


def claim(connection: Connection, numbers: Sequence[int]) -> list[bool]:
    """Try to claim keys for this session; waits for nobody.

    Returns
    -------
    list of bool
        For each number whether it is ours now.

    Raises
    ------
    TooManyClaimsError
        If the server has no room for as many locks; some of them may be ours all the same.
    """
    try:
        rows = connection.rows(_CLAIM, {"numbers": array(numbers)})
    except QueryError as error:
        if getattr(error.__cause__, "sqlstate", None) != _OUT_OF_MEMORY:
            raise
        raise TooManyClaimsError(
            "the server has no room for more locks; raise its setting max_locks_per_transaction, or populate "
            "with fewer workers at once"
        ) from error
    return [bool(row[0]) for row in rows]


def fair_claims(connection: Connection) -> int:
    """Return how many keys a process may hold, so that eight of them leave the server's lock table room."""
    ((slots,),) = connection.rows(_SLOTS)
    return max(SURE_CLAIMS, int(slots) // _SHARE)


def release(connection: Connection, numbers: Sequence[int]) -> None:
    """Give claimed keys back."""
    if numbers:
        connection.rows(_RELEASE, {"numbers": array(numbers)})


def claim_for_transaction(connection: Connection, number: int) -> bool:
    """Try to claim one key until the end of the transaction."""
    ((claimed,),) = connection.rows(_CLAIM_ONE, {"number": number})
    return bool(claimed)
