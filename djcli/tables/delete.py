"""Deleting rows together with all that depend on them: found, shown, agreed to, and deleted in one transaction."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from djcli.algebra.conditions import All, Condition, Matches
from djcli.algebra.nodes import Limit, Restrict
from djcli.algebra.relation import Node
from djcli.database.connection import Connection
from djcli.database.failures import is_conflict
from djcli.definition.model import TableId
from djcli.errors import DataJointError, IntegrityError
from djcli.names import counted, display_name
from djcli.sql.compile import compile_delete
from djcli.sql.statement import parameters
from djcli.tables.cascade import Cascade, Doomed, plan_cascade
from djcli.tables.consent import confirm, must_ask

logger = logging.getLogger("djcli")

PART_INTEGRITY = ("enforce", "ignore", "cascade")

ATTEMPTS = 8
"""How often a deletion is tried that others get in the way of."""

_MANY = 10_000
"""Rows from which on the database had better plan its own checks anew."""

Counts = Mapping[TableId, int]
Consent = Callable[[Counts], bool]
"""Is shown how many rows of which tables go, parents first, and says whether to go ahead."""


def delete_rows(table: Any) -> int:
    """Delete the rows of a restricted table alone; refused by the database while others depend on them.

    Raises
    ------
    IntegrityError
        If rows of other tables refer to them.
    DataJointError
        If the restriction has no effect.
    """
    check_restriction(table)
    connection: Connection = table.connection
    statement = compile_delete(table.node)
    with connection.transaction:  # a savepoint, so that an open transaction survives a refusal
        return connection.execute(statement.text, parameters(table.values))


def check_restriction(table: Any) -> None:
    """Refuse a restriction that has no effect, because it would delete everything.

    Raises
    ------
    DataJointError
        Naming the keys that are no attributes, or the query that shares none.
    """
    if table.unmatched:
        raise DataJointError(
            f"nothing was deleted: the restriction by {', '.join(table.unmatched)} matches no attribute of "
            f"{table.described()} (they are {', '.join(table.heading.names)})"
        )
    for other in _unrelated(table.node):
        raise DataJointError(
            f"nothing was deleted: the restriction by {', '.join(sorted(map(str, other.tables)))} shares no "
            f"attribute with {table.class_label}, so it chooses all rows or none"
        )


def _unrelated(node: Node) -> Generator[Node]:
    """Yield the relations that restrict a table without sharing an attribute."""
    while isinstance(node, (Restrict, Limit)):
        if isinstance(node, Restrict):
            waiting: list[Condition] = [node.condition]
            while waiting:
                condition = waiting.pop()
                if isinstance(condition, All):
                    waiting += condition.items
                elif isinstance(condition, Matches) and not condition.shared:
                    yield condition.node
        node = node.source


def delete(
    table: Any, *, prompt: bool | None = None, part_integrity: str = "enforce", consent: Consent | None = None
) -> int:
    """Delete rows and all that depend on them; see `Table.delete`.

    Parameters
    ----------
    table
        A table, restricted or not.
    prompt
        Whether to show what goes and ask; by default the setting ``safemode``.
    part_integrity
        ``'enforce'``, ``'ignore'`` or ``'cascade'``.
    consent
        Who is asked instead of the person at the terminal, and tells what was done.

    Returns
    -------
    int
        How many rows of this table were deleted.
    """
    check_restriction(table)
    plan = _plan(table, part_integrity)
    shown: Counts | None = None
    if consent is not None or must_ask(prompt):
        shown = _preview(table, plan, part_integrity)
        if consent is None and not any(shown.values()):
            logger.info("nothing to delete: %s has no such row", table.class_label)
            return 0
        if not (consent or _ask)(shown):
            logger.info("deleted nothing")
            return 0
        if not any(shown.values()):
            return 0
    deleted = _delete_with_patience(table, plan, part_integrity, shown)
    if consent is None:
        for name, number in deleted.items():
            if number:
                logger.info("deleted %s of %s", counted(number, "row"), name)
    return deleted[table.id]


def preview(table: Any, *, part_integrity: str = "enforce") -> dict[TableId, int]:
    """Return how many rows of which tables would be deleted, parents first; nothing is locked afterwards.

    Raises
    ------
    DataJointError
        Whatever would keep `delete` from deleting them.
    """
    check_restriction(table)
    counts = _preview(table, _plan(table, part_integrity), part_integrity)
    return {name: number for name, number in counts.items() if number or name == table.id}


def check_part_integrity(policy: str) -> None:
    """Refuse a policy for parts that there is not.

    Raises
    ------
    DataJointError
        Naming those there are.
    """
    if policy not in PART_INTEGRITY:
        raise DataJointError(
            f"part_integrity={policy!r}: it must be one of {', '.join(map(repr, PART_INTEGRITY))}"
        )


def _plan(table: Any, part_integrity: str) -> Cascade:
    check_part_integrity(part_integrity)
    return plan_cascade(table.connection, table.id, with_masters=part_integrity == "cascade")


def _preview(table: Any, plan: Cascade, part_integrity: str) -> Counts:
    """Find what goes in a read-only snapshot, and leave no trace."""
    connection: Connection = table.connection
    doomed = Doomed(table, plan)
    doomed.check_privileges()
    with _snapshot(connection) as is_own:
        doomed.make_room()
        if is_own:
            with connection.unguarded():  # it holds for a savepoint's life alone
                connection.execute(sql.SQL("SET TRANSACTION READ ONLY"))  # temporary tables are exempt
        _find(doomed, part_integrity, counting=True)
        raise psycopg.Rollback
    return doomed.counts


@contextmanager
def _snapshot(connection: Connection) -> Generator[bool]:
    """Open a transaction that sees one state of the database, or a savepoint; tell whether it is its own."""
    is_own = not connection.in_transaction
    with connection.snapshot():
        yield is_own


def _find(doomed: Doomed, part_integrity: str, *, counting: bool) -> None:
    doomed.find(counting=counting)
    doomed.check_deletable()
    if part_integrity == "enforce":
        _check_parts(doomed)


def _check_parts(doomed: Doomed) -> None:
    """Refuse to delete rows of a part whose master's row stays."""
    for part, (number, keys) in doomed.strays().items():
        key = ", ".join(f"{name}={value!r}" for name, value in keys[0].items())
        master = display_name(doomed.plan.masters[part].parent.name)
        raise DataJointError(
            f"nothing was deleted: {number} row{'s' * (number > 1)} of the part {part} would go while the row of "
            f"{master} stays (such as {key}); delete from {master} instead, or choose the part "
            "integrity 'cascade' to delete it too, or 'ignore' to leave it"
        )


