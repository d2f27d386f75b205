"""Making one key: one transaction, in which make() runs and its work is checked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from psycopg import sql

from djcli.algebra.restriction import AndList
from djcli.errors import DataJointError
from djcli.populate.result import Key
from djcli.tables.insert import making
from djcli.tables.table import Table

_LOCK = sql.SQL("SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0))")


class Outcome(Enum):
    """How the making of a key ended, when it did not fail."""

    MADE = "made"
    SKIPPED = "skipped"


def make_key(table: Table, key: Key, make_kwargs: Mapping[str, Any]) -> Outcome:
    """Make one key in a transaction of its own.

    Parameters
    ----------
    table
        The Computed or Imported table.
    key
        The key, which ``make`` gets a copy of.
    make_kwargs
        More arguments for ``make``.

    Returns
    -------
    Outcome
        `SKIPPED` when somebody else has made it, or is making it right now.

    Raises
    ------
    DataJointError
        If ``make`` inserted no row for its key.
    Exception
        Whatever ``make`` raised; nothing of the key is left then.
    """
    connection = table.connection
    mine = table & AndList([key])
    with connection.transaction:
        name = f"{table.full_table_name} {json.dumps(key, default=str, sort_keys=True)}"
        ((claimed,),) = connection.rows(_LOCK, {"name": name})
        if not claimed or mine:
            return Outcome.SKIPPED
        token = making.set(table.id)
        try:
            _call_make(table, dict(key), make_kwargs)
        finally:
            making.reset(token)
        if not mine:
            raise DataJointError(
                f"make() of {table.class_label} inserted no row for its key; insert one, "
                "or leave such keys out of key_source"
            )
    return Outcome.MADE


def _call_make(table: Any, key: Key, make_kwargs: Mapping[str, Any]) -> None:
    """Call make; a generator (fetch, compute and insert in one function) is run to its end."""
    result: Any = table.make(key, **make_kwargs)
    if inspect.isgenerator(result):
        value: Any = None
        try:
            while True:
                value = result.send(value)
        except StopIteration:
            pass
