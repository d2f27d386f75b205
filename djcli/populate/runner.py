"""Making one key: one transaction, in which make() runs and its work is checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from djcli.algebra.restriction import AndList
from djcli.errors import DataJointError
from djcli.populate.batch import missing_row
from djcli.populate.claims import claim_for_transaction, lock_number
from djcli.populate.result import Key
from djcli.tables.insert import making
from djcli.tables.table import Table


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
        if not claim_for_transaction(connection, lock_number(table.full_table_name, key)) or mine:
            return Outcome.SKIPPED
        with connection.kept_by(f"make() of {table.class_label}"):
            call_make(table, dict(key), make_kwargs)
        if not mine:
            raise DataJointError(missing_row(table))
    return Outcome.MADE


def call_make(table: Any, key: Key, make_kwargs: Mapping[str, Any]) -> None:
    """Call make; a generator (fetch, compute and insert in one function) is run to its end."""
    token = making.set(table.id)
    try:
        result: Any = table.make(key, **make_kwargs)
        if inspect.isgenerator(result):
            value: Any = None
            with suppress(StopIteration):
                while True:
                    value = result.send(value)
    finally:
        making.reset(token)