def _ask(counts: Counts) -> bool:
    lines = [f"{number:>8} rows of {name}" for name, number in counts.items() if number]
    return confirm("about to delete:\n" + "\n".join(lines), "delete these rows?")


def _delete_with_patience(
    table: Any, plan: Cascade, part_integrity: str, shown: Counts | None
) -> dict[TableId, int]:
    """Delete in one transaction; start over when others changed the rows meanwhile."""
    connection: Connection = table.connection
    attempts = 1 if connection.in_transaction else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            return _delete(table, plan, part_integrity, shown)
        except DataJointError as error:
            # A row that came to depend on the doomed ones after these were found makes an integrity error.
            if attempt == attempts or not (is_conflict(error) or isinstance(error, IntegrityError)):
                raise
            time.sleep(random.uniform(0, 0.005 * 2**attempt))  # so that two that collide do not do so again
    raise AssertionError("unreachable")


def _delete(table: Any, plan: Cascade, part_integrity: str, shown: Counts | None) -> dict[TableId, int]:
    connection: Connection = table.connection
    doomed = Doomed(table, plan)
    doomed.check_privileges()
    with _snapshot(connection):
        doomed.make_room()
        _find(doomed, part_integrity, counting=False)
        if sum(doomed.counts.values()) >= _MANY:
            # The plans of foreign-key checks may date from when the tables were empty.
            connection.execute(sql.SQL("DISCARD PLANS"))
        deleted = doomed.delete()
        if deleted != doomed.counts or (shown is not None and deleted != shown):
            raise DataJointError(
                "nothing was deleted: the rows changed since they were counted; look again and repeat"
            )
    return deleted
