"""Making one key: calling make, and the one transaction in which its work is checked."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

from djcli.algebra.restriction import AndList
from djcli.database.witness import Witness
from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.populate.ahead import encoded_key
from djcli.populate.batch import missing_row
from djcli.populate.claims import claim_for_transaction, lock_number
from djcli.populate.guard import Guard
from djcli.populate.metadata import JobMetadata
from djcli.populate.result import Key
from djcli.tables.making import Making, making
from djcli.tables.table import Table


class Outcome(Enum):
    """How the making of a key ended, when it did not fail."""

    MADE = "made"
    SKIPPED = "skipped"


class Maker:
    """Calls the make of one table.

    Parameters
    ----------
    table
        The Computed or Imported table.
    make_kwargs
        More arguments for ``make``.
    guard
        Whoever watches over what it reads and writes.
    metadata
        Fills the hidden columns of the table's rows, if it has any.
    """

    def __init__(
        self,
        table: Any,
        make_kwargs: Mapping[str, Any],
        guard: Guard | None = None,
        metadata: JobMetadata | None = None,
    ) -> None:
        self.table = table
        self.guard = guard
        self.connection = table.connection
        self.make_kwargs = make_kwargs
        self.metadata = metadata
        self._model: TableModel = table.model
        self._label: str = table.class_label

    def __call__(self, key: Key, encoded: Mapping[str, object]) -> None:
        """Call make for one key.

        Parameters
        ----------
        key
            The key, which make gets a copy of.
        encoded
            Its values as they are stored.
        """
        if self.metadata is not None:
            self.metadata.begin()
        # With no context manager around it: quick makes are called ten thousands of times a second.
        token = making.set(self._made(key, encoded))
        try:
            if self.guard is None:
                result: Any = self.table.make(dict(key), **self.make_kwargs)
            else:
                with self._watched():
                    result = self.table.make(dict(key), **self.make_kwargs)
        finally:
            making.reset(token)
        if inspect.isgenerator(result):
            raise DataJointError(
                f"make() of {self.table.class_label} returned a generator: put the yields into make itself, "
                "so that it can run in steps"
            )

    @contextmanager
    def inside(
        self, key: Key, encoded: Mapping[str, object], witness: Witness | None = None
    ) -> Generator[None]:
        """Run code of a make for one key: its table may be inserted into, and `witness` is told what it does."""
        token = making.set(self._made(key, encoded))
        try:
            with self._watched(witness):
                yield
        finally:
            making.reset(token)

    def _made(self, key: Key, encoded: Mapping[str, object]) -> Making:
        return Making(self._model, self._label, key, encoded, tuple(encoded))

    @contextmanager
    def _watched(self, witness: Witness | None = None) -> Generator[None]:
        """Have the guard and another witness told of what happens."""
        guard, witnesses = self.guard, self.connection.witnesses
        before = list(witnesses)
        if guard is not None:
            guard.begin()
            witnesses.append(guard)
        if witness is not None:
            witnesses.append(witness)
        try:
            yield
        finally:
            witnesses[:] = before
        if guard is not None:
            guard.end()


def make_key(maker: Maker, key: Key) -> Outcome:
    """Make one key in a transaction of its own.

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
    table: Table = maker.table
    connection = maker.connection
    mine = table & AndList([key])
    with connection.transaction:
        if not claim_for_transaction(connection, lock_number(table.full_table_name, key)) or mine:
            return Outcome.SKIPPED
        encoded = encoded_key(table.heading, key)
        with connection.kept_by(f"make() of {table.class_label}"):
            maker(key, encoded)
        if not mine:
            raise DataJointError(missing_row(table))
        if maker.metadata is not None:
            maker.metadata.update(connection, encoded)
    return Outcome.MADE
