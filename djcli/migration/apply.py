"""Applying: a plan is carried out in one transaction, one apply at a time, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError, MissingTableError, RefusedError
from djcli.migration.future import Row
from djcli.migration.history import record
from djcli.migration.lookups import write_rows
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.migration.steps import Step
from djcli.names import counted, display_name
from djcli.sql import alter
from djcli.sql.ddl import statement
from djcli.tables.declare import DECLARATION_LOCK
from djcli.tables.instance import Instance
from djcli.tables.table import Table

WAIT = 30.0
"""How many seconds to wait for another apply, and for tables that others use."""

_LOCK_NOT_AVAILABLE = "55P03"

_CHANGED = "the database changed since the plan was made; nothing was done: run it again"

_ACTIVITY = """
SELECT DISTINCT a.pid, a.usename, a.application_name, a.state,
    extract(epoch FROM now() - a.xact_start)::int, left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80)
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.granted AND l.pid <> pg_backend_pid() AND {}
ORDER BY 5 DESC NULLS LAST LIMIT 1"""


def apply(
    instance: Instance,
    classes: Sequence[type[Table]],
    options: Options | None = None,
    *,
    expected: Plan | None = None,
    allow_destructive: bool = False,
    wait: float = WAIT,
    tell: Callable[[str], None] | None = None,
) -> Plan:
    """Make the database what classes declare, in one transaction.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes to declare; what they need is declared with them.
    options
        What is asked of the plan.
    expected
        The plan that was shown. It is made again once nobody else can interfere, and if that one loses more
        data, or touches other tables, nothing is done.
    allow_destructive
        Whether data may be lost.
    wait
        How many seconds to wait for another apply, and for each table that others use.
    tell
        Hears who is waited for.

    Returns
    -------
    Plan
        What was done.

    Raises
    ------
    RefusedError
        If data would be lost that may not be.
    DataJointError
        If a change is blocked, if a row of contents breaks a constraint, if the wait was too long, or if the
        database changed meanwhile. Nothing was changed then.
    """
    options = options or Options()
    connection = instance.connection
    shown = expected or make_plan(instance, classes, options)
    check(shown, allow_destructive=allow_destructive)
    if not shown.work and not shown.steps:
        return shown
    waiting_for: list[TableId] = []
    try:
        with connection.transaction:
            _take_turn(connection, wait, tell)
            _lock(connection, shown.altered, waiting_for, wait, tell)
            plan = make_plan(instance, classes, options)
            _check_same(shown, plan, allow_destructive=allow_destructive)
            _carry_out(connection, plan)
    except DataJointError as error:
        if _state(error) == _LOCK_NOT_AVAILABLE:
            raise DataJointError(_who_uses(connection, waiting_for, wait)) from None  # which says no more
        raise
    finally:
        instance.forget()
    return plan


def _lock(
    connection: Connection,
    tables: Sequence[TableId],
    waiting_for: list[TableId],
    wait: float,
    tell: Callable[[str], None] | None,
) -> None:
    """Keep others out of tables: of all at once, or one by one, noting which is waited for and telling so."""
    if not tables or _try_lock(connection, tables):
        return
    for table in tables:
        waiting_for[:] = [table]
        if not _try_lock(connection, [table]):
            if tell is not None and wait > 0:
                tell(f"{_user_of(connection, table)}; waiting up to {wait:g} s")
            connection.execute(alter.lock_tables([table]))
    waiting_for.clear()


def _try_lock(connection: Connection, tables: Sequence[TableId]) -> bool:
    """Keep others out of tables, if none uses them now; tell whether that was so."""
    try:
        connection.execute(alter.lock_tables(tables, wait=False))
    except MissingTableError as error:
        raise DataJointError(_CHANGED) from error
    except DataJointError as error:
        if _state(error) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def check(plan: Plan, *, allow_destructive: bool) -> None:
    """Refuse a plan that cannot be carried out, or may not be.

    Raises
    ------
    DataJointError
        If a change is blocked.
    RefusedError
        If data would be lost that may not be.
    """
    if plan.blocked:
        first = plan.blocked[0]
        more = f" (and {len(plan.blocked) - 1} more)" if len(plan.blocked) > 1 else ""
        told = (
            f"{first.change.table or first.change.schema}: {first.change.describe()}: {first.verdict.reason}"
        )
        raise DataJointError(f"blocked: {told}{more}; nothing was changed")
    if plan.destructive and not allow_destructive:
        first = plan.destructive[0]
        told = f"{first.change.table}: {first.change.describe()}: {first.verdict.reason}"
        raise RefusedError(f"{counted(len(plan.destructive), 'change')} would lose data: {told}")


def _check_same(shown: Plan, plan: Plan, *, allow_destructive: bool) -> None:
    """Refuse to do more than what was shown; less is fine, as when another apply was faster."""
    check(plan, allow_destructive=allow_destructive)
    lost = {each.change for each in plan.destructive} - {each.change for each in shown.destructive}
    if lost or not set(plan.altered) <= set(shown.altered):
        raise DataJointError(_CHANGED)


def _carry_out(connection: Connection, plan: Plan) -> None:
    for step in plan.steps:
        _run(connection, step)
    record(connection, plan)


def _run(connection: Connection, step: Step) -> None:
    try:
        with connection.transaction:
            connection.execute(step.statement)
    except DataJointError as error:
        if _state(error) == _LOCK_NOT_AVAILABLE:
            raise
        told = str(error)
        if step.model is not None:
            told = _broken_row(connection, step.model, step.rows) or told
        elif step.table is not None and str(step.table) not in told:
            told = f"{step.table}: {told}"
        raise DataJointError(f"{told}; nothing was changed") from error


def _broken_row(connection: Connection, model: TableModel, rows: Sequence[tuple[int, Row]]) -> str | None:
    """Return which row of contents breaks a constraint, and how; found by writing them one by one."""
    for number, row in rows:
        try:
            with connection.transaction:
                for one in write_rows(model, [row]):
                    connection.execute(one)
        except DataJointError as error:
            key = ", ".join(f"{name}={row.get(name)}" for name in model.primary_key)
            return f"row {number} of the contents of {model.id} ({key}): {error}"
    return None


# ---- waiting ----------------------------------------------------------------------------------------


def _take_turn(connection: Connection, wait: float, tell: Callable[[str], None] | None) -> None:
    """Wait until no other apply runs, and limit how long to wait for tables."""
    connection.execute(
        statement("SET LOCAL lock_timeout = {}", sql.Literal(f"{max(1, round(wait * 1000))}ms"))
    )
    key = sql.Literal(DECLARATION_LOCK)
    [(mine,)] = connection.rows(statement("SELECT pg_try_advisory_xact_lock({})", key))
    if mine:
        return
    holder = _holder(
        connection,
        statement(
            "l.locktype = 'advisory' AND l.classid = {} AND l.objid = {} AND l.objsubid = 1 AND l.database = "
            "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
            sql.Literal(DECLARATION_LOCK >> 32),
            sql.Literal(DECLARATION_LOCK & 0xFFFFFFFF),
        ),
    )
    if tell is not None and wait > 0:
        tell(f"another apply is running ({holder}); waiting up to {wait:g} s")
    try:
        with connection.transaction:
            connection.rows(statement("SELECT pg_advisory_xact_lock({})", key))
    except DataJointError as error:
        if _state(error) != _LOCK_NOT_AVAILABLE:
            raise
        raise DataJointError(
            f"another apply is running ({holder}), and it was not done after {wait:g} s; nothing was changed: "
            "try again later, or wait longer with --wait SECONDS"
        ) from None  # which says no more


def _who_uses(connection: Connection, tables: Sequence[TableId], wait: float) -> str:
    told = _user_of(connection, tables[0]) if tables else "a table is in use"
    return (
        f"{told}, and was not free after {wait:g} s; nothing was changed: "
        "try again when it is, or wait longer with --wait SECONDS"
    )


def _user_of(connection: Connection, table: TableId) -> str:
    """Say that a table is in use, and by whom."""
    regclass = sql.Literal(sql.Identifier(*table).as_string())
    condition = statement("l.locktype = 'relation' AND l.relation = to_regclass({})", regclass)
    return f"{table.schema}.{display_name(table.name)} is in use by {_holder(connection, condition)}"


def _holder(connection: Connection, condition: sql.Composable) -> str:
    rows = connection.rows(sql.SQL(_ACTIVITY).format(condition))
    if not rows:
        return "a session that has just ended"
    pid, user, application, state, seconds, query = rows[0]
    age = f" for {seconds} s" if seconds is not None else ""
    program = f" {application}" if application else ""
    doing = "idle in a transaction" if (state or "").startswith("idle in") else f"running {query!r}"
    return f"process {pid}, role {user}{program}, {doing}{age}"


def _state(error: BaseException) -> str | None:
    """Return the SQLSTATE of the driver's error that one of ours stands for."""
    cause = error.__cause__
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None
