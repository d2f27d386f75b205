"""The physical schema: DataJoint and djcli make the same of a definition, to the letter, and read each other's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from declaring import connected, declare, parse
from psycopg.conninfo import conninfo_to_dict

from djcli.catalog.introspect import load
from djcli.database.connection import Connection
from djcli.definition.model import TableId, TableModel
from djcli.migration.compare import compare
from djcli.names import display_name
from djcli.sql.ddl import drop_schema, script

LAB = {
    "subject": """
        # Subjects {x} 'single' "double" \\ back: colon
        subject_id : varchar(16)  # the "id" of it: 'quoted' {b} \\n
        ---
        sex = 'U' : enum('M','F','U')
        handed : enum('right','left')  # in this order
        tiny = 5 : int8
        small = -5 : int16
        medium = 5 : int32
        large = 5 : int64
        single = 1.5 : float32
        double = 1e3 : float64
        price = 1.50 : decimal(5,2)
        yes = true : bool
        no = 0 : bool
        code = 'a' : char(3)
        title = "it's" : varchar(20)
        blank = '' : varchar(20)
        none = null : varchar(20)
        none_decimal = null : decimal(5,2)
        none_small = null : int32
        none_enum = null : enum('M','F','U')
        none_time = null : datetime(3)
        born : date
        hatched = '2024-02-29' : date
        seen : datetime
        noted = CURRENT_TIMESTAMP : datetime(3)
        identity : uuid
        extra = null : json
        raw : bytes
        packed : <blob>
        file = null : <attach>  # some file
        order : int32  # a keyword
        index(order, tiny)
        unique index(large)
        index(a_rather_long_attribute_name, another_long_attribute_name)
        a_rather_long_attribute_name : int32
        another_long_attribute_name : int32
    """,
    "session": """
        -> Subject
        session : int32
        ---
        session_date : date
        note = '' : varchar(200)
    """,
    "session__trial": """
        -> master
        trial : int16
        ---
        rt : float32  # seconds
    """,
    "#method": """
        # ways to do it
        method : varchar(16)
        kind : enum('b','a')
    """,
    "_scan": """
        -> Session
        ---
        path : varchar(255)
    """,
    "__analysis": """
        # what comes out
        -> Session
        -> Method
        ---
        -> [nullable] Subject.proj(other='subject_id')
        -> [unique] Method.proj(method2='method', kind2='kind')
        -> [nullable, unique] Session.proj(s3='subject_id', n3='session')
        score : float64
    """,
    "__analysis__result": """
        -> master
        -> Session.Trial
        ---
        value = null : float64
    """,
    "pair": """
        -> Session.proj(s1='subject_id', n1='session')
        -> Session.proj(s2='subject_id', n2='session')
        ---
        weight : float32
        index(s2, weight)
    """,
    "native": """
        number : int  # a native one
        ---
        words : text
        few = 3 : smallint
        many = null : bigint
        portion : real
    """,
    "#settings": """
        # one row
        ---
        rig = 'a' : varchar(4)
    """,
}

SECOND = {
    "cohort": "-> lab.Subject\ncohort : int32\n---\n-> lab.Method.proj(how='method')",
    "__total": "-> Cohort\n---\n-> lab.Native\n-> lab.Session.proj(day='session')\ntotal : int64",
}

REFERENCE = """
import json, re, sys, types
import datajoint as dj
from datajoint.errors import DataJointError

told = json.load(sys.stdin)
dj.config["database.backend"] = "postgresql"
for name, value in told["database"].items():
    dj.config["database." + name] = value
dj.config["safemode"] = False
dj.config["jobs.add_job_metadata"] = told["metadata"]
tiers = {"": dj.Manual, "#": dj.Lookup, "_": dj.Imported, "__": dj.Computed}
context, headings = {}, {}
for schema_name, tables in told["schemas"].items():
    schema = dj.Schema(schema_name, context=context)
    local = {}
    for master, prefix, text, parts in tables:
        body = {"definition": text, "make": lambda self, key: None}
        body |= {part: type(part, (dj.Part,), {"definition": part_text}) for part, part_text in parts}
        cls = schema(type(master, (tiers[prefix],), body))
        local[master] = context[master] = cls
        for table in (cls, *(getattr(cls, part) for part, _ in parts)):
            headings[schema_name + "." + table.table_name] = [
                [a.name, a.type, a.in_key, a.nullable, str(a.default), a.comment, type(a.codec).__name__, a.lineage]
                for a in table().heading.attributes.values()
            ]
    context[schema_name] = types.SimpleNamespace(**local)
