"""`Connection`: one session with the database: statements and transactions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from djcli.database.answer import Answer
from djcli.database.background import Background, BackgroundCommand, BackgroundCopy, copy_data
from djcli.database.copy_out import Rows, copy_out
from djcli.database.failures import RETRIABLE, translated
from djcli.database.gate import controls_transactions, ends_transaction
from djcli.database.session import Session
from djcli.database.streams import Streams
from djcli.database.witness import Witness
from djcli.errors import DataJointError, ThreadSafetyError
from djcli.settings import DatabaseTarget
from djcli.sql.statement import CopyOut, Params

logger = logging.getLogger("djcli")

Query = sql.Composable | str
"""A composed statement, or text that was compiled from one."""

_FETCH_SIZE = 5_000

_GUARD = sql.SQL("SAVEPOINT djcli_statement")
_UNGUARD = sql.SQL("RELEASE SAVEPOINT djcli_statement")
_UNDO = sql.SQL("ROLLBACK TO SAVEPOINT djcli_statement; RELEASE SAVEPOINT djcli_statement")


class Connection(Session):
    """A session with the database, through which everything is asked.

    Parameters
    ----------
    target
        Which database, and which setting named it.

    Attributes
    ----------
    observers
        Called with the text of every statement before it runs.
    rewrite
        Applied to the text of compiled statements before they run.
    witnesses
        Told of what tables read and write, and of the user's own SQL.
    guards
        Whether statements inside a transaction get savepoints of their own.
    keeper
        Whoever has opened the transaction for the user's code, which may not end it; None for nobody.
    """

    def __init__(self, target: DatabaseTarget) -> None:
        super().__init__(target)
        self.observers: list[Callable[[str], None]] = []
        self.witnesses: list[Witness] = []
        self.rewrite: Callable[[str], str] | None = None
        self._streams = Streams()

    def ping(self) -> None:
        """Ask the server for a sign of life.

        Raises
        ------
        LostConnectionError, ServerError
            If there is none.
        """
        self.rows(sql.SQL("SELECT 1"))

    def close(self) -> None:
        """Close the session; the next statement opens a new one."""
        self._refuse_control()
        super().close()
        self._streams.drop_all()

    # ---- statements ---------------------------------------------------------------------------------

    @contextmanager
    def _watched(self, statement: Query) -> Generator[psycopg.Connection]:
        """Open the session, tell observers, and run the statement; see `_guarded`."""
        raw = self._ready(statement)
        with self._guarded(raw, is_plain=not self.guards or controls_transactions(statement)):
            yield raw

    @contextmanager
    def _guarded(self, raw: psycopg.Connection, *, is_plain: bool) -> Generator[None]:
        """Turn the driver's errors into ours; inside a transaction, a failure leaves it usable, unless `is_plain`."""
        with translated():
            if is_plain or raw.info.transaction_status is not TransactionStatus.INTRANS:
                with self._noting(raw):
                    yield
                return
            raw.execute(_GUARD)
            try:
                yield
            except BaseException as error:
                self._after_failure(raw, error)
                if raw.info.transaction_status is TransactionStatus.INERROR:
                    raw.execute(_UNDO)
                raise
            raw.execute(_UNGUARD)

    @contextmanager
    def _noting(self, raw: psycopg.Connection) -> Generator[None]:
        """Take note of a failure."""
        try:
            yield
        except BaseException as error:
            self._after_failure(raw, error)
            raise

    def _after_failure(self, raw: psycopg.Connection, error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, DataJointError) else error
        if self.gate is not None and isinstance(cause, psycopg.Error) and cause.sqlstate in RETRIABLE:
            self.gate.after_conflict(cause)
        if raw.info.transaction_status is TransactionStatus.ACTIVE:
            raw.close()  # left in the middle of a statement, by an interrupt or a COPY, which nobody can end

    def _ready(self, statement: Query) -> psycopg.Connection:
        self._check_thread()
        raw = self.reached()
        self._streams.drop_left_over(raw)
        if self.observers:
            text = statement if isinstance(statement, str) else statement.as_string()
            for observe in self.observers:
                observe(text)
        return raw

    def _check_thread(self) -> None:
        if self._depth and self._thread != get_ident():
            raise ThreadSafetyError(
                "another thread has a transaction open on this connection: give each thread a Connection of its own"
            )

    def _execute(self, statement: Query, params: Params | None, cursor: psycopg.Cursor[Any]) -> None:
        text: bytes | sql.Composable = statement if isinstance(statement, sql.Composable) else b""
        if isinstance(statement, str):
            text = (self.rewrite(statement) if self.rewrite is not None else statement).encode()
        cursor.execute(cast(sql.SQL, text), {} if params is None else params)

    def rows(self, statement: Query, params: Params | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return all of its rows; none for a statement that returns none."""
        with self._watched(statement) as raw, raw.cursor() as cursor:
            self._execute(statement, params, cursor)
            return cursor.fetchall() if cursor.description is not None else []

    def rows_of_each(self, statements: Sequence[sql.Composed]) -> list[list[tuple[Any, ...]]]:
        """Run several SELECTs without parameters in one round trip, and return the rows of each."""
        if not statements:
            return []
        whole = sql.SQL(";\n").join(statements)
        with self._watched(whole) as raw, raw.cursor() as cursor:
            self._execute(whole, None, cursor)
            found = [cursor.fetchall()]
            while cursor.nextset():
                found.append(cursor.fetchall())
            return found

    def execute(self, statement: Query, params: Params | None = None) -> int:
        """Run a statement and return how many rows it touched."""
        with self._watched(statement) as raw, raw.cursor() as cursor:
            self._execute(statement, params, cursor)
            return cursor.rowcount

    def stream(self, statement: Query, params: Params | None = None) -> Iterator[tuple[Any, ...]]:
        """Run a SELECT through a server-side cursor, in flat memory.

        The cursor outlives transactions, so other statements may run between its rows.
        """
        cursor = self.reached().cursor(name=f"djcli_{os.urandom(8).hex()}", withhold=True)
        self._streams.add(cursor)
        try:
            with self._watched(statement):
                self._execute(statement, params, cast("psycopg.Cursor[Any]", cursor))
            while True:
                if self.gate is not None:
                    self.gate.before_statement()
                with self._guarded(cursor.connection, is_plain=not self.guards):
                    chunk = cursor.fetchmany(_FETCH_SIZE)
                yield from chunk
                if len(chunk) < _FETCH_SIZE:
                    break
        except GeneratorExit:
            self._streams.leave(cursor)
            raise
        except BaseException:
            self._streams.drop(cursor)
            raise
        self._streams.drop(cursor)

    def copy_in(self, statement: Query, rows: Iterator[Sequence[object]], types: Sequence[str]) -> int:
        """Send rows by COPY; `types` names the columns' types. Returns how many were sent."""
        count = 0
        with (
            self._watched(statement) as raw,
            raw.cursor() as cursor,
            cursor.copy(
                cast(sql.SQL, statement if isinstance(statement, sql.Composable) else statement.encode()), ()
            ) as copy,
        ):
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    def begin(self, statement: str) -> BackgroundCommand:
        """Start a statement that returns no rows, inside a transaction; nothing else may run before its end."""
        raw = self._ready(statement)
        with self._noting(raw):
            return BackgroundCommand(raw, statement.encode())

    def finish(self, flight: Background, meanwhile: Callable[[], bool] | None = None) -> int:
        """Wait for the end of a statement that was started, and return how many rows it touched.

        Parameters
        ----------
        flight
            The statement.
        meanwhile
            Does something of use, and tells whether there is more to do; called while the server is busy.
        """
        try:
            while meanwhile is not None and not flight.is_done and meanwhile():
                pass
            return flight.finish()
        except BaseException as error:
            flight.abandon()
            self._after_failure(flight.raw, error)
            raise

    def begin_copy(self, statement: str, data: memoryview) -> BackgroundCopy:
        """Send rows by COPY inside a transaction, and do not wait; nothing else may run before its end.

        Parameters
        ----------
        statement
            ``COPY … FROM STDIN``, in binary format if the rows are.
        data
            The rows, from `copy_data`.
        """
        raw = self._ready(statement)
        with self._noting(raw):
            return BackgroundCopy(raw, statement.encode(), data)

    def copy_data(self, rows: Iterable[Sequence[object]], types: Sequence[str] = ()) -> memoryview:
        """Return rows of encoded values as COPY sends them: in binary, with the types of the columns, or as text.

        A statement may be under way meanwhile.
        """
        raw = self._raw if self._raw is not None else self.reached()
        return copy_data(raw, rows, types)

    def copy_out(self, copy: CopyOut, params: Params, take: Callable[[Rows], None]) -> None:
        """Run a binary COPY to here; `take` is called with its rows, some megabytes at a time."""
        with ExitStack() as stack:
            if copy.settings is not None:
                stack.enter_context(self.transaction)
                self.rows(copy.settings, params)
            raw = stack.enter_context(self._watched(copy.text))
            text = self.rewrite(copy.text) if self.rewrite is not None else copy.text
            copy_out(raw, text.replace("%%", "%").encode(), take)

    def query(
        self, statement: str, args: Mapping[str, object] | Sequence[object] = (), *, as_dict: bool = False
    ) -> Answer:
        """Run the user's own SQL.

        Parameters
        ----------
        statement
            SQL with ``%s`` or ``%(name)s`` where values go.
        args
            The values. Without any, ``%`` is just a character.
        as_dict
            Whether rows come as dicts.

        Returns
        -------
        Answer
            All rows as a list, empty for a statement that returns none; it also has a cursor's methods.
        """
        if self.keeper is not None and ends_transaction(statement):
            self._refuse_control()
        for witness in self.witnesses:
            witness.queries(statement, args)
        if self.gate is not None:
            self.gate.before_users_sql(statement)
        with self._watched(statement) as raw:
            cursor = raw.cursor(row_factory=dict_row) if as_dict else raw.cursor()
            with cursor:
                cursor.execute(cast(sql.SQL, statement.encode()), args or None)
                rows = cursor.fetchall() if cursor.description is not None else ()
                return Answer(rows, cursor.rowcount, cursor.description)

    # ---- transactions -------------------------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return (
            self.is_connected
            and self._raw is not None
            and (self._raw.info.transaction_status is not TransactionStatus.IDLE)
        )

    @property
    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A transaction as a context: committed at its end, rolled back on an exception.

        Inside another it is a savepoint.
        """
        if self.gate is not None:
            self.gate.before_transaction()
        self._check_thread()
        raw = self.reached()
        self._thread = get_ident()
        self._depth += 1
        try:
            with translated(), raw.transaction():
                yield self
        finally:
            self._depth = max(0, self._depth - 1)
            if (
                not self._depth
                and not raw.closed
                and raw.info.transaction_status is not TransactionStatus.IDLE
            ):
                raw.close()  # an interrupt of its end has left it half way

    def _refuse_control(self) -> None:
        if self.keeper is not None:
            raise DataJointError(
                f"{self.keeper} runs inside a transaction, which it may neither begin nor end; "
                "nest one with `with connection.transaction`"
            )

    @contextmanager
    def kept_by(self, keeper: str) -> Generator[None]:
        """Refuse to begin or end transactions, and to close the session, while code of the user's runs in one."""
        self.keeper = keeper
        try:
            yield
        finally:
            self.keeper = None

    @contextmanager
    def unguarded(self) -> Generator[None]:
        """Run statements without savepoints of their own: a failure ends the transaction."""
        before, self.guards = self.guards, False
        try:
            yield
        finally:
            self.guards = before

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """Open a transaction all of whose statements see the database as it was at the first (REPEATABLE READ).

        Inside another transaction it is a savepoint.
        """
        raw = self.reached()
        if self.in_transaction:
            with self.transaction:
                yield self
            return
        raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            with self.transaction:
                yield self
        finally:
            if not raw.closed:
                raw.isolation_level = None

    def start_transaction(self) -> None:
        """Begin a transaction.

        Raises
        ------
        DataJointError
            If one is open already.
        """
        self._refuse_control()
        if self.in_transaction:
            raise DataJointError("a transaction is open already; nest with `with connection.transaction`")
        self.execute(sql.SQL("BEGIN"))
        self._thread = get_ident()
        self._depth += 1

    def commit_transaction(self) -> None:
        """Commit what `start_transaction` began."""
        self._refuse_control()
        try:
            self.execute(sql.SQL("COMMIT"))
        finally:
            self._depth = 0

    def cancel_transaction(self) -> None:
        """Roll back what `start_transaction` began."""
        self._refuse_control()
        try:
            if self.is_connected:  # a lost session has rolled back already
                self.execute(sql.SQL("ROLLBACK"))
        finally:
            self._depth = 0
