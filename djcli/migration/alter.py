"""`Table.alter` and `Schema.alter`: the planner for scripts and notebooks."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from djcli.errors import DataJointError
from djcli.migration.apply import apply, check
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.migration.report import lines
from djcli.tables.consent import confirm, must_ask
from djcli.tables.instance import Instance
from djcli.tables.table import Table

logger = logging.getLogger("djcli")


def alter_tables(instance: Instance, classes: Sequence[type[Table]], prompt: bool | None = None) -> Plan:
    """Make tables in the database what their classes declare, in one transaction.

    Tables that only the database has are left alone.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes.
    prompt
        Whether to show what changes and ask before data is lost; by default the setting ``safemode``.

    Returns
    -------
    Plan
        What was done; nothing if the answer was no.

    Raises
    ------
    DataJointError
        If a change is blocked.
    """
    for cls in classes:
        if cls.definition is None:
            raise DataJointError(f"{cls.__name__} has no definition to alter its table by")
    options = Options(whole_schemas=False)
    plan = make_plan(instance, classes, options)
    check(plan, allow_destructive=True)
    if not plan.work:
        logger.info("nothing to alter")
        return plan
    if plan.destructive and must_ask(prompt) and not confirm("\n".join(lines(plan)), "alter the tables?"):
        logger.info("altered nothing")
        return Plan(())
    return apply(instance, classes, options, expected=plan, allow_destructive=True)
