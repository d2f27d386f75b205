"""`Inputs`: what a make has fetched, and whether it is still the same when the result is inserted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from psycopg import sql

from djcli.algebra.relation import Node
from djcli.database.connection import Connection
from djcli.database.failures import is_retriable
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.names import display_name
from djcli.populate.guard import Guard
from djcli.populate.lines import users_line
from djcli.sql.statement import Params

_HAS_WRITTEN = sql.SQL("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")

# The rows never leave the server. They are added up, so that their order does not count: a statement that
# asks for none promises none. The first way needs every column's type to have a hash; the second does not.
_DIGESTS = (
    ("SELECT count(*), sum(hash_record_extended(djcli_row, 0)) FROM (\n", "\n) AS djcli_row"),
    (
        "SELECT count(*), sum(('x' || left(md5(record_send(djcli_row)), 16))::bit(64)::bigint) FROM (\n",
        "\n) AS djcli_row",
    ),
)

_SHOWN = 60


@dataclass(slots=True)
class _Read:
    """A statement that was run, and what it returned: the number of rows, and a digest of them.

    Attributes
    ----------
    tables
        The tables that it reads; None for the user's own SQL, which is not taken apart.
    where
        The line of the user's code that asked.
    way
        How the digest is made: the place in `_DIGESTS`, or past its end, by running the statement as it is.
    """

    text: str
    params: Params
    tables: frozenset[TableId] | None
    where: str
    way: int = 0
    found: tuple[int, object] = (0, None)

    def digest(self, connection: Connection) -> tuple[int, object]:
        """Run the statement for its digest alone, in the first way that it can be run."""
        run: Any = connection.query if self.tables is None else connection.rows
        text = self.text.rstrip().rstrip(";") if self.tables is None else self.text
        while self.way < len(_DIGESTS):
            start, end = _DIGESTS[self.way]
            try:
                ((count, total),) = run(start + text + end, self.params)
            except DataJointError as error:
                if is_retriable(error):
                    raise
                self.way += 1
            else:
                return int(count), total
        rows = run(self.text, self.params)
        return len(rows), blake2b(repr(rows).encode()).digest()

    def described(self, count: int) -> str:
        """Return what changed, for a message."""
        if self.tables is None:
            shown = " ".join(self.text.split())
            what = f"the query {shown[:_SHOWN] + '…' if len(shown) > _SHOWN else shown!r} returned"
        else:
            names = " * ".join(sorted(display_name(table.name) for table in self.tables))
            what = f"the rows of {names} that were fetched"
        before = self.found[0]
        how = f"were {before} and are {count} now" if count != before else "have other values now"
        if self.tables is None:
            how = f"{before} rows and returns {count} now" if count != before else "other values than now"
        return f"{what} {how} ({self.where})"


class Inputs:
    """Notes every statement that a fetch runs, and tells later whether it would return the same.

    Parameters
    ----------
    label
        The name of the computed table.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._reads: list[_Read] = []

    # ---- what it is told, as a witness --------------------------------------------------------------

    def reads(self, node: Node, text: str, params: Mapping[str, object]) -> None:
        """Note a query."""
        self._note(_Read(text, dict(params), node.tables, users_line()))

    def queries(self, text: str, args: Params) -> None:
        """Note the user's own SQL."""
        given = dict(args) if isinstance(args, Mapping) else list(args)
        self._note(_Read(text, given, None, users_line()))

    def writes(self, model: TableModel, verb: str) -> None:
        """Refuse to write before the result is there."""
        refuse_write(self._label, model, verb)

    def _note(self, read: _Read) -> None:
        if not any(read.text == other.text and read.params == other.params for other in self._reads[-8:]):
            self._reads.append(read)

    # ---- then and now -------------------------------------------------------------------------------

    def seal(self, connection: Connection) -> None:
        """Take the digests, in the transaction of the fetch, so that they are those of the fetched rows.

        Raises
        ------
        DataJointError
            If the transaction has written something.
        """
        ((has_written,),) = connection.rows(_HAS_WRITTEN)
        if has_written:
            raise DataJointError(
                f"make_fetch of {self._label} has written to the database: it must only read, so that nothing is "
                "left of a key that fails; write in make_insert"
            )
        for read in self._reads:
            read.found = read.digest(connection)

    def changes(self, connection: Connection) -> list[str]:
        """Return for each statement that would not return the same any more what has changed."""
        found: list[str] = []
        for read in self._reads:
            now = read.digest(connection)
            if now != read.found:
                found.append(read.described(now[0]))
        return found


class NoWrites:
    """Refuses to write while a result is computed, since no transaction could undo it.

    Parameters
    ----------
    label
        The name of the computed table.
    guard
        Whoever watches over its contract.
    """

    def __init__(self, label: str, guard: Guard | None) -> None:
        self._label = label
        self._guard = guard

    def reads(self, node: Node, text: str, params: Mapping[str, object]) -> None:  # noqa: ARG002 - the witness's signature
        """Tell the guard, if there is one."""
        if self._guard is not None:
            self._guard.computes_with(node)

    def queries(self, text: str, args: Params) -> None:
        """Do nothing."""

    def writes(self, model: TableModel, verb: str) -> None:
        """Refuse it."""
        refuse_write(self._label, model, verb)


def refuse_write(label: str, model: TableModel, verb: str) -> None:
    """Refuse to write anywhere but in the last of three steps.

    Raises
    ------
    DataJointError
        Naming the line and the table.
    """
    raise DataJointError(
        f"{users_line()}: make of {label} {verb} {model.id} before its last step: what it has fetched is "
        "verified first; write in make_insert (in a generator, after the second yield)"
    )


def joined(changes: Sequence[str]) -> str:
    """Return changes as one text, the first few of them."""
    return "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
