"""History: what each apply did, kept in a hidden table of the schema it was done in."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from json import dumps
from typing import Any

from psycopg import sql

from djcli.codecs.plain import unwrap
from djcli.database.connection import Connection
from djcli.definition.model import TableId
from djcli.migration.plan import Plan
from djcli.names import Tier
from djcli.sql.ddl import script, statement
from djcli.version import __version__

HISTORY_TABLE = Tier.HIDDEN.value + "djcli_history"
"""The table that records what was applied; like ``~lineage`` it is none of the pipeline's."""

_CREATE = """
CREATE TABLE {} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  applied timestamp(3) without time zone NOT NULL,
  role text NOT NULL,
  user_name text NOT NULL,
  host text NOT NULL,
  version text NOT NULL,
  changes jsonb NOT NULL,
  statements text[] NOT NULL
)"""

_INSERT = """
INSERT INTO {} (applied, role, user_name, host, version, changes, statements)
VALUES (now() AT TIME ZONE 'utc', session_user, {}, {}, {}, {}, {})"""

_FIND = sql.SQL("""
SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = {} AND n.nspname = ANY(%(schemas)s) AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1
""").format(sql.Literal(HISTORY_TABLE))

_TABLES = sql.SQL(
    "SELECT schemaname FROM pg_catalog.pg_tables WHERE schemaname = ANY(%(schemas)s) AND tablename = %(name)s"
)

_READ = "SELECT {} AS schema, id, applied, role, user_name, host, version, changes, statements FROM {}"


@dataclass(frozen=True, slots=True)
class Applied:
    """One apply, as far as it concerns one schema.

    Attributes
    ----------
    schema, number
        The schema, and the number of the entry in it.
    applied
        When, in UTC.
    role, user, host
        The role of the database, and the user and machine that ran it.
    version
        The version of djcli.
    changes
        What it changed in the schema, in the form of `Plan.as_json`, with ``done``: what was done, in one line.
    statements
        All statements that it ran, those in other schemas too.
    """

    schema: str
    number: int
    applied: datetime
    role: str
    user: str
    host: str
    version: str
    changes: Sequence[Mapping[str, Any]]
    statements: Sequence[str]

    def about(self, tables: Collection[TableId]) -> Applied:
        """Return the entry with the changes of these tables only."""
        names = {table.name for table in tables if table.schema == self.schema}
        return replace(self, changes=[each for each in self.changes if each.get("name") in names])

    def as_json(self) -> dict[str, object]:
        """Return the entry as a value of JSON."""
        return {
            "schema": self.schema,
            "number": self.number,
            "applied": self.applied.isoformat(timespec="milliseconds") + "Z",
            "role": self.role,
            "user": self.user,
            "host": self.host,
            "version": self.version,
            "changes": list(self.changes),
            "statements": list(self.statements),
        }


def record(connection: Connection, plan: Plan) -> None:
    """Record a plan in each schema that it changes, in the transaction that carries it out."""
    there = {
        schema
        for (schema,) in connection.rows(_TABLES, {"schemas": list(plan.schemas), "name": HISTORY_TABLE})
    }
    statements: list[sql.Composed] = []
    for schema in plan.schemas:
        table = sql.Identifier(schema, HISTORY_TABLE)
        work = (each for each in plan.work if each.change.schema == schema)
        changes = [{**each.as_json(), "done": each.change.done()} for each in work]
        told = dumps(changes, default=_plain).replace("\\u0000", "")
        if schema not in there:  # IF NOT EXISTS would ask for the right to create it all the same
            statements.append(statement(_CREATE, table))
        statements.append(
            statement(
                _INSERT,
                table,
                sql.Literal(_user()),
                sql.Literal(socket.gethostname()),
                sql.Literal(__version__),
                sql.SQL("{}::jsonb").format(sql.Literal(told)),
                sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(map(sql.Literal, plan.statements))),
            )
        )
    if statements:
        connection.execute(script(statements))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        return ""


def _plain(value: object) -> object:
    plain = unwrap(value)
    if isinstance(plain, bytes):
        return "\\x" + plain.hex()
    return str(plain)


def read_history(connection: Connection, schemas: Iterable[str], limit: int | None = None) -> list[Applied]:
    """Return what was applied in schemas, the latest first.

    Parameters
    ----------
    connection
        The database.
    schemas
        The schemas; those in which nothing was applied, or that the role may not read, are passed over.
    limit
        At most so many entries; by default all.
    """
    reads = [
        statement(_READ, sql.Literal(schema), sql.Identifier(schema, HISTORY_TABLE))
        for (schema,) in connection.rows(_FIND, {"schemas": sorted(set(schemas))})
    ]
    if not reads:
        return []
    latest = statement("\nORDER BY applied DESC, id DESC LIMIT {}", sql.Literal(limit))
    rows = connection.rows(sql.SQL("\nUNION ALL ").join(reads) + latest)
    return [Applied(*row) for row in rows]
