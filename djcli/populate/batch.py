"""One batch of keys in one transaction: reads fetched ahead, writes gathered, every key all or nothing.

What users see is the outcome of one transaction for each key. Anything that cannot be gathered or fetched
ahead runs as it is written, under a savepoint of its key, after what waited was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from psycopg import sql

from djcli.algebra.relation import Node
from djcli.algebra.restriction import AndList
from djcli.database.failures import is_retriable
from djcli.definition.model import TableModel
from djcli.errors import DataJointError
from djcli.populate.ahead import ReadAhead, Row
from djcli.populate.gather import MAX_ROWS, Gathered, merged
from djcli.populate.result import Key
from djcli.sql.insert import OnDuplicate
from djcli.sql.statement import Statement
from djcli.tables.insert import EncodedRow, send
from djcli.tables.table import Table

_SEQUENTIAL_SCANS_OFF = sql.SQL("SET LOCAL enable_seqscan = off")
_SEQUENTIAL_SCANS_ON = sql.SQL("SET LOCAL enable_seqscan TO DEFAULT")

Make = Callable[[Key], None]


class KeyRefusedError(BaseException):
    """The database refused rows that waited, at a place in make where they were not inserted.

    The key is made again alone, ungathered. No ``except Exception`` of a make may catch this.
    """


class RetryBatchError(DataJointError):
    """The transaction of a batch failed through no fault of its keys; it has to be run again."""


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
    """

    def __init__(self, table: Table, keys: Sequence[Key], ahead: ReadAhead) -> None:
        self.table = table
        self.connection = table.connection
        self.keys = keys
        self.ahead = ahead
        self.waiting: dict[int, Gathered] = {}
        self.waiting_rows = 0
        self.current = Gathered()
        self.place = 0
        self.direct = False
        self.gathers = True
        self.depth = 0
        self.refused: dict[int, BaseException] = {}
        ahead.begin(keys)

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
        try:
            make(dict(self.keys[place]))
            if place not in self.refused:
                self.check_row_of_key()
                self.end_key()
        except BaseException as error:
            self.undo(error)
            if place not in self.refused:
                raise
        else:
            if place in self.refused:  # make has swallowed the refusal
                self.drop_key()

    def undo(self, error: BaseException) -> None:
        """Undo the running key after its make failed.

        Raises
        ------
        RetryBatchError
            If the transaction is at fault, or is lost while this goes on.
        """
        try:
            if is_retriable(error):
                raise error
            if isinstance(error, Exception):
                self.try_current()
            self.drop_key()
        except DataJointError as failure:
            if is_retriable(failure):
                raise RetryBatchError(str(failure)) from failure
            raise

    def try_current(self) -> None:
        """Find out whether the rows of a failed make would have gone in: a refusal would have come first."""
        if self.current.tables and self.place not in self.refused:
            with suppress(KeyRefusedError):
                self.settle()

    def check_row_of_key(self) -> None:
        """Refuse a make that inserted no row for its key."""
        key = self.ahead.encoded[self.place]
        if self.current.has_key(self.table.id, key):
            return
        if not self.direct or not self.raw_exists():
            raise DataJointError(missing_row(self.table))

    def raw_exists(self) -> bool:
        """Ask the database whether the table has the running key."""
        self.send_current()
        with self:
            return bool(self.table & AndList([self.keys[self.place]]))

    def end_key(self) -> None:
        """Keep what waits; a savepoint is released, so that it cannot be rolled back any more."""
        if self.direct:
            self.send_current()
            self.own(sql.SQL("RELEASE SAVEPOINT djcli_key"))
            self.direct = False
        tables = self.current.tables
        if tables:
            self.waiting[self.place] = self.current
        self.current = Gathered()

    def drop_key(self) -> None:
        """Undo everything that the running key did."""
        self.current = Gathered()
        if self.direct:
            self.own(sql.SQL("ROLLBACK TO SAVEPOINT djcli_key"))
            self.own(sql.SQL("RELEASE SAVEPOINT djcli_key"))
            self.direct = False
            self.ahead.begin(self.keys)  # what was seen after a write that is undone now was never so

    # ---- what stands between make and the database --------------------------------------------------

    def read(self, node: Node, statement: Statement, params: Mapping[str, object]) -> list[Row]:
        """Answer a query of make, from what was fetched ahead if possible."""
        if self.inside:
            return self.connection.rows(statement.text, params)
        own = any(table == self.table.id or self.table.has_part(table) for table in node.tables)
        if own or not self.gathers:
            # Rows that wait may be among the answers, and what is seen inside a transaction of the user's may
            # be rolled back: nothing of it is remembered.
            return self.run_as_written(statement.text, params)
        return self.ahead.fetch(node, statement, params, self.place, self.run_as_written, self.run_guarded)

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
        self.own(sql.SQL("SAVEPOINT djcli_ahead"))
        try:
            with self:
                rows = self.connection.rows(text, params)
        except DataJointError as error:
            if is_retriable(error):
                raise
            self.own(sql.SQL("ROLLBACK TO SAVEPOINT djcli_ahead"))
            rows = None
        self.own(sql.SQL("RELEASE SAVEPOINT djcli_ahead"))
        return rows

    def write(self, model: TableModel, rows: Sequence[EncodedRow]) -> bool:
        """Gather rows of the computed table or its parts; False for rows of any other."""
        if not self.gathers or not (model.id == self.table.id or self.table.has_part(model.id)):
            return False
        self.waiting_rows += self.current.add(model, rows)
        if self.waiting_rows > MAX_ROWS:
            self.settle()
        return True

    def settle(self) -> None:
        """Send what waits, and put a savepoint before whatever the running key does next."""
        if not self.direct:
            self.flush()
            self.own(sql.SQL("SAVEPOINT djcli_key"))
            self.direct = True
        self.send_current()

    def before_statement(self) -> None:
        """Make way for a statement that make runs past the algebra."""
        if not self.inside:
            self.settle()
            # Whatever it is, it may have written anywhere.
            self.ahead.begin(self.keys)

    def before_transaction(self) -> None:
        """Stop gathering until the key ends: what make writes inside it may be rolled back by itself."""
        if not self.inside:
            self.before_statement()
            self.gathers = False

    def __enter__(self) -> None:
        self.depth += 1
        self.connection.guards = False

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        self.connection.guards = True

    @property
    def inside(self) -> bool:
        """Whether a statement of ours is running, not one of make's."""
        return self.depth > 0

    def own(self, statement: sql.Composable) -> None:
        """Run a statement of ours."""
        with self:
            self.connection.execute(statement)

    # ---- sending ------------------------------------------------------------------------------------

    def send_current(self) -> None:
        """Send the running key's rows; what the database refuses is make's own error."""
        tables = self.current.tables
        if tables:
            gathered, self.current = self.current, Gathered()
            try:
                with self:
                    self.send([gathered])
            except DataJointError as error:
                if is_retriable(error):
                    raise
                self.refused[self.place] = error
                self.own(sql.SQL("ROLLBACK TO SAVEPOINT djcli_key"))
                self.ahead.begin(self.keys)
                raise KeyRefusedError from error
            self.waiting_rows = sum(gathered.count for gathered in self.waiting.values())

    def flush(self) -> None:
        """Send the rows of all finished keys; those that the database refuses are found and set aside."""
        if not self.waiting:
            self.waiting_rows = 0
            return
        waiting, self.waiting = self.waiting, {}
        self.waiting_rows = 0
        self.own(_SEQUENTIAL_SCANS_OFF)
        self.flush_some(list(waiting.items()))
        self.own(_SEQUENTIAL_SCANS_ON)

    def flush_some(self, some: list[tuple[int, Gathered]]) -> None:
        """Send rows under a savepoint; when they are refused, send each half by itself."""
        self.own(sql.SQL("SAVEPOINT djcli_flush"))
        try:
            with self:
                self.send([gathered for _, gathered in some])
        except DataJointError as error:
            if is_retriable(error):
                raise RetryBatchError(str(error)) from error
            self.own(sql.SQL("ROLLBACK TO SAVEPOINT djcli_flush"))
            self.own(sql.SQL("RELEASE SAVEPOINT djcli_flush"))
            if len(some) == 1:
                self.refused[some[0][0]] = error
                return
            half = len(some) // 2
            self.flush_some(some[:half])
            self.flush_some(some[half:])
            return
        self.own(sql.SQL("RELEASE SAVEPOINT djcli_flush"))

    def send(self, many: Sequence[Gathered]) -> None:
        """Insert gathered rows, the table's before those of its parts."""
        for model, rows in merged(many, self.table.id):
            send(self.connection, model, rows, OnDuplicate.REFUSE)


def missing_row(table: Any) -> str:
    """Return the message for a make that inserted no row for its key."""
    return (
        f"make() of {table.class_label} inserted no row for its key; insert one, "
        "or leave such keys out of key_source"
    )
