"""Helpers of tests that go from definitions to tables: parsing in order, connecting, declaring."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager

from djcli.catalog.introspect import load
from djcli.database.connection import Connection
from djcli.definition.grammar import parse_definition
from djcli.definition.model import TableId, TableModel
from djcli.definition.resolve import resolve
from djcli.errors import MissingTableError
from djcli.names import display_name, split_table_name
from djcli.settings import DatabaseTarget
from djcli.sql.ddl import create_schema, create_tables, lineage_statements, script


def parse(
    schema: str, definitions: Mapping[str, str], known: Mapping[TableId, TableModel] | None = None
) -> dict[TableId, TableModel]:
    """Return the models of a schema's definitions, given by table name, parents first.

    Tables of other schemas are `known`; they are written like ``schema.Table``.
    """
    models = dict(known or {})
    for name, text in definitions.items():
        table = TableId(schema, name)
        parts = split_table_name(name)
        master = parts[2] if parts else None

        def find_parent(parent: str, master: str | None = master) -> TableModel:
            if parent == "master" and master is not None:
                return models[TableId(schema, master)]
            for candidate, model in models.items():
                full = display_name(candidate.name)
                if parent == f"{candidate.schema}.{full}" or (candidate.schema == schema and parent == full):
                    return model
            raise MissingTableError(parent)

        models[table] = resolve(parse_definition(text), table, find_parent)
    return {table: model for table, model in models.items() if table.schema == schema}


@contextmanager
def connected(url: str) -> Generator[Connection]:
    """Open a connection for the time of a test."""
    connection = Connection(DatabaseTarget(url, "the test"))
    try:
        yield connection
    finally:
        connection.close()


def declare(connection: Connection, models: Iterable[TableModel]) -> None:
    """Create tables, with schemas and lineage, in one script."""
    models = list(models)
    schemas = sorted({model.id.schema for model in models})
    existing = load(connection, {*schemas, *(key.parent.schema for m in models for key in m.foreign_keys)})
    statements = [create_schema(schema) for schema in schemas]
    statements += create_tables(models, existing.existing)
    statements += lineage_statements(models)
    connection.execute(script(statements))
