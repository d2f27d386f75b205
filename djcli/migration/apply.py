"""Applying: the plan is carried out in one transaction, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from djcli.migration.lookups import LookupRowsMissing
from djcli.migration.plan import Plan, make_plan
from djcli.sql.insert import OnDuplicate
from djcli.tables.declare import declare, lock_declarations
from djcli.tables.insert import insert
from djcli.tables.instance import Instance
from djcli.tables.table import Table


def apply(instance: Instance, classes: Sequence[type[Table]], *, whole_schemas: bool = True) -> Plan:
    """Declare what is missing and fill lookup tables, in one transaction.

    One such transaction runs at a time in a database; the plan is made inside it, so what another one did
    meanwhile is seen.

    Parameters
    ----------
    instance
        The database.
    classes
        The classes to declare; the tables they refer to are declared with them.
    whole_schemas
        Whether tables that only the database has are reported.

    Returns
    -------
    Plan
        What was found: its `creations` were carried out.
    """
    with instance.connection.transaction:
        lock_declarations(instance)
        plan = make_plan(instance, classes, whole_schemas=whole_schemas)
        if plan.creations:
            fresh = set(declare(instance, classes))
            by_table = {cls.model.id: cls for cls in classes}
            for change in plan.creations:
                if isinstance(change, LookupRowsMissing) and change.table not in fresh:
                    cls = by_table[change.table]
                    insert(instance, cls.model, cls.rows_to_hold(), on_duplicate=OnDuplicate.SKIP)
    return plan
