"""Declaring tables in the database on first use, and filling lookup tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from psycopg import sql

from djcli.catalog.graph import Graph
from djcli.catalog.introspect import load
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.sql.ddl import create_schema, create_tables, lineage_statements, script
from djcli.sql.insert import OnDuplicate
from djcli.tables.insert import insert
from djcli.tables.instance import Instance, TableClass

DECLARATION_LOCK = 0x646A636C69  # "djcli"
"""The advisory lock under which tables are declared: one declaration at a time in a database."""


def declare(instance: Instance, classes: Iterable[TableClass]) -> list[TableId]:
    """Declare tables that are missing, with the missing ones they refer to, in one transaction.

    Lookup tables are filled with their contents.

    Returns
    -------
    list of TableId
        The tables that were declared, parents first.
    """
    wanted = _with_parents(instance, classes)
    order = Graph(cls.class_model() for cls in wanted.values()).topological_order(wanted)
    connection = instance.connection
    with connection.transaction:
        lock_declarations(instance)
        schemas = sorted({table.schema for table in order})
        catalog = load(connection, schemas)
        missing = [table for table in order if table not in catalog.tables]
        models = [wanted[table].class_model() for table in missing]
        statements: list[sql.Composable] = [create_schema(s) for s in schemas if s not in catalog.schemas]
        statements += create_tables(models, catalog.existing)
        statements += lineage_statements(models)
        if models:
            connection.execute(script(statements))
        for table in missing:
            _fill(instance, wanted[table])
    instance.note_declared(missing)
    instance.note_there(order)
    return missing


def lock_declarations(instance: Instance) -> None:
    """Wait until no other transaction declares tables, and keep others waiting until this one ends."""
    statement = sql.SQL("SELECT pg_advisory_xact_lock({})").format(sql.Literal(DECLARATION_LOCK))
    instance.connection.rows(statement)


def _with_parents(instance: Instance, classes: Iterable[TableClass]) -> dict[TableId, TableClass]:
    """Return classes and those of all tables they refer to, by table."""
    found: dict[TableId, TableClass] = {}
    waiting = list(classes)
    while waiting:
        cls = waiting.pop()
        model = cls.class_model()
        if model.id in found:
            continue
        if cls.may_declare():
            found[model.id] = cls
        parents = (key.parent for key in model.foreign_keys)
        waiting += [instance.classes[parent] for parent in parents if parent in instance.classes]
    return found


def ensure(instance: Instance, tables: Collection[TableId]) -> None:
    """Declare those tables that are missing, where this is allowed.

    Where it is not, the statement that needs them says so with `MissingTableError`.
    """
    if not instance.create_tables or instance.known.issuperset(tables):
        return
    unknown = [table for table in tables if table not in instance.known and table in instance.classes]
    if not unknown:
        return
    catalog = load(instance.connection, sorted({table.schema for table in unknown}))
    instance.note_there(catalog.tables)
    missing = [instance.classes[table] for table in unknown if table not in catalog.tables]
    for cls in missing:
        if not cls.may_declare():
            raise DataJointError(
                f"{cls.class_model().id} is not declared in the database and its schema has create_tables=False"
            )
    if missing:
        declare(instance, missing)
    for table in unknown:
        if table in catalog.tables:
            _fill(instance, instance.classes[table])
    instance.note_there(unknown)


def _fill(instance: Instance, cls: TableClass) -> None:
    rows: Sequence[object] = list(cls.rows_to_hold())
    if rows:
        insert(instance, cls.class_model(), rows, on_duplicate=OnDuplicate.SKIP)
