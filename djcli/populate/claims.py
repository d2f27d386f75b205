"""Claiming keys: advisory locks, so that two populates of one table share its keys and never wait."""

from __future__ import annotations

import json
from collections.abc import Sequence

from psycopg import sql

from djcli.database.connection import Connection
from djcli.populate.result import Key

MAX_CLAIMS = 1_000
"""Keys that one worker holds at once; the server's lock table is shared by all of its sessions."""

_CLAIM = sql.SQL(
    "SELECT pg_try_advisory_lock(hashtextextended(name, 0)) "
    "FROM unnest(%(names)s::text[]) WITH ORDINALITY AS keys (name, place) ORDER BY place"
)
_RELEASE = sql.SQL(
    "SELECT pg_advisory_unlock(hashtextextended(name, 0)) FROM unnest(%(names)s::text[]) AS keys (name)"
)
_CLAIM_ONE = sql.SQL("SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0))")


def claim_name(table: str, key: Key) -> str:
    """Return the text whose hash is the lock of a key."""
    return f"{table} {json.dumps(key, default=str, sort_keys=True)}"


def claim(connection: Connection, names: Sequence[str]) -> list[bool]:
    """Try to claim keys for this session; waits for nobody.

    Returns
    -------
    list of bool
        For each name whether it is ours now.
    """
    return [bool(row[0]) for row in connection.rows(_CLAIM, {"names": list(names)})]


def release(connection: Connection, names: Sequence[str]) -> None:
    """Give claimed keys back."""
    if names:
        connection.rows(_RELEASE, {"names": list(names)})


def claim_for_transaction(connection: Connection, name: str) -> bool:
    """Try to claim one key until the end of the transaction."""
    ((claimed,),) = connection.rows(_CLAIM_ONE, {"name": name})
    return bool(claimed)
