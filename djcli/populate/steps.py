"""Long makes: fetch, compute and insert in three steps, with nothing held while the second one runs.

A fetch runs in a snapshot of its own. Then the computation has no transaction and no lock but the claim of its
key. At last one transaction verifies that what was fetched is still the same, and inserts.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, suppress
from typing import Any, cast

import psycopg

from djcli.algebra.restriction import AndList
from djcli.database.connection import Connection
from djcli.database.failures import is_retriable
from djcli.errors import (
    DataJointError,
    DuplicateError,
    InputsChangedError,
    LostConnectionError,
    ServerError,
)
from djcli.populate.ahead import encoded_key
from djcli.populate.batch import missing_row
from djcli.populate.claims import claim, lock_number, release
from djcli.populate.inputs import Inputs, NoWrites, joined
from djcli.populate.result import Key
from djcli.populate.runner import Maker, Outcome

PATIENCE_SECONDS = 60.0
"""How long a computed result waits for a server that is away."""

_FIRST_WAIT, _LONGEST_WAIT = 0.02, 2.0

Steps = Generator[Any, Any, None]


def is_long(table: Any) -> bool:
    """Whether a table's make is a generator: it yields what it fetched, what it computed, and then inserts."""
    return inspect.isgeneratorfunction(inspect.unwrap(table.make))


def make_in_steps(maker: Maker, key: Key) -> Outcome:
    """Make one key in three steps.

    Returns
    -------
    Outcome
        `SKIPPED` when somebody else has made it, or is making it right now.

    Raises
    ------
    InputsChangedError
        If what was fetched has changed meanwhile, naming tables and lines; nothing is inserted.
    DataJointError
        If it wrote before the last step, or inserted no row for its key.
    Exception
        Whatever make raised; nothing of the key is left then.
    """
    return _LongMake(maker, key).run()


class _Claim:
    """The claim of a key for as long as a session lasts, whatever transactions come and go in it."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._session: psycopg.Connection | None = None
        self.is_held = False

    def take(self) -> bool:
        """Claim the key, again if the session is a new one; whether it is ours."""
        if self._session is not self._connection.reached():
            (self.is_held,) = claim(self._connection, [self._number])
            self._session = self._connection.reached()
        return self.is_held

    def give_back(self) -> None:
        """Release the claim; a session that is gone has done so itself."""
        connection = self._connection
        if self.is_held and connection.is_connected and connection.reached() is self._session:
            with suppress(LostConnectionError):
                release(connection, [self._number])


class _LongMake:
    """One key on its way through the three steps."""

    def __init__(self, maker: Maker, key: Key) -> None:
        self.maker = maker
        self.key = key
        self.connection = maker.connection
        self.table = maker.table
        self.label: str = maker.table.class_label
        self.mine = maker.table & AndList([key])
        self.encoded = encoded_key(maker.table.heading, key)
        self.claim = _Claim(maker.connection, lock_number(maker.table.full_table_name, key))
        self.inputs = Inputs(self.label)
        self.steps: Steps | None = None
        self.computed: Any = None

    def run(self) -> Outcome:
        if self.maker.metadata is not None:
            self.maker.metadata.begin()
        try:
            if not self.claim.take() or not self.fetch():
                return Outcome.SKIPPED
            self.compute()
            return self.insert()
        finally:
            if self.steps is not None:
                self.steps.close()
            self.claim.give_back()

    def kept(self) -> AbstractContextManager[None]:
        """Keep make from ending the transaction that it runs in."""
        return self.connection.kept_by(f"make of {self.label}")

    def start(self) -> Steps:
        """Return a fresh generator."""
        steps = self.table.make(dict(self.key), **self.maker.make_kwargs)
        if not inspect.isgenerator(steps):
            raise DataJointError(f"make() of {self.label} is a generator and returned {steps!r}")
        return cast(Steps, steps)

    def fetch(self) -> bool:
        """Run the first step in a snapshot; False if the key is there already."""
        instance = self.table.instance
        known = len(instance.known), len(instance.unsure)
        with self.connection.snapshot():
            if self.mine:
                return False
            with self.kept(), self.maker.inside(self.key, self.encoded, self.inputs):
                self.steps = self.start()
                self.advance(None, "what it has fetched")
            if (len(instance.known), len(instance.unsure)) == known:  # else it has declared a table
                self.inputs.seal(self.connection)
        return True

    def compute(self) -> None:
        """Run the second step, with no transaction open."""
        with self.maker.inside(self.key, self.encoded, NoWrites(self.label, self.maker.guard)):
            self.computed = self.advance(None, "what it has computed")
        if self.connection.in_transaction:
            self.connection.cancel_transaction()
            raise DataJointError(
                f"make of {self.label} left a transaction open when it yielded what it has computed; close it"
            )

    def advance(self, sent: Any, wanted: str) -> Any:
        """Go on to the next yield and return what it gives."""
        assert self.steps is not None
        try:
            return self.steps.send(sent)
        except StopIteration:
            raise DataJointError(
                f"make() of {self.label} ended before it yielded {wanted}: a make in steps yields what it has "
                "fetched, then what it has computed, and then inserts"
            ) from None

    def insert(self) -> Outcome:
        """Verify and insert; a server that is away is waited for, because the result is dear."""
        deadline, wait = time.monotonic() + PATIENCE_SECONDS, _FIRST_WAIT
        while True:
            try:
                return self.try_to_insert()
            except DataJointError as error:
                if isinstance(error, DuplicateError) and not self.claim.is_held and self.mine:
                    return Outcome.SKIPPED  # made by whoever claimed the key while we had no session
                if not (is_retriable(error) or isinstance(error, ServerError)):
                    raise
                if time.monotonic() + wait > deadline:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def try_to_insert(self) -> Outcome:
        self.claim.take()
        with self.connection.snapshot():
            if self.mine:
                return Outcome.SKIPPED
            changes = self.inputs.changes(self.connection)
            if changes:
                raise InputsChangedError(
                    f"nothing of {self.label} was inserted, because its inputs changed while it computed: "
                    f"{joined(changes)}; populate again"
                )
            with self.kept(), self.maker.inside(self.key, self.encoded):
                self.finish()
            if not self.mine:
                raise DataJointError(missing_row(self.table))
            if self.maker.metadata is not None:
                self.maker.metadata.update(self.connection, self.encoded)
        return Outcome.MADE

    def finish(self) -> None:
        """Run the last step; when it was tried before, in a fresh generator that is sent the result."""
        steps, self.steps = self.steps, None
        if steps is None:
            steps = self.start()
            next(steps)
        try:
            with suppress(StopIteration):
                steps.send(self.computed)
            for _ in steps:
                pass
        finally:
            steps.close()
