"""One batch of keys in one transaction: reads fetched ahead, writes gathered, every key all or nothing.

What users see is the outcome of one transaction for each key. Anything that cannot be gathered or fetched
ahead runs as it is written, under a savepoint of its key, after what waited was sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import get_ident
from typing import Any

from psycopg import sql

from djcli.algebra.relation import Node
from djcli.algebra.restriction import AndList
from djcli.database.failures import is_retriable, is_servers
from djcli.database.gate import outlasts_itself
from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.populate.ahead import ReadAhead, Row
from djcli.populate.columns import RealColumns
from djcli.populate.gather import Gathered, Inserted, OwnTables, merged, shape_of
from djcli.populate.interrupts import Interrupts
from djcli.populate.metadata import JobMetadata
from djcli.populate.outbox import Outbox, RetryBatchError
from djcli.populate.result import Key
from djcli.sql.insert import OnDuplicate
from djcli.sql.statement import Statement, parameters
from djcli.tables.insert import send_rows
from djcli.tables.table import Table

MAX_ROWS = 200_000
"""Rows that wait at most; more are sent before the end of the batch."""

MAX_BYTES = 64 * 2**20
"""Bytes of long values that wait at most."""

_BEFORE_AHEAD = sql.SQL("SAVEPOINT djcli_ahead")
_UNDO_AHEAD = sql.SQL("ROLLBACK TO SAVEPOINT djcli_ahead; RELEASE SAVEPOINT djcli_ahead")
_END_KEY = sql.SQL("RELEASE SAVEPOINT djcli_key")
_DROP_KEY = sql.SQL("ROLLBACK TO SAVEPOINT djcli_key; RELEASE SAVEPOINT djcli_key")

Make = Callable[[Key, Mapping[str, object]], None]
"""Makes a key, given with its values as they are stored."""


class KeyRefusedError(BaseException):
    """The database refused rows that waited, at a place in make where they were not inserted.

    The key is made again alone, ungathered. Rows of an earlier key may be at fault too: then that one is made
    again first, and the running key in a later batch. No ``except Exception`` of a make may catch this.
    """


class Batch:
    """Runs makes inside one open transaction, and stands between them and the database.

    Parameters
    ----------
    table
        The table that is computed.
    keys
        The keys of the batch, claimed, in order.
    ahead
        What is known of the statements of this table's makes.
    columns
        The columns that the tables really have.
    interrupts
        Told when an interrupt may strike: inside a make, while it is not us who talk to the database.
    metadata
        Fills the hidden columns of the table's rows, if it has any.
    """

    def __init__(
        self,
        table: Table,
        keys: Sequence[Key],
        ahead: ReadAhead,
        columns: RealColumns,
        interrupts: Interrupts,
        metadata: JobMetadata | None = None,
    ) -> None:
        self.interrupts = interrupts
        self.held = 1
        self.table = table
        self.metadata = metadata
        self.connection = table.connection
        self.keys = keys
        self.ahead = ahead
        self.outbox = Outbox(self.connection, table.id, columns)
        self.own_tables = OwnTables(table.id)
        self.current = Gathered()
        self.place = 0
        self.place_of_make = os.getpid(), get_ident()
        self.direct = False
        self.gathers = True
        self.has_row = self.has_whole_row = False
        self.inserted = Inserted()
        self.depth = 0
        self.is_last = False
        self.is_broken = False
        self.is_postponed = False
        self.conflict: BaseException | None = None
        ahead.begin(keys)

    @property
    def refused(self) -> dict[int, BaseException]:
        """The keys, by place, whose rows the database refused."""
        return self.outbox.refused

    # ---- one key ------------------------------------------------------------------------------------

    def run_key(self, place: int, make: Make) -> None:
        """Run the make of one key.

        Raises
        ------
        RetryBatchError
            If the transaction is lost.
        BaseException
            What make raised; nothing of the key is left then.
        """
        self.place, self.current, self.direct, self.gathers = place, Gathered(), False, True
        self.has_row = self.has_whole_row = False
        self.inserted = Inserted()
        try:
            self.in_make(make, place)
            self.check_conflict()
            if not self.is_refused:
                self.check_row_of_key()
                self.end_key()
        except BaseException as error:
            if self.is_broken:
                raise
            self.undo(error)
            if not self.is_refused:
                raise
        else:
            if self.is_refused:  # make has swallowed the refusal
                self.drop_key()

    @property
    def is_refused(self) -> bool:
        """Whether the running key is not to be kept, but made again."""
        return self.is_postponed or self.place in self.refused

    def check_conflict(self) -> None:
        """Give the transaction up if it met with a conflict, even where make has caught the error.

        Raises
        ------
        RetryBatchError
            One transaction a key would not have met with it, or would be tried again.
        """
        if self.conflict is not None:
            raise RetryBatchError(str(self.conflict)) from self.conflict

    def in_make(self, make: Make, place: int) -> None:
        """Call make; only there may an interrupt strike."""
        self.interrupts.open()
        self.held = 0
        try:
            make(self.keys[place], self.ahead.encoded[place])
        finally:
            self.held = 1
            self.interrupts.close()

    def undo(self, error: BaseException) -> None:
        """Undo the running key after its make failed.

        Raises
        ------
        RetryBatchError
            If the transaction is at fault, or is lost while this goes on.
        """
        if is_servers(error):
            raise error
        try:
            self.check_conflict()
            if is_retriable(error):
                raise RetryBatchError(str(error)) from error
            if isinstance(error, Exception):
                self.try_current()
            self.drop_key()
        except RetryBatchError:
            raise
        except DataJointError as failure:
            if is_retriable(failure):
                raise RetryBatchError(str(failure)) from failure
            raise

    def try_current(self) -> None:
        """Find out whether the rows of a failed make would have gone in: a refusal would have come first."""
        if self.current.count and self.place not in self.refused:
            with suppress(KeyRefusedError):
                self.settle()

    def check_row_of_key(self) -> None:
        """Refuse a make that inserted no row for its key."""
        if self.has_whole_row and not self.direct:  # gathered, and it was seen to be of this key
            return
        if not (self.direct or self.current.count) or not self.raw_exists():
            raise DataJointError(missing_row(self.table))

    def raw_exists(self) -> bool:
        """Ask the database whether the table has the running key."""
        self.settle()
        with self:
            return bool(self.table & AndList([self.keys[self.place]]))

    def end_key(self) -> None:
        """Keep what waits; a savepoint is released, so that it cannot be rolled back any more."""
        if self.direct:
            self.send_current()
            if self.metadata is not None:
                with self:
                    self.metadata.update(self.connection, self.ahead.encoded[self.place])
            self.own(_END_KEY)
            self.direct = False
        elif self.current.count:
            if self.metadata is not None:
                self.metadata.add_to(self.current)
            if self.outbox.add(self.place, self.current):
                with self:
                    self.outbox.go_on()
        self.current = Gathered()

    def drop_key(self) -> None:
        """Undo everything that the running key did."""
        self.current = Gathered()
        if self.direct:
            self.own(_DROP_KEY)
            self.direct = False
            self.ahead.forget_rows()  # what was seen after a write that is undone now was never so

    # ---- what stands between make and the database --------------------------------------------------

    def read(
        self, node: Node, statement: Statement, values: tuple[object, ...], limits: Mapping[str, object]
    ) -> list[Row]:
        """Answer a query of make, from what was fetched ahead if possible."""
        if self.depth or not self.is_asked_here:
            return self.connection.rows(statement.text, {**parameters(values), **limits})
        if not self.gathers or self.own_tables.are_read_by(node) or self.ahead.is_opaque(node, self.run_own):
            # Rows that wait may be among the answers, what is seen inside a transaction of the user's may be
            # rolled back, and a volatile function answers anew each time: nothing of it is remembered.
            return self.run_as_written(statement.text, {**parameters(values), **limits})
        return self.ahead.fetch(
            node, statement, values, limits, self.place, self.run_as_written, self.run_guarded
        )

    def run_as_written(self, text: str, params: Mapping[str, object]) -> list[Row]:
        """Run a query of make under its key's savepoint, because it may fail."""
        self.settle()
        self.depth += 1
        try:
            return self.connection.rows(text, params)
        finally:
            self.depth -= 1

    def run_guarded(self, text: str, params: Mapping[str, object]) -> list[Row] | None:
        """Run a query of ours under a savepoint of its own; None when the database refuses it."""
        with self:
            self.outbox.pause()
        self.own(_BEFORE_AHEAD)
        try:
            with self:
                rows = self.connection.rows(text, params)
        except DataJointError as error:
            if is_retriable(error):
                raise
            self.own(_UNDO_AHEAD)
            return None
        return rows  # the savepoint stays: it costs a round trip to release

    def run_own(self, text: str, params: Mapping[str, object]) -> list[Row]:
        """Run a query of ours that is sure to be answered."""
        with self:
            self.outbox.pause()
            return self.connection.rows(text, params)

    def write(self, model: TableModel, names: tuple[str, ...], rows: list[tuple[object, ...]]) -> bool:
        """Gather rows of the computed table or its parts; False for rows of any other."""
        if not self.gathers or model.id not in self.own_tables or not self.is_asked_here:
            return False
        shape = shape_of(model, names)
        if shape.is_unjudged:
            return False  # whose values may change yet, and be read in another way by COPY
        if not self.inserted.are_new(shape, rows):
            return False  # make may catch the error
        if model.id == self.table.id:
            self.has_row = True
            self.has_whole_row = self.has_whole_row or shape.key_of is not None
        elif not self.has_row:
            return False  # a part before its master is refused at once, as it is without a batch
        self.current.add(shape, rows)
        waiting = self.outbox
        if waiting.rows + self.current.count > MAX_ROWS or waiting.weight + self.current.weight > MAX_BYTES:
            self.settle()
        return True

    def settle(self) -> None:
        """Send what waits, and put a savepoint before whatever the running key does next."""
        if not self.direct:
            known = len(self.refused)
            self.flush()
            if len(self.refused) > known:
                # It may see or write what an earlier key has to, when that is made again.
                self.is_postponed = True
                raise KeyRefusedError
            self.own(sql.SQL("SAVEPOINT djcli_key"))
            self.direct = True
        self.send_current()

    def before_statement(self) -> None:
        """Make way for a statement that make runs past the algebra."""
        if not self.depth and self.is_asked_here:
            self.settle()
            # Whatever it is, it may have written anywhere.
            self.ahead.forget_rows()

    def before_users_sql(self, statement: str | None) -> None:
        """Make way for the user's own SQL; what may last until the transaction ends makes this key the last."""
        if not self.depth and self.is_asked_here:
            self.before_statement()
            if statement is None:
                self.gathers = False  # we are not told what happens on the driver's connection
            if statement is None or outlasts_itself(statement):
                self.is_last = True

    def after_conflict(self, error: BaseException) -> None:
        """Note that the transaction met with another one, whoever catches the error."""
        self.conflict = self.conflict or error

    def before_transaction(self) -> None:
        """Stop gathering until the key ends: what make writes inside it may be rolled back by itself."""
        if not self.depth and self.is_asked_here:
            self.before_statement()
            self.gathers = False

    def __enter__(self) -> None:
        self.interrupts.close()
        self.held += 1
        self.depth += 1
        self.connection.guards = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A second interrupt has struck in the middle of what we do: nobody knows what was sent.
        self.is_broken = self.is_broken or (kind is not None and not issubclass(kind, Exception))
        self.depth -= 1
        self.held -= 1
        self.connection.guards = True
        if not self.held:
            self.interrupts.open()

    @property
    def is_asked_here(self) -> bool:
        """Whether make itself asks: not a thread of its, which may not, and not a process that it forked."""
        return self.place_of_make == (os.getpid(), get_ident())

    def own(self, statement: sql.Composable) -> None:
        """Run a statement of ours."""
        with self:
            self.connection.execute(statement)

    # ---- sending ------------------------------------------------------------------------------------

    def send_current(self) -> None:
        """Send the running key's rows; what the database refuses is make's own error."""
        if not self.current.count:
            return
        gathered, self.current = self.current, Gathered()
        try:
            with self:
                for shape, rows in merged([gathered], self.table.id):
                    send_rows(self.connection, shape.model, shape.names, rows, OnDuplicate.REFUSE)
        except DataJointError as error:
            if is_retriable(error) or is_servers(error):
                raise
            self.refused[self.place] = error
            self.own(sql.SQL("ROLLBACK TO SAVEPOINT djcli_key"))
            self.ahead.forget_rows()
            raise KeyRefusedError from error

    def flush(self) -> None:
        """Send the rows of all finished keys; those that the database refuses are found and set aside."""
        with self:
            self.outbox.flush()


def missing_row(table: Any) -> str:
    """Return the message for a make that inserted no row for its key."""
    return (
        f"make() of {table.class_label} inserted no row for its key; insert one, "
        "or leave such keys out of key_source"
    )
