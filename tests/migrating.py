"""Helpers of tests of schema changes: editions of a pipeline as classes, and what the database holds of them."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from djcli.catalog.introspect import list_schemas, load
from djcli.definition.model import TableId
from djcli.migration.apply import apply
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.populate.auto import Computed, Imported
from djcli.settings import DatabaseTarget
from djcli.sql.ddl import drop_schema
from djcli.tables.instance import Instance, use_instance
from djcli.tables.schema import Schema
from djcli.tables.table import Table
from djcli.tables.tiers import Lookup, Manual, Part

Definitions = Mapping[str, "str | tuple[str, list[Any]]"]
"""Definitions by name, such as ``Subject``, ``Session.Trial``, ``Method:lookup`` or ``Sum:computed``; the one
of a lookup table may come with its contents."""

_numbers = count(1)


@contextmanager
def fresh_database(admin: psycopg.Connection, server_url: str, template: str) -> Generator[str]:
    """Make a database and drop it in the end."""
    name = f"djcli_migrating_{os.getpid()}_{next(_numbers)}"
    options = {key: str(value) for key, value in conninfo_to_dict(server_url).items() if value is not None}
    options.pop("dbname", None)
    admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    )
    yield f"postgresql:///{name}?{urlencode(options, quote_via=quote)}"
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def emptied(url: str) -> Generator[Instance]:
    """Make the default instance one on this database, all schemas dropped."""
    made = Instance(DatabaseTarget(url, "the test"))
    for schema in list_schemas(made.connection):
        if schema != "public":
            made.connection.execute(drop_schema(schema, cascade=True))
    use_instance(made)
    yield made
    made.connection.close()
    use_instance(None)


_BASES: dict[str, type[Table]] = {
    "manual": Manual,
    "lookup": Lookup,
    "computed": Computed,
    "imported": Imported,
}


def edition(instance: Instance, definitions: Definitions, schema: str = "lab") -> list[type[Table]]:
    """Return the classes of one edition of a pipeline; earlier editions of the schema are forgotten."""
    instance.classes = {t: cls for t, cls in instance.classes.items() if t.schema != schema}
    made = Schema(schema)
    specs: dict[str, tuple[type[Table], dict[str, Any]]] = {}
    for name, definition in definitions.items():
        label, _, tier = name.partition(":")
        text, contents = (definition, []) if isinstance(definition, str) else definition
        members: dict[str, Any] = {"definition": text, "__module__": __name__}
        if contents:
            members["contents"] = contents
        if "." in label:
            master, part = label.split(".")
            specs[master][1][part] = type(part, (Part,), members)
        else:
            specs[label] = (_BASES[tier or "manual"], members)
    for label, (base, members) in specs.items():
        made(type(label, (base,), members))
    return made.tables


def labels(plan: Plan) -> list[str]:
    """Return each change as its mark, its table and its line, with the risk of those not safe."""
    return [
        f"{each.change}" + ("" if each.risk.value == "safe" else f" [{each.risk.value}]")
        for each in plan.changes
    ]


def migrate(
    instance: Instance,
    definitions: Definitions,
    *,
    allow_destructive: bool = False,
    **options: Any,
) -> Plan:
    """Apply an edition, and see that nothing differs afterwards."""
    classes = edition(instance, definitions)
    done = apply(instance, classes, Options(**options), allow_destructive=allow_destructive)
    assert_settled(instance, classes)
    return done


def assert_settled(instance: Instance, classes: list[type[Table]]) -> None:
    """See that the database is what classes declare: nothing to do, and lineage is that of a fresh declaration."""
    left = make_plan(instance, classes)
    assert [str(each.change) for each in left.work] == []
    assert left.statements == ()
    catalog = load(instance.connection, {cls.class_id().schema for cls in classes})
    for schema in catalog.schemas:
        stored = {tuple(row) for row in query(instance, f'SELECT * FROM "{schema}"."~lineage"')}
        told = {
            (table.name, attribute.name, attribute.lineage)
            for table, model in catalog.pipeline_tables.items()
            for attribute in (*model.attributes, *model.hidden)
            if table.schema == schema and attribute.lineage is not None
        }
        assert stored == told


def query(instance: Instance, text: str) -> list[Any]:
    """Run SQL of a test."""
    return instance.connection.query(text)


def rows(instance: Instance, table: str, schema: str = "lab") -> list[tuple[Any, ...]]:
    """Return the rows of a table, sorted."""
    return sorted(query(instance, f'SELECT * FROM "{schema}"."{table}"'), key=repr)


def indexes(instance: Instance, table: str, schema: str = "lab") -> set[tuple[tuple[str, ...], bool]]:
    """Return the columns of each index of a table, and whether it is unique."""
    found = load(instance.connection, [schema]).physical[TableId(schema, table)]
    return {(index.attributes, index.unique) for _, index in found.indexes}