print(re.sub("enum_[0-9a-f]{8}", "enum", json.dumps(headings)))
"""
"""What runs in the reference system: it declares the tables and tells how it reads them."""

_DUMP = """
SELECT 'column', c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attidentity, n.nspname
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND a.attnum > 0 AND n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'constraint', c.relname, k.conname, NULL, pg_get_constraintdef(k.oid), k.condeferrable, NULL, NULL,
    k.contype, n.nspname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT 'relation', c.relname, pg_get_indexdef(c.oid), NULL, obj_description(c.oid, 'pg_class'), NULL, NULL, NULL,
    c.relkind, n.nspname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s)
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Connect to an empty database."""
    with connected(database_url) as opened:
        yield opened


def run_reference(database_url: str, folder: Path, *, metadata: bool = False) -> dict[str, Any]:
    """Declare all tables in the reference system, in a process of its own; return its headings."""
    options = conninfo_to_dict(database_url)
    database = {
        "host": options["host"],
        "port": int(options.get("port") or 5432),
        "user": options.get("user") or os.environ.get("USER", ""),
        "password": options.get("password") or "unused",
        "name": options["dbname"],
        "use_tls": False,
    }
    schemas = {schema: list(classes_of(texts)) for schema, texts in (("lab", LAB), ("second", SECOND))}
    done = subprocess.run(
        [sys.executable, "-c", REFERENCE],
        input=json.dumps({"database": database, "schemas": schemas, "metadata": metadata}),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def classes_of(texts: dict[str, str]) -> Iterator[tuple[str, str, str, list[tuple[str, str]]]]:
    """Yield class name, prefix, definition and parts of each table that is no part."""
    for name, text in texts.items():
        full = display_name(name)
        if "." not in full:
            parts = [
                (display_name(part).split(".")[1], its_text)
                for part, its_text in texts.items()
                if part.startswith(f"{name}__")
            ]
            yield full, re.sub("[a-z].*", "", name), text, parts


def models() -> dict[TableId, TableModel]:
    """Return our models of the same definitions."""
    lab = parse("lab", LAB)
    return lab | parse("second", SECOND, lab)


def dump(connection: Connection) -> set[tuple[object, ...]]:
    """Return everything the system's tables say of both schemas; enum types by their labels."""
    rows = connection.rows(_DUMP, {"schemas": ["lab", "second"]})
    names = {
        f"{enum.schema}.{enum.name}": f"enum{labels}"
        for enum, labels in load(connection, ["lab", "second"]).enums.items()
    }
    found = set(connection.rows("SELECT 'lineage', * FROM lab.\"~lineage\""))
    found |= set(connection.rows("SELECT 'lineage', * FROM second.\"~lineage\""))
    for row in rows:
        values = list(row)
        for place, value in enumerate(values):
            if isinstance(value, str):
                values[place] = re.sub(r"\w+\.enum_\w+", lambda found: names[found[0]], value)
        found.add(tuple(values))
    return found


def drop(connection: Connection) -> None:
    """Drop both schemas."""
    connection.execute(script([drop_schema("second", cascade=True), drop_schema("lab", cascade=True)]))


def test_both_make_the_same_and_read_each_others(
    connection: Connection, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Columns, types, defaults, comments, constraints, indexes, lineage: equal, names included.

    What the reference system made has no difference to our definitions, and it reads what we made as
    it reads its own, without changing anything.
    """
    folder = tmp_path_factory.mktemp("reference")
    own_headings = run_reference(database_url, folder)
    theirs = dump(connection)
    assert compare(models(), load(connection, ["lab", "second"])) == ()
    drop(connection)

    ours_first = models()
    declare(connection, [model for table, model in ours_first.items() if table.schema == "lab"])
    declare(connection, [model for table, model in ours_first.items() if table.schema == "second"])
    ours = dump(connection)
    assert ours - theirs == set()
    assert theirs - ours == set()
    assert len(ours) > 200

    assert run_reference(database_url, folder) == own_headings
    assert dump(connection) == ours


def test_job_metadata_is_hidden(
    connection: Connection, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Columns that the reference system adds for jobs are no difference, and are told as hidden ones."""
    run_reference(database_url, tmp_path_factory.mktemp("reference"), metadata=True)
    catalog = load(connection, ["lab", "second"])
    assert compare(models(), catalog) == ()
    hidden = catalog.tables[TableId("lab", "__analysis")].hidden
    assert [(column.name, column.type.text, column.nullable) for column in hidden] == [
        ("_job_start_time", "datetime(3)", True),
        ("_job_duration", "float32", True),
        ("_job_version", "varchar(64)", False),
    ]
