"""Sending gathered rows: in portions that the server works on while further makes run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from psycopg import sql

from djcli.database.background import BackgroundCopy
from djcli.database.connection import Connection
from djcli.database.failures import is_retriable, is_servers
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.populate.columns import RealColumns
from djcli.populate.gather import Gathered, Row, Shape, merged
from djcli.sql.insert import OnDuplicate
from djcli.sql.insert import copy_rows as copy_statement
from djcli.tables.insert import send_rows

PORTION = 1_000
"""Rows that are worth a statement of their own before the batch ends."""

KEYS = 250
"""Keys whose rows are, however few."""

# Foreign-key checks on small or unanalysed tables otherwise plan badly, and keep that plan.
_BEGIN = sql.SQL("SAVEPOINT djcli_flush; SET LOCAL enable_seqscan = off")
_RESUME = sql.SQL("SET LOCAL enable_seqscan = off")
_PAUSE = sql.SQL("SET LOCAL enable_seqscan TO DEFAULT")
_END = sql.SQL("RELEASE SAVEPOINT djcli_flush; SET LOCAL enable_seqscan TO DEFAULT")
_UNDO = sql.SQL("ROLLBACK TO SAVEPOINT djcli_flush; RELEASE SAVEPOINT djcli_flush")


class RetryBatchError(DataJointError):
    """The transaction of a batch failed through no fault of its keys; it has to be run again."""


class Outbox:
    """The rows of the finished keys of a batch, on their way into the database.

    Parameters
    ----------
    connection
        A connection inside the batch's transaction. Whoever else uses it calls `pause` first.
    table
        The table that is computed, whose rows go before those of its parts.
    columns
        The columns that the tables really have.

    Attributes
    ----------
    refused
        The keys, by their place in the batch, whose rows the database refused, each with the reason.
    """

    def __init__(self, connection: Connection, table: TableId, columns: RealColumns) -> None:
        self.refused: dict[int, BaseException] = {}
        self.rows = 0
        self.weight = 0
        self._connection = connection
        self._table = table
        self._columns = columns
        self._waiting: dict[int, Gathered] = {}  # all since the savepoint, sent or not
        self._unsent: list[Gathered] = []
        self._unsent_rows = 0
        self._portions: deque[tuple[Shape, list[Row]]] = deque()
        self._flight: BackgroundCopy | None = None
        self._failed = False
        self._is_begun = False
        self._is_paused = False

    def add(self, place: int, gathered: Gathered) -> bool:
        """Take the rows of a finished key; whether there is reason to `go_on`."""
        self._waiting[place] = gathered
        self._unsent.append(gathered)
        self._unsent_rows += gathered.count
        self.rows += gathered.count
        self.weight += gathered.weight
        return self._is_worth_it or self._flight is not None or bool(self._portions)

    @property
    def _is_worth_it(self) -> bool:
        return self._unsent_rows >= PORTION or len(self._unsent) >= KEYS

    def go_on(self) -> None:
        """Start to send the next portion, if the server is ready for it."""
        if self._failed:
            return
        try:
            if self._flight is not None and not self._flight.is_done:
                return
            self._land()
            if not self._portions:
                if not self._is_worth_it:
                    return
                self._cut()
            self._launch()
        except DataJointError as error:
            self._note(error)

    def _note(self, error: DataJointError) -> None:
        """Take note of a refusal; what is no key's fault ends the batch."""
        if is_servers(error):
            raise error
        if is_retriable(error):
            raise RetryBatchError(str(error)) from error
        self._failed = True

    def _cut(self) -> None:
        self._portions.extend(merged(self._unsent, self._table))
        self._unsent, self._unsent_rows = [], 0

    def _launch(self) -> None:
        """Send the next portion, without waiting for what becomes of it."""
        if not self._is_begun:
            self._connection.execute(_BEGIN)
            self._is_begun = True
        elif self._is_paused:
            self._connection.execute(_RESUME)
        self._is_paused = False
        shape, rows = self._portions.popleft()
        if shape.names:
            types = self._columns.binary_types(shape)
            statement = copy_statement(shape.model, shape.names, binary=bool(types))
            data = self._connection.copy_data(rows, types)
            self._flight = self._connection.begin_copy(statement, data)
        else:
            send_rows(self._connection, shape.model, (), rows, OnDuplicate.REFUSE)

    def _land(self) -> None:
        """Wait for the portion that is on its way."""
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.finish()

    def pause(self) -> None:
        """Make the connection free for a query."""
        try:
            self._land()
        except DataJointError as error:
            self._note(error)
        if self._failed:
            self.flush()  # a failed transaction answers no query
        elif self._is_begun and not self._is_paused:
            self._connection.execute(_PAUSE)
            self._is_paused = True

    def abandon(self) -> None:
        """Leave what is on its way to its fate: the transaction ends."""
        flight, self._flight = self._flight, None
        if flight is not None and self._connection.is_connected:
            flight.abandon()

    def flush(self) -> None:
        """Send all that waits; rows that the database refuses are traced to their keys and left out."""
        if not self._waiting:
            return
        try:
            if not self._failed:
                self._cut()
            while not self._failed and (self._portions or self._flight is not None):
                self._land()
                if self._portions:
                    self._launch()
        except DataJointError as error:
            self._note(error)
        waiting, self._waiting = self._waiting, {}
        failed, self._failed = self._failed, False
        self._unsent, self._unsent_rows, self.rows, self.weight = [], 0, 0, 0
        self._portions.clear()
        self._is_begun = self._is_paused = False
        if failed:
            self._connection.execute(_UNDO)
            self._halves(list(waiting.items()))
        else:
            self._connection.execute(_END)

    def _halves(self, some: Sequence[tuple[int, Gathered]]) -> None:
        """Send each half of rows that were refused together, down to the keys at fault."""
        half = len(some) // 2
        for part in (some[:half], some[half:]) if half else (some,):
            self._connection.execute(_BEGIN)
            try:
                for shape, rows in merged([gathered for _, gathered in part], self._table):
                    send_rows(self._connection, shape.model, shape.names, rows, OnDuplicate.REFUSE)
            except DataJointError as error:
                self._note(error)
                self._failed = False
                self._connection.execute(_UNDO)
                if len(part) == 1:
                    self.refused[part[0][0]] = error
                else:
                    self._halves(part)
            else:
                self._connection.execute(_END)
